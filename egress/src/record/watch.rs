//! An exchange in which nothing moves ends: it keeps a place of the agent's and one of the upstream's.
use super::Ledger;
use crate::running::Running;
use policy::{Denial, DenialCode};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// When a byte of either body last passed, and whether anybody looks at that.
pub(super) struct Moved {
    began: Instant,
    last_ms: AtomicU64,
    uploading: AtomicBool,
    watched: AtomicBool,
}

impl Default for Moved {
    fn default() -> Moved {
        Moved {
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            uploading: AtomicBool::new(false),
            watched: AtomicBool::new(false),
        }
    }
}

impl Moved {
    pub(super) fn now(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }
    pub(super) fn begin_upload(&self) {
        self.uploading.store(true, Ordering::Relaxed);
    }
    fn idle_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

impl Ledger {
    /// From now on the exchange ends when nothing moves for too long (the engine's [`watch`] looks); whoever holds its parts hears
    /// it by [`Ledger::stalled`].
    pub(crate) fn watch(&self) {
        self.0.moved.watched.store(true, Ordering::Relaxed);
    }
    /// Somebody else looks from now on.
    pub(crate) fn unwatch(&self) {
        self.0.moved.watched.store(false, Ordering::Relaxed);
    }
    /// The whole request body was handed on.
    pub(crate) fn uploaded(&self) {
        self.0.moved.now();
        self.0.moved.uploading.store(false, Ordering::Relaxed);
    }
    /// Cancelled when nothing moved for too long.
    pub(crate) fn stalled(&self) -> &CancellationToken {
        &self.0.stalled
    }
    fn end_if_still(&self, limit: Duration) {
        let moved = &self.0.moved;
        if moved.watched.load(Ordering::Relaxed) && moved.idle_for() >= limit {
            // Once: what was ended may take a moment to go.
            self.unwatch();
            let answered = self.notes().answered;
            self.break_off(&stall(answered, moved.uploading.load(Ordering::Relaxed), limit));
            self.0.stalled.cancel();
        }
    }
}

/// Looks at every exchange that is under way, for as long as there is an engine: one task and one clock for all of them. One in
/// which nothing moves for `limit` ends then, or a sixteenth of it later.
pub(crate) async fn watch(running: Weak<Running>, limit: Duration) {
    let pause = (limit / 16).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    loop {
        tokio::time::sleep(pause).await;
        let Some(running) = running.upgrade() else { return };
        running.ledgers().iter().for_each(|ledger| ledger.end_if_still(limit));
    }
}

fn stall(answered: bool, uploading: bool, limit: Duration) -> Denial {
    let seconds = limit.as_secs_f32();
    match (answered, uploading) {
        (false, false) => {
            let sentence = format!("the upstream did not begin an answer within {seconds} s");
            Denial::new(DenialCode::UpstreamTimeout, sentence)
        }
        (false, true) => {
            let sentence = format!("nothing of the request body moved for {seconds} s, and no answer began");
            Denial::new(DenialCode::LimitExceeded, sentence)
        }
        (true, _) => {
            let sentence = format!("nothing moved for {seconds} s before the end of both bodies");
            Denial::new(DenialCode::LimitExceeded, sentence)
        }
    }
}
