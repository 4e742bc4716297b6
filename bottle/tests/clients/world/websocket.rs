//! WebSocket, the few lines of it that an echo and a fake API need (RFC 6455, no extensions).
use super::body::{Answer, Asked, full, status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use std::future::Future;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// Both ends after the handshake.
pub(crate) struct Socket(Stream);

pub(crate) fn echo(asked: Asked) -> Answer {
    upgrade(asked, |mut socket| async move {
        while let Ok(Some((kind, payload))) = socket.message().await {
            if socket.send(kind, &payload).await.is_err() {
                break;
            }
        }
    })
}

/// 101, and then `talk` on what was HTTP before.
pub(crate) fn upgrade<F: Future<Output = ()> + Send>(
    asked: Asked,
    talk: impl FnOnce(Socket) -> F + Send + 'static,
) -> Answer {
    let key = asked.header("sec-websocket-key").to_owned();
    if key.is_empty() {
        return status(426, "WebSocket only");
    }
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(asked.request).await {
            talk(Socket(TokioIo::new(upgraded))).await;
        }
    });
    let accept = STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
    let builder =
        Response::builder().status(101).header("upgrade", "websocket").header("connection", "Upgrade");
    builder.header("sec-websocket-accept", accept).body(full("")).expect("an answer")
}

impl Socket {
    /// The next whole message; pings are answered on the way. `None` at the end.
    pub(crate) async fn message(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let (mut kind, mut whole) = (0, Vec::new());
        loop {
            let (last, code, payload) = self.frame().await?;
            match code {
                CLOSE => {
                    self.send(CLOSE, &payload).await?;
                    return Ok(None);
                }
                PING => self.send(PONG, &payload).await?,
                PONG => {}
                _ => {
                    kind = if code == 0 { kind } else { code };
                    whole.extend(payload);
                    if last {
                        return Ok(Some((kind, whole)));
                    }
                }
            }
        }
    }

    pub(crate) async fn text(&mut self, text: &str) -> io::Result<()> {
        self.send(TEXT, text.as_bytes()).await
    }

    async fn send(&mut self, code: u8, payload: &[u8]) -> io::Result<()> {
        debug_assert!(matches!(code, TEXT | BINARY | CLOSE | PONG));
        let mut frame = vec![0x80 | code];
        match u16::try_from(payload.len()) {
            Ok(length @ 0..126) => frame.push(length.to_be_bytes()[1]),
            Ok(length) => frame.extend([&[126][..], &length.to_be_bytes()].concat()),
            Err(_) => frame.extend([&[127][..], &(payload.len() as u64).to_be_bytes()].concat()),
        }
        frame.extend(payload);
        self.0.write_all(&frame).await?;
        self.0.flush().await
    }

    /// Whether it is the last of its message, its code, its payload without the mask.
    async fn frame(&mut self) -> io::Result<(bool, u8, Vec<u8>)> {
        let (first, second) = (self.0.read_u8().await?, self.0.read_u8().await?);
        let length = match second & 0x7F {
            126 => self.0.read_u16().await?.into(),
            127 => self.0.read_u64().await?,
            short => short.into(),
        };
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            self.0.read_exact(&mut mask).await?;
        }
        let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.0.read_exact(&mut payload).await?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((first & 0x80 != 0, first & 0x0F, payload))
    }
}
