//! `bottle init`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle init`.
#[derive(Debug, Args)]
pub struct InitArgs {}

/// Does it.
pub fn run(_args: &InitArgs) -> Outcome {
    Err(Failure::new("`bottle init` is not built yet"))
}
