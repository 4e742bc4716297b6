//! `bottle run`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle run`.
#[derive(Debug, Args)]
pub struct RunArgs {}

/// Does it.
pub fn run(_args: &RunArgs) -> Outcome {
    Err(Failure::new("`bottle run` is not built yet"))
}
