//! The binary: parse, run, exit code. The rest is the library beside it.
#![forbid(unsafe_code)]

use bottle::attack;
use bottle::cli::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The bottle's first process is this binary again: it must not parse arguments, open files or start threads.
    if std::env::args_os().nth(1).is_some_and(|first| first == sandbox::linux::CRADLE) {
        sandbox::linux::cradle_main();
    }
    if let Some(code) = hostile_program() {
        return code;
    }
    match Cli::parse().run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// What `bottle doctor --attack` runs inside a bottle; these words are no commands of the user's.
fn hostile_program() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (word, rest) = arguments.split_first()?;
    match word.as_str() {
        attack::INSIDE => Some(attack::inside(rest)),
        attack::HEARTBEAT => Some(attack::heartbeat(rest)),
        _ => None,
    }
}
