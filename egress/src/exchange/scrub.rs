//! Known values taken out of what comes back.
use super::Answered;
use super::send::Heard;
use crate::body::{Body, Pipeline, Stage, Staged};
use crate::coding::{Decode, codings, message_coding};
use crate::config::RuleAction;
use crate::engine::Shared;
use crate::headers;
use crate::injection::Injection;
use crate::record::Ledger;
use crate::screen::{Inspection, Sought, Verdicts, Way, fields, lines, whole};
use bytes::Bytes;
use dlp::{KnownValues, Scrubber};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use hyper::ext::ReasonPhrase;
use policy::{Denial, DenialCode, RouteId};
use std::sync::Arc;

/// Takes the known values out of what comes back.
pub(super) fn scrub(
    engine: &Shared,
    heard: Heard,
    from: From,
    head_only: bool,
    ledger: &Ledger,
) -> Result<Answered, Box<Denial>> {
    let sought = Sought::new(&engine.terms, Way::Inward);
    let inward = Inward { model: from.model, ..Inward::new(engine, sought, from.route, ledger) };
    match heard {
        Heard::Answer(answer) => {
            ledger.note(|event| event.upstream = Some(answer.address.to_string()));
            scrub_answer(&inward, answer.response, head_only, ledger).map(Answered::Response)
        }
        Heard::Switched { mut head, bridge } => {
            if bridge.reads_frames() {
                head.headers_mut().remove(header::SEC_WEBSOCKET_EXTENSIONS);
            }
            inward.headers(head.headers_mut())?;
            head.extensions_mut().remove::<ReasonPhrase>();
            ledger.note(|event| event.status = Some(101));
            // The bridge has its own sense of when nothing moves.
            ledger.unwatch();
            Ok(Answered::Switched(head, bridge))
        }
    }
}

fn scrub_answer(
    inward: &Inward,
    response: Response<Body>,
    head_only: bool,
    ledger: &Ledger,
) -> Result<Response<Body>, Box<Denial>> {
    let (mut head, mut body) = response.into_parts();
    if head.status.is_informational() {
        return Err(unasked(head.status));
    }
    ledger.note(|event| event.status = Some(head.status.as_u16()));
    head.version = Version::HTTP_11;
    // Free text of the upstream's (RFC 9112 section 4), which says nothing that the status does not.
    head.extensions.remove::<ReasonPhrase>();
    inward.headers(&mut head.headers)?;
    if !head_only && has_body(head.status) {
        body = if inward.is_idle() {
            inward.look_only(&head, body)
        } else {
            scrub_body(inward, &mut head, body, ledger)?
        };
    }
    Ok(Response::from_parts(head, ledger.count_down(body)))
}

/// An upstream that switches protocols unasked (RFC 9110 section 15.2.2) would have the agent's leg switched too.
fn unasked(status: StatusCode) -> Box<Denial> {
    let sentence = format!("the upstream answered {} to what was no upgrade", status.as_u16());
    Box::new(Denial::new(DenialCode::UpstreamUnreachable, sentence))
}

fn has_body(status: StatusCode) -> bool {
    status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn scrub_body(
    inward: &Inward,
    head: &mut http::response::Parts,
    body: Body,
    ledger: &Ledger,
) -> Result<Body, Box<Denial>> {
    let codings = codings(&head.headers).map_err(|coding| unreadable_answer(&coding))?;
    if let Some(coding) = message_coding(&head.headers) {
        return Err(unreadable_answer(&coding));
    }
    if is_part(head) {
        return Err(part_of_whole());
    }
    if !codings.is_empty() {
        weaken(&mut head.headers);
    }
    let mut pipeline = Pipeline::default();
    codings.into_iter().rev().for_each(|coding| pipeline.then(Decode::new(coding, inward.sought.room())));
    inward.stream(&mut pipeline, "response body");
    inward.injection(head).into_iter().for_each(|stage| pipeline.then(stage));
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Staged::body(body, pipeline, false, ledger.clone()))
}

/// Nobody asked for it here; a value may lie across its edges.
fn is_part(head: &http::response::Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let start = kind.get(..PARTS.len()).unwrap_or_default();
    head.status == StatusCode::PARTIAL_CONTENT || start.eq_ignore_ascii_case(PARTS)
}

const PARTS: &[u8] = b"multipart/byteranges";

fn part_of_whole() -> Box<Denial> {
    let sentence =
        "the upstream gave a part of a whole that nobody asked for, and a part cannot be inspected";
    Box::new(Denial::new(DenialCode::Unreadable, sentence))
}

fn unreadable_answer(coding: &str) -> Box<Denial> {
    let sentence =
        format!("the answer came in a content coding that cannot be inspected ({})", coding.escape_default());
    Box::new(Denial::new(DenialCode::Unreadable, sentence))
}

/// The body goes on decoded: it is another representation, whose strong validators and digests are gone.
fn weaken(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_ENCODING);
    for digest in ["content-md5", "digest", "content-digest", "repr-digest"] {
        headers.remove(digest);
    }
    let Some(tag) = headers.get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(header::ETAG, weak);
    }
}

pub(crate) fn scrub_headers(known: &KnownValues, headers: &mut HeaderMap, ledger: &Ledger) {
    // One look at all of them: most answers hold no value.
    if known.find(&lines(None, headers)).is_none() {
        return;
    }
    drop_names(known, headers, ledger);
    for (name, value) in headers.iter_mut() {
        let Some(clean) = known.scrub(value.as_bytes()) else { continue };
        scrubbed(ledger, &format!("response header {name}"));
        *value = HeaderValue::from_bytes(&clean).unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
    }
}

/// A name cannot be mended.
fn drop_names(known: &KnownValues, headers: &mut HeaderMap, ledger: &Ledger) {
    let holds = |name: &&HeaderName| known.find(name.as_str().as_bytes()).is_some();
    let names: Vec<HeaderName> = headers.keys().filter(holds).cloned().collect();
    for name in names {
        scrubbed(ledger, "response header name");
        headers.remove(name);
    }
}

pub(crate) fn scrubbed(ledger: &Ledger, place: &str) {
    ledger.find(audit::Finding::new("known-secret", place, "a credential of this bottle", "scrub"));
}

/// Whom an answer comes from.
#[derive(Clone, Copy)]
pub(super) struct From {
    pub(super) route: RouteId,
    /// A model, which speaks to agents and is to.
    pub(super) model: bool,
}

/// What is sought in what comes back by a route, and what is done about it.
pub(crate) struct Inward {
    pub(crate) sought: Sought,
    verdicts: Arc<Verdicts>,
    prompt_injection: RuleAction,
    model: bool,
    ledger: Ledger,
}

impl Inward {
    pub(crate) fn new(engine: &Shared, sought: Sought, route: RouteId, ledger: &Ledger) -> Inward {
        let (verdicts, prompt_injection) = (engine.terms.inward(route), engine.terms.prompt_injection(route));
        Inward { sought, verdicts, prompt_injection, model: false, ledger: ledger.clone() }
    }

    /// The headers of any answer, as the agent may see them.
    /// # Errors
    /// When something stands there at which the answer ends.
    pub(super) fn headers(&self, headers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        headers::strip_response(headers);
        if self.sought.is_idle() {
            return Ok(());
        }
        headers.remove(header::ACCEPT_RANGES);
        let sought = self.sought.now();
        scrub_headers(sought.all.known(), headers, &self.ledger);
        if self.sought.has_rules() {
            fields(&sought.all, &self.verdicts, &self.ledger, "header", headers)?;
        }
        Ok(())
    }

    /// What a control frame of a WebSocket says; gives what goes on in place of it.
    /// # Errors
    /// When something stands there at which the answer ends.
    pub(crate) fn control(&self, payload: &[u8]) -> Result<Option<Vec<u8>>, Box<Denial>> {
        let sought = self.sought.now();
        let clean = sought.all.known().scrub(payload);
        if clean.is_some() {
            scrubbed(&self.ledger, "websocket");
        }
        if !self.sought.has_rules() {
            return Ok(clean);
        }
        let left = clean.as_deref().unwrap_or(payload);
        Ok(whole(&sought.all, &self.verdicts, &self.ledger, "websocket, inward", left)?.or(clean))
    }

    /// Answers pass as they are. Warnings alone are no reason to change one.
    pub(crate) fn is_idle(&self) -> bool {
        self.sought.is_idle() && self.prompt_injection != RuleAction::Block
    }

    fn injection(&self, head: &http::response::Parts) -> Option<Injection> {
        if self.model {
            return None;
        }
        Injection::of(self.prompt_injection, head.status, &head.headers, &self.ledger)
    }

    /// Text in no coding is looked at as it passes.
    fn look_only(&self, head: &http::response::Parts, body: Body) -> Body {
        let plain = codings(&head.headers).is_ok_and(|codings| codings.is_empty());
        let Some(injection) = self.injection(head).filter(|_| plain) else { return body };
        let mut pipeline = Pipeline::default();
        pipeline.then(injection);
        Staged::body(body, pipeline, true, self.ledger.clone())
    }

    /// The stages of a stream in the clear. Where no rule looks at answers, values alone are taken out.
    pub(crate) fn stream(&self, pipeline: &mut Pipeline, place: &'static str) {
        if self.sought.is_idle() {
            return;
        }
        if self.sought.has_rules() {
            pipeline.then(Inspection::new(&self.sought, &self.verdicts, &self.ledger, place));
        } else {
            pipeline.then(Scrub::new(&self.sought, &self.ledger, place));
        }
    }
}

/// Takes known values out of a stream that comes back.
pub(crate) struct Scrub {
    sought: Sought,
    scrubber: Scrubber,
    ledger: Ledger,
    place: &'static str,
}

impl Scrub {
    fn new(sought: &Sought, ledger: &Ledger, place: &'static str) -> Scrub {
        let scrubber = Scrubber::new(sought.known());
        Scrub { sought: sought.clone(), scrubber, ledger: ledger.clone(), place }
    }
    /// A value that was rotated in meanwhile may come back on a stream that was open before.
    fn renew(&mut self) {
        if let Some(sought) = self.sought.renewed() {
            self.scrubber.renew(sought.known().clone());
        }
    }
    fn count(&self, replaced: u64) {
        if replaced > 0 {
            scrubbed(&self.ledger, self.place);
        }
    }
}

impl Stage for Scrub {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.renew();
        let replaced = self.scrubber.push(&std::mem::take(input), out);
        self.count(replaced);
        Ok(false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let replaced = self.scrubber.finish(out);
        self.count(replaced);
        Ok(())
    }
    fn last(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.renew();
        let replaced = self.scrubber.last(&std::mem::take(input), out);
        self.count(replaced);
        Ok(true)
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        scrub_headers(self.sought.now().all.known(), trailers, &self.ledger);
        Ok(())
    }
}
