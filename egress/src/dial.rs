//! Opens connections: to vetted addresses, all raced and none other, or to the operator's next hop.
mod connect;
mod failure;
mod next_hop;
mod race;

use crate::budget::Books;
use crate::names::Names;
use crate::resolve::{LookUpError, Resolver};
use crate::tls::Roots;
use crate::upstream::Duplex;
use crate::{Limits, Upstream, tls};
use arc_swap::ArcSwap;
use policy::host::HostName;
use policy::{AddressRefusal, Denial, Host, Permitted, PermittedTunnel, Policy, Route, Vetted};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use failure::Failure;
pub(crate) use next_hop::NextHop;

/// The policy in force; swapped whole.
pub type SharedPolicy = Arc<ArcSwap<Policy>>;

/// What cannot be used at the start: a root, a proxy URL, the resolver's configuration.
#[derive(Debug, thiserror::Error)]
#[error("upstream: {0}")]
pub struct SetupError(pub String);

const NO_WAY_THROUGH: &str = "no connection through the upstream proxy";

/// Bytes to an upstream.
pub(crate) type Stream = Box<dyn Duplex>;

/// A connection and the address it leads to (of the next hop, where there is one).
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) address: SocketAddr,
}

/// What was allowed, as far as dialling goes. Only the judge makes what implements it.
pub(crate) trait Destination: Sync {
    fn host(&self) -> &Host;
    fn port(&self) -> u16;
    fn route(&self) -> &Route;
    fn vet(&self, addresses: &[IpAddr]) -> Result<Vec<Vetted>, AddressRefusal>;
}

impl Destination for Permitted {
    fn host(&self) -> &Host {
        &self.request().host
    }
    fn port(&self) -> u16 {
        self.request().port
    }
    fn route(&self) -> &Route {
        Permitted::route(self)
    }
    fn vet(&self, addresses: &[IpAddr]) -> Result<Vec<Vetted>, AddressRefusal> {
        Permitted::vet(self, addresses)
    }
}

impl Destination for PermittedTunnel {
    fn host(&self) -> &Host {
        PermittedTunnel::host(self)
    }
    fn port(&self) -> u16 {
        PermittedTunnel::port(self)
    }
    fn route(&self) -> &Route {
        PermittedTunnel::route(self)
    }
    fn vet(&self, addresses: &[IpAddr]) -> Result<Vec<Vetted>, AddressRefusal> {
        PermittedTunnel::vet(self, addresses)
    }
}

/// Resolves, vets and connects.
pub struct Dialer {
    policy: SharedPolicy,
    resolver: Resolver,
    next_hop: Option<NextHop>,
    connect_time: Duration,
    idle: Duration,
    books: Arc<Books>,
}

impl Dialer {
    /// From the operator's settings. `roots` are those of all upstreams.
    pub(crate) fn new(
        upstream: &Upstream,
        roots: &Roots,
        policy: SharedPolicy,
        limits: &Limits,
    ) -> Result<Dialer, SetupError> {
        let next_hop = upstream.proxy.as_ref().map(|proxy| NextHop::new(proxy, roots, limits)).transpose()?;
        let resolver = Resolver::new(&upstream.nameservers);
        let known = policy.load_full();
        Ok(Dialer {
            policy,
            resolver,
            next_hop,
            connect_time: limits.connect_time,
            idle: limits.stream_idle_time,
            books: Arc::new(Books::new(&upstream.budgets, &known)),
        })
    }

    /// Another policy from now on, for its table of names.
    pub(crate) fn follow(&self, policy: Arc<Policy>) {
        self.policy.store(policy);
    }

    /// Where what leaves is counted.
    pub(crate) fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// The next hop of this host; `None`: it goes direct, because there is no proxy or the host is an exception.
    pub(crate) fn next_hop(&self, host: &Host) -> Option<&NextHop> {
        self.next_hop.as_ref().filter(|hop| hop.takes(host))
    }

    /// Bytes to the destination: direct, or through the next hop by CONNECT.
    pub(crate) async fn connect(&self, to: &impl Destination) -> Result<Dialled, Box<Denial>> {
        self.enter(to)?;
        let connected = match self.next_hop(to.host()) {
            None => self.in_time("no connection", self.connect_directly(to)).await,
            Some(hop) => self.in_time(NO_WAY_THROUGH, self.connect_through(hop, to)).await,
        };
        connected.map_err(|failure| failure.denial(to))
    }

    /// Counted before anything is looked up.
    fn enter(&self, to: &impl Destination) -> Result<(), Box<Denial>> {
        let placed = |denial: Box<Denial>| denial.with_destination(to.host().clone(), to.port());
        self.books.connection(to.route()).map_err(|denial| Box::new(placed(denial)))
    }

    async fn connect_through(&self, hop: &NextHop, to: &impl Destination) -> Result<Dialled, Failure> {
        self.check_for_next_hop(to)?;
        hop.tunnel(self.connect_to_next_hop(hop).await?, to).await
    }

    /// Bytes to the next hop itself, for a plain request in absolute form.
    pub(crate) async fn connect_plain(
        &self,
        hop: &NextHop,
        to: &impl Destination,
    ) -> Result<Dialled, Box<Denial>> {
        self.enter(to)?;
        let connecting = async {
            self.check_for_next_hop(to)?;
            self.connect_to_next_hop(hop).await
        };
        self.in_time(NO_WAY_THROUGH, connecting).await.map_err(|failure| failure.denial(to))
    }

    async fn in_time<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let late = || Failure::Timeout(format!("{what} within {} s", self.connect_time.as_secs_f32()));
        tokio::time::timeout(self.connect_time, work).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect_directly(&self, to: &impl Destination) -> Result<Dialled, Failure> {
        let vetted = self.vetted(to).await?;
        race::connect(vetted, self.idle).await.map_err(Failure::Unreachable)
    }

    /// The addresses that may be dialled. The operator's own table comes first, and then nobody is asked.
    async fn vetted(&self, to: &impl Destination) -> Result<Vec<Vetted>, Failure> {
        if let Some(address) = self.policy.load().pinned(to.host(), to.port()) {
            return Ok(vec![Vetted::operator_pinned(address)]);
        }
        let addresses = match to.host() {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.look_up(name).await?,
        };
        vet(to, &addresses)
    }

    async fn look_up(&self, name: &HostName) -> Result<Vec<IpAddr>, Failure> {
        self.resolver.addresses(name).await.map_err(|error| match error {
            LookUpError::NoAddress => Failure::NotResolved("no such name, or no address".to_owned()),
            LookUpError::Failed(why) => Failure::NotResolved(why),
        })
    }

    /// A next hop resolves names itself, so that only addresses can be vetted here.
    fn check_for_next_hop(&self, to: &impl Destination) -> Result<(), Failure> {
        match to.host() {
            Host::Ip(ip) => vet(to, &[*ip]).map(drop),
            Host::Name(_) => Ok(()),
        }
    }

    /// Whatever is wrong on the way there is the proxy's matter, and no reason to go around it.
    async fn connect_to_next_hop(&self, hop: &NextHop) -> Result<Dialled, Failure> {
        self.reach_next_hop(hop).await.map_err(Failure::at_the_proxy)
    }

    /// The operator named the next hop: its addresses count as vetted.
    async fn reach_next_hop(&self, hop: &NextHop) -> Result<Dialled, Failure> {
        let addresses = match hop.host() {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.look_up(name).await?,
        };
        let vetted =
            addresses.into_iter().map(|ip| Vetted::operator_pinned((ip, hop.port()).into())).collect();
        hop.secure(race::connect(vetted, self.idle).await.map_err(Failure::Unreachable)?).await
    }
}

fn vet(to: &impl Destination, addresses: &[IpAddr]) -> Result<Vec<Vetted>, Failure> {
    // Addresses of our own table mean nothing on the host, whatever a route allows.
    if let Some(ip) = addresses.iter().find(|ip| Names::is_synthetic(**ip)) {
        return Err(Failure::NotAllowed(format!("{ip} is an address of the bottle's own name table")));
    }
    to.vet(addresses).map_err(|refusal| Failure::NotAllowed(refusal.to_string()))
}

/// Shakes hands with an upstream for its name. Verification is rustls's own and cannot be left out.
pub(crate) async fn secure(
    stream: Stream,
    host: &Host,
    config: Arc<rustls::ClientConfig>,
    limit: Duration,
) -> Result<tokio_rustls::client::TlsStream<Stream>, Failure> {
    let name = tls::server_name(host).map_err(Failure::Certificate)?;
    let shaking = tokio_rustls::TlsConnector::from(config).connect(name, stream);
    match tokio::time::timeout(limit, shaking).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::of_handshake(&error)),
        Err(_) => Err(Failure::Timeout(format!("no TLS handshake within {} s", limit.as_secs_f32()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{HostPattern, Protocol, Route, RouteId, TlsMode, decide};
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::net::UdpSocket;

    /// A name server that gives these addresses in turn, with no time to live.
    async fn name_server(turns: &'static [[u8; 4]], asked: Arc<AtomicUsize>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let question_end = 12 + buffer[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
                let is_a = buffer[question_end - 3] == 1;
                let mut answer = buffer[..question_end].to_vec();
                answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
                if is_a {
                    let turn = asked.fetch_add(1, Ordering::SeqCst);
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                    answer.extend(turns[turn % turns.len()]);
                }
                socket.send_to(&answer, client).await.unwrap();
            }
        });
        at
    }

    fn permitted() -> (SharedPolicy, Permitted) {
        let route = Route {
            id: RouteId(0),
            name: "rebind.test".into(),
            host: HostPattern::parse("rebind.test").unwrap(),
            port: 443,
            scheme: policy::Scheme::Https,
            protocol: Protocol::Http,
            tls: TlsMode::Open,
            methods: None,
            paths: None,
            allow_private: false,
        };
        let policy = Arc::new(Policy::new(vec![route], std::collections::BTreeMap::new()));
        let request = policy::Request::from_url("GET", "https://rebind.test/").unwrap();
        (Arc::new(ArcSwap::new(policy.clone())), decide(&policy, request).unwrap())
    }

    /// The addresses that are dialled are those that this very look-up gave and the judge saw; the next look-up is
    /// judged anew.
    #[tokio::test]
    async fn what_is_dialled_was_vetted_in_the_same_look_up() {
        let asked = Arc::new(AtomicUsize::new(0));
        let at =
            name_server(&[[93, 184, 215, 14], [127, 0, 0, 1], [169, 254, 169, 254]], asked.clone()).await;
        let upstream = Upstream { nameservers: vec![at], ..Upstream::default() };
        let (policy, permitted) = permitted();
        let roots = Roots::of_system(&[]).unwrap();
        let dialer = Dialer::new(&upstream, &roots, policy, &Limits::default()).unwrap();
        let vetted = dialer.vetted(&permitted).await.unwrap();
        let public: SocketAddr = (Ipv4Addr::new(93, 184, 215, 14), 443).into();
        assert_eq!(vetted.iter().map(|one| one.socket_addr()).collect::<Vec<_>>(), [public]);
        assert_eq!(asked.load(Ordering::SeqCst), 1, "one look-up, and none behind it");
        for _ in 0..2 {
            assert!(matches!(dialer.vetted(&permitted).await, Err(Failure::NotAllowed(_))));
        }
    }
}
