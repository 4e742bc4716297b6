//! Signals to the launcher, as something to wait for. From here on none of them ends it by itself: what they mean is
//! decided in one place, and everything is torn down.
use crate::failure::Failure;
use rustix::fs::{Mode, OFlags};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

const CAUGHT: [i32; 9] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH];

/// Those that came.
pub struct Signals {
    /// Whether there was a terminal to begin with.
    had_terminal: bool,
    delivery: SignalDelivery<UnixStream, SignalOnly>,
}

impl Signals {
    /// Catches them from now on.
    pub fn catch() -> Result<Signals, Failure> {
        let (read, write) = UnixStream::pair()?;
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, CAUGHT)
            .map_err(|error| Failure::new(format!("cannot catch signals: {error}")))?;
        Ok(Signals { delivery, had_terminal: has_terminal() })
    }

    /// Whether SIGHUP has its old meaning: the terminal of this process is gone. With a terminal that is there, or without one from
    /// the start, somebody sent it, who wants the manifest to be read again.
    pub fn terminal_is_gone(&self) -> bool {
        self.had_terminal && !has_terminal()
    }

    /// Those that came since the last call.
    pub fn pending(&mut self) -> Vec<i32> {
        self.delivery.pending().collect()
    }
}

/// A terminal that hung up cannot be opened by this name any more (tty(4)).
fn has_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).is_ok()
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}
