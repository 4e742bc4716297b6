//! `bottle egress`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle egress`.
#[derive(Debug, Args)]
pub struct EgressArgs {}

/// Does it.
pub fn run(_args: &EgressArgs) -> Outcome {
    Err(Failure::new("`bottle egress` is not built yet"))
}
