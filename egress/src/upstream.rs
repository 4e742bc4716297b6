//! The outward leg: pools of verified connections, HTTP/1.1 and HTTP/2.
use crate::body::Body;
use crate::dial::{Dialer, SetupError, SharedPolicy};
use crate::{Limits, Upstream};
use credentials::Slot;
use http::{Request, Response};
use policy::{Denial, Permitted};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// What besides scheme, host, port and route separates pools: the credential on the wire and its generation.
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

/// `Sec-WebSocket-Accept` for a client's `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
pub fn websocket_accept(key: &[u8]) -> String {
    let _ = key;
    todo!()
}

/// All upstream connections of one bottle.
#[derive(Clone)]
pub struct Client {
    dialer: Arc<Dialer>,
}

impl Client {
    /// From the operator's settings.
    /// # Errors
    /// When roots, proxy or resolver are unusable.
    pub fn new(upstream: &Upstream, policy: SharedPolicy, limits: &Limits) -> Result<Client, SetupError> {
        let _ = (upstream, policy, limits);
        todo!()
    }
    /// For tunnels.
    pub fn dialer(&self) -> &Arc<Dialer> {
        &self.dialer
    }
    /// Sends. Scheme, host and port come from `permitted`; of `request` count method, path and query (after injection),
    /// headers (any `Host` is replaced; hop-by-hop ones are already gone), body and extensions
    /// ([`hyper::ext::on_informational`] hears 1xx of an h1 upstream). Returns at the response head.
    /// # Errors
    /// A denial of an upstream or address code; the agent's sentence in it, the details for the operator.
    pub async fn send(
        &self,
        permitted: &Permitted,
        identity: PoolIdentity,
        request: Request<Body>,
    ) -> Result<Answer, Box<Denial>> {
        let _ = (permitted, identity, request);
        todo!()
    }
    /// Shakes hands for a WebSocket, over HTTP/1.1 or, where the upstream speaks nothing else, RFC 8441. The hop's own
    /// headers (`Connection`, `Upgrade`, `Sec-WebSocket-Key`, `-Version`) are made here; pass the rest.
    /// # Errors
    /// As [`Client::send`].
    pub async fn websocket(
        &self,
        permitted: &Permitted,
        identity: PoolIdentity,
        request: Request<()>,
    ) -> Result<WsAnswer, Box<Denial>> {
        let _ = (permitted, identity, request);
        todo!()
    }
    /// Closes every pooled connection that is idle and lets the others end with their exchange.
    pub fn close_idle(&self) {
        todo!()
    }
}
