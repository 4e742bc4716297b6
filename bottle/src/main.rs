//! The binary: parse, run, exit code. The rest is the library beside it.
#![forbid(unsafe_code)]

use bottle::cli::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The bottle's first process is this binary again: it must not parse arguments, open files or start threads.
    if std::env::args_os().nth(1).is_some_and(|first| first == sandbox::linux::CRADLE) {
        sandbox::linux::cradle_main();
    }
    match Cli::parse().run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
