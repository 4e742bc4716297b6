//! Which addresses may be dialled: the registries of [`crate::special`], and what hides in IPv6.
//!
//! `allow_private` opens RFC 1918, shared address space (CGNAT, where overlay networks live) and unique local IPv6.
//! It never opens loopback, link-local, multicast, reserved blocks or metadata services: what listens on loopback is
//! the host's own and was not meant for the bottle. The operator's `resolve` table is the way to such a service.
use crate::special::{self, Block, Reach};
use crate::{Denial, DenialCode, Host};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address that was checked and may be dialled. Only [`vet`] (and the operator's own table) makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vetted(SocketAddr);

impl Vetted {
    /// The address to dial, exactly.
    pub fn socket_addr(self) -> SocketAddr {
        self.0
    }
    /// An address from the operator's own `resolve` table, which counts as vetted.
    pub fn operator_pinned(addr: SocketAddr) -> Vetted {
        Vetted(addr)
    }
}

/// Why no address of a host may be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` {}, so policy does not let the bottle reach it", reason(.addresses))]
pub struct AddressRefusal {
    /// The host asked for.
    pub host: Host,
    /// Each refused address with the name of its registry entry.
    pub addresses: Vec<(IpAddr, &'static str)>,
}

fn reason(addresses: &[(IpAddr, &'static str)]) -> String {
    match addresses.first() {
        Some((ip, name)) => format!("has the special-purpose address {ip} ({name})"),
        None => "has no address".to_owned(),
    }
}

impl From<AddressRefusal> for Denial {
    /// The code tells a name without addresses from one with wrong addresses.
    fn from(refusal: AddressRefusal) -> Denial {
        let none = refusal.addresses.is_empty();
        let code = if none { DenialCode::NameNotResolved } else { DenialCode::AddressNotAllowed };
        let denial = Denial::new(code, refusal.to_string());
        Denial { host: Some(refusal.host), ..denial }
    }
}

/// Checks resolved addresses. Mixed answers (a public and a private address, rebinding) are refused whole unless the
/// route allows private addresses; then private ones pass beside public ones, and any other special one still refuses
/// the whole answer. Metadata services are never reachable through `allow_private`.
/// # Errors
/// When any address is refused, or there is none.
pub fn vet(
    host: &Host,
    port: u16,
    addresses: &[IpAddr],
    allow_private: bool,
) -> Result<Vec<Vetted>, AddressRefusal> {
    let refused: Vec<_> =
        addresses.iter().filter_map(|ip| Some((*ip, refusal(*ip, allow_private)?))).collect();
    if !refused.is_empty() || addresses.is_empty() {
        return Err(AddressRefusal { host: host.clone(), addresses: refused });
    }
    Ok(addresses.iter().map(|ip| Vetted(SocketAddr::new(ip.to_canonical(), port))).collect())
}

fn refusal(ip: IpAddr, allow_private: bool) -> Option<&'static str> {
    let block = special_block(ip)?;
    let opened = allow_private && block.reach == Reach::Private;
    (!opened).then_some(block.name)
}

/// The registry entry of an address, looking through IPv6 at the IPv4 address it leads to.
fn special_block(ip: IpAddr) -> Option<&'static Block> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => find(special::METADATA, ip.into()).or_else(|| find(special::IPV4, ip.into())),
        IpAddr::V6(ip) => match embedded(ip) {
            Some(inner) => special_block(inner.into()),
            None => special_v6(ip),
        },
    }
}

fn special_v6(ip: Ipv6Addr) -> Option<&'static Block> {
    let listed = find(special::METADATA, ip.into()).or_else(|| find(special::IPV6, ip.into()));
    listed.or_else(|| (!special::GLOBAL_UNICAST_V6.holds(ip.into())).then_some(&special::UNALLOCATED_V6))
}

fn find(blocks: &'static [Block], ip: IpAddr) -> Option<&'static Block> {
    blocks.iter().find(|block| block.holds(ip))
}

/// The IPv4 address that a translator (`64:ff9b::/96`, RFC 6052) or a 6to4 relay (`2002::/16`, RFC 3056) would deliver
/// to. Whoever reaches the first reaches the second.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        [0x20, 0x02, a, b, c, d, ..] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}
