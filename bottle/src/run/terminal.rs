//! The operator's terminal: raw while the agent is in the foreground, given back in every other case.
use crate::failure::Failure;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::termios::{self, OptionalActions, Termios};

/// The terminal of a run.
#[derive(Debug)]
pub struct Terminal {
    /// Its own open file where that can be had: what is non-blocking for us must not be so for the shell.
    device: OwnedFd,
    /// Whether it is gone.
    hung_up: bool,
    /// The settings to give back, while it is raw.
    given: Option<Termios>,
}

impl Terminal {
    /// The terminal, when standard input and output both are one, and it is wanted.
    pub fn find(wanted: bool) -> Option<Terminal> {
        let (input, output) = (rustix::stdio::stdin(), rustix::stdio::stdout());
        if !wanted || !termios::isatty(input) || !termios::isatty(output) {
            return None;
        }
        device(input).map(|device| Terminal { device, hung_up: false, given: None })
    }

    /// Makes the bottle's terminal like this one.
    pub fn copy_to(&self, pty: &OwnedFd) -> Result<(), Failure> {
        let settings = termios::tcgetattr(&self.device)?;
        termios::tcsetattr(pty, OptionalActions::Now, &settings)?;
        self.copy_size_to(pty);
        Ok(())
    }

    /// Passes the size of the window on; programs live with an old one.
    pub fn copy_size_to(&self, pty: &OwnedFd) {
        if let Ok(size) = termios::tcgetwinsize(&self.device) {
            let _ = termios::tcsetwinsize(pty, size);
        }
    }

    /// Rows and columns of the window.
    pub fn size(&self) -> Option<(u16, u16)> {
        termios::tcgetwinsize(&self.device).ok().map(|size| (size.ws_row, size.ws_col))
    }

    /// Raw, when we are in the foreground.
    pub fn take(&mut self) {
        if self.given.is_some() || self.hung_up || !self.in_foreground() {
            return;
        }
        let Ok(settings) = termios::tcgetattr(&self.device) else { return };
        let mut raw = settings.clone();
        raw.make_raw();
        if termios::tcsetattr(&self.device, OptionalActions::Now, &raw).is_ok() {
            self.given = Some(settings);
        }
    }

    /// As it was. After what is still to be shown.
    pub fn give_back(&mut self) {
        if let Some(settings) = self.given.take() {
            let _ = termios::tcsetattr(&self.device, OptionalActions::Drain, &settings);
        }
    }

    /// It hung up: there is nothing to read any more, and nothing to give back.
    pub fn lose(&mut self) {
        self.hung_up = true;
        self.given = None;
    }

    /// Whether what is typed is for the agent now.
    pub fn is_taken(&self) -> bool {
        self.given.is_some()
    }

    /// A shell that moved us to the background reads the terminal itself.
    fn in_foreground(&self) -> bool {
        termios::tcgetpgrp(&self.device).is_ok_and(|group| group == rustix::process::getpgrp())
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// In `bottle run a | less` it is `less` that reads the keyboard: without a terminal of its own, an agent whose output
/// goes into a pipe does not get what is typed.
pub fn leave_keyboard_to_the_pipeline() -> Result<(), Failure> {
    if termios::isatty(rustix::stdio::stdin()) && is_pipe(rustix::stdio::stdout()) {
        let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(nothing)?;
    }
    Ok(())
}

fn is_pipe(stream: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Fifo)
}

/// Opens the terminal anew; where it belongs to another user (after `su`), shares the one that we were given.
fn device(stream: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let anew =
        termios::ttyname(stream, Vec::new()).and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
    anew.or_else(|_| rustix::io::fcntl_dupfd_cloexec(stream, 3)).ok()
}
