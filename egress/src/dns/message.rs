//! DNS messages (RFC 1035 section 4), as much as a server needs that knows one kind of answer.
use std::net::{Ipv4Addr, Ipv6Addr};

const HEADER: usize = 12;
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 255;
/// Short, so that a name given up by one client is not kept by its resolver; the table itself never changes.
const TTL_SECS: u32 = 60;
/// What this server takes over UDP (RFC 6891 section 6.2.5; the value of DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;
const OPT: u16 = 41;

/// A well-formed question.
pub(super) struct Query<'a> {
    id: [u8; 2],
    recursion_desired: bool,
    /// Name, type and class as they stood: the answer repeats them, with the letter case that the client chose.
    question: &'a [u8],
    edns: Option<Edns>,
    /// Labels joined by dots, as text; empty for the root.
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) class: u16,
}

#[derive(Clone, Copy)]
struct Edns {
    version: u8,
}

/// What is said about a question.
pub(super) enum Outcome {
    Address(RData),
    /// The name exists, the type does not.
    Nothing,
    NoSuchName,
    Refused,
    Failure,
}

pub(super) enum RData {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// A query that gets an answer by its header alone.
pub(super) struct Broken {
    id: [u8; 2],
    opcode: u8,
    code: u8,
}

const FORMAT_ERROR: u8 = 1;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

/// `None`: too short to answer, or itself an answer.
pub(super) fn parse(bytes: &[u8]) -> Option<Result<Query<'_>, Broken>> {
    let header = bytes.get(..HEADER)?;
    let (id, flags) = ([header[0], header[1]], header[2]);
    if flags & 0x80 != 0 {
        return None;
    }
    let opcode = flags >> 3 & 0x0f;
    if opcode != 0 {
        return Some(Err(Broken { id, opcode, code: NOT_IMPLEMENTED }));
    }
    Some(parse_question(bytes).ok_or(Broken { id, opcode, code: FORMAT_ERROR }))
}

fn parse_question(bytes: &[u8]) -> Option<Query<'_>> {
    let count = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    if count(4)? != 1 || count(6)? != 0 || count(8)? != 0 || count(10)? > 1 {
        return None;
    }
    let (name, after_name) = parse_name(bytes, HEADER)?;
    let end = after_name + 4;
    let question = bytes.get(HEADER..end)?;
    let edns = if count(10)? == 1 { Some(parse_opt(bytes.get(end..)?)?) } else { None };
    Some(Query {
        id: [bytes[0], bytes[1]],
        recursion_desired: bytes[2] & 1 != 0,
        question,
        edns,
        name,
        kind: count(after_name)?,
        class: count(after_name + 2)?,
    })
}

/// Uncompressed: nothing stands before a question that it could point to. Bytes that are no ASCII become `?`, and a
/// dot inside a label too, so that the name is none rather than another one.
fn parse_name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let start = at;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        if length > LABEL_MAX || at + length - start >= NAME_MAX {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(bytes.get(at..at + length)?.iter().map(|byte| match byte {
            b'.' => '?',
            b if b.is_ascii() => char::from(*b),
            _ => '?',
        }));
        at += length;
    }
}

/// The one additional record that a query may have (RFC 6891); a signature (TSIG, SIG0) is not for us.
fn parse_opt(bytes: &[u8]) -> Option<Edns> {
    let fixed = bytes.get(..11)?;
    let kind = u16::from_be_bytes([fixed[1], fixed[2]]);
    let length = usize::from(u16::from_be_bytes([fixed[9], fixed[10]]));
    let whole = fixed[0] == 0 && kind == OPT && bytes.len() == 11 + length;
    whole.then_some(Edns { version: fixed[6] })
}

/// The answer. Never larger than 512 bytes: a name of 255, one address, EDNS.
pub(super) fn respond(query: &Query<'_>, outcome: &Outcome) -> Vec<u8> {
    let bad_version = query.edns.is_some_and(|edns| edns.version != 0);
    let address = match outcome {
        Outcome::Address(address) if !bad_version => Some(address),
        _ => None,
    };
    let code = if bad_version { 0 } else { code(outcome) };
    let mut out = header(query.id, 0, query.recursion_desired, code);
    put_counts(&mut out, [1, u16::from(address.is_some()), 0, u16::from(query.edns.is_some())]);
    out.extend(query.question);
    if let Some(address) = address {
        put_address(&mut out, address);
    }
    if query.edns.is_some() {
        put_opt(&mut out, bad_version);
    }
    out
}

fn code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Address(_) | Outcome::Nothing => 0,
        Outcome::NoSuchName => NAME_ERROR,
        Outcome::Refused => REFUSED,
        Outcome::Failure => SERVER_FAILURE,
    }
}

impl Broken {
    pub(super) fn respond(&self) -> Vec<u8> {
        let mut out = header(self.id, self.opcode, false, self.code);
        put_counts(&mut out, [0; 4]);
        out
    }
}

/// QR, AA and RA set: authoritative for everything there is, and no other server need be asked.
fn header(id: [u8; 2], opcode: u8, recursion_desired: bool, code: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend(id);
    out.push(0x80 | opcode << 3 | 0x04 | u8::from(recursion_desired));
    out.push(0x80 | code);
    out
}

fn put_counts(out: &mut Vec<u8>, counts: [u16; 4]) {
    out.extend(counts.into_iter().flat_map(u16::to_be_bytes));
}

fn put_address(out: &mut Vec<u8>, address: &RData) {
    // The name is a pointer to the question, which stands right behind the header.
    let (kind, bytes) = match address {
        RData::V4(ip) => (super::A, ip.octets().to_vec()),
        RData::V6(ip) => (super::AAAA, ip.octets().to_vec()),
    };
    out.extend([0xc0, 0x0c]);
    out.extend(kind.to_be_bytes());
    out.extend(super::CLASS_IN.to_be_bytes());
    out.extend(TTL_SECS.to_be_bytes());
    out.push(0);
    out.push(if bytes.len() == 4 { 4 } else { 16 });
    out.extend(bytes);
}

/// BADVERS is 16: the upper bits of the code stand in the OPT record.
fn put_opt(out: &mut Vec<u8>, bad_version: bool) {
    out.push(0);
    out.extend(OPT.to_be_bytes());
    out.extend(UDP_PAYLOAD.to_be_bytes());
    out.extend([u8::from(bad_version), 0, 0, 0, 0, 0]);
}
