//! `bottle completions`: what a shell needs to complete our arguments.
use crate::cli::Cli;
use crate::failure::Outcome;
use crate::say;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::process::ExitCode;

/// Arguments of `bottle completions`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CompletionsArgs {
    /// Which shell.
    pub shell: Shell,
}

const AFTER_HELP: &str = "\
Examples:
  bottle completions bash > ~/.local/share/bash-completion/completions/bottle
  bottle completions zsh > ~/.zfunc/_bottle
  bottle completions fish > ~/.config/fish/completions/bottle.fish";

/// Prints them.
pub fn run(args: &CompletionsArgs) -> Outcome {
    // Into memory first: the generator panics when nobody reads.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bottle", &mut script);
    say::out(script)?;
    Ok(ExitCode::SUCCESS)
}
