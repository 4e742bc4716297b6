//! The handle by which everything is recorded.
use crate::writer::{Job, Writer};
use crate::{Event, Lifecycle, Summary, file};
use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

/// Events that may wait to be written; then whoever records waits.
const QUEUE: usize = 4096;

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

/// A cheap, cloneable handle; lines are formatted and written by one thread of its own, in order, with back-pressure
/// (bounded queue): an event is never lost while the process lives. The last handle waits for the thread when dropped.
#[derive(Clone)]
pub struct Auditor {
    shared: Arc<Shared>,
}

/// Hears of every event, on the thread that records it: it must not wait.
pub type Listener = Box<dyn Fn(&Arc<Event>) + Send + Sync>;

/// Takes an event elsewhere; false when it could not.
pub type Forward = Box<dyn Fn(&Event) -> bool + Send + Sync>;

struct Shared {
    /// None when events are discarded, or go elsewhere.
    sink: Option<Sink>,
    /// Where they go instead.
    forward: Option<Forward>,
    bottle: String,
    summary: Mutex<Summary>,
    listener: OnceLock<Listener>,
    /// Why nothing can be written any more.
    failure: Arc<OnceLock<String>>,
}

struct Sink {
    path: String,
    /// Taken when the last handle goes, which ends the thread.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Auditor {
    /// Opens (0600, parents made 0700, locked against a second writer) or continues a file; a torn last line of a crash
    /// is cut to a whole one and recorded as such.
    /// # Errors
    /// When the file cannot be had.
    pub fn open(path: &Path, bottle: &str) -> Result<Auditor, AuditError> {
        let refused = |what| AuditError::File { path: path.display().to_string(), what };
        let opened = file::open(path).map_err(refused)?;
        let cut = opened.cut;
        let failure = Arc::new(OnceLock::new());
        let writer = Writer::new(opened, bottle, Arc::clone(&failure));
        let (jobs, thread) =
            start(writer).map_err(|error| refused(format!("its thread cannot start: {error}")))?;
        let sink = Sink { path: path.display().to_string(), jobs: Some(jobs), thread: Some(thread) };
        let auditor = Auditor::of(Some(sink), bottle, failure);
        auditor.record_cut(cut);
        Ok(auditor)
    }

    /// Events go nowhere but the summary (tests, `bottle explain`).
    pub fn discarding(bottle: &str) -> Auditor {
        Auditor::of(None, bottle, Arc::new(OnceLock::new()))
    }

    /// For a sidecar: every event goes to the launcher, which writes it down. Once one could not be taken there, the
    /// egress refuses everything, as when a file cannot be written.
    pub fn forwarding(bottle: &str, forward: Forward) -> Auditor {
        Auditor::with(None, Some(forward), bottle, Arc::new(OnceLock::new()))
    }

    /// From now on nothing can be recorded: the launcher says so.
    pub fn give_up(&self, why: &str) {
        self.shared.fail(why.to_owned());
    }

    fn of(sink: Option<Sink>, bottle: &str, failure: Arc<OnceLock<String>>) -> Auditor {
        Auditor::with(sink, None, bottle, failure)
    }

    fn with(
        sink: Option<Sink>,
        forward: Option<Forward>,
        bottle: &str,
        failure: Arc<OnceLock<String>>,
    ) -> Auditor {
        let (bottle, summary, listener) = (bottle.to_owned(), Mutex::default(), OnceLock::new());
        Auditor { shared: Arc::new(Shared { sink, forward, bottle, summary, listener, failure }) }
    }

    fn record_cut(&self, bytes: u64) {
        if bytes > 0 {
            let detail =
                Some(format!("a crash left {bytes} bytes of an unfinished line, which were cut off"));
            self.record(Event::Lifecycle(Lifecycle { step: "audit-torn-line-cut".to_owned(), detail }));
        }
    }

    /// From now on somebody hears of every event. Once; the first one stays.
    pub fn listen(&self, listener: Listener) {
        let _the_first_stays = self.shared.listener.set(listener);
    }

    /// Records an event. Blocks only while the queue is full.
    pub fn record(&self, event: Event) {
        self.shared.summary().count(&event);
        let event = Arc::new(event);
        if let Some(listener) = self.shared.listener.get() {
            listener(&event);
        }
        if self.shared.forward.as_ref().is_some_and(|forward| !forward(&event)) {
            self.shared.fail("the launcher does not take it".to_owned());
        }
        self.shared.send(Job::Line(event, jiff::Timestamp::now()));
    }

    /// True once a write has failed: the egress refuses everything from then on (nothing goes out unrecorded).
    pub fn failed(&self) -> bool {
        self.shared.failure.get().is_some()
    }

    /// Waits until all that was recorded is on disk (fsync).
    /// # Errors
    /// When a write failed.
    pub fn flush(&self) -> Result<(), AuditError> {
        let (answer, done) = sync_channel(1);
        self.shared.send(Job::Flush(answer));
        self.shared.sink.iter().for_each(Sink::wake);
        if self.shared.sink.is_some() && done.recv().is_err() {
            self.shared.fail("its thread has ended".to_owned());
        }
        self.shared.outcome()
    }

    /// What was counted so far.
    pub fn summary(&self) -> Summary {
        self.shared.summary().clone()
    }
}

fn start(writer: Writer) -> std::io::Result<(SyncSender<Job>, JoinHandle<()>)> {
    let (jobs, queue): (_, Receiver<Job>) = sync_channel(QUEUE);
    let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&queue))?;
    Ok((jobs, thread))
}

impl Shared {
    fn summary(&self) -> MutexGuard<'_, Summary> {
        // Counts are whole between any two statements; a panic of another thread does not spoil them.
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, job: Job) {
        let jobs = self.sink.as_ref().and_then(|sink| sink.jobs.as_ref());
        if jobs.is_some_and(|jobs| jobs.send(job).is_err()) {
            self.fail("its thread has ended".to_owned());
        }
    }

    fn fail(&self, what: String) {
        let _first_reason_stays = self.failure.set(what);
    }

    fn outcome(&self) -> Result<(), AuditError> {
        match (&self.sink, self.failure.get()) {
            (Some(sink), Some(what)) => Err(AuditError::File { path: sink.path.clone(), what: what.clone() }),
            _ => Ok(()),
        }
    }
}

impl Sink {
    /// For somebody who waits.
    fn wake(&self) {
        self.thread.iter().for_each(|thread| thread.thread().unpark());
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.jobs.take());
        self.wake();
        // A panic of the thread was its failure, which `failed` has told already.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.shared.sink.as_ref().map_or("nowhere", |sink| &sink.path);
        f.debug_struct("Auditor")
            .field("bottle", &self.shared.bottle)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}
