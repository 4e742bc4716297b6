//! What is under way: to be shown, and to be ended when it is not allowed any more.
use crate::engine::Shared;
use crate::record::{Entry, Ledger};
use policy::{Denial, DenialCode, Host, Opening, Request, Scheme};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// An exchange or a tunnel that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Of the exchange.
    pub id: String,
    /// `h1`, `h2`, `ws`, `tcp`, `tls-passthrough`.
    pub protocol: String,
    /// Method, if HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Host asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path, if HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What allowed it; none as long as it waits for an answer of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Milliseconds since it began.
    pub since_ms: u64,
    /// Bytes towards the upstream.
    pub bytes_up: u64,
    /// Bytes towards the agent.
    pub bytes_down: u64,
}

/// All of an engine.
#[derive(Default)]
pub(crate) struct Running {
    next: AtomicU64,
    all: Mutex<HashMap<u64, Weak<Entry>>>,
}

impl Running {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, Weak<Entry>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an exchange; gives the number under which it is noted.
    pub(crate) fn enter(&self, entry: impl FnOnce(u64) -> Arc<Entry>) -> Arc<Entry> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = entry(number);
        self.all().insert(number, Arc::downgrade(&entry));
        entry
    }

    /// It is over.
    pub(crate) fn leave(&self, number: u64) {
        self.all().remove(&number);
    }

    /// All of them.
    pub(crate) fn ledgers(&self) -> Vec<Ledger> {
        // Upgraded under the lock, dropped outside of it: the last to go takes the lock.
        self.all().values().filter_map(Weak::upgrade).map(Ledger::of).collect()
    }

    /// What is under way, the oldest first.
    pub(crate) fn live(&self) -> Vec<Live> {
        let mut live: Vec<Live> = self.ledgers().iter().filter_map(Ledger::live).collect();
        live.sort_by(|one, other| one.id.cmp(&other.id));
        live
    }

    /// Ends what was allowed and is no more; how much that was.
    pub(crate) fn review(&self, engine: &Shared) -> usize {
        let ledgers = self.ledgers();
        let revoked = ledgers.iter().filter_map(|ledger| Some((ledger, verdict(engine, ledger)?)));
        revoked.map(|(ledger, denial)| ledger.revoke(&denial)).count()
    }
}

/// Why an exchange that is under way must end.
fn verdict(engine: &Shared, ledger: &Ledger) -> Option<Denial> {
    if engine.locked {
        return ledger.live().map(|_| locked());
    }
    let allowed = ledger.allowed()?;
    let holds = match &allowed.method {
        Some(method) => {
            request(&allowed, method).is_some_and(|request| policy::decide(&engine.policy, request).is_ok())
        }
        None => Host::parse(&allowed.host)
            .is_ok_and(|host| !matches!(policy::open(&engine.policy, &host, allowed.port), Opening::Inspect)),
    };
    let sentence = "the operator took back what allowed this; it was ended, and would be refused now";
    (!holds).then(|| Denial::new(DenialCode::Revoked, sentence))
}

fn request(allowed: &Allowed, method: &str) -> Option<Request> {
    let host = Host::parse(&allowed.host).ok()?;
    Request::new(allowed.scheme?, host, allowed.port, method, &allowed.path).ok()
}

/// The facts of something that is under way.
pub(crate) struct Allowed {
    pub(crate) scheme: Option<Scheme>,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// None for tunnels.
    pub(crate) method: Option<String>,
    pub(crate) path: String,
}

/// Why nothing goes out while the kill switch is on.
pub(crate) fn locked() -> Denial {
    let sentence = "the operator's kill switch is on: nothing leaves this bottle until it is off again; wait for the operator, \
                    there is no way around it";
    Denial::new(DenialCode::KillSwitch, sentence)
}
