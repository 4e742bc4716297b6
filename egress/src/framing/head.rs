//! Heads and trailer sections, once all their lines are there: what they say about what follows, and nothing that two readers
//! could read differently.
use super::{State, Violation, body_of};

/// Headers of one request.
const HEADER_COUNT: usize = 128;

/// What a head says about what follows it.
#[derive(Default)]
struct Facts {
    lengths: usize,
    length: u64,
    codings: usize,
    hosts: usize,
    websocket: bool,
}

pub(super) fn check_head(head: &[u8]) -> Result<State, Violation> {
    let mut lines = lines(head);
    let (method, http_10) = check_request_line(lines.next().unwrap_or_default())?;
    let mut facts = Facts::default();
    let mut count = 0;
    for line in lines {
        count += 1;
        let (name, value) = check_field(line)?;
        facts.note(name, value)?;
    }
    if count > HEADER_COUNT {
        return Err(Violation::limit("the request has too many headers"));
    }
    facts.body(method, http_10)
}

impl Facts {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            self.length = length_of(value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::malformed("the transfer-encoding is not exactly `chunked`"));
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.websocket |= value.eq_ignore_ascii_case(b"websocket");
        }
        Ok(())
    }

    fn body(&self, method: &[u8], http_10: bool) -> Result<State, Violation> {
        self.check(http_10)?;
        let bodyless = self.lengths == 0 && self.codings == 0;
        match method {
            b"CONNECT" if bodyless => Ok(State::Held),
            b"CONNECT" => Err(Violation::malformed("CONNECT has a body")),
            _ if self.websocket && (bodyless || self.length == 0 && self.codings == 0) => Ok(State::Held),
            _ if self.websocket => Err(Violation::malformed("a WebSocket handshake has a body")),
            _ if self.codings == 1 => Ok(State::ChunkSize { digits: 0, size: 0 }),
            _ => Ok(body_of(self.length)),
        }
    }

    fn check(&self, http_10: bool) -> Result<(), Violation> {
        let what = match (self.lengths, self.codings, self.hosts) {
            (1.., 1.., _) => "content-length and transfer-encoding stand side by side",
            (2.., _, _) => "content-length stands twice",
            (_, 2.., _) => "transfer-encoding stands twice",
            (_, _, 2..) => "host stands twice",
            (_, 1.., _) if http_10 => "transfer-encoding does not exist in HTTP/1.0",
            (_, _, 0) if !http_10 => "the host header is missing",
            _ => return Ok(()),
        };
        Err(Violation::malformed(what))
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Line ends were checked as the head was gathered: every LF has its CR, and every CR its LF.
    let mut begin = 0;
    memchr::memchr_iter(b'\n', head)
        .map(move |end| &head[std::mem::replace(&mut begin, end + 1)..end])
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

fn check_request_line(line: &[u8]) -> Result<(&[u8], bool), Violation> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next()) else {
        return Err(Violation::malformed("the request line is not `method target version`"));
    };
    let graphic = |all, byte: &u8| all & byte.is_ascii_graphic();
    if !is_token(method) || target.is_empty() || !target.iter().fold(true, graphic) {
        return Err(Violation::malformed("the request line holds bytes that do not belong there"));
    }
    if target.contains(&b'#') {
        return Err(Violation::malformed("the request target has a fragment"));
    }
    match version {
        b"HTTP/1.1" => Ok((method, false)),
        b"HTTP/1.0" => Ok((method, true)),
        _ => Err(Violation::malformed("the version is neither HTTP/1.1 nor HTTP/1.0")),
    }
}

fn check_field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Violation::malformed("a header is folded over two lines"));
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(Violation::malformed("a header line has no colon"));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(Violation::malformed("a header name is not a token"));
    }
    // Before anything is trimmed: a form feed beside `chunked` is no blank to every reader.
    // Every byte is looked at, also behind the first: that is done for many at once.
    let control = |any, byte: &u8| any | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f);
    if value.iter().fold(false, control) {
        return Err(Violation::malformed("a header value holds a control byte"));
    }
    Ok((name, value.trim_ascii()))
}

pub(super) fn check_trailers(section: &[u8]) -> Result<(), Violation> {
    for line in lines(section) {
        let (name, _) = check_field(line)?;
        if is_forbidden_trailer(name) {
            return Err(Violation::malformed("a trailer holds what belongs in the head"));
        }
    }
    Ok(())
}

/// Whether this name belongs in the head.
pub(crate) fn is_forbidden_trailer(name: &[u8]) -> bool {
    FORBIDDEN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// RFC 9110 6.5.1: framing, routing and credentials are never trailers.
const FORBIDDEN_TRAILERS: [&[u8]; 9] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"connection",
    b"upgrade",
    b"te",
    b"authorization",
    b"content-encoding",
    b"content-type",
];

fn length_of(value: &[u8]) -> Result<u64, Violation> {
    let digits = !value.is_empty() && value.len() < 19 && value.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(value).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or(Violation::malformed("the content-length is not a number"))
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().fold(true, |all, byte| all & TOKEN[usize::from(*byte)])
}

/// RFC 9110 section 5.6.2.
const TOKEN: [bool; 256] = {
    let (mut token, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        token[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let (marks, mut at) = (b"!#$%&'*+-.^_`|~", 0);
    while at < marks.len() {
        token[marks[at] as usize] = true;
        at += 1;
    }
    token
};
