//! `bottle explain`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {}

/// Does it.
pub fn run(_args: &ExplainArgs) -> Outcome {
    Err(Failure::new("`bottle explain` is not built yet"))
}
