//! `bottle demo`.
use crate::failure::{Failure, Outcome};
use clap::Args;

/// Arguments of `bottle demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}

/// Does it.
pub fn run(_args: &DemoArgs) -> Outcome {
    Err(Failure::new("`bottle demo` is not built yet"))
}
