//! What every backend gives the launcher of a running agent.
use crate::SandboxError;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

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

/// A running agent. Dropping it ends the agent and everything that it started.
pub trait Running {
    /// Readable when [`Running::change`] will not block, and for ever once the agent has ended: for the launcher's poll.
    fn news(&self) -> BorrowedFd<'_>;
    /// Blocks until the agent was suspended or has ended.
    fn change(&mut self) -> Change;
    /// Whether the kernel killed something inside because the memory of the bottle was used up. Known once the agent has
    /// ended; `false` where the backend cannot say.
    fn starved(&self) -> bool;
    /// Sends a signal to the agent.
    /// # Errors
    /// When the bottle is gone.
    fn signal(&self, signal: i32) -> Result<(), SandboxError>;
    /// Kills everything inside; idempotent.
    fn kill(&mut self);
    /// The operator's window has this size, for a backend whose terminal is not on this machine.
    fn resize(&self, rows: u16, columns: u16);
    /// The way to servers inside, for other threads.
    fn door(&self) -> Arc<dyn Door>;
}

/// The way to servers inside (published ports).
pub trait Door: Send + Sync {
    /// A connection to a server on a loopback address of the bottle. Blocking.
    /// # Errors
    /// When nothing listens there.
    fn connect(&self, port: u16) -> Result<Stream, SandboxError>;
}

/// A connection into a bottle.
#[derive(Debug)]
pub enum Stream {
    /// A socket of the bottle's own network.
    Tcp(TcpStream),
    /// Carried by the backend.
    Carried(UnixStream),
}
