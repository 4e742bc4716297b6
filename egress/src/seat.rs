//! What is in force, swapped whole: the policy with its credentials, what is sought, what was granted, the kill switch.
//!
//! An exchange is judged by one [`Shared`] from its first judgement to its end. A change makes another one; what is under way
//! and would not be allowed by that is ended ([`crate::running`]).
use crate::budget::Budgets;
use crate::config::{DlpTerms, Unmatched};
use crate::desk::Grant;
use crate::engine::Shared;
use crate::screen::Terms;
use arc_swap::ArcSwap;
use audit::Lifecycle;
use credentials::{Binding, Vault};
use policy::{Policy, RouteId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tokio::runtime::Handle;

/// What the manifest says, as far as it can change while a bottle runs.
pub struct Rule {
    /// Routes.
    pub policy: Arc<Policy>,
    /// Names the policy in the audit.
    pub hash: String,
    /// Credentials by route.
    pub bindings: BTreeMap<RouteId, Binding>,
    /// The secrets. Placeholders that the agent holds must be in it.
    pub vault: Vault,
    /// What is sought in what leaves.
    pub dlp: DlpTerms,
    /// How much may leave in a time.
    pub budgets: Budgets,
    /// What happens to requests that no route allows.
    pub unmatched: Unmatched,
}

/// Where the engine's rule sits. Whoever changes it holds `base`.
pub(crate) struct Seat {
    current: ArcSwap<Shared>,
    base: Mutex<Base>,
    runtime: Handle,
}

/// The manifest's part, without what was granted.
struct Base {
    policy: Arc<Policy>,
    bindings: Arc<BTreeMap<RouteId, Binding>>,
}

impl Seat {
    /// On a tokio runtime.
    pub(crate) fn new(make: impl FnOnce(Weak<Seat>) -> Shared) -> Arc<Seat> {
        Arc::new_cyclic(|seat| {
            let shared = make(seat.clone());
            let base = Base { policy: Arc::clone(&shared.policy), bindings: Arc::clone(&shared.bindings) };
            Seat {
                current: ArcSwap::from_pointee(shared),
                base: Mutex::new(base),
                runtime: Handle::current(),
            }
        })
    }

    /// What is in force now.
    pub(crate) fn now(&self) -> Arc<Shared> {
        self.current.load_full()
    }

    fn base(&self) -> MutexGuard<'_, Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another rule; how many exchanges it ended.
    pub(crate) fn rule(&self, rule: Rule, by: &str) -> usize {
        let mut base = self.base();
        let old = self.now();
        let Rule { policy, hash, bindings, vault, dlp, budgets, unmatched } = rule;
        // The operator said so for the whole run, and not in the manifest.
        let unmatched = if old.unmatched == Unmatched::Learn { Unmatched::Learn } else { unmatched };
        *base = Base { policy, bindings: Arc::new(bindings) };
        let terms = Arc::new(Terms::succeeding(&old.terms, vault.clone(), dlp, old.limits.decoders));
        let was = Arc::clone(old.scribe.policy());
        let scribe = old.scribe.next(Arc::clone(&terms), hash.as_str().into());
        let next = Shared { terms, vault, scribe, unmatched, ..old.succeed() };
        next.client.dialer().books().replace(&budgets, &base.policy);
        match *was == *hash {
            true => next.note("policy-read-again", &format!("{hash}, by {by}")),
            false => next.note("policy-changed", &format!("from {was} to {hash}, by {by}")),
        }
        self.take(&base, next)
    }

    /// The same rule with what is granted now; how many exchanges that ended.
    pub(crate) fn refresh(&self) -> usize {
        let base = self.base();
        let next = self.now().succeed();
        self.take(&base, next)
    }

    /// The kill switch; how many exchanges it ended.
    pub(crate) fn lock(&self, on: bool, by: &str) -> usize {
        let base = self.base();
        let old = self.now();
        if old.locked == on {
            return 0;
        }
        let next = Shared { locked: on, ..old.succeed() };
        next.note(if on { "kill-switch-on" } else { "kill-switch-off" }, &format!("by {by}"));
        self.take(&base, next)
    }

    /// Looks again when something that was granted has ended.
    pub(crate) fn refresh_at(self: &Arc<Seat>, ends: Instant) {
        let seat = Arc::downgrade(self);
        self.runtime.spawn(async move {
            tokio::time::sleep_until(ends.into()).await;
            if let Some(seat) = seat.upgrade() {
                seat.refresh();
            }
        });
    }

    /// First what is new, then the review: whoever is judged by the old one either sees the new one before it goes on, or is
    /// seen by the review.
    fn take(&self, base: &Base, next: Shared) -> usize {
        let granted = next.desk.grants().standing();
        let (policy, bindings) = with_granted(&base.policy, &base.bindings, &granted);
        let covered = policy.routes().iter().map(|route| route.host.clone()).collect();
        next.names.cover(covered);
        next.client.dialer().follow(Arc::clone(&policy));
        let next = Arc::new(Shared { policy, bindings, ..next });
        self.current.store(Arc::clone(&next));
        let ended = next.running.review(&next);
        // What was opened under the old one is not used again.
        next.client.close_idle();
        ended
    }
}

/// The manifest's routes, then those that were granted: they decide nothing that was decided already.
pub(crate) fn with_granted(
    policy: &Arc<Policy>,
    bindings: &Arc<BTreeMap<RouteId, Binding>>,
    granted: &[Grant],
) -> (Arc<Policy>, Arc<BTreeMap<RouteId, Binding>>) {
    if granted.is_empty() {
        return (Arc::clone(policy), Arc::clone(bindings));
    }
    let routes = granted.iter().map(|grant| Arc::clone(&grant.route));
    let policy = policy.with(routes);
    let mut bindings = BTreeMap::clone(bindings);
    bindings.extend(granted.iter().filter_map(|grant| Some((grant.route.id, grant.binding.clone()?))));
    (Arc::new(policy), Arc::new(bindings))
}

impl Shared {
    /// What is in force now; this one, when the engine is gone.
    pub(crate) fn now(self: &Arc<Shared>) -> Arc<Shared> {
        self.seat.upgrade().map_or_else(|| Arc::clone(self), |seat| seat.now())
    }

    /// The same for one exchange, with something that was granted for it alone.
    pub(crate) fn with_once(&self, grant: Grant) -> Arc<Shared> {
        let (policy, bindings) = with_granted(&self.policy, &self.bindings, &[grant]);
        Arc::new(Shared { policy, bindings, ..self.succeed() })
    }

    /// Writes down a step.
    pub(crate) fn note(&self, step: &str, detail: &str) {
        let detail = Some(policy::neutral(&self.terms.clean(detail), 1000));
        self.scribe.step(Lifecycle { step: step.to_owned(), detail });
    }
}
