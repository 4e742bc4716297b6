//! Processes that are started before it is known what they are for, so that they are ready when it is: this program once more, which
//! becomes two where a bottle is to be made, the second a copy of the first that has not heard anything either. Until its order
//! comes such a process knows nothing and does nothing, and it ends with its socket.
use super::launch::CRADLE;
use crate::SandboxError;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

/// What the walls of one bottle need. The thread that makes it must be the one that prepares the bottle.
pub struct Spare {
    pub(crate) blank: Blank,
}

impl Spare {
    /// Starts them.
    /// # Errors
    /// When no process can be started.
    pub fn start() -> Result<Spare, SandboxError> {
        Ok(Spare { blank: Blank::with_warden()? })
    }
}

/// A process without an order; dropping it ends it.
pub(crate) struct Blank {
    /// Until somebody takes it.
    child: Option<Child>,
    socket: UnixStream,
    /// To its copy.
    beside: Option<UnixStream>,
}

impl Blank {
    /// This program once more, with nothing of this one's but a socket, over which it is told what to become. It leaves this one's
    /// folder by itself, so that it can be made without a copy of this one's memory.
    pub(crate) fn start() -> Result<Blank, SandboxError> {
        let (socket, theirs) = pair()?;
        let child = spawn(theirs, Stdio::null())?;
        Ok(Blank { child: Some(child), socket, beside: None })
    }

    /// The same, and a copy of it with a socket of its own, whom the first waits for at its end. Executing twice would move every
    /// address of the program twice.
    fn with_warden() -> Result<Blank, SandboxError> {
        let ((socket, theirs), (beside, its)) = (pair()?, pair()?);
        let child = spawn(theirs, Stdio::from(OwnedFd::from(its)))?;
        Ok(Blank { child: Some(child), socket, beside: Some(beside) })
    }

    /// The process, its socket and that of its copy, for whoever gives the orders.
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn take(mut self) -> Result<(Child, UnixStream, Option<UnixStream>), SandboxError> {
        let copied = |socket: &UnixStream| socket.try_clone().map_err(|e| cannot_start(&e));
        let (socket, beside) = (copied(&self.socket)?, self.beside.as_ref().map(copied).transpose()?);
        let gone = || cannot_start(&std::io::ErrorKind::NotFound.into());
        Ok((self.child.take().ok_or_else(gone)?, socket, beside))
    }
}

impl Drop for Blank {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            for socket in [Some(&self.socket), self.beside.as_ref()].into_iter().flatten() {
                let _closed_already = socket.shutdown(Shutdown::Both);
            }
            let _gone = child.wait();
        }
    }
}

fn pair() -> Result<(UnixStream, UnixStream), SandboxError> {
    UnixStream::pair().map_err(|e| cannot_start(&e))
}

fn spawn(control: UnixStream, beside: Stdio) -> Result<Child, SandboxError> {
    Command::new("/proc/self/exe")
        .arg(CRADLE)
        .env_clear()
        .stdin(OwnedFd::from(control))
        .stdout(beside)
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| cannot_start(&e))
}

fn cannot_start(error: &std::io::Error) -> SandboxError {
    SandboxError::new(format!("cannot start the bottle's first process: {error}"))
        .with_hint("`/proc` must be mounted, and the limit on processes (`ulimit -u`) not reached")
}
