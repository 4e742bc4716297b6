//! HTTP/2 on the agent's leg: the connection, and each of its streams by itself.
use super::{Connection, Site, judge, refuse};
use crate::body::{Body, empty};
use crate::cut;
use crate::engine::Shared;
use crate::exchange::Answered;
use crate::http2::{Duplex, Outgoing, Pulse, Received, pump};
use crate::interim::{Said, Teller, Unanswered};
use crate::listen::Stream;
use crate::record::Ledger;
use crate::respond::Shape;
use crate::{Limits, websocket::Bridge};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use policy::{Denial, DenialCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// What one stream may send ahead of its reader, and all of a connection together.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        // Rapid reset (CVE-2023-44487): a client that opens and resets without end is ended.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(Some(64))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// Requests to one site.
pub(crate) async fn http2(engine: Arc<Shared>, stream: impl Stream + 'static, site: Site) {
    let connection = Connection::new(engine, Some(site));
    let limits = &connection.engine.limits;
    let (pulse, stream) = Pulse::of(stream);
    let shaking = tokio::time::timeout(limits.idle_time, builder(limits).handshake::<_, Bytes>(stream));
    let shaken = connection.engine.end.run_until_cancelled(shaking).await;
    let Some(Ok(Ok(mut streams))) = shaken else { return };
    let gone = pulse.stops(streams.ping_pong(), limits.idle_time, limits.handshake_time, || true);
    let (over, farewell) = (over(&connection), sleep(Duration::MAX));
    tokio::pin!(gone, over, farewell);
    let mut ending = false;
    loop {
        tokio::select! {
            next = streams.accept() => {
                // An error is the client's own end, or what it was ended for.
                let Some(Ok((request, respond))) = next else { return };
                cut::apart(serve(Arc::clone(&connection), request, respond));
            }
            grace = &mut over, if !ending => {
                streams.graceful_shutdown();
                farewell.as_mut().reset(Instant::now() + grace);
                ending = true;
            }
            () = &mut farewell, if ending => return,
            () = &mut gone => return,
        }
    }
}

/// Returns when the connection is to take no more streams, with the time for those that are open.
async fn over(connection: &Connection) -> Duration {
    let limits = &connection.engine.limits;
    tokio::select! {
        () = connection.engine.end.cancelled() => limits.grace,
        // No exchange is left, but the client may not have read the end of the last one.
        () = idle(connection) => limits.stream_idle_time,
    }
}

/// Returns when no stream was open for the idle time.
async fn idle(connection: &Connection) {
    let mut quiet = false;
    loop {
        sleep(connection.engine.limits.idle_time / 2).await;
        let busy = connection.busy.load(Ordering::Relaxed) > 0;
        if quiet && !busy {
            return;
        }
        quiet = !busy;
    }
}

/// A stream that is open.
struct Busy(Arc<Connection>);

impl Busy {
    fn new(connection: &Arc<Connection>) -> Busy {
        connection.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(connection))
    }
}
impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One stream, from its request to the last byte of its answer; or until the agent gives it up.
async fn serve(connection: Arc<Connection>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let unanswered = Unanswered::new(respond);
    let protocol = request.extensions().get::<h2::ext::Protocol>();
    let upgrades = protocol.is_some_and(|protocol| protocol.as_str() == "websocket");
    let engine = connection.engine.now();
    let ledger = Ledger::open(&engine.scribe, if upgrades { "ws" } else { "h2" });
    ledger.keep(Busy::new(&connection));
    let head_only = request.method() == Method::HEAD;
    let (request, tunnel) = open(request, upgrades, unanswered.said());
    let answered = tokio::select! {
        // What was given up before anybody looked at it is not begun.
        biased;
        () = unanswered.given_up() => return,
        answered = answer(&connection, &engine, request, upgrades, unanswered.said(), &ledger) => answered,
    };
    match (answered, tunnel) {
        (Answered::Switched(head, bridge), Some(tunnel)) => {
            Box::pin(switch(head, tunnel, *bridge, unanswered, &connection)).await;
        }
        (Answered::Response(response), _) => send(response, head_only, unanswered, &ledger).await,
        // Only a request to switch is answered so.
        (Answered::Switched(..), None) => {}
    }
}

/// The request with its body, or with the stream that is to be a tunnel.
fn open(request: Request<RecvStream>, upgrades: bool, said: Said) -> (Request<Body>, Option<RecvStream>) {
    let (head, stream) = request.into_parts();
    if upgrades {
        return (Request::from_parts(head, empty()), Some(stream));
    }
    let expects = head.headers.get(header::EXPECT).is_some_and(says_continue);
    let mut body = Received::new(stream, &head.headers);
    if expects && !body.is_end_stream() {
        body = body.when_wanted(move || said.go_on());
    }
    (Request::from_parts(head, body.boxed_unsync()), None)
}

fn says_continue(expectation: &HeaderValue) -> bool {
    expectation.as_bytes().eq_ignore_ascii_case(b"100-continue")
}

async fn answer(
    connection: &Arc<Connection>,
    engine: &Arc<Shared>,
    mut request: Request<Body>,
    upgrades: bool,
    said: Said,
    ledger: &Ledger,
) -> Answered {
    if let Some(denial) = no_tunnel(&request, upgrades) {
        return Answered::Response(refuse(engine, &denial, ledger, Shape::Text));
    }
    if upgrades {
        // RFC 8441 section 5: what was a GET with Upgrade.
        *request.method_mut() = Method::GET;
    }
    let judged = judge(connection, engine, request, upgrades, Some(Teller::H2(said)), ledger).await;
    judged.unwrap_or_else(|(denial, shape)| Answered::Response(refuse(engine, &denial, ledger, shape)))
}

/// Why a CONNECT is none that is served here.
fn no_tunnel(request: &Request<Body>, upgrades: bool) -> Option<Denial> {
    if request.method() != Method::CONNECT {
        return None;
    }
    let sentence = if !upgrades {
        "CONNECT inside an HTTP/2 connection is for WebSockets only (RFC 8441)"
    } else if request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0") {
        "a WebSocket has no content, and this one gives it a length"
    } else {
        return None;
    };
    Some(Denial::new(DenialCode::MalformedRequest, sentence))
}

async fn switch(
    head: Response<()>,
    tunnel: RecvStream,
    bridge: Bridge,
    unanswered: Unanswered,
    connection: &Connection,
) {
    let mut head = head;
    *head.status_mut() = StatusCode::OK;
    date(head.headers_mut());
    let Ok(stream) = unanswered.answer(head, false) else { return };
    let stream = Duplex::new(tunnel, Outgoing::new(stream, false), ());
    connection.engine.cut.run_until_cancelled(bridge.run(stream)).await;
}

/// Answers, and sends what the answer has for a body.
async fn send(response: Response<Body>, head_only: bool, unanswered: Unanswered, ledger: &Ledger) {
    let (mut head, body) = response.into_parts();
    date(&mut head.headers);
    let bodiless = head_only || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
    let ended = bodiless || body.is_end_stream();
    if let Some(length) = body.size_hint().exact().filter(|_| !ended) {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    let Ok(stream) = unanswered.answer(Response::from_parts(head, ()), ended) else { return };
    let out = Outgoing::new(stream, ended);
    if ended { ledger.complete() } else { pump(body, out).await }
}

/// RFC 9110 section 6.6.1: whoever has a clock puts in the date that is missing.
fn date(headers: &mut HeaderMap) {
    let now = || HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()));
    if !headers.contains_key(header::DATE)
        && let Ok(now) = now()
    {
        headers.insert(header::DATE, now);
    }
}
