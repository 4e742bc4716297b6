//! The bottle's name server: answers everything itself and forwards nothing, so that nothing leaves by DNS.
//!
//! Every name leads to a synthetic address, allowed or not: the refusal is spoken there, where a client can read it.
//! Types other than A and AAAA exist for no name (no ECH keys, no HTTP/3 hints, no text).
mod message;
mod serve;

use crate::names::Names;
use message::{Outcome, Query, RData};
use policy::Host;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use serve::{serve_tcp, serve_udp};

const A: u16 = 1;
const AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;

/// Answers one query; `None`: silence (no query at all, or an answer, which would start a ping-pong).
pub fn answer(query: &[u8], names: &Names) -> Option<Vec<u8>> {
    let outcome = match message::parse(query)? {
        Ok(query) => message::respond(&query, &look_up(&query, names)),
        Err(broken) => broken.respond(),
    };
    Some(outcome)
}

fn look_up(query: &Query<'_>, names: &Names) -> Outcome {
    if !matches!(query.class, CLASS_IN | CLASS_ANY) {
        return Outcome::Refused;
    }
    if matches!(query.kind, 251 | 252) {
        return Outcome::Refused; // IXFR, AXFR: whole zones are nobody's business
    }
    let Ok(Host::Name(name)) = Host::parse(&query.name) else {
        return Outcome::NoSuchName;
    };
    let host = Host::Name(name);
    if is_localhost(&host) {
        return addresses(query.kind, Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    }
    if !matches!(query.kind, A | AAAA) {
        return Outcome::Nothing;
    }
    if query.kind == AAAA && !names.has_v6() {
        return Outcome::Nothing;
    }
    match names.addresses_of(&host) {
        Some((v4, v6)) => addresses(query.kind, v4, v6),
        None => Outcome::Failure,
    }
}

/// RFC 6761 section 6.3: the name itself and all below it.
fn is_localhost(host: &Host) -> bool {
    host.name().is_some_and(|name| name == "localhost" || name.ends_with(".localhost"))
}

fn addresses(kind: u16, v4: Ipv4Addr, v6: Ipv6Addr) -> Outcome {
    match kind {
        A => Outcome::Address(RData::V4(v4)),
        AAAA => Outcome::Address(RData::V6(v6)),
        _ => Outcome::Nothing,
    }
}
