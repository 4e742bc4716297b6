//! A person at a terminal, on whose behalf bottles are started there.
use crate::stage::Stage;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The terminal is not to become the test's own.
const NO_CTTY: i32 = 0o400;

/// For an engine's first container on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person at a terminal.
pub(crate) struct Person {
    pub(crate) master: OwnedFd,
    pub(crate) child: Child,
    seen: String,
}

impl Person {
    /// Starts a program whose controlling terminal this is.
    pub(crate) fn start(stage: &Stage, program: &[&str]) -> Person {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let size = Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
        let slave =
            OpenOptions::new().read(true).write(true).custom_flags(NO_CTTY).open(&name).expect("opened");
        tcsetwinsize(&slave, size).expect("sized");
        let stream = || Stdio::from(slave.try_clone().expect("cloned"));
        let mut command = stage.command("setsid");
        command.args(["--ctty", "--wait"]).args(program).stdin(stream()).stdout(stream()).stderr(stream());
        Person { master, child: command.spawn().expect("starts"), seen: String::new() }
    }

    /// As when the window is given another size.
    pub(crate) fn resizes(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("resized");
    }

    pub(crate) fn types(&self, keys: &str) {
        let mut keys = keys.as_bytes();
        while !keys.is_empty() {
            let written = rustix::io::write(&self.master, keys).expect("typed");
            keys = &keys[written..];
        }
    }

    /// Reads until the words are there; what comes after them stays to be seen.
    #[track_caller]
    pub(crate) fn sees(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(words) {
                let rest = self.seen.split_off(at + words.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(Instant::now() < deadline, "`{words}` did not come; seen: {:?}", self.seen);
            self.look();
        }
    }

    pub(crate) fn look(&mut self) -> bool {
        let limit = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        if poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&limit)) != Ok(1) {
            return false;
        }
        let mut buffer = [0; 65536];
        let Ok(read) = rustix::io::read(&self.master, &mut buffer) else { return false };
        self.seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        true
    }

    pub(crate) fn is_raw(&self) -> bool {
        !tcgetattr(&self.master).expect("settings").local_modes.contains(LocalModes::ICANON)
    }

    #[track_caller]
    pub(crate) fn ends_with(mut self, code: i32) -> String {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            self.look();
            if let Some(status) = self.child.try_wait().expect("waited") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end; seen: {:?}", self.seen);
        };
        while self.look() {}
        assert_eq!(status.code(), Some(code), "{:?}", self.seen);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
