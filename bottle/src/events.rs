//! Audit lines of a run, from a file that may be large.
use crate::failure::Failure;
use audit::{Event, Record};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Longer lines are none of ours.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Lines {
    /// Audit lines, in their order.
    pub records: Vec<Record>,
    /// Lines that are none.
    pub odd: u64,
}

/// Lines of an audit file that `wanted` takes: of its last run, or of `all`.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path, all: bool, wanted: impl Fn(&Record) -> bool) -> Result<Lines, Failure> {
    let mut lines = Lines::default();
    each(path, |record| {
        match record {
            Some(record) => {
                if !all && starts_run(&record) {
                    lines = Lines::default();
                }
                if wanted(&record) {
                    lines.records.push(record);
                }
            }
            None => lines.odd += 1,
        };
    })?;
    Ok(lines)
}

/// Tells every line of an audit file; `None`: it is none.
///
/// # Errors
/// When the file cannot be read.
pub fn each(path: &Path, mut told: impl FnMut(Option<Record>)) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("cannot read the audit file `{}`: {error}", path.display()))
            .help("name a file of yours, or a bottle that ran here")
    };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            return Ok(());
        }
        // A line that is being written just now will be read another time.
        if line.ends_with(b"\n") {
            told(serde_json::from_slice(&line).ok());
        }
    }
}

/// Whether a run begins here.
pub fn starts_run(record: &Record) -> bool {
    matches!(&record.event, Event::Lifecycle(step) if step.step == "bottle-started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_is_read_unless_all_are_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let line = |step: &str| {
            format!(
                "{{\"v\":1,\"seq\":0,\"time\":\"2026-01-01T00:00:00Z\",\"bottle\":\"b\",\"event\":\"lifecycle\",\"step\":\"{step}\",\"prev\":\"0\"}}\n"
            )
        };
        let text = ["bottle-started", "first", "bottle-started", "second"].map(line).concat();
        std::fs::write(&path, format!("{text}nonsense\n{}", line("torn").trim_end())).expect("written");
        let last = read(&path, false, |_| true).expect("read");
        assert_eq!((last.records.len(), last.odd), (2, 1));
        assert_eq!(read(&path, true, |_| true).expect("read").records.len(), 4);
        assert!(read(&folder.path().join("none"), true, |_| true).is_err());
    }
}
