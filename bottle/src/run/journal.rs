//! What is kept of a run: the audit file, and the log of launcher and engine.
use crate::failure::Failure;
use crate::places;
use audit::{Auditor, Event, Lifecycle};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The log of one run; what an agent provokes must not fill the disk.
const LONGEST_LOG: u64 = 32 * 1024 * 1024;
/// Only our own crates: what libraries log at lower levels may hold header values.
const OURS: [&str; 6] = ["bottle", "egress", "sandbox", "credentials", "dlp", "audit"];

/// Writes down a step of the bottle's life.
pub fn step(auditor: &Auditor, step: &str, detail: Option<String>) {
    let detail = detail.map(|text| crate::style::neutral(&text));
    auditor.record(Event::Lifecycle(Lifecycle { step: step.to_owned(), detail }));
}

/// Opens the audit.
pub fn open_audit(file: &Path, slug: &str) -> Result<Auditor, Failure> {
    Auditor::open(file, slug)
        .map_err(|error| Failure::new(error).help("name a file that you may write: `audit: { file: … }`"))
}

/// Sends what our crates have to say to the log, which starts anew with every run.
pub fn open_log(path: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::new(format!("cannot write the log `{}`: {error}", path.display())).help(places::WAY_OUT)
    };
    places::private_folders(path.parent().unwrap_or(Path::new("/")))?;
    let file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).map_err(failed)?;
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Mutex::new(Bounded { file, left: LONGEST_LOG }));
    tracing_subscriber::registry()
        .with(Targets::new().with_targets(OURS.map(|name| (name, level()))))
        .with(lines)
        .try_init()
        .map_err(|error| Failure::new(format!("cannot start the log: {error}")))
}

fn level() -> LevelFilter {
    std::env::var("BOTTLE_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO)
}

/// A file that takes so many bytes and then one last line.
struct Bounded {
    file: File,
    left: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        if self.left == 0 {
            return Ok(bytes.len());
        }
        if self.left < length {
            self.left = 0;
            self.file.write_all(b"the log is full; what follows is not written down\n")?;
            return Ok(bytes.len());
        }
        self.left -= length;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_full_says_so_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut log = Bounded { file: File::create(&path).expect("made"), left: 10 };
        for _ in 0..4 {
            log.write_all(b"1234567\n").expect("written");
        }
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text, "1234567\nthe log is full; what follows is not written down\n");
    }
}
