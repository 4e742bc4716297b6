//! The line to a container: what it reads and what it writes, over a connection to the engine that stops being HTTP. The
//! API's client would guess from the bytes whether they come in frames, and bytes of a terminal are the agent's.
mod frames;

pub(crate) use frames::Chunk;

use super::connect::Engine;
use super::failure::failed;
use crate::SandboxError;
use bytes::BytesMut;
use frames::Frames;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};

/// Bytes that are read at once, and the most that wait here.
const CHUNK: usize = 32 * 1024;
/// Engines cut the line of a terminal when these bytes are typed, and Ctrl-P, Ctrl-Q where they are not told others. No
/// text in UTF-8 has them.
const NEVER_TYPED: &str = "%FF,%FF,%FF,%FF,%FF,%FF,%FF,%FF";

/// Both directions.
pub(crate) struct Line {
    pub(crate) input: Input,
    pub(crate) output: Output,
}

/// Towards the container.
pub(crate) struct Input(WriteHalf<TokioIo<Upgraded>>);

/// From the container.
pub(crate) struct Output {
    from: ReadHalf<TokioIo<Upgraded>>,
    buffer: BytesMut,
    /// Of a terminal there is one stream, and it has none.
    frames: Option<Frames>,
}

/// Joins a container's standard input and output; ask before it starts, so that nothing is missed.
pub(crate) async fn attach(engine: &Engine, name: &str, tty: bool) -> Result<Line, SandboxError> {
    let path = format!(
        "/containers/{name}/attach?stream=true&stdin=true&stdout=true&stderr=true&detachKeys={NEVER_TYPED}"
    );
    let line = engine.upgrade(&path, None).await;
    line.map(|line| Line::over(line, tty))
        .map_err(|error| failed(&format!("attach to the container `{name}`"), error))
}

/// Starts a program that was made ready in a container, without a terminal.
pub(crate) async fn execute(engine: &Engine, id: &str, what: &str) -> Result<Line, SandboxError> {
    let plain = serde_json::json!({ "Detach": false, "Tty": false });
    let line = engine.upgrade(&format!("/exec/{id}/start"), Some(&plain)).await;
    line.map(|line| Line::over(line, false)).map_err(|error| failed(what, error))
}

impl Line {
    fn over(upgraded: Upgraded, tty: bool) -> Line {
        let (from, to) = tokio::io::split(TokioIo::new(upgraded));
        let frames = (!tty).then(Frames::default);
        Line { input: Input(to), output: Output { from, buffer: BytesMut::new(), frames } }
    }
}

impl Input {
    /// Writes all of it, at once.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// As a writer whose end is the end of what the container reads.
    pub(crate) fn into_writer(self) -> Pin<Box<dyn AsyncWrite + Send>> {
        Box::pin(self.0)
    }

    /// The end of what the container reads.
    pub(crate) async fn end(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

impl Output {
    /// The next piece, no longer than what was read at once; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            let Output { from, buffer, frames } = self;
            let chunk = match frames {
                Some(frames) => frames.next(buffer)?,
                None => (!buffer.is_empty()).then(|| Chunk::Output(buffer.split().freeze())),
            };
            if chunk.is_some() {
                return Ok(chunk);
            }
            buffer.reserve(CHUNK);
            if from.read_buf(buffer).await? == 0 {
                return match frames {
                    Some(frames) if frames.is_inside() || !buffer.is_empty() => {
                        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the engine broke off"))
                    }
                    _ => Ok(None),
                };
            }
        }
    }
}
