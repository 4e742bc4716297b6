//! One engine per bottle: its listeners and its end.
use crate::budget::Purse;
use crate::config::Config;
use crate::config::Unmatched;
use crate::desk::{Desk, LocalSite, Refusal};
use crate::names::Names;
use crate::record::{Ledger, Scribe, watch};
use crate::running::{Running, locked};
use crate::screen::Terms;
use crate::seat::Seat;
use crate::steering::Steering;
use crate::tunnel::Tunnels;
use crate::upstream::Client;
use crate::{CertificateAuthority, Limits, dns, introspect, listen};
use arc_swap::ArcSwap;
use credentials::{Binding, Vault};
use policy::{Denial, DenialCode, Policy, Route, RouteId};
use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Weak};
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

/// What every connection of one engine shares, under one rule: see [`crate::seat`].
pub(crate) struct Shared {
    pub(crate) seat: Weak<Seat>,
    /// Routes, granted ones among them.
    pub(crate) policy: Arc<Policy>,
    pub(crate) bindings: Arc<BTreeMap<RouteId, Binding>>,
    pub(crate) unmatched: Unmatched,
    pub(crate) locked: bool,
    pub(crate) desk: Desk,
    pub(crate) running: Arc<Running>,
    pub(crate) local: Option<Arc<dyn LocalSite>>,
    pub(crate) vault: Vault,
    pub(crate) terms: Arc<Terms>,
    pub(crate) client: Client,
    pub(crate) ca: CertificateAuthority,
    pub(crate) names: Arc<Names>,
    pub(crate) limits: Limits,
    pub(crate) scribe: Scribe,
    pub(crate) tunnels: Tunnels,
    pub(crate) refused: Arc<introspect::Refused>,
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
        self.refused.remember(Refusal::of(&ledger.id(), denial, |text| self.terms.clean(text)));
    }

    /// The same under the next rule; what changes is for the caller to say.
    pub(crate) fn succeed(&self) -> Shared {
        Shared {
            seat: self.seat.clone(),
            policy: Arc::clone(&self.policy),
            bindings: Arc::clone(&self.bindings),
            unmatched: self.unmatched,
            locked: self.locked,
            desk: self.desk.clone(),
            running: Arc::clone(&self.running),
            local: self.local.clone(),
            vault: self.vault.clone(),
            terms: Arc::clone(&self.terms),
            client: self.client.next_era(),
            ca: self.ca.clone(),
            names: Arc::clone(&self.names),
            limits: self.limits.clone(),
            scribe: self.scribe.clone(),
            tunnels: self.tunnels.clone(),
            refused: Arc::clone(&self.refused),
            captured: self.captured,
            end: self.end.clone(),
            cut: self.cut.clone(),
        }
    }

    /// Whether this is what is in force.
    pub(crate) fn is_in_force(self: &Arc<Shared>) -> bool {
        Arc::ptr_eq(self, &self.now())
    }

    /// Something may go out at all.
    /// # Errors
    /// While the kill switch is on.
    pub(crate) fn unlocked(&self) -> Result<(), Box<Denial>> {
        if self.locked { Err(Box::new(locked())) } else { Ok(()) }
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
    seat: Arc<Seat>,
    /// As it was at the start: what does not change.
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Engine {
    /// Starts on the current tokio runtime.
    /// # Errors
    /// When roots or sockets are unusable.
    pub fn start(config: Config, listeners: Listeners) -> Result<Engine, EngineError> {
        let shared = shared(config, &listeners)?;
        let seat = Seat::new(|seat| Shared { seat, ..shared });
        let engine = Engine { shared: seat.now(), seat, tasks: TaskTracker::new() };
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

    /// What is in force.
    #[cfg(test)]
    pub(crate) fn now(&self) -> Arc<Shared> {
        self.seat.now()
    }

    /// The operator's side of it.
    pub fn steering(&self) -> Steering {
        Steering::new(Arc::clone(&self.seat))
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
    let Config { bottle: _, policy, bindings, vault, dlp, ca, upstream, limits, audit, asking } = config;
    let covered = policy.routes().iter().map(|route| route.host.clone()).collect();
    let names = Arc::new(Names::new(limits.names, covered).with_v6(listeners.has_v6()));
    let followed = Arc::new(ArcSwap::new(Arc::clone(&policy)));
    let client = Client::new(&upstream, followed, &limits).map_err(EngineError::of)?;
    let terms = Arc::new(Terms::new(vault.clone(), dlp, limits.decoders));
    let preparing = Arc::clone(&terms);
    tokio::task::spawn_blocking(move || preparing.prepare());
    let scribe = Scribe::new(audit, Arc::clone(&terms), asking.policy_hash.into());
    tokio::spawn(watch(Arc::downgrade(scribe.running()), limits.stream_idle_time));
    let cut = CancellationToken::new();
    let tunnels =
        Tunnels { dialer: Arc::clone(client.dialer()), idle: limits.stream_idle_time, end: cut.clone() };
    Ok(Shared {
        seat: Weak::new(),
        policy,
        bindings: Arc::new(bindings),
        unmatched: asking.unmatched,
        locked: asking.locked,
        desk: Desk::new(asking.attended, asking.notices),
        running: Arc::clone(scribe.running()),
        local: asking.local,
        terms,
        vault,
        client,
        ca,
        names,
        limits,
        scribe,
        tunnels,
        refused: Arc::default(),
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
