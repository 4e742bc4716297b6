//! Known values taken out of what comes back.
use super::Answered;
use super::send::Heard;
use crate::body::{Body, Pipeline, Stage, Staged};
use crate::coding::{Decode, codings, message_coding};
use crate::engine::Shared;
use crate::headers;
use crate::record::Ledger;
use crate::screen::{Sought, Way};
use bytes::Bytes;
use dlp::{KnownValues, Scrubber};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use hyper::ext::ReasonPhrase;
use policy::{Denial, DenialCode};

/// Takes the known values out of what comes back.
pub(super) fn scrub(
    engine: &Shared,
    heard: Heard,
    head_only: bool,
    ledger: &Ledger,
) -> Result<Answered, Box<Denial>> {
    let sought = Sought::new(&engine.terms, Way::Inward);
    match heard {
        Heard::Answer(answer) => {
            ledger.note(|event| event.upstream = Some(answer.address.to_string()));
            scrub_answer(&sought, answer.response, head_only, ledger).map(Answered::Response)
        }
        Heard::Switched { mut head, bridge } => {
            if bridge.reads_frames() {
                head.headers_mut().remove(header::SEC_WEBSOCKET_EXTENSIONS);
            }
            clean_headers(&sought, head.headers_mut(), ledger);
            head.extensions_mut().remove::<ReasonPhrase>();
            ledger.note(|event| event.status = Some(101));
            // The bridge has its own sense of when nothing moves.
            ledger.unwatch();
            Ok(Answered::Switched(head, bridge))
        }
    }
}

fn scrub_answer(
    sought: &Sought,
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
    clean_headers(sought, &mut head.headers, ledger);
    if !sought.is_idle() && !head_only && has_body(head.status) {
        body = scrub_body(sought, &mut head, body, ledger)?;
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
    sought: &Sought,
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
    codings.into_iter().rev().for_each(|coding| pipeline.then(Decode::new(coding, sought.room())));
    pipeline.then(Scrub::new(sought, ledger));
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

/// The headers of any answer, as the agent may see them.
pub(super) fn clean_headers(sought: &Sought, headers: &mut HeaderMap, ledger: &Ledger) {
    headers::strip_response(headers);
    if !sought.is_idle() {
        headers.remove(header::ACCEPT_RANGES);
        scrub_headers(&sought.now(), headers, ledger);
    }
}

fn scrub_headers(known: &KnownValues, headers: &mut HeaderMap, ledger: &Ledger) {
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
    ledger.find(audit::Finding {
        rule: "known-secret".into(),
        place: place.into(),
        name: "a credential of this bottle".into(),
        action: "scrub".into(),
    });
}

/// Takes known values out of a stream that comes back.
pub(crate) struct Scrub {
    sought: Sought,
    scrubber: Scrubber,
    ledger: Ledger,
}

impl Scrub {
    pub(crate) fn new(sought: &Sought, ledger: &Ledger) -> Scrub {
        Scrub { sought: sought.clone(), scrubber: Scrubber::new(sought.known()), ledger: ledger.clone() }
    }
    /// A value that was rotated in meanwhile may come back on a stream that was open before.
    fn renew(&mut self) {
        if let Some(known) = self.sought.renewed() {
            self.scrubber.renew(known);
        }
    }
    fn count(&self, replaced: u64) {
        if replaced > 0 {
            scrubbed(&self.ledger, "response body");
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
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        scrub_headers(&self.sought.now(), trailers, &self.ledger);
        Ok(())
    }
}
