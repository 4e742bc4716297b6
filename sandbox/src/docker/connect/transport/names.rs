//! Names of remote engines; by hickory, for the C library's look-up does not work in a static binary.
use crate::SandboxError;
use hickory_resolver::TokioResolver;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses of a host, in the order to try them.
pub(super) async fn addresses(host: &str) -> Result<Vec<IpAddr>, SandboxError> {
    if host == "localhost" {
        // Whatever a resolver says: an address that may go without TLS must be this machine's.
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let unknown = |error: &dyn std::fmt::Display| {
        SandboxError::new(format!("cannot find the engine's host `{host}`: {error}"))
            .with_hint("look at `DOCKER_HOST`, and whether the name is in the DNS or in /etc/hosts")
    };
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let found = resolver.map_err(|error| unknown(&error))?.lookup_ip(host).await;
    Ok(found.map_err(|error| unknown(&error))?.iter().collect())
}
