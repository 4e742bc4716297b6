//! Bytes that are not inspected: raw TCP routes and passed-through TLS.
use crate::dial::Dialer;
use policy::PermittedTunnel;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// What a tunnel carries; the audit's `protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A `protocol: tcp` route.
    Tcp,
    /// A `tls: passthrough` route whose SNI was checked.
    Tls,
}

/// What tunnels need of the engine.
#[derive(Clone)]
pub struct Tunnels {
    /// Dials.
    pub dialer: Arc<Dialer>,
    /// `Limits::stream_idle_time`.
    pub idle: Duration,
    /// Ends them all.
    pub end: CancellationToken,
}

/// Connects and copies until both sides have ended, nothing moved for the idle time, or the engine ends. `client` gives
/// first what was already read from it. The event is for the caller to record; `id` is the exchange's.
pub async fn run<S>(
    tunnels: &Tunnels,
    permitted: PermittedTunnel,
    carries: Carries,
    id: String,
    client: S,
) -> audit::Exchange
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let _ = (tunnels, permitted, carries, id, client);
    todo!()
}
