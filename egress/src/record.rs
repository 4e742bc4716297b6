//! One exchange, one event: gathered while it runs, recorded when its last part is dropped.
use crate::body::{Body, BoxError};
use audit::{Auditor, Decision, Event, Exchange, Finding};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use policy::{Denial, Request};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// More findings than this in one exchange say nothing new.
const FINDINGS: usize = 32;

/// A handle on the event of an exchange. Both bodies hold one; the last to go writes the line.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Entry>);

struct Entry {
    auditor: Auditor,
    started: Instant,
    up: AtomicU64,
    down: AtomicU64,
    notes: Mutex<Notes>,
}

struct Notes {
    exchange: Exchange,
    denial: Option<Denial>,
    answered: bool,
    complete: bool,
    silent: bool,
}

impl Ledger {
    /// A new exchange. Until it is known to be complete, it was broken off.
    pub(crate) fn open(auditor: &Auditor, protocol: &str) -> Ledger {
        let notes = Notes {
            exchange: blank(protocol),
            denial: None,
            answered: false,
            complete: false,
            silent: false,
        };
        Ledger(Arc::new(Entry {
            auditor: auditor.clone(),
            started: Instant::now(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            notes: Mutex::new(notes),
        }))
    }
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Writes into the event.
    pub(crate) fn note(&self, write: impl FnOnce(&mut Exchange)) {
        write(&mut self.notes().exchange);
    }
    /// The id that refusals show.
    pub(crate) fn id(&self) -> String {
        self.notes().exchange.id.clone()
    }
    /// What was asked; `path` has its secrets scrubbed.
    pub(crate) fn asked(&self, request: &Request, path: String) {
        self.note(|exchange| {
            exchange.scheme = Some(request.scheme.as_str().to_owned());
            exchange.method = Some(request.method.as_str().to_owned());
            exchange.host = Some(request.host.to_string());
            exchange.port = Some(request.port);
            exchange.path = Some(path);
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
    /// It had begun to go out, and stopped.
    pub(crate) fn break_off(&self, denial: &Denial) {
        let mut notes = self.notes();
        notes.denial.get_or_insert_with(|| denial.clone());
        drop(notes);
        self.decide(Decision::Aborted, denial);
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
        self.0.up.fetch_add(bytes, Ordering::Relaxed);
    }
    /// Bytes that went towards the agent.
    pub(crate) fn received(&self, bytes: u64) {
        self.0.down.fetch_add(bytes, Ordering::Relaxed);
    }
    /// Counts a request body.
    pub(crate) fn count_up(&self, body: Body) -> Body {
        Counted { inner: body, ledger: self.clone(), direction: Direction::Up, left: None }.boxed_unsync()
    }
    /// Counts a response body; its end completes the exchange.
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
            self.auditor.record(Event::Exchange(Box::new(exchange.clone())));
        }
    }
}

/// An event with nothing in it yet.
pub(crate) fn blank(protocol: &str) -> Exchange {
    Exchange {
        id: uuid::Uuid::now_v7().to_string(),
        decision: Decision::Aborted,
        code: None,
        reason: None,
        protocol: protocol.to_owned(),
        scheme: None,
        method: None,
        host: None,
        port: None,
        path: None,
        route: None,
        credential: None,
        upstream: None,
        status: None,
        bytes_up: 0,
        bytes_down: 0,
        duration_ms: 0,
        findings: Vec::new(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

struct Counted {
    inner: Body,
    ledger: Ledger,
    direction: Direction,
    left: Option<u64>,
}

impl Counted {
    fn count(&mut self, bytes: u64) {
        match self.direction {
            Direction::Up => self.ledger.sent(bytes),
            Direction::Down => self.ledger.received(bytes),
        }
        self.left = self.left.map(|left| left.saturating_sub(bytes));
    }
    fn note_end(&self, ended: bool) {
        if self.direction == Direction::Down && (ended || self.left == Some(0)) {
            self.ledger.complete();
        }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(part)) => {
                let trailers = part.is_trailers();
                self.count(part.data_ref().map_or(0, |data| data.len() as u64));
                self.note_end(trailers || self.inner.is_end_stream());
            }
            Some(Err(_)) => {}
            None => self.note_end(true),
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
