//! The agent's leg: HTTP/1.1 and HTTP/2 requests, each judged by itself and answered in the version it came in.
mod http2;

use crate::body::{Body, BoxError, empty};
use crate::cut;
use crate::engine::Shared;
use crate::exchange::{Answered, Asked, exchange};
use crate::framing::Violation;
use crate::framing::reader::{Gate, Strict};
use crate::headers::{announce_trailers, strip_request};
use crate::interim::{Aside, Teller};
use crate::introspect;
use crate::listen::{Stream, towards};
use crate::names::{EGRESS_NAME, LOCAL_NAME};
use crate::record::Ledger;
use crate::respond::{Shape, asks_websocket, raw_refusal, refusal, upgrade_is_websocket};
use crate::sniff::Prefixed;
use crate::trailers;
use crate::upstream::websocket_accept;
use crate::websocket::Bridge;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use policy::host::Authority;
use policy::{Denial, DenialCode, Host, Scheme};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

pub(crate) use http2::http2;

/// Where the requests of a connection go.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Plain or TLS.
    pub(crate) scheme: Scheme,
    /// The host of the connection.
    pub(crate) host: Host,
    /// Its port.
    pub(crate) port: u16,
    /// Why every request is refused, when the names of the connection do not agree.
    pub(crate) mismatch: Option<Box<Denial>>,
}

impl Site {
    pub(crate) fn plain(host: Host, port: u16) -> Site {
        Site { scheme: Scheme::Http, host, port, mismatch: None }
    }
}

/// Time for last words.
const FAREWELL: Duration = Duration::from_secs(5);

/// What an h1 connection turns into after its last answer.
enum Turn {
    WebSocket(Box<Bridge>),
    Connect { host: Host, port: u16, ledger: Ledger },
}

/// One connection of the agent's.
struct Connection {
    engine: Arc<Shared>,
    /// `None`: the client speaks to the egress as its proxy.
    site: Option<Site>,
    gate: Arc<Gate>,
    aside: Arc<Aside>,
    turn: Mutex<Option<Turn>>,
    busy: AtomicUsize,
    /// What the last h1 request was.
    http_10: AtomicBool,
}

impl Connection {
    fn new(engine: Arc<Shared>, site: Option<Site>) -> Arc<Connection> {
        Arc::new(Connection {
            engine,
            site,
            gate: Arc::default(),
            aside: Arc::default(),
            turn: Mutex::default(),
            busy: AtomicUsize::new(0),
            http_10: AtomicBool::new(false),
        })
    }
    fn set_turn(&self, turn: Turn) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }
    fn take_turn(&self) -> Option<Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A client that speaks to the egress as its proxy.
pub(crate) async fn proxy(engine: Arc<Shared>, stream: impl Stream + 'static) {
    serve_http1(Connection::new(engine, None), stream).await;
}

/// Requests to one site over HTTP/1.
pub(crate) async fn http1(engine: Arc<Shared>, stream: impl Stream + 'static, site: Site) {
    serve_http1(Connection::new(engine, Some(site)), stream).await;
}

async fn serve_http1(connection: Arc<Connection>, stream: impl Stream + 'static) {
    let limits = connection.engine.limits.clone();
    let (gate, aside) = (Arc::clone(&connection.gate), Arc::clone(&connection.aside));
    let strict = Strict::new(stream, limits.head_bytes, limits.head_time, gate, aside);
    let service = service_fn({
        let connection = Arc::clone(&connection);
        move |request| Box::pin(answer_http1(Arc::clone(&connection), request))
    });
    let mut serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(true)
        .header_read_timeout(limits.idle_time)
        .max_buf_size(limits.head_bytes.max(8192))
        .serve_connection(TokioIo::new(strict), service);
    let mut end = Some(Box::pin(connection.engine.end.clone().cancelled_owned()));
    let served = std::future::poll_fn(|cx| {
        if end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            end = None;
            Pin::new(&mut serving).graceful_shutdown();
        }
        serving.poll_without_shutdown(cx)
    });
    let served = served.await;
    if served.as_ref().is_err_and(hyper::Error::is_user) {
        // A body broke off, and a kind end would make it look whole: what HTTP/1.0 gets may have no other mark.
        if connection.http_10.load(Ordering::Relaxed) {
            cut::here().cancel();
        }
        return;
    }
    let parts = serving.into_parts();
    let strict = parts.io.into_inner();
    match connection.take_turn() {
        Some(turn) if served.is_ok() => {
            Box::pin(turn_into(&connection.engine, turn, strict, parts.read_buf.to_vec())).await
        }
        _ => Box::pin(say_goodbye(&connection, strict)).await,
    }
}

async fn turn_into<S: Stream + 'static>(
    engine: &Arc<Shared>,
    turn: Turn,
    strict: Strict<S>,
    mut read: Vec<u8>,
) {
    let (stream, rest) = strict.into_parts();
    read.extend(rest);
    let stream = Prefixed::new(read, stream);
    match turn {
        Turn::WebSocket(bridge) => bridge.run(stream).await,
        Turn::Connect { host, port, ledger } => {
            towards(Arc::clone(engine), Box::new(stream), host, port, Some(ledger)).await;
        }
    }
}

/// The last words to a client whose bytes were no unambiguous request.
async fn say_goodbye<S: Stream>(connection: &Connection, mut strict: Strict<S>) {
    if let Some(violation) = strict.violation() {
        let denial = violation_denial(violation, connection.site.as_ref());
        let engine = connection.engine.now();
        let ledger = Ledger::open(&engine.scribe, "h1");
        ledger.deny(&denial);
        engine.remember(&ledger, &denial);
        // The client may be gone already, or reads nothing; the event stands either way.
        let words = raw_refusal(&denial, &ledger.id());
        let _gone = tokio::time::timeout(FAREWELL, strict.write_all(&words)).await;
    }
    let _gone = tokio::time::timeout(FAREWELL, strict.shutdown()).await;
}

fn violation_denial(violation: Violation, site: Option<&Site>) -> Denial {
    let denial = Denial::new(violation.code, format!("the request was refused: {}", violation.what));
    match site {
        Some(site) => denial.with_destination(site.host.clone(), site.port),
        None => denial,
    }
}

type Reply = Result<Response<Body>, Infallible>;

async fn answer_http1(connection: Arc<Connection>, request: Request<Incoming>) -> Reply {
    let upgrades = asks_websocket(request.headers());
    // Exactly what the framing holds: a verdict nobody waits for would release the next upgrade unseen.
    let held = request.method() == Method::CONNECT || upgrade_is_websocket(request.headers());
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned();
    let engine = connection.engine.now();
    let ledger = Ledger::open(&engine.scribe, if upgrades { "ws" } else { "h1" });
    let http_10 = request.version() == Version::HTTP_10;
    connection.http_10.store(http_10, Ordering::Relaxed);
    // HTTP/1.0 knows no interim answers (RFC 9110 section 15.2).
    let aside = (!http_10).then_some(&connection.aside);
    let teller = aside.map(|aside| Teller::H1(Arc::clone(aside)));
    let answered = if request.method() == Method::CONNECT {
        connect(&connection, &request, &ledger).map(Turned::Into)
    } else {
        aside.inspect(|aside| aside.open());
        let request = request.map(|body| body.map_err(BoxError::from).boxed_unsync());
        let judged = judge(&connection, &engine, request, upgrades, teller, &ledger).await;
        connection.aside.close();
        judged.map(Turned::Answer)
    };
    let response = match answered {
        Ok(Turned::Answer(Answered::Response(response))) => announce_trailers(response),
        Ok(Turned::Answer(Answered::Switched(head, bridge))) => {
            connection.set_turn(Turn::WebSocket(bridge));
            return Ok(switching(head, key.as_ref()));
        }
        Ok(Turned::Into(turn)) => {
            connection.set_turn(turn);
            return Ok(Response::new(empty()));
        }
        Err((denial, shape)) => {
            let mut response = refuse(&engine, &denial, &ledger, shape);
            if upgrades {
                // There is no WebSocket and nothing else was wanted: some clients read up to the end before they say so.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    };
    if held {
        connection.gate.stays_http();
    }
    Ok(response)
}

/// What came of a request on the agent's leg.
enum Turned {
    Answer(Answered),
    Into(Turn),
}

type Judged = Result<Answered, (Box<Denial>, Shape)>;

fn switching(head: Response<()>, key: Option<&HeaderValue>) -> Response<Body> {
    let mut response = head.map(|()| empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = websocket_accept(key.map_or(&[], HeaderValue::as_bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Accepts a CONNECT, whatever the target: a refusal is spoken inside, where clients show it.
fn connect(
    connection: &Connection,
    request: &Request<Incoming>,
    ledger: &Ledger,
) -> Result<Turn, (Box<Denial>, Shape)> {
    let refused = |sentence: String| {
        (
            Box::new(Denial::new(DenialCode::MalformedRequest, sentence)),
            Shape::of(None, request.headers(), false),
        )
    };
    if connection.site.is_some() {
        return Err(refused("CONNECT is for the proxy, and this connection goes to a host".to_owned()));
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let target = Authority::parse(authority).map_err(|error| refused(error.to_string()))?;
    let Some(port) = target.port else { return Err(refused("a CONNECT target needs a port".to_owned())) };
    ledger.silence();
    Ok(Turn::Connect { host: target.host, port, ledger: ledger.clone() })
}

/// One request: its facts, its headers made ready for another hop, and the exchange.
async fn judge(
    connection: &Arc<Connection>,
    engine: &Arc<Shared>,
    request: Request<Body>,
    websocket: bool,
    teller: Option<Teller>,
    ledger: &Ledger,
) -> Judged {
    ledger.watch();
    let (mut head, body) = request.into_parts();
    if let Some(page) = introspection(connection, &head) {
        ledger.note(|event| event.host = Some(LOCAL_NAME.to_owned()));
        let page = Box::pin(introspect::answer(engine, page, Request::from_parts(head, body))).await;
        ledger.note(|event| event.status = Some(page.status().as_u16()));
        return Ok(Answered::Response(page.map(|body| ledger.count_down(body))));
    }
    let facts = facts(connection.site.as_ref(), &head).map_err(|denial| {
        (denial, Shape::of(connection.site.as_ref().map(|site| &site.host), &head.headers, websocket))
    })?;
    let shape = Shape::of(Some(&facts.host), &head.headers, websocket);
    ledger.asked(&facts);
    strip_request(&mut head.headers).map_err(|named| (named_by_connection(named), shape))?;
    let body = trailers::checked(body, ledger);
    let asked = Asked { facts, head, body, websocket, teller };
    exchange(engine, asked, ledger).await.map_err(|denial| (denial, shape))
}

fn named_by_connection(name: &str) -> Box<Denial> {
    let sentence = format!("the `Connection` header names `{name}`, which is not a hop's own");
    Box::new(Denial::new(DenialCode::MalformedRequest, sentence))
}

/// The path asked for of the egress's own host.
fn introspection(connection: &Connection, head: &http::request::Parts) -> Option<String> {
    let to_local = |host: &Host| host.name() == Some(LOCAL_NAME);
    let path = || head.uri.path().to_owned();
    match &connection.site {
        Some(site) => to_local(&site.host).then(path),
        None => {
            let written = head
                .uri
                .authority()
                .map(http::uri::Authority::as_str)
                .or_else(|| host_header(&head.headers))?;
            let host = Authority::parse(written).ok()?.host;
            let direct = head.uri.authority().is_none() && host.name() == Some(EGRESS_NAME);
            (to_local(&host) || direct).then(path)
        }
    }
}

fn host_header(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

/// The canonical facts: connection, target and Host agree, or there are none.
fn facts(site: Option<&Site>, head: &http::request::Parts) -> Result<policy::Request, Box<Denial>> {
    let request = match site {
        None => policy::Request::from_url(head.method.as_str(), &absolute(head)?)?,
        Some(site) => site_facts(site, head)?,
    };
    for written in head.headers.get_all(header::HOST) {
        let text = written.to_str().map_err(|_| malformed("the Host header is not text"))?;
        request.agree(text)?;
    }
    Ok(request)
}

fn absolute(head: &http::request::Parts) -> Result<String, Box<Denial>> {
    if head.uri.scheme().is_none() || head.uri.authority().is_none() {
        return Err(malformed("a proxy is asked with CONNECT or with an absolute URL"));
    }
    Ok(head.uri.to_string())
}

fn site_facts(site: &Site, head: &http::request::Parts) -> Result<policy::Request, Box<Denial>> {
    if let Some(mismatch) = &site.mismatch {
        return Err(mismatch.clone());
    }
    let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let request =
        policy::Request::new(site.scheme, site.host.clone(), site.port, head.method.as_str(), target)?;
    if let Some(authority) = head.uri.authority() {
        request.agree(authority.as_str())?;
    }
    let scheme = head.uri.scheme_str().filter(|scheme| *scheme != site.scheme.as_str());
    match scheme {
        Some(_) => Err(malformed("the scheme of the request is not that of its connection")),
        None => Ok(request),
    }
}

fn malformed(what: &str) -> Box<Denial> {
    Box::new(Denial::new(DenialCode::MalformedRequest, what))
}

fn refuse(engine: &Shared, denial: &Denial, ledger: &Ledger, shape: Shape) -> Response<Body> {
    ledger.deny(denial);
    engine.remember(ledger, denial);
    let response = refusal(denial, &ledger.id(), shape, engine.desk.is_attended());
    ledger.note(|event| event.status = Some(response.status().as_u16()));
    response.map(|body| ledger.count_down(body))
}
