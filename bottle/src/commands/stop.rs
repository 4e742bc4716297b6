//! `bottle stop`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle stop`.
#[derive(Debug, Args)]
pub struct StopArgs {}

/// Does it.
pub fn run(_args: &StopArgs) -> Outcome {
    Err(Failure::new("`bottle stop` is not built yet"))
}
