//! The thread that formats and writes, one for each file.
use crate::Event;
use crate::chain::Link;
use crate::file::Opened;
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// What the thread is asked for.
pub(crate) enum Job {
    /// A line, and when it happened.
    Line(Arc<Event>, jiff::Timestamp),
    /// Everything before this on disk, then an answer.
    Flush(SyncSender<()>),
}

/// A batch is written at the latest when it has this many bytes.
const BATCH: usize = 256 * 1024;

/// After a batch. Whoever records meanwhile wakes nobody, which would cost two system calls and a change of threads for each
/// event under load; an event that comes alone is written at once.
const NAP: Duration = Duration::from_millis(1);

pub(crate) struct Writer {
    file: File,
    link: Link,
    bottle: String,
    /// Length of the file up to the last line that is whole.
    length: u64,
    batch: Vec<u8>,
    /// What was written is to be on disk.
    sync: bool,
    /// Something was written that may not be.
    unsynced: bool,
    waiting: Vec<SyncSender<()>>,
    failure: Arc<OnceLock<String>>,
}

impl Writer {
    pub(crate) fn new(opened: Opened, bottle: &str, failure: Arc<OnceLock<String>>) -> Writer {
        let Opened { file, link, length, .. } = opened;
        let bottle = bottle.to_owned();
        let (batch, waiting) = (Vec::new(), Vec::new());
        // Whoever wrote before may have died before it asked for the disk.
        Writer { file, link, bottle, length, batch, sync: false, unsynced: true, waiting, failure }
    }

    /// Works until the last handle is gone and the queue is empty.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            self.take(job);
            while let Some(job) = self.next_of_batch(jobs) {
                self.take(job);
            }
            self.settle();
            // Whoever waits for this thread wakes it.
            thread::park_timeout(NAP);
        }
        self.sync = true;
        self.settle();
    }

    fn next_of_batch(&self, jobs: &Receiver<Job>) -> Option<Job> {
        if self.batch.len() < BATCH { jobs.try_recv().ok() } else { None }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Line(event, time) => self.take_line(&event, time),
            Job::Flush(answer) => {
                self.sync = true;
                self.waiting.push(answer);
            }
        }
    }

    fn take_line(&mut self, event: &Event, time: jiff::Timestamp) {
        self.sync |= matches!(event, Event::Lifecycle(_));
        let appended = self.link.append(&self.bottle, time, event, &mut self.batch);
        self.note(appended);
    }

    /// Writes the batch, and tells those who wait for it. After a failure nothing is written any more: a later line
    /// would hide that one is missing.
    fn settle(&mut self) {
        if self.failure.get().is_none() {
            let written = self.write();
            self.note(written);
        }
        self.batch.clear();
        self.sync = false;
        for answer in self.waiting.drain(..) {
            // Whoever gave up waiting needs no answer.
            let _heard = answer.try_send(());
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.batch)?;
        self.length = self.length.saturating_add(self.batch.len() as u64);
        self.unsynced |= !self.batch.is_empty();
        if self.sync && self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            // Back to whole lines, so that the file can be verified and continued. When this fails too, the next start
            // cuts the torn line.
            let cut = self.file.set_len(self.length).err().map(|e| format!(" (and cutting it back: {e})"));
            let _first_reason_stays =
                self.failure.set(format!("it cannot be written: {error}{}", cut.unwrap_or_default()));
        }
    }
}

impl Drop for Writer {
    /// Closing would not be enough: a child that was forked just now, and has not executed its program yet, holds a copy
    /// of the descriptor, and with it the lock.
    fn drop(&mut self) {
        let _closing_unlocks_too = rustix::fs::flock(&self.file, rustix::fs::FlockOperation::Unlock);
    }
}
