//! One connection to an upstream, after its handshakes.
use super::pool::Home;
use super::porch::Porch;
use super::request::{self, Shape};
use super::shared::{Line, Stay};
use super::stream;
use crate::Limits;
use crate::body::{Body, BoxError};
use crate::dial::{Dialer, Failure, NextHop, SetupError, Stream, secure};
use crate::tls::{self, Roots};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use policy::{Denial, Host, Permitted, Scheme};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_rustls::client::TlsStream;

pub(super) type H1 = http1::SendRequest<Body>;

/// Makes connections.
pub(crate) struct Connector {
    dialer: Arc<Dialer>,
    direct: Clients,
    behind_proxy: Clients,
    handshake_time: Duration,
    head_bytes: usize,
}

/// TLS of one way out: its own roots and its own tickets. Made for the first handshake, when the roots are there.
struct Clients {
    roots: Roots,
    made: OnceCell<Configs>,
}

struct Configs {
    both: Arc<ClientConfig>,
    h1: Arc<ClientConfig>,
    h2: Arc<ClientConfig>,
}

impl Clients {
    fn new(roots: Roots) -> Clients {
        Clients { roots, made: OnceCell::new() }
    }

    async fn offering(&self, offer: Offer) -> Result<Arc<ClientConfig>, Failure> {
        Ok(self.made.get_or_try_init(|| self.make()).await?.offering(offer))
    }

    async fn make(&self) -> Result<Configs, Failure> {
        let verifier = self.roots.verifier().await?;
        Configs::new(&verifier).map_err(|error| Failure::Certificate(error.0))
    }
}

impl Configs {
    fn new(verifier: &Arc<dyn ServerCertVerifier>) -> Result<Configs, SetupError> {
        Ok(Configs {
            both: tls::client(verifier.clone(), &[b"h2", b"http/1.1"])?,
            h1: tls::client(verifier.clone(), &[b"http/1.1"])?,
            h2: tls::client(verifier.clone(), &[b"h2"])?,
        })
    }

    fn offering(&self, offer: Offer) -> Arc<ClientConfig> {
        match offer {
            Offer::Both => self.both.clone(),
            Offer::H1 => self.h1.clone(),
            Offer::H2 => self.h2.clone(),
        }
    }
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
    H1(H1, Porch),
    H2(Arc<Line>),
}

/// A connection for one request.
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) address: SocketAddr,
    pub(super) reused: bool,
}

pub(super) enum Sender {
    /// Goes home when the response has been read.
    H1(H1, Home, Porch),
    /// Shared; the stay counts the stream until both bodies are through.
    H2(Stay),
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

impl From<h2::Error> for SendFailure {
    fn from(error: h2::Error) -> SendFailure {
        // What the peer says it did not look at (RFC 9113 section 8.7), or with the connection's end cannot have.
        let unseen = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let stale = error.is_remote() && unseen || error.get_io().is_some_and(is_gone);
        SendFailure { why: of_h2(&error), unsent: None, stale }
    }
}

/// With its causes: hyper's own text leaves them out.
pub(super) fn of_hyper(error: &hyper::Error) -> Failure {
    let text = with_causes(error);
    if error.is_timeout() { Failure::Timeout(text) } else { Failure::Unreachable(text) }
}

pub(super) fn of_h2(error: &h2::Error) -> Failure {
    Failure::Unreachable(with_causes(error))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn is_reset(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(is_gone)
}

/// As peers end connections, politely or not.
fn is_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

impl Connector {
    pub(super) fn new(dialer: Arc<Dialer>, direct: Roots, behind_proxy: Roots, limits: &Limits) -> Connector {
        Connector {
            dialer,
            direct: Clients::new(direct),
            behind_proxy: Clients::new(behind_proxy),
            handshake_time: limits.handshake_time,
            head_bytes: limits.head_bytes,
        }
    }

    /// Plain requests go to a next hop in absolute form; all else reaches the origin itself.
    pub(super) async fn shape_of(&self, to: &Permitted) -> Result<Shape, Failure> {
        match self.dialer.next_hop(&to.request().host) {
            Some(hop) if to.request().scheme == Scheme::Http => {
                hop.authorization().await.map(Shape::Absolute)
            }
            _ => Ok(Shape::Origin),
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
        match self.dialer.next_hop(&to.request().host) {
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
        let secured = self.secure(dialled.stream, &to.request().host, offer).await;
        Ok(secured.map(|stream| {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            (Box::new(stream) as Stream, dialled.address, h2)
        }))
    }

    /// By the roots of the way that the host takes.
    async fn secure(&self, stream: Stream, host: &Host, offer: Offer) -> Result<TlsStream<Stream>, Failure> {
        let direct = self.dialer.next_hop(host).is_none();
        let clients = if direct { &self.direct } else { &self.behind_proxy };
        let secured = secure(stream, host, clients.offering(offer).await?, self.handshake_time).await;
        secured.map_err(|failure| if direct { failure } else { failure.behind_the_proxy() })
    }

    pub(super) async fn h1(&self, stream: Stream) -> Result<Fresh, Failure> {
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(self.head_bytes.max(64 * 1024))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| of_hyper(&error))?;
        let porch = Porch::default();
        // With upgrades, for WebSocket handshakes.
        tokio::spawn(porch.clone().drive(connection.with_upgrades()));
        Ok(Fresh::H1(sender, porch))
    }

    pub(super) async fn h2(&self, stream: Stream) -> Result<Fresh, Failure> {
        Ok(Fresh::H2(Line::open(stream, self.head_bytes).await?))
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
            Sender::H1(sender, home, porch) => send_h1(sender, home, porch, shape, to, request).await,
            Sender::H2(stay) => send_h2(stay, to, request).await,
        }
    }
}

async fn send_h1(
    mut sender: H1,
    home: Home,
    porch: Porch,
    shape: Shape,
    to: &Permitted,
    mut request: Request<Body>,
) -> Result<Response<Body>, SendFailure> {
    request::for_h1(&mut request, &shape, to).map_err(SendFailure::of)?;
    let response = sender.try_send_request(request).await?;
    if let Shape::Absolute(sent) = &shape
        && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
    {
        // It is the proxy's word to us, and no answer to the agent. The connection ends with it.
        return Err(SendFailure::of(NextHop::unauthorized(sent.is_some(), response.headers())));
    }
    porch.leave(sender, home);
    Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync()))
}

async fn send_h2(
    stay: Stay,
    to: &Permitted,
    mut request: Request<Body>,
) -> Result<Response<Body>, SendFailure> {
    request::for_h2(&mut request, to).map_err(SendFailure::of)?;
    stream::send(stay, request).await
}
