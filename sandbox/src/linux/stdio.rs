//! Standard input, output and error of an agent without a terminal of its own.
//!
//! A descriptor is a way in: a terminal takes keystrokes (TIOCSTI), a file or folder can be opened again with other
//! rights through `/proc/self/fd`, a socket is a connection. So the agent gets pipes only: the launcher's own where it
//! has pipes, else new ones, and threads that copy.
use super::launch::gone;
use crate::SandboxError;
use rustix::fs::{FileType, fstat};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

/// The agent's three descriptors and what stands behind them.
pub(crate) struct Inherited {
    given: Vec<OwnedFd>,
    copies: Vec<Copy>,
}

struct Copy {
    from: File,
    to: File,
    outward: bool,
}

impl Inherited {
    pub(crate) fn new() -> Result<Self, SandboxError> {
        Self::gather().map_err(|e| gone(&e))
    }

    fn gather() -> io::Result<Self> {
        let mut all = Self { given: Vec::new(), copies: Vec::new() };
        all.give(rustix::stdio::stdin(), false)?;
        all.give(rustix::stdio::stdout(), true)?;
        all.give(rustix::stdio::stderr(), true)?;
        Ok(all)
    }

    fn give(&mut self, ours: BorrowedFd<'_>, outward: bool) -> io::Result<()> {
        let ours = ours.try_clone_to_owned()?;
        if is_pipe(&ours)? {
            self.given.push(ours);
            return Ok(());
        }
        let (reader, writer) = io::pipe()?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        let (theirs, copy) = if outward {
            (writer, Copy { from: reader.into(), to: ours.into(), outward })
        } else {
            (reader, Copy { from: ours.into(), to: writer.into(), outward })
        };
        self.given.push(theirs);
        self.copies.push(copy);
        Ok(())
    }

    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.given.iter().map(AsFd::as_fd).collect()
    }

    /// Closes the launcher's copies of the agent's ends and begins to copy. What comes back ends when the bottle has:
    /// the outward copies, which are worth waiting for.
    pub(crate) fn start(self) -> Vec<JoinHandle<()>> {
        drop(self.given);
        let (outward, inward): (Vec<_>, Vec<_>) = self.copies.into_iter().partition(|copy| copy.outward);
        // Nobody waits for standard input: it may never end.
        inward.into_iter().for_each(|copy| drop(std::thread::spawn(|| copy.run())));
        outward.into_iter().map(|copy| std::thread::spawn(|| copy.run())).collect()
    }
}

impl Copy {
    fn run(mut self) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = self.from.read(&mut buffer) {
            if self.to.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    }
}

fn is_pipe(file: &OwnedFd) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(file)?.st_mode) == FileType::Fifo)
}
