//! `bottle logs`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {}

/// Does it.
pub fn run(_args: &LogsArgs) -> Outcome {
    Err(Failure::new("`bottle logs` is not built yet"))
}
