//! The judge.
use crate::{Denial, Host, Request, Route, RouteId, Vetted, AddressRefusal};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The compiled routes of a bottle and the operator's own name table. Decision time does not grow with the number of
/// routes (hash by host). Deserialising compiles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Policy {
    routes: Vec<Arc<Route>>,
    resolve: std::collections::BTreeMap<String, SocketAddr>,
}

impl Policy {
    /// Compiles; `resolve` is the operator's `name → address:port` table (counts as vetted). Keys: host, or host:port.
    pub fn new(routes: Vec<Route>, resolve: std::collections::BTreeMap<String, SocketAddr>) -> Policy {
        Policy { routes: routes.into_iter().map(Arc::new).collect(), resolve }
    }
    /// All routes, in the order of the plan.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
    /// A route by its id.
    pub fn route(&self, id: RouteId) -> Option<&Arc<Route>> {
        let _ = id;
        todo!()
    }
    /// The operator's own address for this host and port, if any.
    pub fn pinned(&self, host: &Host, port: u16) -> Option<SocketAddr> {
        let _ = (host, port);
        todo!()
    }
}

/// A request with the route that allows it. Only [`decide`] makes one.
#[must_use]
#[derive(Debug)]
pub struct Permitted {
    request: Request,
    route: Arc<Route>,
}

impl Permitted {
    /// What was judged, and is to be sent.
    pub fn request(&self) -> &Request {
        &self.request
    }
    /// What allowed it.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }
    /// Checks the addresses a resolver gave for this request's host; see [`crate::address::vet`].
    /// # Errors
    /// When none may be dialled.
    pub fn vet(&self, addresses: &[IpAddr]) -> Result<Vec<Vetted>, AddressRefusal> {
        crate::vet(&self.request.host, self.request.port, addresses, self.route.allow_private)
    }
}

/// Judges a request: the first route of the plan that covers host, port, scheme, method and path; else the denial
/// names the nearest miss.
/// # Errors
/// The denial holds the request.
pub fn decide(policy: &Policy, request: Request) -> Result<Permitted, Box<Denial>> {
    let _ = (policy, &request);
    todo!()
}

/// A raw or passed-through connection that a route allows. Only [`open`] makes one.
#[must_use]
#[derive(Debug)]
pub struct PermittedTunnel {
    host: Host,
    port: u16,
    route: Arc<Route>,
}
impl PermittedTunnel {
    /// Where to.
    pub fn host(&self) -> &Host {
        &self.host
    }
    /// Which port.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// What allowed it.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }
    /// As [`Permitted::vet`].
    /// # Errors
    /// When none may be dialled.
    pub fn vet(&self, addresses: &[IpAddr]) -> Result<Vec<Vetted>, AddressRefusal> {
        crate::vet(&self.host, self.port, addresses, self.route.allow_private)
    }
}

/// What to do with a new connection to host and port, before its first request.
#[must_use]
#[derive(Debug)]
pub enum Opening {
    /// Read it as HTTP (TLS opened first when it is TLS); every request is judged, refusals are spoken inside. Also the
    /// answer for hosts that no route names.
    Inspect,
    /// A `tls: passthrough` route: check that SNI is this host, then tunnel.
    Passthrough(PermittedTunnel),
    /// A `protocol: tcp` route: tunnel at once.
    Raw(PermittedTunnel),
}

/// Decides how a connection begins.
pub fn open(policy: &Policy, host: &Host, port: u16) -> Opening {
    let _ = (policy, host, port);
    todo!()
}
