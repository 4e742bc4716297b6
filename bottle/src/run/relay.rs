//! Bytes between the operator's terminal and the bottle's, neither side ever waiting for the other.
use super::terminal::Terminal;
use crate::failure::Failure;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// What may wait in one direction. A paste of more waits in the terminal.
const MOST_WAITING: usize = 64 * 1024;
/// How long what the agent wrote last may take to be shown.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Pause before a terminal that no program inside has open is read again.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Both directions.
#[derive(Debug)]
pub struct Relay {
    terminal: Terminal,
    pty: OwnedFd,
    typed: Waiting,
    shown: Waiting,
    /// No program inside has the terminal open; reading it would fail at once, again and again.
    silent_since: Option<Instant>,
}

impl Relay {
    /// Joins them.
    pub fn new(terminal: Terminal, pty: OwnedFd) -> Result<Relay, Failure> {
        terminal.copy_to(&pty)?;
        rustix::io::ioctl_fionbio(&pty, true)?;
        Ok(Relay { terminal, pty, typed: Waiting::default(), shown: Waiting::default(), silent_since: None })
    }

    /// Joins the operator's terminal and a stream from a terminal that is elsewhere.
    pub fn over(terminal: Terminal, stream: OwnedFd) -> Result<Relay, Failure> {
        rustix::io::ioctl_fionbio(&stream, true)?;
        let (typed, shown) = (Waiting::default(), Waiting::default());
        Ok(Relay { terminal, pty: stream, typed, shown, silent_since: None })
    }

    /// The operator's side.
    pub fn terminal(&mut self) -> &mut Terminal {
        &mut self.terminal
    }

    /// The window has another size: rows and columns, where they can be told.
    pub fn resize(&self) -> Option<(u16, u16)> {
        self.terminal.copy_size_to(&self.pty);
        self.terminal.size()
    }

    /// What to wait for on the operator's terminal and on the bottle's.
    pub fn interest(&self) -> [(rustix::fd::BorrowedFd<'_>, PollFlags); 2] {
        let reads_keys = self.terminal.is_taken() && self.typed.has_room();
        let reads_pty = self.shown.has_room() && !self.is_paused();
        [
            (self.terminal.as_fd(), flags(reads_keys, !self.shown.is_empty())),
            (self.pty.as_fd(), flags(reads_pty, !self.typed.is_empty() && !self.is_paused())),
        ]
    }

    /// Whether the loop must look again soon, although nothing was reported.
    pub fn is_paused(&self) -> bool {
        self.silent_since.is_some_and(|since| since.elapsed() < PAUSE)
    }

    /// Moves what can be moved now.
    pub fn advance(&mut self) {
        // Asked first: a terminal that could not be opened anew is not non-blocking.
        if self.terminal.is_taken()
            && is_readable(&self.terminal)
            && self.typed.fill(&self.terminal).is_closed()
        {
            self.terminal.lose();
        }
        if !self.is_paused() {
            self.silent_since = self.shown.fill(&self.pty).is_closed().then(Instant::now);
        }
        self.typed.pour(&self.pty);
        self.shown.pour(&self.terminal);
    }

    /// Shows what the agent wrote before it ended, then gives the terminal back.
    pub fn finish(mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        while Instant::now() < deadline {
            let filled = self.shown.fill(&self.pty);
            self.shown.pour(&self.terminal);
            if self.shown.is_empty() && filled != Filled::Some {
                break;
            }
            if !self.shown.is_empty() {
                wait_for_room(&self.terminal, deadline);
            }
        }
        self.terminal.give_back();
    }
}

fn flags(read: bool, write: bool) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, read);
    flags.set(PollFlags::OUT, write);
    flags
}

fn is_readable(terminal: &Terminal) -> bool {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut [rustix::event::PollFd::new(terminal, PollFlags::IN)], Some(&now)) == Ok(1)
}

fn wait_for_room(terminal: &Terminal, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let limit = rustix::event::Timespec::try_from(left).ok();
    let _ = rustix::event::poll(&mut [rustix::event::PollFd::new(terminal, PollFlags::OUT)], limit.as_ref());
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    Some,
    Nothing,
    Closed,
}

impl Filled {
    fn is_closed(self) -> bool {
        self == Filled::Closed
    }
}

/// Bytes of one direction that were read and not written yet.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn has_room(&self) -> bool {
        self.bytes.len() < MOST_WAITING
    }

    fn fill(&mut self, from: impl AsFd) -> Filled {
        let before = self.bytes.len();
        if !self.has_room() {
            return Filled::Nothing;
        }
        self.bytes.resize(MOST_WAITING, 0);
        let read = rustix::io::read(from, &mut self.bytes[before..]);
        self.bytes.truncate(before + read.unwrap_or(0));
        match read {
            Ok(1..) => Filled::Some,
            Ok(0) | Err(Errno::IO) => Filled::Closed,
            Err(_) => Filled::Nothing,
        }
    }

    /// A terminal that is gone takes nothing more; the agent hears of it by SIGHUP.
    fn pour(&mut self, to: impl AsFd) {
        while !self.bytes.is_empty() {
            match rustix::io::write(&to, &self.bytes) {
                Ok(written) => drop(self.bytes.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.bytes.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn nothing_is_lost_when_the_other_side_is_slow() {
        let (mut source, from) = UnixStream::pair().expect("a pair");
        let (to, mut sink) = UnixStream::pair().expect("a pair");
        from.set_nonblocking(true).expect("set");
        to.set_nonblocking(true).expect("set");
        let sent: Vec<u8> =
            (0..3_000_000u32).map(|number| u8::try_from(number % 251).expect("small")).collect();
        let expected = sent.clone();
        let writer = std::thread::spawn(move || source.write_all(&sent));
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            sink.read_to_end(&mut got).map(|_| got)
        });
        let mut waiting = Waiting::default();
        while !waiting.fill(&from).is_closed() || !waiting.is_empty() {
            waiting.pour(&to);
        }
        drop(to);
        writer.join().expect("joined").expect("written");
        assert!(reader.join().expect("joined").expect("read") == expected);
    }

    #[test]
    fn a_sink_that_does_not_read_bounds_what_waits() {
        let (mut source, from) = UnixStream::pair().expect("a pair");
        source.set_nonblocking(true).expect("set");
        from.set_nonblocking(true).expect("set");
        while source.write(&[7; 4096]).is_ok() {}
        let mut waiting = Waiting::default();
        while waiting.fill(&from) == Filled::Some {}
        assert_eq!(waiting.bytes.len(), MOST_WAITING);
    }
}
