//! One engine per bottle: its listeners and its end.
use crate::budget::Purse;
use crate::config::Config;
use crate::names::Names;
use crate::record::{Ledger, Scribe};
use crate::screen::Terms;
use crate::tunnel::Tunnels;
use crate::upstream::Client;
use crate::{CertificateAuthority, Limits, dns, introspect, listen};
use arc_swap::ArcSwap;
use credentials::{Binding, Vault};
use policy::{Denial, DenialCode, Policy, Route, RouteId};
use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sockets that the engine answers on. Those of a Linux bottle were opened inside its namespace.
#[derive(Default)]
pub struct Listeners {
    /// Captured connections (original destination by `SO_ORIGINAL_DST`) and explicit-proxy clients alike.
    pub tcp: Vec<TcpListener>,
    /// Names over UDP.
    pub dns_udp: Vec<UdpSocket>,
    /// Names over TCP.
    pub dns_tcp: Vec<TcpListener>,
    /// Whether connections were captured (Linux), else the listener is an explicit proxy only (`bottle egress`).
    pub captured: bool,
}

impl Listeners {
    /// Whether anything that names lead to over IPv6 is answered.
    fn has_v6(&self) -> bool {
        self.tcp.iter().any(|listener| listener.local_addr().is_ok_and(|address| address.is_ipv6()))
    }
}

/// What every connection of one engine shares.
pub(crate) struct Shared {
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) bindings: BTreeMap<RouteId, Binding>,
    pub(crate) vault: Vault,
    pub(crate) terms: Arc<Terms>,
    pub(crate) client: Client,
    pub(crate) ca: CertificateAuthority,
    pub(crate) names: Arc<Names>,
    pub(crate) limits: Limits,
    pub(crate) scribe: Scribe,
    pub(crate) tunnels: Tunnels,
    pub(crate) refused: introspect::Refused,
    pub(crate) captured: bool,
    /// No new requests.
    pub(crate) end: CancellationToken,
    /// Not a byte more.
    pub(crate) cut: CancellationToken,
}

impl Shared {
    /// What an exchange or tunnel by this route may use up.
    pub(crate) fn purse(&self, route: &Arc<Route>) -> Purse {
        Purse::new(self.client.dialer().books(), route)
    }

    /// Keeps a refusal for who asks why; its sentence may quote what held a value.
    pub(crate) fn remember(&self, ledger: &Ledger, denial: &Denial) {
        let sentence = self.terms.clean(&denial.sentence);
        self.refused.remember(&ledger.id(), denial.code, sentence);
    }

    /// Nothing goes out unrecorded.
    /// # Errors
    /// When the audit file can no longer be written.
    pub(crate) fn records(&self) -> Result<(), Box<Denial>> {
        if !self.scribe.failed() {
            return Ok(());
        }
        let sentence =
            "the audit file cannot be written, and nothing goes out unrecorded; the operator has to look";
        Err(Box::new(Denial::new(DenialCode::EgressFailure, sentence)))
    }
}

/// A running engine; dropping it ends everything at once.
pub struct Engine {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Engine {
    /// Starts on the current tokio runtime.
    /// # Errors
    /// When roots or sockets are unusable.
    pub fn start(config: Config, listeners: Listeners) -> Result<Engine, EngineError> {
        let shared = Arc::new(shared(config, &listeners)?);
        let engine = Engine { shared, tasks: TaskTracker::new() };
        for listener in listeners.tcp {
            let listener = tcp(listener)?;
            engine.tasks.spawn(listen::accept(Arc::clone(&engine.shared), listener, engine.tasks.clone()));
        }
        for listener in listeners.dns_tcp {
            engine.tasks.spawn(dns::serve_tcp(tcp(listener)?, engine.names(), engine.shared.end.clone()));
        }
        for socket in listeners.dns_udp {
            engine.tasks.spawn(dns::serve_udp(udp(socket)?, engine.names(), engine.shared.end.clone()));
        }
        Ok(engine)
    }

    fn names(&self) -> Arc<Names> {
        Arc::clone(&self.shared.names)
    }

    /// Ends: no new connections, running exchanges get the grace time, then all is cut.
    pub async fn shutdown(self) {
        self.shared.end.cancel();
        self.tasks.close();
        // What has not ended by then is cut: the grace time is the answer to "how long".
        let _in_time = tokio::time::timeout(self.shared.limits.grace, self.tasks.wait()).await;
        self.shared.cut.cancel();
        let _in_time = tokio::time::timeout(self.shared.limits.grace, self.tasks.wait()).await;
        self.shared.client.close_idle();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.end.cancel();
        self.shared.cut.cancel();
    }
}

fn shared(config: Config, listeners: &Listeners) -> Result<Shared, EngineError> {
    let Config { bottle: _, policy, bindings, vault, dlp, ca, upstream, limits, audit } = config;
    let covered = policy.routes().iter().map(|route| route.host.clone()).collect();
    let names = Arc::new(Names::new(limits.names, covered).with_v6(listeners.has_v6()));
    let policy = Arc::new(ArcSwap::new(policy));
    let client = Client::new(&upstream, Arc::clone(&policy), &limits).map_err(EngineError::of)?;
    let terms = Arc::new(Terms::new(vault.clone(), dlp, limits.decoders));
    let scribe = Scribe::new(audit, Arc::clone(&terms));
    let cut = CancellationToken::new();
    let tunnels =
        Tunnels { dialer: Arc::clone(client.dialer()), idle: limits.stream_idle_time, end: cut.clone() };
    Ok(Shared {
        policy,
        bindings,
        terms,
        vault,
        client,
        ca,
        names,
        limits,
        scribe,
        tunnels,
        refused: introspect::Refused::default(),
        captured: listeners.captured,
        end: CancellationToken::new(),
        cut,
    })
}

fn tcp(listener: TcpListener) -> Result<tokio::net::TcpListener, EngineError> {
    listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .map_err(EngineError::of)
}

fn udp(socket: UdpSocket) -> Result<tokio::net::UdpSocket, EngineError> {
    socket
        .set_nonblocking(true)
        .and_then(|()| tokio::net::UdpSocket::from_std(socket))
        .map_err(EngineError::of)
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
#[error("egress: {0}")]
pub struct EngineError(pub String);

impl EngineError {
    fn of(error: impl std::fmt::Display) -> EngineError {
        EngineError(error.to_string())
    }
}
