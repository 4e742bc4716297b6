//! CONNECT, the client's side (RFC 9110 section 9.3.6). What the proxy answers is read strictly, within bounds, and
//! nothing of it is repeated: a proxy that echoes what it was sent would have the password in the audit.
use super::{Failure, Stream};
use crate::sniff::Prefixed;
use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The head of the answer, interim answers before it included, in bytes.
const HEAD: usize = 16 * 1024;
/// Interim (1xx) answers before the one that counts.
const INTERIM: usize = 8;

/// Asks for a tunnel and gives its bytes, beginning with those that came right behind the head.
pub(super) async fn connect(
    mut stream: Stream,
    authority: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Stream, Failure> {
    let request = request(authority, authorization);
    stream.write_all(&request).await.map_err(|error| broke_off(&error))?;
    stream.flush().await.map_err(|error| broke_off(&error))?;
    let (head, rest) = final_answer(&mut stream).await?;
    match head.status {
        // A successful answer has no content: Content-Length and Transfer-Encoding say nothing in it.
        200..=299 => Ok(Box::new(Prefixed::new(rest, stream))),
        407 => Err(unauthorized(authorization.is_some(), head.offers_basic)),
        status => Err(Failure::Proxy(format!("it answered CONNECT with {status}"))),
    }
}

/// What a 407 means for the operator.
pub(super) fn unauthorized(was_sent: bool, offers_basic: bool) -> Failure {
    let what = match (was_sent, offers_basic) {
        (_, false) => "it asks for authentication (407) of another kind than Basic, the only one spoken here",
        (true, true) => "it does not accept the user name and password of `upstream_proxy.auth` (407)",
        (false, true) => "it asks for authentication (407); set `upstream_proxy.auth`",
    };
    Failure::Proxy(what.to_owned())
}

/// Whether a value of `Proxy-Authenticate` offers Basic; one value may hold several challenges.
pub(super) fn offers_basic(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|challenge| {
        let challenge = challenge.trim_ascii();
        let end = challenge.iter().position(|byte| *byte == b' ').unwrap_or(challenge.len());
        challenge[..end].eq_ignore_ascii_case(b"basic")
    })
}

fn request(authority: &str, authorization: Option<&HeaderValue>) -> Vec<u8> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(value) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

fn broke_off(error: &std::io::Error) -> Failure {
    Failure::Proxy(format!("it broke off before its answer to CONNECT: {error}"))
}

fn wrong(what: &str) -> Failure {
    Failure::Proxy(format!("its answer to CONNECT is not HTTP as it should be: {what}"))
}

/// The first answer that is none of the interim ones, and what was read behind it.
async fn final_answer(stream: &mut Stream) -> Result<(Head, Vec<u8>), Failure> {
    let (mut bytes, mut buffer, mut before) = (Vec::new(), [0; 2048], 0);
    let mut interim = 0;
    loop {
        match parse(&bytes).map_err(wrong)? {
            Some(head) if head.is_interim() => {
                bytes.drain(..head.length);
                (before, interim) = (before + head.length, interim + 1);
                if interim > INTERIM {
                    return Err(wrong("interim answers without end"));
                }
            }
            Some(head) => {
                bytes.drain(..head.length);
                return Ok((head, bytes));
            }
            None if before + bytes.len() >= HEAD => return Err(wrong("a head of more than 16 KiB")),
            None => match stream.read(&mut buffer).await.map_err(|error| broke_off(&error))? {
                0 => return Err(Failure::Proxy("it hung up without an answer to CONNECT".to_owned())),
                read => bytes.extend_from_slice(&buffer[..read]),
            },
        }
    }
}

/// A whole head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    offers_basic: bool,
    /// In bytes, with the empty line.
    length: usize,
}

impl Head {
    /// Not 101: nobody asked for another protocol.
    fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// `None`: not all of it is there yet. What can no longer become an answer is wrong at once, without waiting for more.
fn parse(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let start = b"HTTP/1.";
    let begins = bytes.len().min(start.len());
    if bytes[..begins] != start[..begins] {
        return Err("it does not begin with `HTTP/1.`");
    }
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let mut lines = Lines(&bytes[..end + 2]);
    let status = status(lines.next().transpose()?.unwrap_or_default())?;
    let mut offers = false;
    for line in lines {
        let (name, value) = field(line?)?;
        offers |= name.eq_ignore_ascii_case(b"proxy-authenticate") && offers_basic(value);
    }
    Ok(Some(Head { status, offers_basic: offers, length: end + 4 }))
}

/// Lines that end in CRLF; neither half may stand alone.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], &'static str>;
    fn next(&mut self) -> Option<Self::Item> {
        let end = self.0.windows(2).position(|two| two == b"\r\n")?;
        let line = &self.0[..end];
        self.0 = &self.0[end + 2..];
        let clean = line.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
        Some(if clean { Ok(line) } else { Err("control characters in its head") })
    }
}

/// `HTTP/1.1 200 words` (RFC 9112 section 4); the words may be missing.
fn status(line: &[u8]) -> Result<u16, &'static str> {
    let why = "its first line is no status line";
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 ")).ok_or(why)?;
    let (digits, words) = rest.split_at_checked(3).ok_or(why)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(words.is_empty() || words.starts_with(b" ")) {
        return Err(why);
    }
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    if (100..600).contains(&status) { Ok(status) } else { Err("a status that does not exist") }
}

/// `name: value` (RFC 9112 section 5); no folded lines.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let why = "a line of its head is no header";
    let colon = line.iter().position(|byte| *byte == b':').ok_or(why)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(token) { Err(why) } else { Ok((name, value.trim_ascii())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(text: &str) -> Result<Option<u16>, &'static str> {
        parse(text.as_bytes()).map(|head| head.map(|head| head.status))
    }

    #[test]
    fn heads_are_read_when_they_are_whole_and_not_before() {
        let text = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        for cut in 0..text.len() {
            assert_eq!(status_of(&text[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(status_of(text), Ok(Some(200)));
        assert_eq!(status_of("HTTP/1.0 407\r\n\r\n"), Ok(Some(407)));
        let head = parse(format!("{text}tunnel").as_bytes()).unwrap().unwrap();
        assert_eq!(head.length, text.len());
    }

    #[test]
    fn what_is_no_answer_is_refused_at_once() {
        for text in [
            "\x16\x03\x01",
            "SSH-2.0",
            "http/1.1 200 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 200 OK\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 200 O\0K\r\n\r\n",
        ] {
            assert!(status_of(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn basic_is_found_among_challenges() {
        for value in ["Basic realm=\"x\"", "basic", "Negotiate, Basic realm=x", "Digest a=b,Basic c=d"] {
            assert!(offers_basic(value.as_bytes()), "{value}");
        }
        for value in ["", "Negotiate", "Basically", "Digest realm=\"Basic\""] {
            assert!(!offers_basic(value.as_bytes()), "{value}");
        }
    }
}
