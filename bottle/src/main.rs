//! The binary: parse, run, exit code. The rest is the library beside it.
#![forbid(unsafe_code)]

use bottle::attack;
use bottle::cli;
use bottle::demo;
use bottle::failure::BOTTLE_FAILED;
use bottle::holder;
use sandbox::linux::holder::{HOLD, SPLICE};
use std::process::ExitCode;

/// Exit code of a wrong command line, as shells and most programs have it.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    // The bottle's first process is this binary again: it must not parse arguments, open files or start threads.
    if std::env::args_os().nth(1).is_some_and(|first| first == sandbox::linux::CRADLE) {
        sandbox::linux::cradle_main();
    }
    if let Some(code) = program_inside() {
        return code;
    }
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // A mistake of ours is not the agent's exit code. All that was taken has been given back while unwinding.
    match std::panic::catch_unwind(|| cli.run()) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => failure.report(),
        Err(_) => ExitCode::from(BOTTLE_FAILED),
    }
}

/// Help is no mistake. A mistake in what `bottle run` is told is the bottle's own failure, not the agent's exit code.
fn usage(error: &clap::Error) -> ExitCode {
    // Whoever asked for it and reads no more has what they wanted.
    let _nobody_reads_it = error.print();
    let runs = std::env::args_os().nth(1).is_some_and(|first| first == "run");
    match (error.use_stderr(), runs) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(BOTTLE_FAILED),
        (true, false) => ExitCode::from(WRONG_USE),
    }
}

/// What `bottle doctor --attack`, `bottle demo` and the Docker backend run inside a bottle; these words are no commands
/// of the user's.
fn program_inside() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let word = arguments.next()?;
    let program: fn(&[String]) -> ExitCode = match word.to_str()? {
        attack::INSIDE => attack::inside,
        attack::HEARTBEAT => attack::heartbeat,
        demo::INSIDE => demo::inside,
        HOLD => holder::hold,
        SPLICE => holder::splice,
        _ => return None,
    };
    let rest: Vec<String> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    Some(program(&rest))
}
