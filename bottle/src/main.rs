//! The binary: parse, run, exit code. The rest is the library beside it.
#![forbid(unsafe_code)]

use bottle::attack;
use bottle::cli::Cli;
use bottle::demo;
use bottle::failure::BOTTLE_FAILED;
use bottle::holder;
use clap::Parser;
use sandbox::linux::holder::{HOLD, SPLICE};
use std::process::ExitCode;

fn main() -> ExitCode {
    // The bottle's first process is this binary again: it must not parse arguments, open files or start threads.
    if std::env::args_os().nth(1).is_some_and(|first| first == sandbox::linux::CRADLE) {
        sandbox::linux::cradle_main();
    }
    if let Some(code) = program_inside() {
        return code;
    }
    let cli = Cli::parse();
    // A mistake of ours is not the agent's exit code. All that was taken has been given back while unwinding.
    match std::panic::catch_unwind(|| cli.run()) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => failure.report(),
        Err(_) => ExitCode::from(BOTTLE_FAILED),
    }
}

/// What `bottle doctor --attack`, `bottle demo` and the Docker backend run inside a bottle; these words are no commands
/// of the user's.
fn program_inside() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (word, rest) = arguments.split_first()?;
    match word.as_str() {
        attack::INSIDE => Some(attack::inside(rest)),
        attack::HEARTBEAT => Some(attack::heartbeat(rest)),
        demo::INSIDE => Some(demo::inside(rest)),
        HOLD => Some(holder::hold(rest)),
        SPLICE => Some(holder::splice(rest)),
        _ => None,
    }
}
