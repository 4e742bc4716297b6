//! `bottle demo`: see a bottle work.
use crate::failure::Outcome;
use clap::Args;

/// Arguments of `bottle demo`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {}

const AFTER_HELP: &str = "\
Offline, in a real bottle, in a few seconds: an allowed request that gets its credential on the way out, a refused host
with its explanation, a direct connection that fails, a DNS leak that fails. Nothing stays behind.

Exit code: 0 when all of it held, 1 when something did not.";

/// Shows it.
pub fn run(_args: &DemoArgs) -> Outcome {
    crate::demo::command()
}
