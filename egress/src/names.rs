//! Synthetic addresses: one per name, so that a captured connection knows the name it was opened for.
//!
//! An address never comes to mean another name while the bottle lives: when the table is full, new names get none.
use policy::{Host, HostPattern};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{PoisonError, RwLock};

/// The name of the explicit proxy inside a bottle.
pub const EGRESS_NAME: &str = "egress";
/// The name of the page on which the egress explains itself.
pub const LOCAL_NAME: &str = "_egress.local";

/// Whether a host is the egress itself.
pub fn is_own_name(name: &str) -> bool {
    [EGRESS_NAME, LOCAL_NAME].contains(&name)
}

/// 198.18.0.0/15, set aside for benchmarks (RFC 2544): no host of the world has one of them.
const FIRST_V4: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const PREFIX_V4: u32 = u32::MAX << 17;
/// A /64 of unique local addresses (RFC 4193), fixed so that what a name leads to does not depend on the run.
const FIRST_V6: u128 = 0xfd62_6f74_7462_6f74 << 64;
const PREFIX_V6: u128 = u128::MAX << 64;
/// Numbers within the ranges: 0 and the last are left out, as networks and broadcasts look like that.
const MOST: usize = (1 << 17) - 2;

/// The table of names. Shared behind an `Arc`.
#[derive(Debug)]
pub struct Names {
    limit: usize,
    covered: RwLock<Vec<HostPattern>>,
    table: RwLock<Table>,
    v6: bool,
}

#[derive(Debug, Default)]
struct Table {
    numbers: HashMap<Host, u32>,
    hosts: Vec<Host>,
    covered: usize,
}

impl Names {
    /// At most `limit` names that no pattern covers, and as many that one does: a flood of the first kind cannot keep
    /// the second from having addresses.
    pub fn new(limit: usize, covered: Vec<HostPattern>) -> Names {
        let mut table = Table::default();
        let fixed = [EGRESS_NAME, LOCAL_NAME].into_iter().filter_map(|name| Host::parse(name).ok());
        fixed.for_each(|host| table.add(&host, true));
        Names {
            limit: limit.min(MOST / 2 - 2),
            covered: RwLock::new(covered),
            table: RwLock::new(table),
            v6: true,
        }
    }

    /// Other patterns from now on; names keep the addresses that they have.
    pub(crate) fn cover(&self, covered: Vec<HostPattern>) {
        *self.covered.write().unwrap_or_else(PoisonError::into_inner) = covered;
    }

    /// Whether IPv6 is captured. Where it is not, a client that tried such an address first would fail, or wait.
    #[must_use]
    pub fn with_v6(self, v6: bool) -> Names {
        Names { v6, ..self }
    }

    /// Whether names have IPv6 addresses.
    pub(crate) fn has_v6(&self) -> bool {
        self.v6
    }

    /// The IPv4 and IPv6 address of a name, given now if it has none yet. `None`: the table is full, or the host is an
    /// IP literal.
    pub fn addresses_of(&self, host: &Host) -> Option<(Ipv4Addr, Ipv6Addr)> {
        host.name()?;
        let known = self.table.read().unwrap_or_else(PoisonError::into_inner).numbers.get(host).copied();
        known.or_else(|| self.add(host)).map(|number| (v4(number), v6(number)))
    }

    /// The name that an address stands for.
    pub fn host_of(&self, ip: IpAddr) -> Option<Host> {
        let index = usize::try_from(number(ip)?).ok()?.checked_sub(1)?;
        self.table.read().unwrap_or_else(PoisonError::into_inner).hosts.get(index).cloned()
    }

    /// Whether an address lies in the ranges that this table gives out, given yet or not. Never dialled.
    pub fn is_synthetic(ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ip.to_bits() & PREFIX_V4 == FIRST_V4,
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => Names::is_synthetic(ip.into()),
                None => ip.to_bits() & PREFIX_V6 == FIRST_V6,
            },
        }
    }

    fn add(&self, host: &Host) -> Option<u32> {
        let patterns = self.covered.read().unwrap_or_else(PoisonError::into_inner);
        let covered = patterns.iter().any(|pattern| pattern.matches(host));
        drop(patterns);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if !table.numbers.contains_key(host) && table.has_room(covered, self.limit) {
            table.add(host, covered);
        }
        table.numbers.get(host).copied()
    }
}

impl Table {
    fn has_room(&self, covered: bool, limit: usize) -> bool {
        let used = if covered { self.covered } else { self.hosts.len() - self.covered };
        used < limit
    }

    fn add(&mut self, host: &Host, covered: bool) {
        self.hosts.push(host.clone());
        self.covered += usize::from(covered);
        let number = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(host.clone(), number);
    }
}

fn v4(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST_V4 | number)
}

fn v6(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(FIRST_V6 | u128::from(number))
}

fn number(ip: IpAddr) -> Option<u32> {
    if !Names::is_synthetic(ip) {
        return None;
    }
    match ip.to_canonical() {
        IpAddr::V4(ip) => Some(ip.to_bits() & !PREFIX_V4),
        IpAddr::V6(ip) => u32::try_from(ip.to_bits() & !PREFIX_V6).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn a_name_keeps_its_addresses_and_both_lead_back() {
        let names = Names::new(100, Vec::new());
        let (v4, v6) = names.addresses_of(&host("a.test")).unwrap();
        assert_ne!(names.addresses_of(&host("b.test")).unwrap().0, v4);
        assert_eq!(names.addresses_of(&host("a.test")), Some((v4, v6)));
        assert_eq!(names.host_of(v4.into()), Some(host("a.test")));
        assert_eq!(names.host_of(v6.into()), Some(host("a.test")));
        assert_eq!(names.host_of(v4.to_ipv6_mapped().into()), Some(host("a.test")));
        assert!(Names::is_synthetic(v4.into()) && Names::is_synthetic(v6.into()));
    }

    #[test]
    fn the_egress_has_fixed_addresses() {
        let names = Names::new(0, Vec::new());
        assert_eq!(names.addresses_of(&host("egress")).unwrap().0, Ipv4Addr::new(198, 18, 0, 1));
        assert_eq!(names.addresses_of(&host("_egress.local")).unwrap().0, Ipv4Addr::new(198, 18, 0, 2));
    }

    #[test]
    fn a_flood_is_bounded_changes_no_meaning_and_spares_covered_names() {
        let names = Names::new(10, vec![HostPattern::parse("*.allowed.test").unwrap()]);
        let first = names.addresses_of(&host("n0.test")).unwrap().0;
        let given = (0..1000).filter(|n| names.addresses_of(&host(&format!("n{n}.test"))).is_some()).count();
        assert_eq!(given, 10);
        assert_eq!(names.host_of(first.into()), Some(host("n0.test")));
        assert!(names.addresses_of(&host("x.allowed.test")).is_some());
    }

    #[test]
    fn addresses_not_given_mean_nothing() {
        let names = Names::new(10, Vec::new());
        for ip in
            ["198.18.0.0", "198.18.0.3", "198.19.255.255", "198.20.0.1", "fd62:6f74:7462:6f74:1::1", "::1"]
        {
            assert_eq!(names.host_of(ip.parse().unwrap()), None, "{ip}");
        }
        assert!(names.addresses_of(&host("192.0.2.1")).is_none());
    }
}
