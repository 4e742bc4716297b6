//! WebSocket handshakes with upstreams: RFC 6455, and RFC 8441 where the upstream speaks h2 alone.
use super::connection::{Connector, Fresh, H1, Offer, of_h2, of_hyper};
use super::request::{self, Shape};
use super::shared::{Line, Stay};
use super::stream;
use super::{Answer, Duplex, WsAnswer};
use crate::body::{Body, BoxError, empty};
use crate::dial::{Failure, Stream};
use crate::http2::{self, Outgoing, Received};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TE, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use policy::{Denial, Permitted};
use sha1::{Digest, Sha1};
use std::net::SocketAddr;
use std::time::Duration;

/// How long an h2 upstream has for the settings that say whether it takes WebSockets at all.
const SETTINGS_TIME: Duration = Duration::from_secs(2);
/// A hop's own: made anew on each leg.
const HOP: [HeaderName; 6] =
    [CONNECTION, TE, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_ACCEPT];

/// `Sec-WebSocket-Accept` for a client's `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
pub fn websocket_accept(key: &[u8]) -> String {
    let digest =
        Sha1::new().chain_update(key).chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    STANDARD.encode(digest)
}

pub(super) async fn shake(
    connector: &Connector,
    to: &Permitted,
    request: Request<()>,
) -> Result<WsAnswer, Box<Denial>> {
    let shaken = match connector.open_tunnel(to, Offer::H1).await? {
        Ok((stream, address, _)) => over_h1(connector, to, request, stream, address).await,
        Err(Failure::NoProtocol(_)) => match connector.open_tunnel(to, Offer::H2).await? {
            Ok((stream, address, _)) => over_h2(connector, to, request, stream, address).await,
            Err(failure) => Err(failure),
        },
        Err(failure) => Err(failure),
    };
    shaken.map_err(|failure| failure.denial(to))
}

async fn over_h1(
    connector: &Connector,
    to: &Permitted,
    request: Request<()>,
    stream: Stream,
    address: SocketAddr,
) -> Result<WsAnswer, Failure> {
    let Fresh::H1(mut sender, _) = connector.h1(stream).await? else { return Err(wrong_protocol()) };
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let mut request = request.map(|()| empty());
    put_h1_headers(request.headers_mut(), &key);
    *request.method_mut() = Method::GET;
    request::for_h1(&mut request, &Shape::Origin, to)?;
    let mut response = send(&mut sender, request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(refused(response, address, sender));
    }
    check_accept(&response, &key)?;
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(|error| of_hyper(&error))?;
    Ok(switched(response.headers_mut(), Box::new(TokioIo::new(upgraded)), address))
}

async fn send(sender: &mut H1, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
    sender.send_request(request).await.map_err(|error| of_hyper(&error))
}

fn put_h1_headers(headers: &mut HeaderMap, key: &str) {
    HOP.iter().for_each(|name| drop(headers.remove(name)));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::try_from(key) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// An upstream that switches to something else than was asked for is not believed.
fn check_accept<B>(response: &Response<B>, key: &str) -> Result<(), Failure> {
    let header = |name: &HeaderName| response.headers().get(name).map(HeaderValue::as_bytes);
    let right = header(&SEC_WEBSOCKET_ACCEPT) == Some(websocket_accept(key.as_bytes()).as_bytes())
        && header(&UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
    if right { Ok(()) } else { Err(Failure::Unreachable("a wrong WebSocket handshake came back".to_owned())) }
}

async fn over_h2(
    connector: &Connector,
    to: &Permitted,
    request: Request<()>,
    stream: Stream,
    address: SocketAddr,
) -> Result<WsAnswer, Failure> {
    let Fresh::H2(line) = connector.h2(stream).await? else { return Err(wrong_protocol()) };
    wait_for_extended_connect(&line).await?;
    let (mut response, mut out) = connect(&line, to, request).await?;
    if !response.status().is_success() {
        // What would have been a tunnel ends here; the answer may go on.
        out.end().map_err(|error| of_h2(&error))?;
        let response = response.map(|body| stream::answer(body, Stay::on(&line), None));
        return Ok(WsAnswer::Refused(Answer { response, address }));
    }
    let mut headers = std::mem::take(response.headers_mut());
    let tunnel = http2::Duplex::new(response.into_body().into_stream(), out, Stay::on(&line));
    Ok(switched(&mut headers, Box::new(tunnel), address))
}

async fn connect(
    line: &Line,
    to: &Permitted,
    mut request: Request<()>,
) -> Result<(Response<Received>, Outgoing), Failure> {
    HOP.iter().for_each(|name| drop(request.headers_mut().remove(name)));
    request.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    request::for_h2(&mut request, to)?;
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    let (answering, out) = stream::begin(line.sender(), request, false).map_err(|failure| of_h2(&failure))?;
    Ok((answering.await.map_err(|error| of_h2(&error))?, out))
}

async fn wait_for_extended_connect(line: &Line) -> Result<(), Failure> {
    let enabled = async {
        while !line.extended_connect() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(SETTINGS_TIME, enabled).await;
    waited.map_err(|_| {
        Failure::NoProtocol("takes no WebSockets over HTTP/2, and speaks nothing else".to_owned())
    })
}

fn switched(headers: &mut HeaderMap, stream: Box<dyn Duplex>, address: SocketAddr) -> WsAnswer {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *head.headers_mut() = std::mem::take(headers);
    HOP.iter().for_each(|name| drop(head.headers_mut().remove(name)));
    WsAnswer::Switched { head, stream, address }
}

/// The sender lives until the body has been read: without it, the connection would end.
fn refused(response: Response<Incoming>, address: SocketAddr, sender: H1) -> WsAnswer {
    let response = response.map(|body| {
        body.map_err(move |error| {
            let _keep = &sender;
            BoxError::from(error)
        })
        .boxed_unsync()
    });
    WsAnswer::Refused(Answer { response, address })
}

fn wrong_protocol() -> Failure {
    Failure::Unreachable("speaks another protocol than it agreed to".to_owned())
}
