//! The last refusals, for who asks why.
use crate::desk::Refusal;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Refusals that are remembered for `/why/<id>`.
const REMEMBERED: usize = 256;

/// The last refusals.
#[derive(Default)]
pub(crate) struct Refused(Mutex<VecDeque<Refusal>>);

impl Refused {
    /// Keeps one.
    pub(crate) fn remember(&self, refusal: Refusal) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(REMEMBERED - 1);
        all.push_front(refusal);
    }

    /// By the id of its exchange, or the last one with a code.
    pub(crate) fn find(&self, asked: &str) -> Option<Refusal> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|refusal| refusal.exchange == asked || refusal.code == asked).cloned()
    }

    /// All, the latest first.
    pub(crate) fn all(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
