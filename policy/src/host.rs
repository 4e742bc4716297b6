//! Host names and IP literals in their only correct form.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A host in normal form: a lower-case A-label name without trailing dot, or an IP address. No other spelling of
/// either can be held (`0x7f.1`, `1.2.3`, zone ids, empty labels, underscores beyond what DNS names of hosts carry…).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// A DNS name.
    Name(Box<str>),
    /// An IP literal (IPv4-mapped IPv6 is unmapped).
    Ip(IpAddr),
}

/// Why a text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a host: {why}")]
pub struct HostError {
    /// What was given, neutralised and cut to 100 characters.
    pub text: String,
    /// The reason, a clause.
    pub why: &'static str,
}

impl Host {
    /// Parses a host as it stands in a URL authority, an SNI or a manifest (IPv6 with or without brackets).
    /// # Errors
    /// When it is no DNS name and no unambiguous IP literal.
    pub fn parse(text: &str) -> Result<Host, HostError> {
        let _ = text;
        todo!()
    }
    /// The name, when it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Host::Name(name) => Some(name),
            Host::Ip(_) => None,
        }
    }
}

impl fmt::Display for Host {
    /// As in a URL authority: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl TryFrom<String> for Host {
    type Error = HostError;
    fn try_from(text: String) -> Result<Host, HostError> {
        Host::parse(&text)
    }
}
impl From<Host> for String {
    fn from(host: Host) -> String {
        host.to_string()
    }
}

/// A host as a route names it: one host, or every name below an apex at any depth (`*.example.com`), never the apex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// This host alone.
    Exact(Host),
    /// Every name that ends in `.` + this name.
    Below(Box<str>),
}

impl HostPattern {
    /// Parses `example.com`, `*.example.com`, `10.0.0.1`, `[::1]`.
    /// # Errors
    /// When it is none of these; a `*` anywhere else, or above a bare public suffix-like single label, is refused.
    pub fn parse(text: &str) -> Result<HostPattern, HostError> {
        let _ = text;
        todo!()
    }
    /// Whether the pattern covers this host.
    pub fn matches(&self, host: &Host) -> bool {
        let _ = host;
        todo!()
    }
}
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(host) => host.fmt(f),
            HostPattern::Below(name) => write!(f, "*.{name}"),
        }
    }
}
impl TryFrom<String> for HostPattern {
    type Error = HostError;
    fn try_from(text: String) -> Result<HostPattern, HostError> {
        HostPattern::parse(&text)
    }
}
impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> String {
        pattern.to_string()
    }
}
