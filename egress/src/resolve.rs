//! Look-ups on the host, after the decision only; hickory, never the C library.
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Resolver as Hickory, TokioResolver};
use policy::host::HostName;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Files whose change means that other servers or names are to be asked: a laptop that moves, a VPN that comes up.
const SYSTEM_FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Why a name has no addresses.
#[derive(Debug)]
pub(crate) enum LookUpError {
    /// The name does not exist, or has none.
    NoAddress,
    /// Nobody could say.
    Failed(String),
}

/// The host's resolver.
pub(crate) struct Resolver {
    nameservers: Vec<SocketAddr>,
    current: Mutex<Option<Current>>,
}

struct Current {
    made_from: [Option<SystemTime>; 2],
    resolver: Arc<TokioResolver>,
}

impl Resolver {
    /// Asks these servers, or the system's when there are none.
    pub(crate) fn new(nameservers: &[SocketAddr]) -> Resolver {
        Resolver { nameservers: nameservers.to_vec(), current: Mutex::new(None) }
    }

    /// All addresses of a name, as given: vetting is the caller's next step.
    pub(crate) async fn addresses(&self, name: &HostName) -> Result<Vec<IpAddr>, LookUpError> {
        let resolver = self.resolver().map_err(LookUpError::Failed)?;
        // With its final dot no search domain is tried: what was judged is what is looked up.
        let name = Name::from_str(&format!("{name}.")).map_err(|e| LookUpError::Failed(e.to_string()))?;
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if is_absence(&error) => Err(LookUpError::NoAddress),
            Err(error) => Err(LookUpError::Failed(error.to_string())),
        }
    }

    fn resolver(&self) -> Result<Arc<TokioResolver>, String> {
        let now = SYSTEM_FILES.map(changed);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_ref().filter(|current| current.made_from == now) {
            return Ok(current.resolver.clone());
        }
        let resolver = Arc::new(self.build().map_err(|e| format!("resolver: {e}"))?);
        *current = Some(Current { made_from: now, resolver: resolver.clone() });
        Ok(resolver)
    }

    fn build(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.nameservers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.nameservers.iter().copied().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Hickory::builder_with_config(config, TokioRuntimeProvider::default())
        };
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
        builder.build()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn changed(path: &str) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn is_absence(error: &NetError) -> bool {
    error.is_no_records_found() || error.is_nx_domain()
}
