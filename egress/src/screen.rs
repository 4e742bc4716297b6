//! What must not leave: known values and stray placeholders, wherever they stand in a request.
mod shadow;
mod terms;

use crate::body::{Body, Pipeline, Stage, Staged};
use crate::coding::{codings, message_coding};
use crate::config::DlpAction;
use crate::record::Ledger;
use audit::Finding;
use bytes::Bytes;
use credentials::{AuthScheme, Binding, BodyKind, Places, Slot};
use dlp::{KnownValues, Scanner, Scrubber};
use http::{HeaderMap, HeaderValue, header};
use policy::{Denial, DenialCode, Host, Permitted, RouteId};
use shadow::Shadow;
use std::sync::Arc;
use terms::{HOST, STRAY, rule_of};

pub(crate) use terms::{Sought, Terms, Way};

/// What is sought in one request and what is done about it.
#[derive(Clone)]
pub(crate) struct Watch {
    head: Sought,
    body: Sought,
    own: Option<Slot>,
    action: DlpAction,
    ledger: Ledger,
}

/// The slot whose placeholder may stand in a place of this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Exempt {
    own: Option<Slot>,
    body: Option<Slot>,
}

impl Watch {
    /// For a permitted request. The placeholder of the route's own credential is no stray where it will be swapped.
    pub(crate) fn new(terms: &Arc<Terms>, permitted: &Permitted, exempt: Exempt, ledger: &Ledger) -> Watch {
        Watch::of(terms, permitted.route().id, exempt, ledger)
    }
    /// For a connection on this route that is not inspected: its host is all that is seen.
    pub(crate) fn of(terms: &Arc<Terms>, route: RouteId, exempt: Exempt, ledger: &Ledger) -> Watch {
        Watch {
            head: Sought::new(terms, Way::Outward(exempt.own)),
            body: Sought::new(terms, Way::Outward(exempt.body)),
            own: exempt.own,
            action: terms.action(route),
            ledger: ledger.clone(),
        }
    }
    pub(crate) fn is_idle(&self) -> bool {
        self.head.is_idle() && self.body.is_idle()
    }

    /// Whether bodies may change their length on the way.
    pub(crate) fn rewrites(&self) -> bool {
        !self.is_idle() && self.action == DlpAction::Redact
    }

    /// Records what was found; a denial when it may not go on.
    fn report(&self, name: &str, place: &str, action: DlpAction) -> Result<(), Box<Denial>> {
        let (rule, word) = (rule_of(name), word_of(action));
        let finding =
            Finding { rule: rule.into(), place: place.into(), name: name.into(), action: word.into() };
        self.ledger.find(finding);
        if action != DlpAction::Block {
            return Ok(());
        }
        let own = self.own.is_some_and(|slot| name.strip_prefix(STRAY) == Some(&slot.to_string()));
        Err(astray(name, place, own))
    }

    /// Whole bytes that cannot be rewritten: the target and the names of headers.
    fn check(&self, known: &KnownValues, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        let Some(hit) = known.find(bytes) else { return Ok(()) };
        let action = if self.action == DlpAction::Redact { DlpAction::Block } else { self.action };
        self.report(&hit.name, place, action)
    }

    fn check_value(
        &self,
        known: &KnownValues,
        name: &str,
        value: &mut HeaderValue,
    ) -> Result<(), Box<Denial>> {
        let Some(hit) = known.find(value.as_bytes()) else { return Ok(()) };
        self.report(&hit.name, &format!("header {name}"), self.action)?;
        if self.action == DlpAction::Redact {
            let clean = known.scrub(value.as_bytes()).and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
            *value = clean.unwrap_or_else(|| HeaderValue::from_static("[redacted]"));
        }
        Ok(())
    }

    /// Names and values of headers or trailers.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.fields(&self.head, headers)
    }

    /// Trailers are not injected into, so a placeholder stands there as in a body.
    fn trailers(&self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.fields(&self.body, trailers)
    }

    fn fields(&self, sought: &Sought, headers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        if sought.is_idle() {
            return Ok(());
        }
        let known = sought.now();
        for (name, value) in headers.iter_mut() {
            self.check(&known, name.as_str().as_bytes(), "header name")?;
            self.check_value(&known, name.as_str(), value)?;
        }
        Ok(())
    }

    /// Where it goes: a name is told to everybody who is asked for its address, and to who is called by it.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn host(&self, host: &Host) -> Result<(), Box<Denial>> {
        match host.name() {
            Some(name) if !self.is_idle() => self.check(&self.body.all_outward(), name.as_bytes(), HOST),
            _ => Ok(()),
        }
    }

    /// What is asked for.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn method(&self, method: &str) -> Result<(), Box<Denial>> {
        if self.is_idle() {
            Ok(())
        } else {
            self.check(&self.body.all_outward(), method.as_bytes(), "method")
        }
    }

    /// The target as sent.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn target(&self, target: &str) -> Result<(), Box<Denial>> {
        if self.is_idle() {
            return Ok(());
        }
        let known = self.head.now();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.check(&known, path.as_bytes(), "path")?;
        self.check(&known, query.as_bytes(), "query")?;
        // A value may lie across the question mark too.
        self.check(&known, target.as_bytes(), "target")
    }

    /// One whole message.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn message(&self, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        if self.body.is_idle() { Ok(()) } else { self.check(&self.body.now(), bytes, place) }
    }

    /// The stages of a stream in the clear.
    pub(crate) fn stream(&self, pipeline: &mut Pipeline, place: &'static str) {
        if self.is_idle() {
            return;
        }
        match self.action {
            DlpAction::Redact => pipeline.then(Redact {
                watch: self.clone(),
                scrubber: Scrubber::new(self.body.known()),
                place,
            }),
            _ => pipeline.then(Scan::new(self, place)),
        }
    }

    /// The body of a request: as it is, and as its receiver may decode it.
    /// # Errors
    /// When it is said to be in a coding that cannot be read.
    pub(crate) fn body(&self, headers: &HeaderMap, body: Body) -> Result<Body, Box<Denial>> {
        if self.is_idle() {
            return Ok(body);
        }
        let mut pipeline = Pipeline::default();
        self.stream(&mut pipeline, "body");
        if let Some(coding) = message_coding(headers) {
            self.unreadable(&coding)?;
        }
        match codings(headers) {
            Ok(codings) => pipeline.then(Shadow::new(self, codings)),
            Err(name) => self.unreadable(&name)?,
        }
        Ok(Staged::body(body, pipeline, self.action != DlpAction::Redact, self.ledger.clone()))
    }

    fn unreadable(&self, coding: &str) -> Result<(), Box<Denial>> {
        self.unreadable_because(&format!(
            "the body is in the content coding `{}`, which cannot be inspected; send it plain, or as gzip, deflate, br or zstd",
            coding.escape_default()
        ))
    }

    fn unreadable_because(&self, sentence: &str) -> Result<(), Box<Denial>> {
        let action = if self.action == DlpAction::Warn { DlpAction::Warn } else { DlpAction::Block };
        let finding = Finding {
            rule: "unreadable".into(),
            place: "body".into(),
            name: "content-encoding".into(),
            action: word_of(action).into(),
        };
        self.ledger.find(finding);
        if action == DlpAction::Warn {
            return Ok(());
        }
        Err(Box::new(Denial::new(DenialCode::Unreadable, sentence)))
    }
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

fn word_of(action: DlpAction) -> &'static str {
    match action {
        DlpAction::Block => "block",
        DlpAction::Redact => "redact",
        DlpAction::Warn => "warn",
    }
}

fn astray(name: &str, place: &str, own: bool) -> Box<Denial> {
    let what = if own {
        format!(
            "the {name} stands in the {place} of this request, where its value is not put: a far side could be made to \
             spell it; send it in a header, the query or the path, or let the operator write `in: [body]` (or \
             `in: [websocket]`) beside `scheme: placeholder`"
        )
    } else if name.starts_with(STRAY) {
        format!("the {name} stands in the {place} of a request to a host or place that is not its own")
    } else {
        format!("the value of {name} stands in the {place} of this request and must stay inside the bottle")
    };
    let sentence = format!("{what}; this is policy, do not try to send it in another way");
    Box::new(Denial::new(DenialCode::SecretInRequest, sentence))
}

/// Looks for values in a stream; with `warn` it goes on after the first.
struct Scan {
    watch: Watch,
    scanner: Option<Scanner>,
    place: &'static str,
}

impl Scan {
    fn new(watch: &Watch, place: &'static str) -> Scan {
        Scan { watch: watch.clone(), scanner: Some(Scanner::new(watch.body.known())), place }
    }
    fn found(&mut self, hit: &dlp::Hit) -> Result<(), Box<Denial>> {
        self.scanner = None;
        self.watch.report(&hit.name, self.place, self.watch.action)
    }
    /// Looks without giving anything out; gives the number of bytes known to be clean.
    fn look(&mut self, chunk: &[u8], last: bool) -> Result<u64, Box<Denial>> {
        let mut clean = Vec::new();
        match self.push(chunk, last, &mut clean) {
            Some(hit) => self.found(&hit).map(|()| u64::MAX),
            None if self.scanner.is_none() => Ok(u64::MAX),
            None => Ok(clean.len() as u64),
        }
    }
    fn push(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Option<dlp::Hit> {
        let scanner = self.scanner.as_mut()?;
        if let Some(known) = self.watch.body.renewed() {
            scanner.renew(known);
        }
        let pushed = scanner.push(chunk, out);
        let finished = if last && pushed.is_ok() { scanner.finish(out) } else { Ok(()) };
        pushed.and(finished).err()
    }
    fn warns(&self) -> bool {
        self.watch.action == DlpAction::Warn
    }
}

impl Stage for Scan {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let chunk = std::mem::take(input);
        if self.warns() {
            self.look(&chunk, false)?;
            out.extend_from_slice(&chunk);
        } else if let Some(hit) = self.push(&chunk, false, out) {
            self.found(&hit)?;
        }
        Ok(false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        if self.warns() {
            self.look(&[], true)?;
        } else if let Some(hit) = self.push(&[], true, out) {
            self.found(&hit)?;
        }
        Ok(())
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.watch.trailers(trailers)
    }
}

/// Replaces values in a stream.
struct Redact {
    watch: Watch,
    scrubber: Scrubber,
    place: &'static str,
}

impl Redact {
    fn count(&self, replaced: u64) -> Result<(), Box<Denial>> {
        if replaced == 0 { Ok(()) } else { self.watch.report("a known value", self.place, DlpAction::Redact) }
    }
}

impl Stage for Redact {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        if let Some(known) = self.watch.body.renewed() {
            self.scrubber.renew(known);
        }
        let replaced = self.scrubber.push(&std::mem::take(input), out);
        self.count(replaced).map(|()| false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let replaced = self.scrubber.finish(out);
        self.count(replaced)
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.watch.trailers(trailers)
    }
}
