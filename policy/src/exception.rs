//! What does not go through the operator's upstream proxy.
use crate::special::{Block, Reach};
use crate::{Host, HostError, HostPattern};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// An exception from the upstream proxy: hosts as a route names them, or a block of addresses. It is judged by the host
/// as it was asked for and by nothing else: a block never covers a name, whatever that name resolves to, so that no
/// look-up decides the way and nobody who answers look-ups can change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProxyException {
    /// One host, or every name below one.
    Host(HostPattern),
    /// Hosts that are written as an address of this block.
    Block {
        /// The first address; all bits behind the prefix are zero.
        first: IpAddr,
        /// Length of the prefix in bits.
        prefix: u8,
    },
}

impl ProxyException {
    /// Parses `example.com`, `*.example.com`, `10.0.0.1`, `[fd00::1]`, `10.0.0.0/8`, `fd00::/8`. No ports: an exception
    /// covers every port of its hosts.
    /// # Errors
    /// When it is none of these; a block that has address bits behind its prefix (`10.0.0.1/8`) is refused.
    pub fn parse(text: &str) -> Result<ProxyException, HostError> {
        match text.split_once('/') {
            None => HostPattern::parse(text).map(ProxyException::Host),
            Some((first, prefix)) => block(first, prefix).map_err(|why| HostError::new(text, why)),
        }
    }

    /// Whether this host goes direct.
    pub fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (ProxyException::Host(pattern), host) => pattern.matches(host),
            (ProxyException::Block { first, prefix }, Host::Ip(ip)) => holds(*first, *prefix, *ip),
            (ProxyException::Block { .. }, Host::Name(_)) => false,
        }
    }
}

fn holds(first: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    Block { first, prefix, name: "", reach: Reach::Never }.holds(ip)
}

fn block(first: &str, prefix: &str) -> Result<ProxyException, &'static str> {
    let first: IpAddr = first.parse().map_err(|_| "a block begins with an address: `10.0.0.0/8`")?;
    let most = if first.is_ipv4() { 32 } else { 128 };
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let length = prefix.parse::<u8>().ok().filter(|length| digits && *length <= most);
    let length = length.ok_or("a block ends with the length of its prefix: `10.0.0.0/8`, `fd00::/8`")?;
    if first != network(first, length) {
        return Err("it has address bits behind its prefix: write the first address of the block");
    }
    if first.to_canonical() != first {
        return Err("an IPv4 address inside IPv6 is judged as IPv4: write that block");
    }
    Ok(ProxyException::Block { first, prefix: length })
}

/// The address with all bits behind the prefix zeroed.
fn network(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(u32::from(32u8.saturating_sub(prefix))).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(u32::from(128u8.saturating_sub(prefix))).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for ProxyException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyException::Host(pattern) => pattern.fmt(f),
            ProxyException::Block { first, prefix } => write!(f, "{first}/{prefix}"),
        }
    }
}

impl TryFrom<String> for ProxyException {
    type Error = HostError;
    fn try_from(text: String) -> Result<ProxyException, HostError> {
        ProxyException::parse(&text)
    }
}

impl From<ProxyException> for String {
    fn from(exception: ProxyException) -> String {
        exception.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(exception: &str, host: &str) -> bool {
        ProxyException::parse(exception).unwrap().covers(&Host::parse(host).unwrap())
    }

    #[test]
    fn hosts_are_covered_as_routes_cover_them() {
        assert!(covers("a.test", "A.test."));
        assert!(!covers("a.test", "b.a.test"), "one host, and nothing below it");
        assert!(covers("*.a.test", "c.b.a.test") && !covers("*.a.test", "a.test"));
        assert!(!covers("*.a.test", "xa.test"));
        assert!(covers("10.0.0.1", "10.0.0.1") && covers("::ffff:10.0.0.1", "10.0.0.1"));
    }

    #[test]
    fn blocks_cover_addresses_as_written_and_no_names() {
        assert!(covers("10.0.0.0/8", "10.255.0.1") && !covers("10.0.0.0/8", "11.0.0.0"));
        assert!(covers("10.0.0.0/8", "[::ffff:10.1.2.3]"), "the same address in other clothes");
        assert!(covers("fd00::/8", "fd12::1") && !covers("fd00::/8", "fe00::1"));
        assert!(covers("0.0.0.0/0", "1.2.3.4") && !covers("0.0.0.0/0", "::1"));
        assert!(covers("10.0.0.1/32", "10.0.0.1") && !covers("10.0.0.1/32", "10.0.0.2"));
        for name in ["a.test", "localhost", "10.0.0.1.nip.test"] {
            assert!(!covers("0.0.0.0/0", name), "{name}: no look-up decides the way");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for text in [
            "",
            "*",
            ".a.test",
            "*a.test",
            "*.test",
            "a.test:443",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0/8",
            "a.test/8",
            "fd00::1/8",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8/8",
            "<local>",
        ] {
            assert!(ProxyException::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["a.test", "*.a.test", "10.0.0.0/8", "fd00::/8", "10.0.0.1"] {
            let exception = ProxyException::parse(text).unwrap();
            let json = String::from(exception.clone());
            assert_eq!(ProxyException::try_from(json), Ok(exception));
        }
    }
}
