//! One connection to an upstream, after its handshakes.
use super::pool::{Home, Stay};
use super::request::{self, Shape};
use crate::Limits;
use crate::body::{Body, BoxError};
use crate::dial::{Dialer, Failure, SetupError, Stream, secure};
use crate::tls;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use policy::{Denial, Permitted, Scheme};
use rustls::{ClientConfig, RootCertStore};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// What one stream may have in flight before its reader takes it, and all of a connection together. Memory per
/// connection is bounded by the second.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const SEND_BUFFER: usize = 256 * 1024;
/// A connection on which nothing comes although streams wait is asked for a sign of life.
const PING: Duration = Duration::from_secs(20);

pub(super) type H1 = http1::SendRequest<Body>;
pub(super) type H2 = http2::SendRequest<Body>;

/// Makes connections.
pub(crate) struct Connector {
    dialer: Arc<Dialer>,
    both: Arc<ClientConfig>,
    h1: Arc<ClientConfig>,
    h2: Arc<ClientConfig>,
    handshake_time: Duration,
    head_bytes: usize,
}

/// Which protocols TLS offers.
#[derive(Clone, Copy)]
pub(super) enum Offer {
    Both,
    H1,
    H2,
}

/// Bytes, the address they lead to, and whether h2 was agreed upon; or why the handshake failed.
pub(super) type Opened = Result<(Stream, SocketAddr, bool), Failure>;

/// A new connection, not yet in any pool.
pub(super) enum Fresh {
    H1(H1),
    H2(H2, Arc<Settings>),
}

type H2Connection = http2::Connection<TokioIo<Stream>, Body, TokioExecutor>;

/// What the peer of an h2 connection allows, asked of the connection itself: settings come whenever the peer sends them.
pub(super) struct Settings(Mutex<H2Connection>);

impl Settings {
    fn connection(&self) -> MutexGuard<'_, H2Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Streams at once.
    pub(super) fn streams(&self) -> usize {
        self.connection().current_max_send_streams()
    }
    /// Whether it takes extended CONNECT (RFC 8441 section 3).
    pub(super) fn extended_connect(&self) -> bool {
        self.connection().is_extended_connect_protocol_enabled()
    }
}

/// A connection for one request.
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) address: SocketAddr,
    pub(super) reused: bool,
}

pub(super) enum Sender {
    /// Goes home when the response has been read.
    H1(H1, Home),
    /// Shared; the stay counts the stream while its response is read.
    H2(H2, Stay),
}

/// A request that got no response.
pub(super) struct SendFailure {
    pub(super) why: Failure,
    /// The request, when nothing of it was written.
    pub(super) unsent: Option<Box<Request<Body>>>,
    /// Whether the connection had just ended, as kept ones do.
    pub(super) stale: bool,
}

impl SendFailure {
    pub(super) fn of(why: Failure) -> SendFailure {
        SendFailure { why, unsent: None, stale: false }
    }
}

impl From<TrySendError<Request<Body>>> for SendFailure {
    fn from(mut error: TrySendError<Request<Body>>) -> SendFailure {
        let unsent = error.take_message().map(Box::new);
        let error = error.into_error();
        let stale =
            error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_reset(&error);
        SendFailure { why: of_hyper(&error), unsent, stale }
    }
}

/// With its causes: hyper's own text leaves them out.
pub(super) fn of_hyper(error: &hyper::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    if error.is_timeout() { Failure::Timeout(text) } else { Failure::Unreachable(text) }
}

/// As peers end connections, politely or not.
fn is_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

impl Connector {
    pub(super) fn new(
        dialer: Arc<Dialer>,
        roots: &Arc<RootCertStore>,
        limits: &Limits,
    ) -> Result<Connector, SetupError> {
        Ok(Connector {
            dialer,
            both: tls::client(roots.clone(), &[b"h2", b"http/1.1"])?,
            h1: tls::client(roots.clone(), &[b"http/1.1"])?,
            h2: tls::client(roots.clone(), &[b"h2"])?,
            handshake_time: limits.handshake_time,
            head_bytes: limits.head_bytes,
        })
    }

    /// Plain requests go to a next hop in absolute form; all else reaches the origin itself.
    pub(super) fn shape_of(&self, to: &Permitted) -> Shape {
        match self.dialer.next_hop() {
            Some(hop) if to.request().scheme == Scheme::Http => Shape::Absolute(hop.authorization().cloned()),
            _ => Shape::Origin,
        }
    }

    /// Dials and shakes hands.
    pub(super) async fn connect(&self, to: &Permitted) -> Result<(Fresh, SocketAddr), Box<Denial>> {
        let (stream, address, h2) =
            self.open(to, Offer::Both).await?.map_err(|failure| failure.denial(to))?;
        let fresh = if h2 { self.h2(stream).await } else { self.h1(stream).await };
        Ok((fresh.map_err(|failure| failure.denial(to))?, address))
    }

    /// Bytes after TLS, and whether they are h2. The inner failure is the handshake's.
    async fn open(&self, to: &Permitted, offer: Offer) -> Result<Opened, Box<Denial>> {
        match self.dialer.next_hop() {
            Some(hop) if to.request().scheme == Scheme::Http => {
                let dialled = self.dialer.connect_plain(hop, to).await?;
                Ok(Ok((dialled.stream, dialled.address, false)))
            }
            _ => self.open_tunnel(to, offer).await,
        }
    }

    /// The same, to the origin itself even for plain text: an upgrade does not pass a proxy in absolute form.
    pub(super) async fn open_tunnel(&self, to: &Permitted, offer: Offer) -> Result<Opened, Box<Denial>> {
        let dialled = self.dialer.connect(to).await?;
        if to.request().scheme == Scheme::Http {
            return Ok(Ok((dialled.stream, dialled.address, false)));
        }
        let secured =
            secure(dialled.stream, &to.request().host, self.config(offer), self.handshake_time).await;
        Ok(secured.map(|stream| {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            (Box::new(stream) as Stream, dialled.address, h2)
        }))
    }

    fn config(&self, offer: Offer) -> Arc<ClientConfig> {
        match offer {
            Offer::Both => self.both.clone(),
            Offer::H1 => self.h1.clone(),
            Offer::H2 => self.h2.clone(),
        }
    }

    pub(super) async fn h1(&self, stream: Stream) -> Result<Fresh, Failure> {
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(self.head_bytes.max(64 * 1024))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| of_hyper(&error))?;
        // Errors reach whoever sends or reads; with_upgrades is for WebSocket handshakes.
        tokio::spawn(connection.with_upgrades());
        Ok(Fresh::H1(sender))
    }

    pub(super) async fn h2(&self, stream: Stream) -> Result<Fresh, Failure> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(self.head_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING / 2)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| of_hyper(&error))?;
        let settings = Arc::new(Settings(Mutex::new(connection)));
        let driven = settings.clone();
        tokio::spawn(poll_fn(move |cx| Pin::new(&mut *driven.connection()).poll(cx)));
        Ok(Fresh::H2(sender, settings))
    }
}

impl Connection {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it served a request before, and so may have ended unnoticed.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends one request; until the response head.
    pub(super) async fn send(
        self,
        shape: Shape,
        to: &Permitted,
        request: Request<Body>,
    ) -> Result<Response<Body>, SendFailure> {
        match self.sender {
            Sender::H1(sender, home) => send_h1(sender, home, shape, to, request).await,
            Sender::H2(sender, stay) => send_h2(sender, stay, to, request).await,
        }
    }
}

async fn send_h1(
    mut sender: H1,
    home: Home,
    shape: Shape,
    to: &Permitted,
    mut request: Request<Body>,
) -> Result<Response<Body>, SendFailure> {
    request::for_h1(&mut request, &shape, to).map_err(SendFailure::of)?;
    let response = sender.try_send_request(request).await?;
    // Ready again once the body has been read to its end; never when it was dropped before.
    tokio::spawn(async move {
        if sender.ready().await.is_ok() {
            home.welcome(sender);
        }
    });
    Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync()))
}

async fn send_h2(
    mut sender: H2,
    stay: Stay,
    to: &Permitted,
    mut request: Request<Body>,
) -> Result<Response<Body>, SendFailure> {
    request::for_h2(&mut request, to).map_err(SendFailure::of)?;
    let response = sender.try_send_request(request).await?;
    Ok(response.map(|body| Staying { body, _stay: stay }.boxed_unsync()))
}

/// A response body that holds its stream's place.
struct Staying {
    body: Incoming,
    _stay: Stay,
}

impl http_body::Body for Staying {
    type Data = Bytes;
    type Error = BoxError;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(BoxError::from)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
