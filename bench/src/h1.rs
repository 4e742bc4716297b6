//! The driver's side of HTTP/1.1, as lean as it can be: one request at a time, every answer compared with what it must be.
use crate::way::Tls;
use anyhow::{Context, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes that are read at once at most.
const READ: usize = 64 * 1024;
/// Longest head of an answer.
const LONGEST_HEAD: usize = 16 * 1024;

/// A kept connection.
pub(crate) struct Connection {
    stream: Tls,
    /// What was read and not yet looked at.
    buffer: Vec<u8>,
}

/// How long a body is.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    /// On a stream that is ready.
    pub(crate) fn new(stream: Tls) -> Connection {
        Connection { stream, buffer: Vec::with_capacity(READ) }
    }

    /// Sends a request and reads the answer, which must be 200 with this body.
    pub(crate) async fn exchange(&mut self, request: &[u8], meant: &[u8]) -> Result<()> {
        self.send(request).await?;
        self.answer(meant).await
    }

    /// Sends a head and a body.
    pub(crate) async fn upload(&mut self, head: &[u8], body: &[u8], meant: &[u8]) -> Result<()> {
        self.stream.write_all(head).await?;
        for piece in body.chunks(READ) {
            self.stream.write_all(piece).await?;
        }
        self.stream.flush().await?;
        self.answer(meant).await
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        Ok(self.stream.flush().await?)
    }

    /// Reads an answer: 200, and this body.
    pub(crate) async fn answer(&mut self, meant: &[u8]) -> Result<()> {
        let mut at = 0;
        self.read(|data| {
            if meant.get(at..at + data.len()) != Some(data) {
                bail!("the body differs from what it must be, within {} bytes from {at}", data.len());
            }
            at += data.len();
            Ok(())
        })
        .await?;
        if at != meant.len() {
            bail!("the body has {at} bytes instead of {}", meant.len());
        }
        Ok(())
    }

    /// Reads an answer, which must be 200, and hands its body on in pieces.
    pub(crate) async fn read(&mut self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (status, framing) = self.head().await?;
        if status == 200 {
            return self.body(&framing, &mut each).await;
        }
        let text = self.text(&framing).await?;
        bail!("the answer is {status}: {}", text.chars().take(500).collect::<String>());
    }

    /// Reads any answer: status and body.
    pub(crate) async fn whatever(&mut self) -> Result<(u16, String)> {
        let (status, framing) = self.head().await?;
        Ok((status, self.text(&framing).await?))
    }

    async fn text(&mut self, framing: &Framing) -> Result<String> {
        let mut text = Vec::new();
        let mut keep = |data: &[u8]| {
            text.extend_from_slice(data);
            Ok(())
        };
        self.body(framing, &mut keep).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    async fn head(&mut self) -> Result<(u16, Framing)> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                let head = parse(&self.buffer[..end])?;
                self.buffer.drain(..end + 4);
                return Ok(head);
            }
            if self.buffer.len() > LONGEST_HEAD {
                bail!("the head of the answer is too long");
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<()> {
        self.buffer.reserve(READ);
        if self.stream.read_buf(&mut self.buffer).await.context("reading the answer")? == 0 {
            bail!("the connection ended within an answer");
        }
        Ok(())
    }

    async fn body(&mut self, framing: &Framing, each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match framing {
            Framing::Length(length) => self.take(*length, each).await,
            Framing::Chunked => loop {
                let size = self.chunk_size().await?;
                self.take(size, each).await?;
                self.line_end().await?;
                if size == 0 {
                    return Ok(());
                }
            },
        }
    }

    async fn take(&mut self, mut length: usize, each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while length > 0 {
            if self.buffer.is_empty() {
                self.more().await?;
            }
            let here = self.buffer.len().min(length);
            each(&self.buffer[..here])?;
            if here == self.buffer.len() {
                self.buffer.clear();
            } else {
                self.buffer.drain(..here);
            }
            length -= here;
        }
        Ok(())
    }

    async fn chunk_size(&mut self) -> Result<usize> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                let line = std::str::from_utf8(&self.buffer[..end])?;
                let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16)?;
                self.buffer.drain(..end + 2);
                return Ok(size);
            }
            self.more().await?;
        }
    }

    /// The end of a chunk; trailers are not expected.
    async fn line_end(&mut self) -> Result<()> {
        while self.buffer.len() < 2 {
            self.more().await?;
        }
        if !self.buffer.starts_with(b"\r\n") {
            bail!("a chunk does not end where it should");
        }
        self.buffer.drain(..2);
        Ok(())
    }
}

fn parse(head: &[u8]) -> Result<(u16, Framing)> {
    let text = std::str::from_utf8(head)?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or("");
    let status =
        first.split(' ').nth(1).and_then(|code| code.parse().ok()).with_context(|| format!("`{first}`"))?;
    let mut framing = None;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { bail!("`{line}` is no header") };
        if name.eq_ignore_ascii_case("content-length") {
            framing = Some(Framing::Length(value.trim().parse()?));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Some(Framing::Chunked);
        }
    }
    Ok((status, framing.with_context(|| format!("an answer without an end: {text}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_understood() {
        let (status, framing) = parse(b"HTTP/1.1 200 OK\r\nContent-length: 12\r\nDate: now").expect("a head");
        assert_eq!((status, framing), (200, Framing::Length(12)));
        let (status, framing) =
            parse(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked").expect("a head");
        assert_eq!((status, framing), (403, Framing::Chunked));
        assert!(
            parse(b"HTTP/1.1 200 OK\r\nDate: now").is_err(),
            "a body that only the end of the connection ends"
        );
        assert!(parse(b"nonsense").is_err());
    }
}
