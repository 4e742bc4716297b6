//! An exchange in which nothing moves ends: it keeps a place of the agent's and one of the upstream's.
use super::{Entry, Ledger};
use policy::{Denial, DenialCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// When a byte of either body last passed, and who looks at that.
pub(super) struct Moved {
    began: Instant,
    last_ms: AtomicU64,
    uploading: AtomicBool,
    watch: Mutex<Option<AbortHandle>>,
}

impl Default for Moved {
    fn default() -> Moved {
        Moved {
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            uploading: AtomicBool::new(false),
            watch: Mutex::default(),
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
    fn set(&self, watch: Option<AbortHandle>) {
        let before =
            std::mem::replace(&mut *self.watch.lock().unwrap_or_else(PoisonError::into_inner), watch);
        before.inspect(AbortHandle::abort);
    }
    pub(super) fn unwatch(&self) {
        self.set(None);
    }
}

impl Ledger {
    /// From now on the exchange ends when nothing moves for this long; whoever holds its parts hears it by
    /// [`Ledger::stalled`].
    pub(crate) fn watch(&self, limit: Duration) {
        let watching = tokio::spawn(watch(Arc::downgrade(&self.0), limit));
        self.0.moved.set(Some(watching.abort_handle()));
    }
    /// Somebody else looks from now on.
    pub(crate) fn unwatch(&self) {
        self.0.moved.unwatch();
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
    fn stall(&self, limit: Duration) {
        let answered = self.notes().answered;
        let denial = stall(answered, self.0.moved.uploading.load(Ordering::Relaxed), limit);
        self.break_off(&denial);
        self.0.stalled.cancel();
    }
}

async fn watch(entry: Weak<Entry>, limit: Duration) {
    let mut left = limit;
    while !left.is_zero() {
        tokio::time::sleep(left).await;
        let Some(entry) = entry.upgrade() else { return };
        left = limit.saturating_sub(entry.moved.idle_for());
        if left.is_zero() {
            Ledger(entry).stall(limit);
        }
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
