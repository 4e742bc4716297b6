//! What must not leave: known values, stray placeholders, canaries and what looks like a credential, wherever it stands in
//! a request.
mod answer;
mod entropy;
mod head;
mod messages;
mod peel;
mod shadow;
mod stream;
mod tap;
mod terms;
mod verdicts;

use crate::body::{Body, Pipeline, Staged};
use crate::coding::{codings, envelope};
use crate::config::RuleAction;
use crate::record::Ledger;
use audit::Finding;
use credentials::{AuthScheme, Binding, BodyKind, Places, Slot};
use dlp::{Collector, Hit, Unfolding, Verdict};
use http::{HeaderMap, header};
use http_body::Body as _;
use policy::{Denial, DenialCode, Permitted, Route, RouteId};
use shadow::Shadow;
use std::sync::Arc;
use stream::Scan;
use terms::STRAY;
use verdicts::{ASTRAY, CANARY, KNOWN, SPLIT, UNREADABLE};

pub(crate) use answer::{Inspection, fields, whole};
pub(crate) use head::lines;
pub(crate) use terms::{Sought, Terms, Way};
pub(crate) use verdicts::{Judged, Verdicts};

/// What is sought in one request and what is done about it.
#[derive(Clone)]
pub(crate) struct Watch {
    head: Sought,
    body: Sought,
    own: Option<Slot>,
    route: RouteId,
    verdicts: Arc<Verdicts>,
    collector: Collector,
    ledger: Ledger,
}

/// The slot whose placeholder may stand in a place of this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Exempt {
    own: Option<Slot>,
    body: Option<Slot>,
}

/// Whether a finding can be replaced where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Can {
    Redact,
    OnlyBlock,
}

impl Watch {
    /// For a permitted request. The placeholder of the route's own credential is no stray where it will be swapped.
    pub(crate) fn new(terms: &Arc<Terms>, permitted: &Permitted, exempt: Exempt, ledger: &Ledger) -> Watch {
        Watch::of(terms, permitted.route(), exempt, ledger)
    }
    /// For a connection on this route that is no HTTP.
    pub(crate) fn of(terms: &Arc<Terms>, route: &Route, exempt: Exempt, ledger: &Ledger) -> Watch {
        Watch {
            head: Sought::new(terms, Way::Outward(exempt.own)),
            body: Sought::new(terms, Way::Outward(exempt.body)),
            own: exempt.own,
            route: route.id,
            verdicts: terms.outward(route.id),
            collector: terms.collector(route),
            ledger: ledger.clone(),
        }
    }
    pub(crate) fn route(&self) -> RouteId {
        self.route
    }
    pub(crate) fn is_idle(&self) -> bool {
        self.head.is_idle() && self.body.is_idle()
    }

    /// Whether bodies may change their length on the way.
    pub(crate) fn rewrites(&self) -> bool {
        !self.is_idle() && self.verdicts.redacts()
    }

    /// Records what was found, and says what becomes of it.
    /// # Errors
    /// When it may not go on.
    fn judge(&self, hit: &Hit, place: &str, can: Can) -> Result<Verdict, Box<Denial>> {
        let judged = match self.verdicts.on(hit) {
            Judged::Redact if can == Can::OnlyBlock || hit.packed => Judged::Block,
            judged => judged,
        };
        let Some(finding) = finding(hit, place, &judged) else { return Ok(Verdict::Pass) };
        self.ledger.find(finding);
        match judged {
            Judged::Block => Err(self.denial(hit, place)),
            Judged::Redact => Ok(Verdict::Redact),
            Judged::Off | Judged::Allowed(_) | Judged::Warn => Ok(Verdict::Pass),
        }
    }

    fn denial(&self, hit: &Hit, place: &str) -> Box<Denial> {
        let own = self.own.is_some_and(|slot| hit.name.strip_prefix(STRAY) == Some(&slot.to_string()));
        Box::new(Denial::new(DenialCode::SecretInRequest, sentence(hit, place, own)))
    }

    /// A part of a value may be a part of it all.
    fn pieces(&self, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        match self.collector.see(bytes) {
            Some(hit) => self.judge(&hit, place, Can::OnlyBlock).map(drop),
            None => Ok(()),
        }
    }

    /// One whole message.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn message(&self, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        if self.body.is_idle() {
            return Ok(());
        }
        self.check(&self.body.now().all, bytes, place)?;
        self.pieces(bytes, place)
    }

    /// The stages of a stream in the clear.
    pub(crate) fn stream(&self, pipeline: &mut Pipeline, place: &'static str) {
        if !self.is_idle() {
            pipeline.then(Scan::new(self, place, Can::Redact));
        }
    }

    /// The stages of raw bytes, which cannot be rewritten: nobody knows which of them count the others.
    pub(crate) fn raw(&self, pipeline: &mut Pipeline) {
        if !self.is_idle() {
            pipeline.then(Scan::new(self, "tcp", Can::OnlyBlock));
        }
    }

    /// The body of a request: as it is, and as its receiver may decode it.
    /// # Errors
    /// When it is said to be in a coding that cannot be read.
    pub(crate) fn body(&self, headers: &HeaderMap, body: Body) -> Result<Body, Box<Denial>> {
        if self.is_idle() {
            return Ok(body);
        }
        let messages = match envelope(headers) {
            Ok(messages) => messages,
            Err(name) => {
                self.unreadable(&name)?;
                None
            }
        };
        let codings = match codings(headers) {
            Ok(codings) => Some(codings),
            Err(name) => {
                self.unreadable(&name)?;
                None
            }
        };
        if body.is_end_stream() {
            return Ok(body);
        }
        // What is coded, or counts its bytes, would be damaged by a stand-in.
        let plain = messages.is_none() && codings.as_ref().is_some_and(Vec::is_empty);
        let (can, unfolding) =
            if plain { (Can::Redact, Unfolding::Inside) } else { (Can::OnlyBlock, Unfolding::Nothing) };
        let mut pipeline = Pipeline::default();
        pipeline.then(Scan::beside(self, "body", can, unfolding));
        if let Some(codings) = codings {
            pipeline.then(Shadow::new(self, codings, messages));
        }
        Ok(Staged::body(body, pipeline, !self.verdicts.redacts(), self.ledger.clone()))
    }

    fn unreadable(&self, coding: &str) -> Result<(), Box<Denial>> {
        self.unreadable_because(&format!(
            "the body is in the content coding `{}`, which cannot be inspected; send it plain, or as gzip, deflate, br or zstd",
            coding.escape_default()
        ))
    }

    fn unreadable_because(&self, sentence: &str) -> Result<(), Box<Denial>> {
        let action = self.verdicts.on_unreadable();
        let word = if action == RuleAction::Warn { "warn" } else { "block" };
        self.ledger.find(Finding::new(UNREADABLE, "body", "content-encoding", word));
        if action == RuleAction::Warn {
            return Ok(());
        }
        Err(Box::new(Denial::new(DenialCode::Unreadable, sentence)))
    }
}

/// What the audit says of a hit; `None` when nothing was to be looked for.
pub(crate) fn finding(hit: &Hit, place: &str, judged: &Judged) -> Option<Finding> {
    let (word, reason) = match judged {
        Judged::Off => return None,
        Judged::Allowed(reason) => ("allow", Some(reason.to_string())),
        Judged::Warn => ("warn", None),
        Judged::Redact => ("redact", None),
        Judged::Block => ("block", None),
    };
    Some(Finding {
        length: Some(hit.length as u64),
        fingerprint: Some(hit.fingerprint.to_string()),
        layer: (&*hit.layer != "plain").then(|| hit.layer.to_string()),
        reason,
        ..Finding::new(&hit.rule, place, &hit.name, word)
    })
}

/// Where the route replaces its own placeholder, or can swap it: a binding by place (a header, say) removes what the
/// agent put there and leaves the rest alone; `placeholder` swaps in the head, and elsewhere where it is said.
pub(crate) fn exempt(binding: Option<&Binding>, headers: &HeaderMap, websocket: bool) -> Exempt {
    let Some(Binding { slot, scheme }) = binding else { return Exempt::default() };
    let body = match scheme {
        AuthScheme::Placeholder { places } => swaps_body(*places, headers, websocket),
        _ => true,
    };
    Exempt { own: Some(*slot), body: body.then_some(*slot) }
}

fn swaps_body(places: Places, headers: &HeaderMap, websocket: bool) -> bool {
    if websocket { places.websocket } else { places.body && body_kind(headers).is_some() }
}

/// How a placeholder in this body is swapped; `None`: it cannot be.
pub(crate) fn body_kind(headers: &HeaderMap) -> Option<BodyKind> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let plain = codings(headers).is_ok_and(|codings| codings.is_empty());
    BodyKind::of(content_type).filter(|_| plain)
}

fn sentence(hit: &Hit, place: &str, own: bool) -> String {
    let (name, rule) = (&hit.name, &hit.rule);
    let what = match &**rule {
        ASTRAY if own => format!(
            "the {name} stands in the {place} of this request, where its value is not put: a far side could be made to \
             spell it; send it in a header, the query or the path, or let the operator write `in: [body]` (or \
             `in: [websocket]`) beside `scheme: placeholder`"
        ),
        ASTRAY => {
            format!("the {name} stands in the {place} of a request to a host or place that is not its own")
        }
        CANARY => format!(
            "a fake credential of this bottle ({name}) stands in the {place} of this request; it belongs to nobody and \
             never leaves"
        ),
        SPLIT => format!(
            "enough pieces of {name} went to this host for it to be put together, the last one in the {place} of this request"
        ),
        KNOWN => format!(
            "the value of {name} stands in the {place} of this request and must stay inside the bottle"
        ),
        UNREADABLE => format!(
            "{name} stands in the {place} of this request, and what cannot be inspected does not pass; send it without, or \
             in smaller parts"
        ),
        _ => format!(
            "what looks like a secret ({name}, rule {rule}) stands in the {place} of this request; if it may go, the operator \
             can allow this one value by its fingerprint {}",
            hit.fingerprint
        ),
    };
    format!("{what}; this is policy, do not try to send it in another way")
}
