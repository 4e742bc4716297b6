//! Processes that are started before it is known what they are for, so that they are ready when it is: this program once more, twice
//! for each bottle. Until its order comes such a process knows nothing and does nothing, and it ends with its socket.
use super::launch::CRADLE;
use crate::SandboxError;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

/// What the walls of one bottle need. The thread that makes it must be the one that prepares the bottle.
pub struct Spare {
    pub(crate) cradle: Blank,
    pub(crate) warden: Blank,
}

impl Spare {
    /// Starts them.
    /// # Errors
    /// When no process can be started.
    pub fn start() -> Result<Spare, SandboxError> {
        Ok(Spare { cradle: Blank::start()?, warden: Blank::start()? })
    }
}

/// A process without an order; dropping it ends it.
pub(crate) struct Blank {
    /// Until somebody takes it.
    child: Option<Child>,
    socket: UnixStream,
}

impl Blank {
    /// This program once more, with nothing of this one's but a socket, over which it is told what to become. It leaves this one's
    /// folder by itself, so that it can be made without a copy of this one's memory.
    pub(crate) fn start() -> Result<Blank, SandboxError> {
        let (ours, theirs) = UnixStream::pair().map_err(|e| cannot_start(&e))?;
        let child = Command::new("/proc/self/exe")
            .arg(CRADLE)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| cannot_start(&e))?;
        Ok(Blank { child: Some(child), socket: ours })
    }

    /// The process and its socket, for whoever gives the order.
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn take(mut self) -> Result<(Child, UnixStream), SandboxError> {
        let socket = self.socket.try_clone().map_err(|e| cannot_start(&e))?;
        let gone = || cannot_start(&std::io::ErrorKind::NotFound.into());
        Ok((self.child.take().ok_or_else(gone)?, socket))
    }
}

impl Drop for Blank {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _closed_already = self.socket.shutdown(Shutdown::Both);
            let _gone = child.wait();
        }
    }
}

fn cannot_start(error: &std::io::Error) -> SandboxError {
    SandboxError::new(format!("cannot start the bottle's first process: {error}"))
        .with_hint("`/proc` must be mounted, and the limit on processes (`ulimit -u`) not reached")
}
