//! What a connection speaks, from its first bytes, within a bound of bytes and time.
use policy::{Host, HostError};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// The start of an HTTP/2 connection by prior knowledge.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longest method token that is waited for.
const METHOD: usize = 32;

/// What of a ClientHello counts here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHello {
    /// `server_name`, when there is one, as sent.
    pub sni: Option<String>,
    /// Offered protocols.
    pub alpn: Vec<Vec<u8>>,
}

/// A state of knowledge about bytes that may still be growing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<T> {
    /// All that was needed.
    Whole(T),
    /// Well-formed so far.
    Partial,
    /// It is something else.
    Wrong,
}

/// What a connection speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speech {
    /// TLS, with the hello.
    Tls(ClientHello),
    /// An HTTP/1 request begins.
    Http1,
    /// HTTP/2 by prior knowledge.
    Http2,
    /// The client closed without a word.
    Nothing,
    /// Something else, or nothing in time.
    Other,
}

/// Judges first bytes; pure.
pub fn speech(bytes: &[u8]) -> Parsed<Speech> {
    match bytes.first() {
        None => Parsed::Partial,
        Some(22) => match client_hello(bytes) {
            Parsed::Whole(hello) => Parsed::Whole(Speech::Tls(hello)),
            Parsed::Partial => Parsed::Partial,
            Parsed::Wrong => Parsed::Wrong,
        },
        Some(_) => text(bytes),
    }
}

fn text(bytes: &[u8]) -> Parsed<Speech> {
    if PREFACE.starts_with(bytes) && bytes.len() < PREFACE.len() && bytes.starts_with(b"PRI") {
        return Parsed::Partial;
    }
    if bytes.starts_with(PREFACE) {
        return Parsed::Whole(Speech::Http2);
    }
    // An empty line before the request line is known of some clients.
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    match bytes.get(method) {
        None if bytes == b"\r" || method <= METHOD => Parsed::Partial,
        Some(b' ') if method > 0 => Parsed::Whole(Speech::Http1),
        Some(b'\r') if bytes == b"\r" => Parsed::Partial,
        _ => Parsed::Wrong,
    }
}

/// Parses the ClientHello at the start of a TLS connection, fragmented over records or not. Pure; never panics.
pub fn client_hello(bytes: &[u8]) -> Parsed<ClientHello> {
    let handshake = match handshake_bytes(bytes) {
        Ok(handshake) => handshake,
        Err(Stop) => return Parsed::Wrong,
    };
    let mut reader = Reader(&handshake);
    let (Some(kind), Some(length)) = (reader.take(1), reader.take(3)) else { return Parsed::Partial };
    if kind != [1] {
        return Parsed::Wrong;
    }
    let length = usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2]);
    match reader.take(length) {
        None => Parsed::Partial,
        Some(body) => hello_body(body).map_or(Parsed::Wrong, Parsed::Whole),
    }
}

struct Stop;

/// The handshake bytes of the records that are there, the last one perhaps cut.
fn handshake_bytes(bytes: &[u8]) -> Result<Vec<u8>, Stop> {
    let (mut rest, mut handshake) = (bytes, Vec::new());
    while !rest.is_empty() {
        if rest[0] != 22 || rest.get(1).is_some_and(|major| *major != 3) {
            return Err(Stop);
        }
        let Some(length) = rest.get(3..5) else { break };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length == 0 || length > 16 * 1024 + 256 {
            return Err(Stop);
        }
        let body = &rest[5..];
        let there = body.len().min(length);
        handshake.extend_from_slice(&body[..there]);
        rest = &body[there..];
        if has_whole_message(&handshake) {
            break;
        }
    }
    Ok(handshake)
}

fn has_whole_message(handshake: &[u8]) -> bool {
    handshake.get(1..4).is_some_and(|length| {
        handshake.len() - 4
            >= usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2])
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn number(&mut self) -> Option<usize> {
        self.take(2).map(|two| usize::from(u16::from_be_bytes([two[0], two[1]])))
    }
    fn short(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.take(1)?[0]);
        self.take(length)
    }
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }
}

fn hello_body(body: &[u8]) -> Option<ClientHello> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?;
    reader.short()?;
    reader.long()?;
    reader.short()?;
    let mut hello = ClientHello::default();
    if reader.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Reader(reader.long()?);
    let mut names = 0;
    while !extensions.0.is_empty() {
        let (kind, data) = (extensions.number()?, extensions.long()?);
        match kind {
            0 => {
                names += 1;
                hello.sni = Some(server_name(data)?);
            }
            16 => hello.alpn = protocols(data)?,
            _ => {}
        }
    }
    // Two names are two meanings.
    (names <= 1 && reader.0.is_empty()).then_some(hello)
}

fn server_name(data: &[u8]) -> Option<String> {
    let mut reader = Reader(data);
    let mut list = Reader(reader.long()?);
    let kind = list.take(1)?;
    let name = list.long()?;
    let single = kind == [0] && list.0.is_empty() && reader.0.is_empty() && !name.is_empty();
    single.then(|| str::from_utf8(name).ok().map(str::to_owned)).flatten()
}

fn protocols(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader(data);
    let mut list = Reader(reader.long()?);
    let mut found = Vec::new();
    while !list.0.is_empty() {
        found.push(list.short()?.to_vec());
    }
    Some(found)
}

impl ClientHello {
    /// The name asked for in normal form, when there is one.
    /// # Errors
    /// When it is no host name.
    pub fn host(&self) -> Result<Option<Host>, HostError> {
        self.sni.as_deref().map(Host::parse).transpose()
    }
}

/// Reads until it is clear what is spoken; gives the stream with those bytes still in front.
pub(crate) async fn sniff<S: AsyncRead + Unpin>(
    mut stream: S,
    bytes: usize,
    time: Duration,
) -> (Speech, Prefixed<S>) {
    let mut start = Vec::new();
    let found = tokio::time::timeout(time, listen(&mut stream, &mut start, bytes)).await;
    let speech = found.unwrap_or(Ok(Speech::Other)).unwrap_or(Speech::Nothing);
    (speech, Prefixed::new(start, stream))
}

async fn listen<S: AsyncRead + Unpin>(
    stream: &mut S,
    start: &mut Vec<u8>,
    most: usize,
) -> io::Result<Speech> {
    let mut buffer = [0; 2048];
    loop {
        match speech(start) {
            Parsed::Whole(speech) => return Ok(speech),
            Parsed::Wrong => return Ok(Speech::Other),
            Parsed::Partial if start.len() >= most => return Ok(Speech::Other),
            Parsed::Partial => {}
        }
        let room = (most - start.len()).min(buffer.len());
        let read = stream.read(&mut buffer[..room]).await?;
        if read == 0 {
            return Ok(if start.is_empty() { Speech::Nothing } else { Speech::Other });
        }
        start.extend_from_slice(&buffer[..read]);
    }
}

/// A stream with bytes in front that were read from it before.
pub(crate) struct Prefixed<S> {
    start: Vec<u8>,
    given: usize,
    inner: S,
}

impl<S> Prefixed<S> {
    pub(crate) fn new(start: Vec<u8>, inner: S) -> Prefixed<S> {
        Prefixed { start, given: 0, inner }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given == self.start.len() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let count = buf.remaining().min(self.start.len() - self.given);
        buf.put_slice(&self.start[self.given..self.given + count]);
        self.given += count;
        if self.given == self.start.len() {
            self.start = Vec::new();
            self.given = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello as rustls writes it.
    fn hello(name: &str, alpn: &[&[u8]]) -> Vec<u8> {
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder
            .expect("the provider has suites")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = rustls_pki_types::ServerName::try_from(name.to_owned()).expect("a name");
        let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).expect("a client");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("memory takes bytes");
        bytes
    }

    #[test]
    fn a_hello_reads_alike_however_it_arrives() {
        let bytes = hello("api.example.com", &[b"h2", b"http/1.1"]);
        let whole = ClientHello {
            sni: Some("api.example.com".into()),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        assert_eq!(client_hello(&bytes), Parsed::Whole(whole.clone()));
        for cut in 1..bytes.len() {
            assert_eq!(client_hello(&bytes[..cut]), Parsed::Partial, "cut at {cut}");
        }
        let (head, body) = bytes.split_at(5);
        let fragments: Vec<u8> = body
            .chunks(7)
            .flat_map(|part| {
                [&head[..3], &u16::try_from(part.len()).expect("small").to_be_bytes()[..], part].concat()
            })
            .collect();
        assert_eq!(client_hello(&fragments), Parsed::Whole(whole));
    }

    #[test]
    fn a_hello_without_extensions_of_interest_has_none() {
        let bytes = hello("127.0.0.1", &[]);
        assert_eq!(
            client_hello(&bytes),
            Parsed::Whole(ClientHello::default()),
            "an IP literal is no server name"
        );
    }

    #[test]
    fn damaged_hellos_are_wrong_and_never_panic() {
        let bytes = hello("api.example.com", &[b"h2"]);
        for index in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[index] = value;
                let _: Parsed<ClientHello> = client_hello(&damaged);
            }
        }
        let mut other = bytes.clone();
        other[5] = 2;
        assert_eq!(client_hello(&other), Parsed::Wrong, "a server hello is none");
        assert_eq!(client_hello(b"\x16\x03\x01\x00\x00"), Parsed::Wrong, "an empty record says nothing");
    }

    #[test]
    fn first_bytes_tell_the_protocol() {
        for (bytes, expected) in [
            (&b""[..], Parsed::Partial),
            (b"GE", Parsed::Partial),
            (b"GET /", Parsed::Whole(Speech::Http1)),
            (b"\r\nGET /", Parsed::Whole(Speech::Http1)),
            (b"M-SEARCH * HTTP/1.1", Parsed::Whole(Speech::Http1)),
            (b"PRI * HTTP/2.0\r\n", Parsed::Partial),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Parsed::Whole(Speech::Http2)),
            (b"SSH-2.0-OpenSSH_9.6", Parsed::Wrong),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Parsed::Wrong),
            (b"get / HTTP/1.1", Parsed::Wrong),
            (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Parsed::Wrong),
        ] {
            assert_eq!(speech(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[tokio::test]
    async fn silence_and_floods_are_bounded() {
        let (client, server) = tokio::io::duplex(64);
        let (found, _) = sniff(server, 1024, Duration::from_millis(20)).await;
        assert_eq!(found, Speech::Other, "nothing in time");
        drop(client);
        let endless = tokio::io::repeat(b'A');
        let (found, _) = sniff(endless, 1024, Duration::from_secs(5)).await;
        assert_eq!(found, Speech::Other, "a method has an end");
    }
}
