//! Rootless namespaces on this machine.
pub(crate) mod sys {
    #![allow(unsafe_code, reason = "the kernel is called here")]
    pub(crate) mod attempt;
}

use crate::{SandboxError, Spec};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};

/// argv[1] of the re-executed binary that becomes the bottle's first process. The launcher's memory, which holds
/// secrets, is thereby never shared with anything inside.
pub const CRADLE: &str = "__cradle";

/// Sockets that were opened inside the bottle's network namespace.
pub struct InsideListeners {
    /// All captured TCP.
    pub tcp: Vec<TcpListener>,
    /// Names over UDP.
    pub dns_udp: Vec<UdpSocket>,
    /// Names over TCP.
    pub dns_tcp: Vec<TcpListener>,
}

/// A bottle whose walls stand and whose agent does not run yet. Dropping it leaves nothing.
pub struct Prepared {}

impl Prepared {
    /// The listeners, once.
    pub fn take_listeners(&mut self) -> InsideListeners {
        todo!()
    }
    /// Master side of the PTY, when the spec asked for one (take it once). It is there before the agent, so that the
    /// first thing the agent asks for, the window's size, is right.
    pub fn take_pty(&mut self) -> Option<OwnedFd> {
        todo!()
    }
    /// Starts the agent.
    /// # Errors
    /// When the program cannot be executed (not found, not executable).
    pub fn launch(self) -> Result<Running, SandboxError> {
        todo!()
    }
}

/// A running agent. Dropping it kills the bottle whole.
pub struct Running {}

/// How the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

/// What became of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Suspended by this signal (Ctrl-Z); `SIGCONT` resumes it.
    Stopped(i32),
    /// Gone.
    Ended(Ended),
}

impl Running {
    /// Host pid of the bottle's first process.
    pub fn pid(&self) -> i32 {
        todo!()
    }
    /// Sends a signal to the agent's process group.
    /// # Errors
    /// When the bottle is gone.
    pub fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        let _ = signal;
        todo!()
    }
    /// A connected socket to a server inside (published ports).
    /// # Errors
    /// When nothing listens there.
    pub fn connect(&self, port: u16) -> Result<std::net::TcpStream, SandboxError> {
        let _ = port;
        todo!()
    }
    /// Readable when [`Running::change`] will not block, and for ever once the agent has ended: for the launcher's poll.
    pub fn news(&self) -> BorrowedFd<'_> {
        todo!()
    }
    /// Blocks until the agent was suspended (the first process sees it with `WUNTRACED`, which needs the agent in a
    /// process group of its own inside the first process's session: an orphaned group ignores Ctrl-Z) or has ended.
    pub fn change(&mut self) -> Change {
        todo!()
    }
    /// Blocks until the agent has ended.
    pub fn wait(&mut self) -> Ended {
        todo!()
    }
    /// Kills everything inside; idempotent.
    pub fn kill(&mut self) {
        todo!()
    }
}

/// Builds the walls: namespaces, network, file system; opens the listeners.
/// # Errors
/// Which step failed and how to mend it; nothing is left behind.
pub fn prepare(spec: &Spec) -> Result<Prepared, SandboxError> {
    let _ = spec;
    todo!()
}

/// The re-executed binary's main; never returns to the caller.
pub fn cradle_main() -> ! {
    todo!()
}

/// One thing the machine must have.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// `user namespaces`, `nf_tables`, `landlock`…
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Whether bottles cannot run without it.
    pub required: bool,
    /// What was seen.
    pub found: String,
    /// How to mend it, when it is missing.
    pub hint: Option<String>,
}

/// Tries every thing a bottle needs, without leaving anything.
pub fn diagnose() -> Vec<Check> {
    todo!()
}
