//! `bottle check`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle check`.
#[derive(Debug, Args)]
pub struct CheckArgs {}

/// Does it.
pub fn run(_args: &CheckArgs) -> Outcome {
    Err(Failure::new("`bottle check` is not built yet"))
}
