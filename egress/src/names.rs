//! Synthetic addresses: one per name, so that a captured connection knows the name it was opened for.
use policy::{Host, HostPattern};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name of the explicit proxy inside a bottle.
pub const EGRESS_NAME: &str = "egress";
/// The name of the page on which the egress explains itself.
pub const LOCAL_NAME: &str = "_egress.local";

/// The table of names. Cheap to share behind an `Arc`; an address never changes its name.
#[derive(Debug)]
pub struct Names {}

impl Names {
    /// At most `limit` names that no pattern covers, and as many that one does: a flood of the first kind cannot keep
    /// the second from having addresses.
    pub fn new(limit: usize, covered: Vec<HostPattern>) -> Names {
        let _ = (limit, covered);
        todo!()
    }
    /// The IPv4 and IPv6 address of a name, given now if it has none yet. `None`: the table is full, or the host is an
    /// IP literal.
    pub fn addresses_of(&self, host: &Host) -> Option<(Ipv4Addr, Ipv6Addr)> {
        let _ = host;
        todo!()
    }
    /// The name that an address stands for.
    pub fn host_of(&self, ip: IpAddr) -> Option<Host> {
        let _ = ip;
        todo!()
    }
    /// Whether an address lies in the ranges that this table gives out, given yet or not. Never dialled.
    pub fn is_synthetic(ip: IpAddr) -> bool {
        let _ = ip;
        todo!()
    }
}
