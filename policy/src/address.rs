//! Which addresses may be dialled: the IANA special-purpose registries (RFC 6890), and what hides in IPv6.
use crate::Host;
use std::net::{IpAddr, SocketAddr};

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
#[error("{host} resolves to {} ({}), which bottles may not reach", .addresses.first().map_or_else(|| "nothing".to_owned(), |a| a.0.to_string()), .addresses.first().map_or("no address", |a| a.1))]
pub struct AddressRefusal {
    /// The host asked for.
    pub host: Host,
    /// Each refused address with the name of its registry entry.
    pub addresses: Vec<(IpAddr, &'static str)>,
}

/// Checks resolved addresses. Mixed answers (a public and a private address, rebinding) are refused whole unless the
/// route allows private addresses; metadata services are never reachable through `allow_private`.
/// # Errors
/// When any address is refused, or there is none.
pub fn vet(host: &Host, port: u16, addresses: &[IpAddr], allow_private: bool) -> Result<Vec<Vetted>, AddressRefusal> {
    let _ = (host, port, addresses, allow_private);
    todo!()
}
