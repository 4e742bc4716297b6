//! The outward leg: connections that are pooled by destination and credential, and what is sent on them.
//!
//! A connection belongs to one host, port and credential; it is never used for another, whatever its certificate would
//! also cover (no coalescing). One client serves one bottle, so two bottles never share one either.
mod pool;
mod request;
mod websocket;

use crate::body::{Body, BoxError};
use crate::dial::{Dialer, Failure, SetupError, SharedPolicy, secure};
use crate::{Limits, Upstream, tls};
use credentials::Slot;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use policy::{Denial, Permitted, Scheme};
use pool::{Key, Lease, Pool, Sender};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

pub use websocket::websocket_accept;

/// What separates pools: the credential on the wire and its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PoolIdentity {
    /// Slot of the credential and generation of its value; `None`: no credential.
    pub credential: Option<(Slot, u64)>,
}

/// An upstream's answer. `response.version()` is the upstream's own.
#[derive(Debug)]
pub struct Answer {
    /// Head and streaming body (trailers included, content codings as sent).
    pub response: Response<Body>,
    /// The address on the other side.
    pub address: SocketAddr,
}

/// A WebSocket's bytes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An upstream's answer to a WebSocket handshake.
pub enum WsAnswer {
    /// Bytes are frames from here on. The head has no hop's headers (`Connection`, `Upgrade`,
    /// `Sec-WebSocket-Accept`, which was checked): see [`websocket_accept`]. Its status is always 101.
    Switched {
        /// Headers for the client: subprotocol, extensions, cookies.
        head: Response<()>,
        /// Frames both ways.
        stream: Box<dyn Duplex>,
        /// The address on the other side.
        address: SocketAddr,
    },
    /// Any other answer.
    Refused(Answer),
}

/// All upstream connections of one bottle.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    dialer: Arc<Dialer>,
    pool: Arc<Pool>,
    tls: Arc<ClientConfig>,
    tls_h1: Arc<ClientConfig>,
    tls_h2: Arc<ClientConfig>,
    handshake_time: Duration,
}

impl Client {
    /// From the operator's settings. Must be called on a tokio runtime.
    /// # Errors
    /// When roots, proxy or resolver are unusable.
    pub fn new(upstream: &Upstream, policy: SharedPolicy, limits: &Limits) -> Result<Client, SetupError> {
        let roots = roots(upstream)?;
        Ok(Client(Arc::new(Inner {
            dialer: Arc::new(Dialer::new(upstream, &roots, policy, limits)?),
            pool: Pool::new(limits.idle_time),
            tls: tls::client(Arc::clone(&roots), &[b"h2", b"http/1.1"])?,
            tls_h1: tls::client(Arc::clone(&roots), &[b"http/1.1"])?,
            tls_h2: tls::client(roots, &[b"h2"])?,
            handshake_time: limits.handshake_time,
        })))
    }

    /// For tunnels.
    pub fn dialer(&self) -> &Arc<Dialer> {
        &self.0.dialer
    }

    /// Sends. Scheme, host and port come from `permitted`; of `request` count method, path and query (after injection),
    /// headers (any `Host` is replaced; hop-by-hop ones are already gone) and body. Returns at the response head.
    /// # Errors
    /// A denial of an upstream or address code; the agent's sentence in it, the details for the operator.
    pub async fn send(
        &self,
        permitted: &Permitted,
        identity: PoolIdentity,
        request: Request<Body>,
    ) -> Result<Answer, Box<Denial>> {
        let key = Key::new(permitted, identity);
        let mut request = request;
        // A pooled connection may have died in the same moment; hyper then gives the request back untouched, and the
        // last attempt is on a connection of its own.
        while let Some(lease) = self.0.pool.take(&key) {
            match self.speak(lease, &key, permitted, request).await? {
                Spoken::Answer(answer) => return Ok(answer),
                Spoken::NotSent(unsent) => request = unsent,
            }
        }
        let lease = self.open(&key, permitted).await?;
        match self.speak(lease, &key, permitted, request).await? {
            Spoken::Answer(answer) => Ok(answer),
            Spoken::NotSent(_) => {
                Err(Failure::unreachable("the connection closed at once").denial(permitted))
            }
        }
    }

    async fn speak(
        &self,
        mut lease: Lease,
        key: &Key,
        permitted: &Permitted,
        request: Request<Body>,
    ) -> Result<Spoken, Box<Denial>> {
        let hop = self.0.dialer.next_hop().filter(|_| permitted.request().scheme == Scheme::Http);
        let request = request::shape(request, permitted, lease.sender.is_h2(), hop);
        let sent = match &mut lease.sender {
            Sender::H1(sender) => sender.try_send_request(request).await,
            Sender::H2(sender) => sender.try_send_request(request).await,
        };
        match sent {
            Ok(response) => {
                let address = lease.address;
                self.0.pool.give_back(key.clone(), lease);
                Ok(Spoken::Answer(Answer { response: body_of(response), address }))
            }
            Err(mut error) => match error.take_message() {
                Some(unsent) => Ok(Spoken::NotSent(unsent)),
                None => Err(Failure::unreachable(&format!("{:?}", error.into_error())).denial(permitted)),
            },
        }
    }

    /// A new connection. Until it is known what the upstream speaks, one at a time is opened: many may share it.
    async fn open(&self, key: &Key, permitted: &Permitted) -> Result<Lease, Box<Denial>> {
        let opening = self.0.pool.opening(key);
        let turn = match opening.as_ref() {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if turn.is_some()
            && let Some(lease) = self.0.pool.take(key)
        {
            return Ok(lease);
        }
        let lease = self.connect(permitted).await?;
        self.0.pool.learn(key, &lease);
        Ok(lease)
    }

    async fn connect(&self, permitted: &Permitted) -> Result<Lease, Box<Denial>> {
        let inner = &self.0;
        if permitted.request().scheme == Scheme::Http {
            let dialled = match inner.dialer.next_hop() {
                Some(hop) => inner.dialer.connect_plain(hop, permitted).await?,
                None => inner.dialer.connect(permitted).await?,
            };
            return Sender::h1(dialled.stream)
                .await
                .map(|sender| Lease::new(sender, dialled.address))
                .map_err(|e| e.denial(permitted));
        }
        let dialled = inner.dialer.connect(permitted).await?;
        let shaking =
            secure(dialled.stream, &permitted.request().host, Arc::clone(&inner.tls), inner.handshake_time);
        let stream = shaking.await.map_err(|failure| failure.denial(permitted))?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let sender = if h2 { Sender::h2(stream).await } else { Sender::h1(Box::new(stream)).await };
        sender.map(|sender| Lease::new(sender, dialled.address)).map_err(|failure| failure.denial(permitted))
    }

    /// Closes every pooled connection that is idle and lets the others end with their exchange.
    pub fn close_idle(&self) {
        self.0.pool.clear();
    }
}

/// What came of a request on one connection.
enum Spoken {
    Answer(Answer),
    NotSent(Request<Body>),
}

fn body_of(response: Response<Incoming>) -> Response<Body> {
    response.map(|body| body.map_err(BoxError::from).boxed_unsync())
}

fn roots(upstream: &Upstream) -> Result<Arc<RootCertStore>, SetupError> {
    let proxy = upstream.proxy.as_ref().and_then(|proxy| proxy.ca_pem.clone());
    let extra: Vec<String> = upstream.extra_roots_pem.iter().cloned().chain(proxy).collect();
    tls::roots(&extra).map(Arc::new)
}
