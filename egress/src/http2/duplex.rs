//! A stream as bytes both ways: what a tunnel over extended CONNECT is (RFC 8441).
use super::outgoing::{Gone, Outgoing};
use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream};
use std::any::Any;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one write that are taken at once.
const PIECE: usize = 16 * 1024;

/// Ends properly by a shutdown; dropped before that it is reset.
pub(crate) struct Duplex {
    reads: RecvStream,
    writes: Outgoing,
    read: Bytes,
    /// What lives as long as the stream.
    _kept: Box<dyn Any + Send>,
}

impl Duplex {
    pub(crate) fn new(reads: RecvStream, writes: Outgoing, kept: impl Any + Send) -> Duplex {
        Duplex { reads, writes, read: Bytes::new(), _kept: Box::new(kept) }
    }
}

impl From<Gone> for io::Error {
    fn from(_: Gone) -> io::Error {
        io::ErrorKind::BrokenPipe.into()
    }
}

/// A peer that has had enough says so by these.
fn end_or_error(error: h2::Error) -> io::Result<()> {
    match error.reason() {
        Some(Reason::NO_ERROR | Reason::CANCEL) => Ok(()),
        _ => Err(io::Error::other(error)),
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.read.is_empty() {
            match ready!(self.reads.poll_data(cx)) {
                Some(Ok(data)) => self.read = data,
                Some(Err(error)) => return Poll::Ready(end_or_error(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..count]);
        self.read.advance(count);
        // Fails when the stream has ended meanwhile, and with it its window.
        let _ended = self.reads.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        if !piece.is_empty() {
            self.writes.want_room();
            ready!(self.writes.poll_room(cx))?;
            self.writes.send(Bytes::copy_from_slice(piece), false).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(piece.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task writes.
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.writes.end().map_err(io::Error::other))
    }
}
