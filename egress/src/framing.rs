//! Strict HTTP/1 framing: what stands in front of the parser.
//!
//! A parser is allowed to be kind; a judge is not. Every head and every chunk passes this pure state machine before
//! hyper sees a byte of it, and whatever two readers could read differently (threats 1 and 2) ends the connection.
pub(crate) mod reader;

use policy::DenialCode;

/// Bytes of a chunk's size line, hexadecimal digits only.
const CHUNK_SIZE_DIGITS: u32 = 15;
/// Headers of one request.
const HEADER_COUNT: usize = 128;

/// Why the bytes are not one unambiguous request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// `malformed-request` or `limit-exceeded`.
    pub code: DenialCode,
    /// A clause for the agent.
    pub what: &'static str,
}

impl Violation {
    fn malformed(what: &'static str) -> Violation {
        Violation { code: DenialCode::MalformedRequest, what }
    }
    fn limit(what: &'static str) -> Violation {
        Violation { code: DenialCode::LimitExceeded, what }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize {
        digits: u32,
        size: u64,
    },
    ChunkSizeLf {
        size: u64,
    },
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
    Trailers,
    /// After the head of a CONNECT or of a WebSocket upgrade: what follows is HTTP or it is not, the answer decides.
    Held,
}

/// The state of one connection, from its first byte.
#[derive(Debug)]
pub struct Framing {
    head_limit: usize,
    state: State,
    head: Vec<u8>,
    skipped_empty_line: bool,
}

impl Framing {
    /// At the start of a connection; heads and trailers may have so many bytes.
    pub fn new(head_limit: usize) -> Framing {
        Framing { head_limit, state: State::Head, head: Vec::new(), skipped_empty_line: false }
    }

    /// Takes bytes and appends to `out` those that may be read. Gives the number taken: all, unless it is [held](Self::is_held).
    /// # Errors
    /// At the first byte after which the request can no longer be one that everybody reads alike.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Violation> {
        let mut taken = 0;
        while taken < input.len() && self.state != State::Held {
            taken += self.step(&input[taken..], out)?;
        }
        Ok(taken)
    }

    /// Whether it waits to be told what follows.
    pub fn is_held(&self) -> bool {
        self.state == State::Held
    }

    /// The upgrade did not happen: the next byte begins a request.
    pub fn resume(&mut self) {
        if self.is_held() {
            self.state = State::Head;
        }
    }

    /// Whether a head or trailer section has begun and not ended.
    pub fn inside_head(&self) -> bool {
        !self.head.is_empty()
    }

    /// Whether a body has begun and not ended.
    pub fn inside_body(&self) -> bool {
        !matches!(self.state, State::Head | State::Held)
    }

    /// Bytes of a body of known length that may pass unread now.
    pub fn plain_body(&self) -> u64 {
        match self.state {
            State::Length(left) => left,
            _ => 0,
        }
    }

    /// So many bytes of a body of known length passed.
    pub fn passed(&mut self, bytes: u64) {
        if let State::Length(left) = self.state {
            self.state = body_of(left.saturating_sub(bytes));
        }
    }

    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Violation> {
        match self.state {
            State::Head => self.head_bytes(input, out),
            State::Trailers => self.trailer_bytes(input, out),
            State::Length(left) => Ok(self.data(input, left, body_of, out)),
            State::ChunkData(left) => Ok(self.data(input, left, chunk_of, out)),
            State::Held => Ok(0),
            _ => self.chunk_mark(input[0], out).map(|()| 1),
        }
    }

    fn data(&mut self, input: &[u8], left: u64, next: fn(u64) -> State, out: &mut Vec<u8>) -> usize {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        out.extend_from_slice(&input[..take]);
        self.state = next(left - take as u64);
        take
    }

    fn chunk_mark(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Violation> {
        out.push(byte);
        self.state = match (self.state, byte) {
            (State::ChunkSize { digits, size }, _) if byte.is_ascii_hexdigit() => {
                chunk_digit(digits, size, byte)?
            }
            (State::ChunkSize { digits: 1.., size }, b'\r') => State::ChunkSizeLf { size },
            (State::ChunkSizeLf { size: 0 }, b'\n') => State::Trailers,
            (State::ChunkSizeLf { size }, b'\n') => State::ChunkData(size),
            (State::ChunkDataCr, b'\r') => State::ChunkDataLf,
            (State::ChunkDataLf, b'\n') => State::ChunkSize { digits: 0, size: 0 },
            (State::ChunkSize { digits: 1.., .. }, b';') => {
                return Err(Violation::malformed("a chunk has an extension"));
            }
            _ => return Err(Violation::malformed("the chunked body is not framed as RFC 9112 has it")),
        };
        Ok(())
    }

    fn head_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Violation> {
        let (taken, complete) = self.gather(input)?;
        if self.head == b"\r\n" && !self.skipped_empty_line {
            // RFC 9112 2.2: some clients end a body with one line end too many.
            self.skipped_empty_line = true;
            self.head.clear();
        } else if complete {
            self.skipped_empty_line = false;
            self.state = check_head(&self.head)?;
            out.append(&mut self.head);
        }
        Ok(taken)
    }

    fn trailer_bytes(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Violation> {
        let (taken, complete) = self.gather(input)?;
        if complete || self.head == b"\r\n" {
            check_trailers(&self.head)?;
            out.append(&mut self.head);
            self.state = State::Head;
        }
        Ok(taken)
    }

    /// Gathers lines up to the empty one; line ends are CR LF and nothing else.
    fn gather(&mut self, input: &[u8]) -> Result<(usize, bool), Violation> {
        for (index, &byte) in input.iter().enumerate() {
            self.check_line_end(byte)?;
            self.head.push(byte);
            if self.head.len() > self.head_limit {
                return Err(Violation::limit("the request head is too large"));
            }
            if byte == b'\n' && (self.head == b"\r\n" || self.head.ends_with(b"\r\n\r\n")) {
                return Ok((index + 1, self.head != b"\r\n"));
            }
        }
        Ok((input.len(), false))
    }

    fn check_line_end(&self, byte: u8) -> Result<(), Violation> {
        let after_cr = self.head.last() == Some(&b'\r');
        match byte {
            b'\n' if !after_cr => Err(Violation::malformed("a line ends with a bare line feed")),
            b'\n' => Ok(()),
            _ if after_cr => Err(Violation::malformed("a carriage return stands inside a line")),
            0 => Err(Violation::malformed("a NUL byte stands in the head")),
            _ => Ok(()),
        }
    }
}

fn body_of(left: u64) -> State {
    if left == 0 { State::Head } else { State::Length(left) }
}

fn chunk_of(left: u64) -> State {
    if left == 0 { State::ChunkDataCr } else { State::ChunkData(left) }
}

fn chunk_digit(digits: u32, size: u64, byte: u8) -> Result<State, Violation> {
    if digits >= CHUNK_SIZE_DIGITS {
        return Err(Violation::malformed("a chunk size is too long"));
    }
    let digit = char::from(byte).to_digit(16).unwrap_or(0);
    Ok(State::ChunkSize { digits: digits + 1, size: size << 4 | u64::from(digit) })
}

/// What a head says about what follows it.
#[derive(Default)]
struct Facts {
    lengths: usize,
    length: u64,
    codings: usize,
    hosts: usize,
    websocket: bool,
}

fn check_head(head: &[u8]) -> Result<State, Violation> {
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
    head.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

fn check_request_line(line: &[u8]) -> Result<(&[u8], bool), Violation> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next()) else {
        return Err(Violation::malformed("the request line is not `method target version`"));
    };
    if !is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
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
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return Err(Violation::malformed("a header line has no colon"));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(Violation::malformed("a header name is not a token"));
    }
    // Before anything is trimmed: a form feed beside `chunked` is no blank to every reader.
    if value.iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
        return Err(Violation::malformed("a header value holds a control byte"));
    }
    Ok((name, value.trim_ascii()))
}

fn check_trailers(section: &[u8]) -> Result<(), Violation> {
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
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bytes: &[u8]) -> Result<(Vec<u8>, usize), &'static str> {
        let (mut whole, mut out) = (Framing::new(4096), Vec::new());
        let taken = whole.push(bytes, &mut out).map_err(|violation| violation.what)?;
        let (mut dribble, mut dribbled) = (Framing::new(4096), Vec::new());
        for byte in &bytes[..taken] {
            dribble.push(&[*byte], &mut dribbled).map_err(|violation| violation.what)?;
        }
        assert_eq!(out, dribbled, "the split must not matter");
        Ok((out, taken))
    }

    #[test]
    fn well_framed_requests_pass_untouched() {
        for good in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0\r\nx: y\r\nz: w\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nempty:\r\n\r\n",
        ] {
            assert_eq!(run(good.as_bytes()), Ok((good.as_bytes().to_vec(), good.len())), "{good}");
        }
    }

    #[test]
    fn ambiguous_heads_are_violations() {
        for (bad, why) in [
            ("content-length: 3\r\ntransfer-encoding: chunked\r\n", "side by side"),
            ("transfer-encoding: chunked\r\ncontent-length: 3\r\n", "side by side"),
            ("content-length: 3\r\ncontent-length: 3\r\n", "twice"),
            ("content-length: 3, 3\r\n", "not a number"),
            ("content-length: +3\r\n", "not a number"),
            ("content-length: 99999999999999999999\r\n", "not a number"),
            ("transfer-encoding: chunked, identity\r\n", "exactly"),
            ("transfer-encoding: gzip, chunked\r\n", "exactly"),
            ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "twice"),
            ("transfer-encoding : chunked\r\n", "token"),
            ("a: b\r\n folded\r\n", "folded"),
            ("a: b\n", "bare line feed"),
            ("a: b\rc: d\r\n", "carriage return"),
            ("a: b\0\r\n", "NUL"),
            ("a: b\x01\r\n", "control"),
            ("no colon\r\n", "colon"),
            (": empty\r\n", "token"),
            ("host: b\r\n", "host stands twice"),
            ("content-length: 3\r\nupgrade: websocket\r\n", "WebSocket handshake has a body"),
        ] {
            let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{bad}\r\n");
            let what = run(head.as_bytes()).expect_err(bad);
            assert!(what.contains(why), "{bad:?}: {what}");
        }
    }

    #[test]
    fn ambiguous_request_lines_are_violations() {
        for bad in [
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET /",
            "GET / HTTP/2.0",
            "GET / http/1.1",
            "G(T / HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "GET /a#b HTTP/1.1",
        ] {
            run(format!("{bad}\r\nhost: a\r\n\r\n").as_bytes()).expect_err(bad);
        }
        assert_eq!(
            run(b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"),
            Err("transfer-encoding does not exist in HTTP/1.0")
        );
        assert_eq!(run(b"GET / HTTP/1.1\r\n\r\n"), Err("the host header is missing"));
    }

    #[test]
    fn ambiguous_chunks_are_violations() {
        for bad in [
            "3;ext=1\r\nabc\r\n0\r\n\r\n",
            "3 \r\nabc\r\n0\r\n\r\n",
            "\r\nabc",
            "0x3\r\nabc",
            "-1\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "ffffffffffffffff\r\n",
            "0\r\ncontent-length: 3\r\n\r\n",
            "0\r\nauthorization: x\r\n\r\n",
            "0\r\n folded\r\n\r\n",
        ] {
            run(format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{bad}").as_bytes())
                .expect_err(bad);
        }
    }

    #[test]
    fn an_upgrade_holds_what_follows_until_its_answer() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let next = b"GET /second HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n";
        let (mut framing, mut out) = (Framing::new(4096), Vec::new());
        let taken = framing.push(&[&head[..], next].concat(), &mut out).expect("the head is well-formed");
        assert_eq!((taken, framing.is_held()), (head.len(), true));
        framing.resume();
        framing
            .push(next, &mut out)
            .expect_err("what follows a refused upgrade is judged like the first request");
    }

    #[test]
    fn heads_have_a_limit() {
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(5000));
        assert_eq!(run(long.as_bytes()), Err("the request head is too large"));
        let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
        assert_eq!(run(many.as_bytes()), Err("the request has too many headers"));
    }
}
