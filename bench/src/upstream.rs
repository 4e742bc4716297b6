//! The far side: an https server (HTTP/1.1 and HTTP/2) that knows what every answer must be and what every request must carry.
use crate::bodies::{Kind, body};
use crate::{clock, pki, workers};
use anyhow::Result;
use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The credential that every request must carry when it arrives: whoever does not bring it gets 401. Made up.
pub(crate) const CREDENTIAL: &str = "bench-real-credential-0123456789abcdef";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Runs it until the process ends: a runtime of one thread per core, each with a listener of its own on the same port.
pub(crate) fn serve(folder: &Path) -> Result<()> {
    let tls = pki::server(folder, "upstream", &[b"h2", b"http/1.1"])?;
    workers::run(move |tcp| connection(tcp, tls.clone()))
}

async fn connection(tcp: TcpStream, tls: Arc<ServerConfig>) -> Result<()> {
    let tls = TlsAcceptor::from(tls).accept(BufReader::with_capacity(workers::AHEAD, tcp)).await?;
    let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(tls);
    if is_h2 {
        let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.timer(TokioTimer::new()).max_concurrent_streams(1000);
        server.initial_stream_window_size(1 << 20).initial_connection_window_size(4 << 20);
        server.serve_connection(io, service_fn(answer)).await?;
    } else {
        let mut server = hyper::server::conn::http1::Builder::new();
        // A kept connection may be idle for as long as the others take their turns.
        server.timer(TokioTimer::new()).header_read_timeout(None);
        server.serve_connection(io, service_fn(answer)).await?;
    }
    Ok(())
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let carried =
        request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if carried != Some(CREDENTIAL.as_bytes()) {
        return Ok(plain(StatusCode::UNAUTHORIZED, "the credential is missing\n"));
    }
    let path = request.uri().path().to_owned();
    let mut parts = path.split('/').skip(1);
    Ok(match (parts.next(), parts.next(), parts.next()) {
        (Some("get"), Some(kind), Some(length)) => {
            let (kind, length) = (Kind::of(kind).unwrap_or(Kind::Text), length.parse().unwrap_or(0));
            typed(kind.media_type(), Full::new(body(kind, length)).boxed_unsync())
        }
        (Some("put"), Some(kind), Some(length)) => {
            let meant = body(Kind::of(kind).unwrap_or(Kind::Text), length.parse().unwrap_or(0));
            take(request.into_body(), &meant).await?
        }
        (Some("events"), Some(count), Some(gap)) => {
            events(count.parse().unwrap_or(0), Duration::from_millis(gap.parse().unwrap_or(0)))
        }
        (Some("stream"), Some(mebibytes), None) => stream(mebibytes.parse().unwrap_or(0)),
        // What a far side must never get back to the agent: its own credential.
        (Some("echo"), ..) => plain(StatusCode::OK, CREDENTIAL),
        _ => plain(StatusCode::NOT_FOUND, "there is no such page\n"),
    })
}

/// Reads a body and compares it, byte for byte, with what was meant.
async fn take(mut incoming: Incoming, meant: &[u8]) -> Result<Response<Body>, hyper::Error> {
    let mut at = 0;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if meant.get(at..at + data.len()) != Some(&data[..]) {
            return Ok(plain(StatusCode::BAD_REQUEST, "the body is not what was meant\n"));
        }
        at += data.len();
    }
    if at != meant.len() {
        return Ok(plain(StatusCode::BAD_REQUEST, "the body is too short\n"));
    }
    Ok(plain(StatusCode::OK, TAKEN))
}

/// The answer to a body that arrived whole and unchanged.
pub(crate) const TAKEN: &str = "taken\n";

/// Events of a model's stream; each says when it was sent, in nanoseconds since 1970.
fn events(count: u32, gap: Duration) -> Response<Body> {
    let (mut sender, channel) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let mut next = tokio::time::Instant::now();
        for index in 0..count {
            let at = clock::now();
            let event =
                format!("data: {{\"at\":{at},\"index\":{index},\"delta\":\"and so on, word by word\"}}\n\n");
            if sender.send_data(event.into()).await.is_err() {
                return;
            }
            next += gap;
            tokio::time::sleep_until(next).await;
        }
    });
    typed("text/event-stream", channel.boxed_unsync())
}

/// So many MiB, the same one over and over.
fn stream(mebibytes: u32) -> Response<Body> {
    let (mut sender, channel) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let one = body(Kind::Binary, 1 << 20);
        for _ in 0..mebibytes {
            if sender.send_data(one.clone()).await.is_err() {
                return;
            }
        }
    });
    typed(Kind::Binary.media_type(), channel.boxed_unsync())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = typed("text/plain", Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn typed(media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
