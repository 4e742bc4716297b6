//! One exchange, one event: gathered while it runs, recorded when its last part is dropped.
mod counted;
mod id;
mod watch;

use crate::body::Body;
use crate::budget::Purse;
use crate::cut;
use crate::running::{Allowed, Live, Running};
use crate::screen::Terms;
use audit::{Auditor, Decision, Event, Exchange, Finding, Lifecycle};
use counted::{Counted, Direction};
use http_body::Body as _;
use http_body_util::BodyExt;
use policy::{Denial, Request, Scheme};
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use watch::Moved;

pub(crate) use watch::watch;

/// More findings than this in one exchange say nothing new.
const FINDINGS: usize = 32;

/// Writes events, without the values that must stay inside.
#[derive(Clone)]
pub(crate) struct Scribe {
    auditor: Auditor,
    terms: Arc<Terms>,
    /// Names the policy that judges.
    policy: Arc<str>,
    running: Arc<Running>,
}

impl Scribe {
    pub(crate) fn new(auditor: Auditor, terms: Arc<Terms>, policy: Arc<str>) -> Scribe {
        Scribe { auditor, terms, policy, running: Arc::default() }
    }
    /// The same, for another policy.
    pub(crate) fn next(&self, terms: Arc<Terms>, policy: Arc<str>) -> Scribe {
        Scribe { terms, policy, ..self.clone() }
    }
    /// What names the policy that judges.
    pub(crate) fn policy(&self) -> &Arc<str> {
        &self.policy
    }
    /// What is under way.
    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }
    /// A step of the bottle's life.
    pub(crate) fn step(&self, step: Lifecycle) {
        self.auditor.record(Event::Lifecycle(step));
    }
    #[cfg(test)]
    pub(crate) fn bare(auditor: Auditor) -> Scribe {
        let vault = credentials::Vault::from_values(Vec::new());
        Scribe::new(auditor, Arc::new(Terms::new(vault, crate::DlpTerms::default(), 1)), "".into())
    }
    pub(crate) fn write(&self, mut exchange: Exchange) {
        self.terms.clean_event(&mut exchange);
        self.auditor.record(Event::Exchange(Box::new(exchange)));
    }
    /// The file can no longer be written.
    pub(crate) fn failed(&self) -> bool {
        self.auditor.failed()
    }
}

/// A handle on the event of an exchange. Both bodies hold one; the last to go writes the line.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Entry>);

pub(crate) struct Entry {
    scribe: Scribe,
    /// In the list of what is under way.
    number: u64,
    started: Instant,
    up: AtomicU64,
    down: AtomicU64,
    moved: Moved,
    /// What ends the agent's leg.
    cut: CancellationToken,
    /// Nothing has moved for too long.
    stalled: CancellationToken,
    notes: Mutex<Notes>,
}

struct Notes {
    exchange: Exchange,
    denial: Option<Denial>,
    answered: bool,
    complete: bool,
    silent: bool,
    /// Allowed for this once: the policy says nothing of it.
    once: bool,
    /// Not a request.
    tunnel: bool,
    /// What lives as long as the exchange.
    kept: Option<Box<dyn Any + Send>>,
}

impl Ledger {
    /// A new exchange, on the leg that this task serves. Until it is known to be complete, it was broken off.
    pub(crate) fn open(scribe: &Scribe, protocol: &str) -> Ledger {
        let notes = Notes {
            exchange: Exchange {
                policy: (!scribe.policy.is_empty()).then(|| scribe.policy.to_string()),
                ..blank(protocol)
            },
            denial: None,
            answered: false,
            complete: false,
            silent: false,
            once: false,
            tunnel: false,
            kept: None,
        };
        Ledger(scribe.running.enter(|number| {
            Arc::new(Entry {
                scribe: scribe.clone(),
                number,
                started: Instant::now(),
                up: AtomicU64::new(0),
                down: AtomicU64::new(0),
                moved: Moved::default(),
                cut: cut::here(),
                stalled: CancellationToken::new(),
                notes: Mutex::new(notes),
            })
        }))
    }
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// One that is under way.
    pub(crate) fn of(entry: Arc<Entry>) -> Ledger {
        Ledger(entry)
    }
    /// What is shown of it; `None`: nothing that anybody asked for, a CONNECT that others follow.
    pub(crate) fn live(&self) -> Option<Live> {
        let notes = self.notes();
        if notes.exchange.host.is_none() || (notes.silent && !notes.tunnel) {
            return None;
        }
        let Exchange { id, protocol, method, host, path, route, .. } = notes.exchange.clone();
        Some(Live {
            id,
            protocol,
            method,
            host,
            path,
            route,
            since_ms: u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes_up: self.0.up.load(Ordering::Relaxed),
            bytes_down: self.0.down.load(Ordering::Relaxed),
        })
    }
    /// What was allowed by the policy, for another look by another one.
    pub(crate) fn allowed(&self) -> Option<Allowed> {
        let notes = self.notes();
        let exchange = &notes.exchange;
        if notes.once || exchange.route.is_none() {
            return None;
        }
        let scheme = match exchange.scheme.as_deref() {
            Some("http") => Some(Scheme::Http),
            Some("https") => Some(Scheme::Https),
            _ => None,
        };
        Some(Allowed {
            scheme,
            host: exchange.host.clone()?,
            port: exchange.port?,
            method: exchange.method.clone(),
            path: exchange.path.clone().unwrap_or_default(),
        })
    }
    /// Which policy judges it. What was ended meanwhile, between its judgement and its note, keeps the one that had allowed it.
    pub(crate) fn judged_by(&self, policy: &str) {
        self.note(|exchange| {
            if exchange.code.is_none() && exchange.policy.as_deref().is_some_and(|known| known != policy) {
                exchange.policy = Some(policy.to_owned());
            }
        });
    }
    /// Allowed for this once.
    pub(crate) fn once(&self) {
        self.notes().once = true;
    }
    /// It is a tunnel to this place, by this route.
    pub(crate) fn tunnels(&self, host: &policy::Host, port: u16, route: &str) {
        let mut notes = self.notes();
        notes.tunnel = true;
        notes.exchange.host = Some(host.to_string());
        notes.exchange.port = Some(port);
        notes.exchange.route = Some(route.to_owned());
    }
    /// Ends it: it is not allowed any more.
    pub(crate) fn revoke(&self, denial: &Denial) {
        self.break_off(denial);
        self.0.stalled.cancel();
    }
    /// Writes into the event.
    pub(crate) fn note(&self, write: impl FnOnce(&mut Exchange)) {
        write(&mut self.notes().exchange);
    }
    /// The id that refusals show.
    pub(crate) fn id(&self) -> String {
        self.notes().exchange.id.clone()
    }
    /// What was asked.
    pub(crate) fn asked(&self, request: &Request) {
        self.note(|exchange| {
            exchange.scheme = Some(request.scheme.as_str().to_owned());
            exchange.method = Some(request.method.as_str().to_owned());
            exchange.host = Some(request.host.to_string());
            exchange.port = Some(request.port);
            exchange.path = Some(request.path.as_str().to_owned());
        });
    }
    /// What the scanner saw.
    pub(crate) fn find(&self, finding: Finding) {
        self.note(|exchange| {
            if exchange.findings.len() < FINDINGS && !exchange.findings.contains(&finding) {
                exchange.findings.push(finding);
            }
        });
    }
    /// It did not go out.
    pub(crate) fn deny(&self, denial: &Denial) {
        self.decide(Decision::Denied, denial);
    }
    /// It had begun to go out, and stopped. An agent that has an answer already cannot be told otherwise: its leg is cut.
    pub(crate) fn break_off(&self, denial: &Denial) {
        let mut notes = self.notes();
        notes.denial.get_or_insert_with(|| denial.clone());
        let answered = notes.answered;
        drop(notes);
        self.decide(Decision::Aborted, denial);
        if answered {
            self.0.cut.cancel();
        }
    }
    /// Lives until the event is written.
    pub(crate) fn keep(&self, kept: impl Any + Send) {
        self.notes().kept = Some(Box::new(kept));
    }
    /// What a body was broken off for.
    pub(crate) fn broken(&self) -> Option<Denial> {
        self.notes().denial.clone()
    }
    fn decide(&self, decision: Decision, denial: &Denial) {
        let mut notes = self.notes();
        if notes.exchange.code.is_none() {
            notes.exchange.decision = decision;
            notes.exchange.code = Some(denial.code.as_str().to_owned());
            notes.exchange.reason = Some(match &denial.detail {
                Some(detail) => format!("{denial} ({detail})"),
                None => denial.to_string(),
            });
        }
        if notes.exchange.host.is_none() {
            notes.exchange.host = denial.host.as_ref().map(ToString::to_string);
            notes.exchange.port = denial.port;
        }
    }
    /// No event of its own: the exchanges inside the tunnel have theirs.
    pub(crate) fn silence(&self) {
        self.notes().silent = true;
    }
    /// The whole answer was handed over.
    pub(crate) fn complete(&self) {
        self.notes().complete = true;
    }
    /// Bytes that went towards upstream.
    pub(crate) fn sent(&self, bytes: u64) {
        self.0.moved.now();
        self.0.up.fetch_add(bytes, Ordering::Relaxed);
    }
    /// Bytes that went towards the agent.
    pub(crate) fn received(&self, bytes: u64) {
        self.0.moved.now();
        self.0.down.fetch_add(bytes, Ordering::Relaxed);
    }
    /// Counts a request body, and ends it when its purse is empty.
    pub(crate) fn count_up(&self, body: Body, purse: Purse) -> Body {
        if body.is_end_stream() {
            return body;
        }
        self.0.moved.begin_upload();
        let direction = Direction::Up(purse);
        Counted { inner: body, ledger: self.clone(), direction, left: None }.boxed_unsync()
    }
    /// Counts a response body; its end completes the exchange. From here on the agent has an answer.
    pub(crate) fn count_down(&self, body: Body) -> Body {
        self.notes().answered = true;
        let left = body.size_hint().exact();
        if body.is_end_stream() || left == Some(0) {
            self.complete();
        }
        Counted { inner: body, ledger: self.clone(), direction: Direction::Down, left }.boxed_unsync()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.scribe.running.leave(self.number);
        let notes = self.notes.get_mut().unwrap_or_else(PoisonError::into_inner);
        let exchange = &mut notes.exchange;
        if exchange.code.is_none() {
            exchange.decision = if notes.complete { Decision::Allowed } else { Decision::Aborted };
        }
        if !notes.complete && exchange.code.is_none() {
            let what = if notes.answered {
                "broken off before the end of the answer"
            } else {
                "broken off before an answer"
            };
            exchange.reason = Some(what.to_owned());
        }
        exchange.bytes_up += *self.up.get_mut();
        exchange.bytes_down += *self.down.get_mut();
        exchange.duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !notes.silent {
            self.scribe.write(std::mem::replace(exchange, empty()));
        }
    }
}

/// An event with nothing in it yet.
pub(crate) fn blank(protocol: &str) -> Exchange {
    Exchange { id: id::id(), protocol: protocol.to_owned(), ..empty() }
}

fn empty() -> Exchange {
    Exchange {
        id: String::new(),
        decision: Decision::Aborted,
        code: None,
        reason: None,
        protocol: String::new(),
        scheme: None,
        method: None,
        host: None,
        port: None,
        path: None,
        route: None,
        credential: None,
        upstream: None,
        policy: None,
        status: None,
        bytes_up: 0,
        bytes_down: 0,
        duration_ms: 0,
        findings: Vec::new(),
    }
}
