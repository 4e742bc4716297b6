//! `bottle watch`: see all bottles, and answer their agents.
use crate::failure::Outcome;
use crate::watch;
use clap::Args;
use std::io::IsTerminal;
use std::process::ExitCode;

/// Arguments of `bottle watch`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WatchArgs {
    /// Which bottles, by slug or name; all when none is named, those that start later too.
    #[arg(value_name = "SLUG|NAME")]
    pub bottles: Vec<String>,
    /// Print a line for everything that happens: for pipes and screen readers. What happens anyway when standard input or
    /// output is no terminal.
    #[arg(long)]
    pub plain: bool,
}

const AFTER_HELP: &str = "\
As long as somebody watches, agents can ask. `?` shows the keys; `q` leaves, and the bottles go on. Everything that came
from an agent is neutralised; what stands in “these marks” is said by an agent. NO_COLOR is honoured.

Examples:
  bottle watch
  bottle watch dev
  bottle watch --plain | grep --line-buffered request";

/// Shows them.
pub fn run(args: &WatchArgs) -> Outcome {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if args.plain || !terminal {
        return watch::plain(args.bottles.clone()).map(|()| ExitCode::SUCCESS);
    }
    let ended_by = watch::view(args.bottles.clone())?;
    // As shells count it. The terminal was given back before.
    let code = ended_by.and_then(|signal| u8::try_from(128 + signal).ok());
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}
