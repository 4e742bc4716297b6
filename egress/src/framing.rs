//! Strict HTTP/1 framing: what stands in front of the parser.
//!
//! A parser is allowed to be kind; a judge is not. Every head and every chunk passes this pure state machine before
//! hyper sees a byte of it, and whatever two readers could read differently (threats 1 and 2) ends the connection.
mod head;
pub(crate) mod reader;
#[cfg(test)]
mod tests;

pub(crate) use head::is_forbidden_trailer;
use head::{check_head, check_trailers};
use policy::DenialCode;

/// Bytes of a chunk's size line, hexadecimal digits only.
const CHUNK_SIZE_DIGITS: u32 = 15;

/// Why the bytes are not one unambiguous request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// `malformed-request` or `limit-exceeded`.
    pub code: DenialCode,
    /// A clause for the agent.
    pub what: &'static str,
}

impl Violation {
    const fn malformed(what: &'static str) -> Violation {
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
        let mut taken = 0;
        while let Some(rest) = input.get(taken..).filter(|rest| !rest.is_empty()) {
            let ends = memchr::memchr(b'\n', rest).map(|at| at + 1);
            let line = &rest[..ends.unwrap_or(rest.len())];
            // What is wrong before the limit is told before the limit is.
            let room = self.head_limit + 1 - self.head.len();
            let line = &line[..line.len().min(room)];
            self.check_line_ends(line)?;
            if line.len() == room {
                return Err(Violation::limit("the request head is too large"));
            }
            self.head.extend_from_slice(line);
            taken += line.len();
            if ends.is_some() && (self.head == b"\r\n" || self.head.ends_with(b"\r\n\r\n")) {
                return Ok((taken, self.head != b"\r\n"));
            }
        }
        Ok((taken, false))
    }

    /// Of bytes that follow what was gathered.
    fn check_line_ends(&self, bytes: &[u8]) -> Result<(), Violation> {
        let before = |at: usize| match at.checked_sub(1) {
            Some(before) => bytes.get(before),
            None => self.head.last(),
        };
        // Bytes that mean something, and the first one, which may follow a carriage return.
        for at in std::iter::once(0).chain(memchr::memchr3_iter(b'\r', b'\n', 0, bytes)) {
            let after_cr = before(at) == Some(&b'\r');
            match bytes.get(at) {
                Some(b'\n') if !after_cr => {
                    return Err(Violation::malformed("a line ends with a bare line feed"));
                }
                Some(b'\n') | None => {}
                Some(_) if after_cr => return Err(INSIDE),
                Some(b'\r') if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => return Err(INSIDE),
                Some(0) => return Err(Violation::malformed("a NUL byte stands in the head")),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

const INSIDE: Violation = Violation::malformed("a carriage return stands inside a line");

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
