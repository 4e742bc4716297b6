//! `bottle doctor`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// Does it.
pub fn run(_args: &DoctorArgs) -> Outcome {
    Err(Failure::new("`bottle doctor` is not built yet"))
}
