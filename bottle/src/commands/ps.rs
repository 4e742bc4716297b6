//! `bottle ps`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle ps`.
#[derive(Debug, Args)]
pub struct PsArgs {}

/// Does it.
pub fn run(_args: &PsArgs) -> Outcome {
    Err(Failure::new("`bottle ps` is not built yet"))
}
