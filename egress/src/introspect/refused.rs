//! The last refusals, for who asks why.
use crate::desk::Refusal;
use policy::{Denial, Proposal};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Refusals that are remembered for `/why/<id>`.
const REMEMBERED: usize = 256;

/// The last refusals.
#[derive(Default)]
pub(crate) struct Refused(Mutex<VecDeque<Refusal>>);

impl Refused {
    /// Keeps one. What no route would have let through has no proposal.
    pub(crate) fn remember(&self, id: &str, denial: &Denial, reason: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(REMEMBERED - 1);
        let (exchange, code) = (id.to_owned(), denial.code.as_str().to_owned());
        let request = denial.request.as_deref().filter(|_| denial.code.is_askable());
        all.push_front(Refusal { exchange, code, reason, proposal: request.map(Proposal::of) });
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
