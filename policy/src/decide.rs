//! The judge.
use crate::denial::{host_denial, route_denial};
use crate::host::{Authority, parents};
use crate::{
    AddressRefusal, Denial, Host, HostPattern, PathPattern, Protocol, Request, Route, RouteId, TlsMode,
    Vetted,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The compiled routes of a bottle and the operator's own name table. The cost of a decision does not grow with the
/// number of routes, only with those that name the very host (hash by host and by apex). Deserialising compiles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Policy {
    routes: Vec<Arc<Route>>,
    resolve: BTreeMap<String, SocketAddr>,
    exact: HashMap<Host, Vec<usize>>,
    below: HashMap<Box<str>, Vec<usize>>,
    ids: HashMap<RouteId, usize>,
    pins: HashMap<(Host, Option<u16>), SocketAddr>,
}

/// A policy as it stands in a plan.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    routes: Vec<Arc<Route>>,
    resolve: BTreeMap<String, SocketAddr>,
}

/// Why a written policy means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Credentials and checks hang on the id: two routes with one id would share them.
    #[error("two routes have the id {}", .0.0)]
    SameId(RouteId),
    /// A key of the name table is no host or host:port.
    #[error("the name table: {0}")]
    Name(#[from] crate::HostError),
}

impl Policy {
    /// Compiles; `resolve` is the operator's `name → address:port` table (counts as vetted). Keys: host, or host:port.
    /// What [`Policy::compile`] would report is left out here, which only ever allows less.
    pub fn new(routes: Vec<Route>, resolve: BTreeMap<String, SocketAddr>) -> Policy {
        let mut policy = Policy::default();
        for route in routes {
            let _left_out = policy.add_route(Arc::new(route));
        }
        for (name, address) in resolve {
            let _left_out = policy.add_pin(name, address);
        }
        policy
    }

    /// Compiles, and reports what has no meaning.
    /// # Errors
    /// Two routes with one id, or a name in the table that is no host.
    pub fn compile(
        routes: impl IntoIterator<Item = Arc<Route>>,
        resolve: BTreeMap<String, SocketAddr>,
    ) -> Result<Policy, PolicyError> {
        let mut policy = Policy::default();
        routes.into_iter().try_for_each(|route| policy.add_route(route))?;
        resolve.into_iter().try_for_each(|(name, address)| policy.add_pin(name, address))?;
        Ok(policy)
    }

    fn add_route(&mut self, route: Arc<Route>) -> Result<(), PolicyError> {
        let place = self.routes.len();
        if self.ids.contains_key(&route.id) {
            return Err(PolicyError::SameId(route.id));
        }
        self.ids.insert(route.id, place);
        match &route.host {
            HostPattern::Exact(host) => self.exact.entry(host.clone()).or_default().push(place),
            HostPattern::Below(apex) => self.below.entry(apex.as_str().into()).or_default().push(place),
        }
        self.routes.push(route);
        Ok(())
    }

    fn add_pin(&mut self, name: String, address: SocketAddr) -> Result<(), PolicyError> {
        let Authority { host, port } = Authority::parse(&name)?;
        self.pins.insert((host, port), address);
        self.resolve.insert(name, address);
        Ok(())
    }

    /// The same with more routes after all others. One whose id is taken is left out.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Arc<Route>>) -> Policy {
        let mut policy = self.clone();
        for route in more {
            let _left_out = policy.add_route(route);
        }
        policy
    }

    /// All routes, in the order of the plan.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// A route by its id.
    pub fn route(&self, id: RouteId) -> Option<&Arc<Route>> {
        self.routes.get(*self.ids.get(&id)?)
    }

    /// The operator's own address for this host and port, if any. A `host:port` key goes before one of the host alone.
    pub fn pinned(&self, host: &Host, port: u16) -> Option<SocketAddr> {
        let exact = self.pins.get(&(host.clone(), Some(port)));
        exact.or_else(|| self.pins.get(&(host.clone(), None))).copied()
    }

    /// The operator's name table, as it was written: host, or host:port.
    pub fn names(&self) -> &BTreeMap<String, SocketAddr> {
        &self.resolve
    }

    /// The routes that name this host, in the order of the plan.
    fn naming(&self, host: &Host) -> Vec<&Arc<Route>> {
        let above = host.name().into_iter().flat_map(parents).filter_map(|apex| self.below.get(apex));
        let mut places: Vec<usize> =
            self.exact.get(host).into_iter().chain(above).flatten().copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|place| self.routes.get(place)).collect()
    }

    /// Whether a `*.` route stands right above this host, which it does not cover.
    fn is_bare_apex(&self, host: &Host) -> bool {
        host.name().is_some_and(|name| self.below.contains_key(name))
    }
}

impl TryFrom<Written> for Policy {
    type Error = PolicyError;
    fn try_from(written: Written) -> Result<Policy, PolicyError> {
        Policy::compile(written.routes, written.resolve)
    }
}
impl From<Policy> for Written {
    fn from(policy: Policy) -> Written {
        Written { routes: policy.routes, resolve: policy.resolve }
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
/// names the nearest miss. Raw and passed-through routes permit connections ([`open`]), never requests.
/// # Errors
/// The denial holds the request.
pub fn decide(policy: &Policy, request: Request) -> Result<Permitted, Box<Denial>> {
    let naming = policy.naming(&request.host);
    match naming.iter().find(|route| covers(route, &request)) {
        Some(route) => Ok(Permitted { route: Arc::clone(route), request }),
        None => Err(Box::new(deny(policy, &naming, request))),
    }
}

fn deny(policy: &Policy, naming: &[&Arc<Route>], request: Request) -> Denial {
    // The first of those with the fewest differences.
    match naming.iter().min_by_key(|route| differences(route, &request).len()) {
        Some(nearest) => route_denial(naming, nearest, request),
        None => host_denial(policy.is_bare_apex(&request.host), request),
    }
}

/// In what a route and a request can differ once the host is the same, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facet {
    Port,
    Scheme,
    Protocol,
    Method,
    Path,
}

const FACETS: [Facet; 5] = [Facet::Port, Facet::Scheme, Facet::Protocol, Facet::Method, Facet::Path];

impl Route {
    /// Whether a request is covered. Another route may come first: [`decide`] says which one is meant.
    pub fn covers(&self, request: &Request) -> bool {
        covers(self, request)
    }
}

fn covers(route: &Route, request: &Request) -> bool {
    FACETS.iter().all(|facet| !differs(*facet, route, request))
}

pub(crate) fn differences(route: &Route, request: &Request) -> Vec<Facet> {
    FACETS.into_iter().filter(|facet| differs(*facet, route, request)).collect()
}

fn differs(facet: Facet, route: &Route, request: &Request) -> bool {
    match facet {
        // `http://` where `https://` is allowed is one difference, and the scheme is its name.
        Facet::Port => route.port != request.port && !only_schemes_differ(route, request),
        Facet::Scheme => route.scheme != request.scheme,
        Facet::Protocol => route.protocol != Protocol::Http || route.tls != TlsMode::Open,
        Facet::Method => route.methods.as_ref().is_some_and(|methods| !methods.contains(&request.method)),
        Facet::Path => {
            route.paths.as_ref().is_some_and(|paths| !PathPattern::any_matches(paths, &request.path))
        }
    }
}

fn only_schemes_differ(route: &Route, request: &Request) -> bool {
    let defaults = route.port == route.scheme.default_port() && request.port == request.scheme.default_port();
    defaults && route.scheme != request.scheme
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

/// Decides how a connection begins: as the first route of the plan that covers host and port says. Requests on it are
/// then judged by [`decide`], by that route and all later ones.
pub fn open(policy: &Policy, host: &Host, port: u16) -> Opening {
    let naming = policy.naming(host);
    let Some(route) = naming.into_iter().find(|route| route.port == port) else { return Opening::Inspect };
    let tunnel = || PermittedTunnel { host: host.clone(), port, route: Arc::clone(route) };
    match (route.protocol, route.tls) {
        (Protocol::Tcp, _) => Opening::Raw(tunnel()),
        (Protocol::Http, TlsMode::Passthrough) => Opening::Passthrough(tunnel()),
        (Protocol::Http, TlsMode::Open) => Opening::Inspect,
    }
}
