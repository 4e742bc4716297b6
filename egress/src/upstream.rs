//! The outward leg: pools of verified connections, HTTP/1.1 and HTTP/2.
//!
//! Not here: decisions, credentials, scanning. What comes in was judged; what it carries is sent as it is.
mod connection;
mod pool;
mod porch;
mod request;
mod shared;
mod stream;
mod websocket;

use crate::body::Body;
use crate::dial::{Dialer, Failure, SetupError, SharedPolicy};
use crate::tls::Roots;
use crate::{Limits, Upstream};
use connection::{Connection, Connector, SendFailure};
use credentials::Slot;
use http::{Request, Response};
use policy::{Denial, Permitted, RouteId, Scheme};
use pool::Pool;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use websocket::websocket_accept;

/// What besides scheme, host, port and route separates pools: the credential on the wire and its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PoolIdentity {
    /// Slot of the credential and generation of its value; `None`: no credential.
    pub credential: Option<(Slot, u64)>,
}

/// In a request's extensions: cancelled when the exchange ends although its peer may be waited for, to take more of the body.
#[derive(Debug, Clone)]
pub(crate) struct Abort(pub(crate) CancellationToken);

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

/// Connections of two keys are never exchanged. One client serves one bottle, so that the bottle is part of every key.
/// The route is in it because routes differ in which addresses they may reach; the host, because connections are not
/// coalesced, whatever other names a certificate has; the way, because what was verified by the upstream proxy's CA is
/// worth nothing for what goes direct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    scheme: Scheme,
    host: policy::Host,
    port: u16,
    route: RouteId,
    /// An id means another route once the policy has changed.
    era: u64,
    identity: PoolIdentity,
    through_proxy: bool,
}

impl Key {
    fn new(permitted: &Permitted, era: u64, identity: PoolIdentity, through_proxy: bool) -> Key {
        let request = permitted.request();
        Key {
            scheme: request.scheme,
            host: request.host.clone(),
            port: request.port,
            route: permitted.route().id,
            era,
            identity,
            through_proxy,
        }
    }
}

/// All upstream connections of one bottle.
#[derive(Clone)]
pub struct Client {
    dialer: Arc<Dialer>,
    connector: Arc<Connector>,
    pool: Pool,
    era: u64,
    answer_time: Duration,
}

impl Client {
    /// From the operator's settings; on a tokio runtime.
    /// # Errors
    /// When roots or the proxy are unusable.
    pub fn new(upstream: &Upstream, policy: SharedPolicy, limits: &Limits) -> Result<Client, SetupError> {
        let roots = Roots::of_system(&upstream.extra_roots_pem)?;
        let dialer = Arc::new(Dialer::new(upstream, &roots, policy, limits)?);
        let behind_proxy = roots_behind_proxy(upstream, &roots)?;
        let connector = Arc::new(Connector::new(dialer.clone(), roots, behind_proxy, limits));
        let checkout_time = limits.connect_time + limits.handshake_time;
        let pool = Pool::new(limits.idle_time, checkout_time);
        Ok(Client { dialer, connector, pool, era: 0, answer_time: limits.stream_idle_time })
    }

    /// The same for what is judged by another policy: nothing that was opened under this one is used for it.
    pub(crate) fn next_era(&self) -> Client {
        Client { era: self.era + 1, ..self.clone() }
    }

    /// For tunnels.
    pub fn dialer(&self) -> &Arc<Dialer> {
        &self.dialer
    }

    /// Sends. Scheme, host and port come from `permitted`; of `request` count method, path and query (after injection),
    /// headers (any `Host` is replaced; hop-by-hop ones are already gone), body and extensions
    /// (who hears interim answers). Returns at the response head; how long to wait for
    /// it is the caller's to say, who knows whether the body still moves.
    /// # Errors
    /// A denial of an upstream or address code; the agent's sentence in it, the details for the operator.
    pub async fn send(
        &self,
        permitted: &Permitted,
        identity: PoolIdentity,
        request: Request<Body>,
    ) -> Result<Answer, Box<Denial>> {
        let through_proxy = self.dialer.next_hop(&permitted.request().host).is_some();
        let key = Key::new(permitted, self.era, identity, through_proxy);
        let connection = self.pool.checkout(&key, &self.connector, permitted).await?;
        let spare = request::spare(&request, connection.is_reused());
        match self.send_on(connection, permitted, request).await {
            Ok(answer) => Ok(answer),
            Err(failure) => match failure.unsent.or(spare.filter(|_| failure.stale)) {
                // The connection had ended while it was idle: nothing of the request can have been acted upon, or
                // acting twice does no harm. Once, and on a new connection.
                Some(request) => Box::pin(self.send_anew(&key, permitted, *request)).await,
                None => Err(failure.why.denial(permitted)),
            },
        }
    }

    async fn send_anew(
        &self,
        key: &Key,
        permitted: &Permitted,
        request: Request<Body>,
    ) -> Result<Answer, Box<Denial>> {
        let connection = self.pool.dial(key, &self.connector, permitted).await?;
        self.send_on(connection, permitted, request).await.map_err(|failure| failure.why.denial(permitted))
    }

    async fn send_on(
        &self,
        connection: Connection,
        permitted: &Permitted,
        request: Request<Body>,
    ) -> Result<Answer, SendFailure> {
        let address = connection.address();
        let shape = self.connector.shape_of(permitted).await.map_err(SendFailure::of)?;
        Ok(Answer { response: connection.send(shape, permitted, request).await?, address })
    }

    /// Shakes hands for a WebSocket, over HTTP/1.1 or, where the upstream speaks nothing else, RFC 8441. The hop's own
    /// headers (`Connection`, `Upgrade`, `Sec-WebSocket-Key`, `-Version`) are made here; pass the rest. Every WebSocket
    /// has a connection of its own.
    /// # Errors
    /// As [`Client::send`].
    pub async fn websocket(
        &self,
        permitted: &Permitted,
        identity: PoolIdentity,
        request: Request<()>,
    ) -> Result<WsAnswer, Box<Denial>> {
        let _ = identity;
        let shaking = websocket::shake(&self.connector, permitted, request);
        let answered = tokio::time::timeout(self.answer_time, shaking).await;
        answered.unwrap_or_else(|_| {
            Err(Failure::Timeout("no answer to the WebSocket handshake in time".to_owned()).denial(permitted))
        })
    }

    /// Closes every pooled connection that is idle and lets the others end with their exchange.
    pub fn close_idle(&self) {
        self.pool.clear();
    }
}

/// Those of all upstreams, and the proxy's own CA: a proxy that opens TLS signs what comes through it.
fn roots_behind_proxy(upstream: &Upstream, roots: &Roots) -> Result<Roots, SetupError> {
    match upstream.proxy.as_ref().and_then(|proxy| proxy.ca_pem.as_ref()) {
        Some(pem) => roots.and(pem),
        None => Ok(roots.clone()),
    }
}
