//! The one writer of a bottle's audit file.
use crate::Event;
use std::path::Path;

/// What went wrong with the audit file.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file could not be opened, locked, continued or written.
    #[error("audit file `{path}`: {what}")]
    File {
        /// Which file.
        path: String,
        /// What and how to mend it.
        what: String,
    },
}

/// Counts for the summary at the end of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Host → (exchanges, bytes up, bytes down) that went out.
    pub reached: std::collections::BTreeMap<String, (u64, u64, u64)>,
    /// Host → (code → times) that did not.
    pub refused: std::collections::BTreeMap<String, std::collections::BTreeMap<String, u64>>,
    /// Number of findings.
    pub findings: u64,
}

/// A cheap, cloneable handle; lines are formatted and written by one thread of its own, in order, with back-pressure
/// (bounded queue): an event is never lost while the process lives.
#[derive(Debug, Clone)]
pub struct Auditor {}

impl Auditor {
    /// Opens (0600, parents made 0700, locked against a second writer) or continues a file; a torn last line of a crash
    /// is cut to a whole one and recorded as such.
    /// # Errors
    /// When the file cannot be had.
    pub fn open(path: &Path, bottle: &str) -> Result<Auditor, AuditError> {
        let _ = (path, bottle);
        todo!()
    }
    /// Events go nowhere but the summary (tests, `bottle explain`).
    pub fn discarding(bottle: &str) -> Auditor {
        let _ = bottle;
        todo!()
    }
    /// Records an event. Blocks only while the queue is full.
    pub fn record(&self, event: Event) {
        let _ = event;
        todo!()
    }
    /// True once a write has failed: the egress refuses everything from then on (nothing goes out unrecorded).
    pub fn failed(&self) -> bool {
        todo!()
    }
    /// Waits until all that was recorded is on disk (fsync).
    /// # Errors
    /// When a write failed.
    pub fn flush(&self) -> Result<(), AuditError> {
        todo!()
    }
    /// What was counted so far.
    pub fn summary(&self) -> Summary {
        todo!()
    }
}
