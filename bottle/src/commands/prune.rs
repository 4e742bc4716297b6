//! `bottle prune`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {}

/// Does it.
pub fn run(_args: &PruneArgs) -> Outcome {
    Err(Failure::new("`bottle prune` is not built yet"))
}
