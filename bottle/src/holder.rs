//! What runs in the container that holds a bottle's network: two words that are no commands of the user's.
use crate::failure::Failure;
use sandbox::SandboxError;
use sandbox::linux::holder::{self, News};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// `__hold SOCKET [processes]`: the container's first process, of a network or of processes alone. A line of JSON on standard output when it is ready, and another when the
/// egress has the listeners. Ends with 0 at SIGTERM.
pub fn hold(arguments: &[String]) -> ExitCode {
    match arguments {
        [socket] => told(holder::hold(Path::new(socket), say)),
        [socket, word] if word == holder::PROCESSES => {
            told(holder::hold_steps(&holder::guards(), Path::new(socket), say))
        }
        _ => misused("the first process of a container that holds a network"),
    }
}

/// `__splice PORT [ADDRESS]`: standard input and output become a connection to that port, inside or at that address; 1 when
/// nobody listens.
pub fn splice(arguments: &[String]) -> ExitCode {
    let port = arguments.first().and_then(|port| port.parse().ok());
    let at = arguments.get(1).map(|address| address.parse()).transpose();
    match (port, at, arguments.len()) {
        (Some(port), Ok(at), 1 | 2) => told(holder::splice(port, at)),
        _ => misused("a way to a server in a network that a container holds"),
    }
}

fn say(news: News) {
    let line = serde_json::to_string(&news).unwrap_or_default();
    let _nobody_reads = writeln!(std::io::stdout(), "{line}");
}

fn told(outcome: Result<(), SandboxError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Failure { what: error.what, help: error.hint, code: 1 }.report(),
    }
}

fn misused(what: &str) -> ExitCode {
    crate::say::err(&format!("this is {what}\n"));
    ExitCode::from(2)
}
