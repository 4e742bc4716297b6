//! Host names and IP literals in their only correct form.
//!
//! Names are compared as A-labels, byte by byte. That is also the whole answer to homographs: `аpple.com` with a
//! Cyrillic `а` is `xn--pple-43d.com`, which no rule for `apple.com` covers, whatever it looks like.
use crate::text;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

/// Longer texts are no hosts and are not even looked at.
const MAX_TEXT: usize = 1024;
/// RFC 1035 section 2.3.4, without the root's own byte.
const MAX_NAME: usize = 253;
/// RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;

/// A host in normal form: a lower-case A-label name without trailing dot, or an IP address. No other spelling of
/// either can be held: `0x7f.1`, `1.2.3`, `017.0.0.1`, zone ids, empty labels and more than one trailing dot are
/// refused. Underscores are allowed in labels (`_egress.local`, and hosts of the world that have them).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// A DNS name.
    Name(HostName),
    /// An IP literal. Make it with `Host::from(ip)`, which unmaps IPv4-mapped IPv6.
    Ip(IpAddr),
}

/// A DNS name in normal form; only [`Host::parse`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Box<str>);

/// Why a text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a host: {why}")]
pub struct HostError {
    /// What was given, neutralised and cut to 100 characters.
    pub text: String,
    /// The reason, a clause.
    pub why: &'static str,
}

impl HostError {
    pub(crate) fn new(text: &str, why: &'static str) -> HostError {
        HostError { text: text::neutral(text, 100).replace('`', "'"), why }
    }
}

impl Host {
    /// Parses a host as it stands in a URL authority, an SNI or a manifest (IPv6 with or without brackets).
    /// # Errors
    /// When it is no DNS name and no unambiguous IP literal.
    pub fn parse(text: &str) -> Result<Host, HostError> {
        parse(text).map_err(|why| HostError::new(text, why))
    }

    /// The name, when it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Host::Name(name) => Some(name),
            Host::Ip(_) => None,
        }
    }
}

fn parse(text: &str) -> Result<Host, &'static str> {
    if text.len() > MAX_TEXT {
        return Err("it is longer than any host name");
    }
    if let Some(inner) = text.strip_prefix('[') {
        return parse_v6(inner.strip_suffix(']').ok_or("the bracket is not closed")?);
    }
    if text.contains(':') {
        return parse_v6(text);
    }
    parse_name_or_v4(text)
}

fn parse_v6(text: &str) -> Result<Host, &'static str> {
    if text.contains('%') {
        return Err("zone ids are not allowed");
    }
    let ip: Ipv6Addr = text.parse().map_err(|_| "it is no IPv6 address (a port does not belong here)")?;
    Ok(Host::from(IpAddr::V6(ip)))
}

fn parse_name_or_v4(text: &str) -> Result<Host, &'static str> {
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| "it is no valid host name")?;
    // The root's dot is cut once. A second one leaves an empty label, which is refused below.
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    check_name(name)?;
    if !ends_in_number(name) {
        return Ok(Host::Name(HostName(name.into())));
    }
    // Read from the text as given, so that full-width digits and a trailing dot do not pass either. The standard
    // library's parser takes four decimal parts without leading zeros and nothing else.
    let ip: Ipv4Addr = text.parse().map_err(|_| "IPv4 addresses are written as four decimal numbers")?;
    Ok(Host::Ip(IpAddr::V4(ip)))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_NAME {
        return Err("it is longer than 253 characters");
    }
    name.split('.').try_for_each(check_label)
}

fn check_label(label: &str) -> Result<(), &'static str> {
    if label.is_empty() {
        return Err("it has an empty label");
    }
    if label.len() > MAX_LABEL {
        return Err("it has a label of more than 63 characters");
    }
    if label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')) {
        Ok(())
    } else {
        Err("host names have letters, digits, `-` and `_` only")
    }
}

/// The WHATWG "ends in a number" rule: some resolver or library reads such a name as an IPv4 address.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || last.bytes().all(|b| b.is_ascii_digit())
}

impl From<IpAddr> for Host {
    /// IPv4-mapped IPv6 is unmapped: `::ffff:1.2.3.4` and `1.2.3.4` are one destination.
    fn from(ip: IpAddr) -> Host {
        Host::Ip(ip.to_canonical())
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

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Deref for HostName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `host[:port]` as in CONNECT, `Host` and `:authority`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, when one was written.
    pub port: Option<u16>,
}

impl Authority {
    /// Parses; user info, an empty port, a sign or leading zeros are refused, and IPv6 must stand in brackets.
    /// # Errors
    /// When it is not exactly `host` or `host:port`.
    pub fn parse(text: &str) -> Result<Authority, HostError> {
        let (host, port) = split_port(text).map_err(|why| HostError::new(text, why))?;
        let port = port.map(parse_port).transpose().map_err(|why| HostError::new(text, why))?;
        Ok(Authority { host: Host::parse(host)?, port })
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if text.contains('@') {
        return Err("user info is not allowed");
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Ok((text, None)) };
    if text.starts_with('[') && text.ends_with(']') {
        return Ok((text, None));
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err("IPv6 addresses with a port stand in brackets");
    }
    Ok((host, Some(port)))
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let why = "the port is a number from 1 to 65535";
    if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(why);
    }
    text.parse().map_err(|_| why)
}

/// A host as a route names it: one host, or every name below an apex at any depth (`*.example.com`), never the apex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// This host alone.
    Exact(Host),
    /// Every name that ends in `.` + this name.
    Below(HostName),
}

impl HostPattern {
    /// Parses `example.com`, `*.example.com`, `10.0.0.1`, `[::1]`.
    /// # Errors
    /// When it is none of these; a `*` anywhere else, above an IP address or above a single label (`*.com`) is refused.
    pub fn parse(text: &str) -> Result<HostPattern, HostError> {
        match text.strip_prefix("*.") {
            Some(apex) => parse_below(apex).map_err(|why| HostError::new(text, why)),
            None if text.contains('*') => {
                Err(HostError::new(text, "`*` stands only as the first label: `*.example.com`"))
            }
            None => Host::parse(text).map(HostPattern::Exact),
        }
    }

    /// Whether the pattern covers this host.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Exact(exact), host) => exact == host,
            (HostPattern::Below(apex), Host::Name(name)) => is_below(name, apex),
            (HostPattern::Below(_), Host::Ip(_)) => false,
        }
    }
}

fn parse_below(apex: &str) -> Result<HostPattern, &'static str> {
    if apex.contains('*') {
        return Err("`*` stands only as the first label: `*.example.com`");
    }
    match parse(apex)? {
        Host::Ip(_) => Err("there is nothing below an IP address"),
        Host::Name(name) if !name.contains('.') => Err("`*.` needs at least two labels after it"),
        Host::Name(name) => Ok(HostPattern::Below(name)),
    }
}

fn is_below(name: &str, apex: &str) -> bool {
    name.strip_suffix(apex).is_some_and(|rest| rest.ends_with('.'))
}

/// Every name that a `*.` pattern covering `name` may stand above: `a.b.example.com` gives `b.example.com`,
/// `example.com`, `com`.
pub fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.')).map(|(_, rest)| rest)
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
