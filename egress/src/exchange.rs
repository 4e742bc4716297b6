//! The story of one request: decide → screen → inject → send → scrub → record.
//!
//! Each step takes what only the step before can make: [`policy::decide`] makes the `Permitted`, [`screen`] the
//! [`Screened`], [`inject`] the [`Outbound`]. The event is written when the last byte of either body has gone.
use crate::body::{Body, Pipeline, Stage, Staged};
use crate::coding::{Decode, codings, narrowed};
use crate::engine::Shared;
use crate::headers;
use crate::record::Ledger;
use crate::screen::{Watch, body_kind, exempt};
use crate::upstream::{Answer, PoolIdentity, WsAnswer};
use crate::websocket::Bridge;
use bytes::Bytes;
use credentials::{AuthScheme, Binding, BodySwapper, Placeholder, Resolution, Secret, Slot, Unavailable};
use dlp::{KnownValues, Scrubber};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version, header};
use policy::{Denial, DenialCode, Permitted, Request, Scheme, decide};
use std::sync::Arc;

/// A request as it came in, after its hop-by-hop headers were taken off.
pub(crate) struct Asked {
    /// What is judged.
    pub facts: Request,
    /// What comes with it.
    pub head: http::request::Parts,
    /// Its body.
    pub body: Body,
    /// Whether it shakes hands for a WebSocket.
    pub websocket: bool,
}

/// What the agent gets.
pub(crate) enum Answered {
    /// An answer of the upstream.
    Response(Response<Body>),
    /// A WebSocket that is open on the far side; the head is for the near one.
    Switched(Response<()>, Box<Bridge>),
}

/// A permitted request in which nothing was found that must stay inside.
struct Screened {
    permitted: Permitted,
    head: http::request::Parts,
    body: Body,
    websocket: bool,
    binding: Option<Binding>,
    watch: Watch,
}

/// What goes out, with its credential.
struct Outbound {
    permitted: Permitted,
    request: http::Request<Body>,
    identity: PoolIdentity,
    websocket: bool,
    swap: Option<(Placeholder, Secret)>,
    watch: Watch,
}

/// One request from its first judgement to the head of its answer.
/// # Errors
/// The denial to tell the agent; it stands in the ledger by then.
pub(crate) async fn exchange(
    engine: &Arc<Shared>,
    asked: Asked,
    ledger: &Ledger,
) -> Result<Answered, Box<Denial>> {
    let Asked { facts, head, body, websocket } = asked;
    engine.records()?;
    let head_only = head.method == Method::HEAD;
    let permitted = decide(&engine.policy.load(), facts)?;
    ledger.note(|event| event.route = Some(permitted.route().name.clone()));
    let screened = screen(engine, permitted, head, ledger.count_up(body), websocket, ledger)?;
    let outbound = inject(engine, screened, ledger).await?;
    let answer = send(engine, outbound, ledger).await?;
    scrub(engine, answer, head_only, ledger)
}

/// Looks for what must stay inside, in the agent's own bytes: before any credential is among them.
fn screen(
    engine: &Shared,
    permitted: Permitted,
    mut head: http::request::Parts,
    body: Body,
    websocket: bool,
    ledger: &Ledger,
) -> Result<Screened, Box<Denial>> {
    let binding = engine.bindings.get(&permitted.route().id).cloned();
    let watch = Watch::new(&engine.terms, &permitted, exempt(binding.as_ref(), &head.headers), ledger);
    watch.target(&permitted.request().target)?;
    watch.headers(&mut head.headers)?;
    let body = watch.body(&head.headers, body)?;
    if watch.rewrites() {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Screened { permitted, head, body, websocket, binding, watch })
}

/// Puts the credential of the route where its scheme says, over TLS only.
async fn inject(engine: &Arc<Shared>, screened: Screened, ledger: &Ledger) -> Result<Outbound, Box<Denial>> {
    let Screened { permitted, mut head, mut body, websocket, binding, watch } = screened;
    let mut target = permitted.request().target.to_string();
    let (mut identity, mut swap) = (PoolIdentity::default(), None);
    if let Some(binding) = binding {
        let (placeholder, secret) = credential(engine, &permitted, &binding).await?;
        let injected = credentials::inject(&binding, &placeholder, &secret, &mut target, &mut head.headers)
            .map_err(|error| unavailable(&permitted, binding.slot, &error.to_string()))?;
        if injected.in_head {
            ledger.note(|event| event.credential = Some(binding.slot.to_string()));
        }
        if injected.swap_body {
            body = swapped(&mut head.headers, body, binding.slot, &placeholder, &secret, ledger);
        }
        identity.credential = Some((binding.slot, engine.vault.generation()));
        swap = (binding.scheme == AuthScheme::Placeholder).then_some((placeholder, secret));
    }
    narrow_codings(engine, &mut head.headers);
    head.uri = target.parse::<Uri>().map_err(|_| unavailable_target(&permitted))?;
    // The version is the upstream leg's own business, whatever the agent's leg speaks.
    head.version = Version::HTTP_11;
    let request = http::Request::from_parts(head, body);
    Ok(Outbound { permitted, request, identity, websocket, swap, watch })
}

async fn credential(
    engine: &Arc<Shared>,
    permitted: &Permitted,
    binding: &Binding,
) -> Result<(Placeholder, Secret), Box<Denial>> {
    if permitted.request().scheme != Scheme::Https {
        let sentence = format!(
            "the route for `{}` carries a credential, which goes out over TLS only; use https",
            permitted.request().host
        );
        return Err(about(permitted, Denial::new(DenialCode::CredentialNeedsTls, sentence)));
    }
    let slot = binding.slot;
    let placeholder =
        engine.vault.placeholder(slot).ok_or_else(|| unavailable(permitted, slot, "no such slot"))?;
    let secret = current(engine, slot).await.map_err(|error| unavailable(permitted, slot, &error))?;
    Ok((placeholder, secret))
}

async fn current(engine: &Arc<Shared>, slot: Slot) -> Result<Secret, String> {
    match engine.vault.current(slot) {
        Ok(Resolution::Current(secret)) => Ok(secret),
        Ok(Resolution::RefreshDue) => {
            let vault = engine.vault.clone();
            let refreshed = tokio::task::spawn_blocking(move || vault.refresh(slot)).await;
            refreshed.map_err(|_| "the refresh broke off".to_owned())?.map_err(|error| why(&error))
        }
        Err(error) => Err(why(&error)),
    }
}

fn why(error: &Unavailable) -> String {
    error.why.clone()
}

/// The detail is for the operator: the agent cannot mend a source on the host.
fn unavailable(permitted: &Permitted, slot: Slot, detail: &str) -> Box<Denial> {
    let sentence = format!(
        "the credential for `{}` ({slot}) is not to be had now; the operator of this bottle has to look, nothing was sent",
        permitted.request().host
    );
    let mut denial = Denial::new(DenialCode::CredentialUnavailable, sentence);
    denial.detail = Some(detail.to_owned());
    about(permitted, denial)
}

fn unavailable_target(permitted: &Permitted) -> Box<Denial> {
    about(
        permitted,
        Denial::new(DenialCode::EgressFailure, "the credential does not fit into the request target"),
    )
}

fn about(permitted: &Permitted, mut denial: Denial) -> Box<Denial> {
    denial.host = Some(permitted.request().host.clone());
    denial.port = Some(permitted.request().port);
    Box::new(denial)
}

fn swapped(
    headers: &mut HeaderMap,
    body: Body,
    slot: Slot,
    placeholder: &Placeholder,
    secret: &Secret,
    ledger: &Ledger,
) -> Body {
    let Some(kind) = body_kind(headers) else { return body };
    headers.remove(header::CONTENT_LENGTH);
    let swapper = BodySwapper::new(kind, placeholder.clone(), secret.clone());
    let mut pipeline = Pipeline::default();
    pipeline.then(Swap { swapper, slot, ledger: ledger.clone() });
    Staged::body(body, pipeline, false, ledger.clone())
}

/// Puts the value where the placeholder stands in a body.
struct Swap {
    swapper: BodySwapper,
    slot: Slot,
    ledger: Ledger,
}

impl Swap {
    fn count(&self, swaps: u64) {
        if swaps > 0 {
            self.ledger.note(|event| event.credential = Some(self.slot.to_string()));
        }
    }
}

impl Stage for Swap {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let swaps = self.swapper.push(&std::mem::take(input), out);
        self.count(swaps);
        Ok(false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let swaps = self.swapper.finish(out);
        self.count(swaps);
        Ok(())
    }
}

/// Asks for no coding that the scrubber could not read; a part of an encoded body can be read by nobody.
fn narrow_codings(engine: &Shared, headers: &mut HeaderMap) {
    if engine.terms.inward().is_empty() {
        return;
    }
    let accepted: Vec<&str> =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    let narrowed = match (accepted.is_empty(), headers.contains_key(header::RANGE)) {
        (_, true) => "identity".to_owned(),
        (true, false) => return,
        (false, false) => narrowed(&accepted.join(", ")),
    };
    if let Ok(value) = HeaderValue::from_str(&narrowed) {
        headers.insert(header::ACCEPT_ENCODING, value);
    }
}

/// An upstream's answer, of either kind.
enum Heard {
    Answer(Answer),
    Switched { head: Response<()>, bridge: Box<Bridge> },
}

async fn send(engine: &Arc<Shared>, outbound: Outbound, ledger: &Ledger) -> Result<Heard, Box<Denial>> {
    let limit = engine.limits.stream_idle_time;
    let heard = tokio::time::timeout(limit, speak(engine, outbound, ledger)).await.unwrap_or_else(|_| {
        Err(Box::new(Denial::new(
            DenialCode::UpstreamTimeout,
            "the upstream did not begin an answer in time",
        )))
    });
    // A request body that was broken off for a finding looks like a failed upstream from there.
    heard.map_err(|error| ledger.broken().map_or(error, Box::new))
}

async fn speak(engine: &Arc<Shared>, outbound: Outbound, ledger: &Ledger) -> Result<Heard, Box<Denial>> {
    let Outbound { permitted, request, identity, websocket, swap, watch } = outbound;
    if !websocket {
        return engine.client.send(&permitted, identity, request).await.map(Heard::Answer);
    }
    let mut request = request.map(drop);
    let bridge = Bridge::new(engine, watch, swap, ledger);
    if bridge.reads_frames() {
        request.headers_mut().remove(header::SEC_WEBSOCKET_EXTENSIONS);
    }
    match engine.client.websocket(&permitted, identity, request).await? {
        WsAnswer::Refused(answer) => Ok(Heard::Answer(answer)),
        WsAnswer::Switched { head, stream, address } => {
            ledger.note(|event| event.upstream = Some(address.to_string()));
            Ok(Heard::Switched { head, bridge: Box::new(bridge.with(stream)) })
        }
    }
}

/// Takes the known values out of what comes back.
fn scrub(engine: &Shared, heard: Heard, head_only: bool, ledger: &Ledger) -> Result<Answered, Box<Denial>> {
    let known = engine.terms.inward();
    match heard {
        Heard::Answer(answer) => {
            ledger.note(|event| event.upstream = Some(answer.address.to_string()));
            scrub_answer(&known, answer.response, head_only, ledger).map(Answered::Response)
        }
        Heard::Switched { mut head, bridge } => {
            if bridge.reads_frames() {
                head.headers_mut().remove(header::SEC_WEBSOCKET_EXTENSIONS);
            }
            headers::strip_response(head.headers_mut());
            scrub_headers(&known, head.headers_mut(), ledger);
            ledger.note(|event| event.status = Some(101));
            Ok(Answered::Switched(head, bridge))
        }
    }
}

fn scrub_answer(
    known: &KnownValues,
    response: Response<Body>,
    head_only: bool,
    ledger: &Ledger,
) -> Result<Response<Body>, Box<Denial>> {
    let (mut head, mut body) = response.into_parts();
    ledger.note(|event| event.status = Some(head.status.as_u16()));
    head.version = Version::HTTP_11;
    headers::strip_response(&mut head.headers);
    scrub_headers(known, &mut head.headers, ledger);
    if !known.is_empty() && !head_only && has_body(head.status) {
        body = scrub_body(known, &mut head, body, ledger)?;
    }
    Ok(Response::from_parts(head, ledger.count_down(body)))
}

fn has_body(status: StatusCode) -> bool {
    status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn scrub_body(
    known: &KnownValues,
    head: &mut http::response::Parts,
    body: Body,
    ledger: &Ledger,
) -> Result<Body, Box<Denial>> {
    let codings = codings(&head.headers).map_err(|coding| unreadable_answer(&coding))?;
    if head.status == StatusCode::PARTIAL_CONTENT && !codings.is_empty() {
        return Err(unreadable_answer("a part of an encoded whole"));
    }
    if !codings.is_empty() {
        weaken(&mut head.headers);
    }
    let mut pipeline = Pipeline::default();
    codings.into_iter().rev().for_each(|coding| pipeline.then(Decode::new(coding)));
    pipeline.then(Scrub {
        known: known.clone(),
        scrubber: Scrubber::new(known.clone()),
        ledger: ledger.clone(),
    });
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Staged::body(body, pipeline, false, ledger.clone()))
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

fn scrub_headers(known: &KnownValues, headers: &mut HeaderMap, ledger: &Ledger) {
    if known.is_empty() {
        return;
    }
    for (name, value) in headers.iter_mut() {
        let Some(clean) = known.scrub(value.as_bytes()) else { continue };
        scrubbed(ledger, &format!("response header {name}"));
        *value = HeaderValue::from_bytes(&clean).unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
    }
}

fn scrubbed(ledger: &Ledger, place: &str) {
    ledger.find(audit::Finding {
        rule: "known-secret".into(),
        place: place.into(),
        name: "a credential of this bottle".into(),
        action: "scrub".into(),
    });
}

/// Takes known values out of a stream that comes back.
pub(crate) struct Scrub {
    pub(crate) known: KnownValues,
    pub(crate) scrubber: Scrubber,
    pub(crate) ledger: Ledger,
}

impl Scrub {
    fn count(&self, replaced: u64) {
        if replaced > 0 {
            scrubbed(&self.ledger, "response body");
        }
    }
}

impl Stage for Scrub {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
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
        scrub_headers(&self.known, trailers, &self.ledger);
        Ok(())
    }
}
