//! The stream that hyper reads: bytes that [`Framing`] let through.
use super::{Framing, Violation};
use crate::interim::Aside;
use futures_util::task::AtomicWaker;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

const READ_SIZE: usize = 16 * 1024;
const UNDECIDED: u8 = 0;
const STAYS_HTTP: u8 = 1;

/// Where the service tells the reader that an upgrade did not happen.
#[derive(Default)]
pub(crate) struct Gate {
    verdict: AtomicU8,
    waker: AtomicWaker,
}

impl Gate {
    /// The held connection goes on as HTTP.
    pub(crate) fn stays_http(&self) {
        self.verdict.store(STAYS_HTTP, Ordering::Release);
        self.waker.wake();
    }
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        let decided = self.verdict.swap(UNDECIDED, Ordering::AcqRel) == STAYS_HTTP;
        if decided { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Reads strictly; writes as it is, with what is said [aside](Aside) in between. After a violation it reads as ended, and [`Strict::violation`] says why.
pub(crate) struct Strict<S> {
    inner: S,
    framing: Framing,
    gate: Arc<Gate>,
    aside: Arc<Aside>,
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    violation: Option<Violation>,
    mid_body: bool,
    head_time: Duration,
    head_deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Strict<S> {
    pub(crate) fn new(
        inner: S,
        head_limit: usize,
        head_time: Duration,
        gate: Arc<Gate>,
        aside: Arc<Aside>,
    ) -> Strict<S> {
        Strict {
            inner,
            framing: Framing::new(head_limit),
            gate,
            aside,
            raw: Vec::new(),
            ready: Vec::new(),
            given: 0,
            violation: None,
            mid_body: false,
            head_time,
            head_deadline: None,
        }
    }

    /// What was wrong, when something was, between two requests (inside a body the read fails instead).
    pub(crate) fn violation(&self) -> Option<Violation> {
        self.violation.filter(|_| !self.mid_body)
    }

    /// The stream, and what was read from it and not handed on.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.inner, self.raw)
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let count = buf.remaining().min(self.ready.len() - self.given);
        buf.put_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
    }

    fn feed(&mut self) {
        match self.framing.push(&self.raw, &mut self.ready) {
            Ok(taken) => drop(self.raw.drain(..taken)),
            Err(violation) => self.break_off(violation),
        }
    }

    fn break_off(&mut self, violation: Violation) {
        self.mid_body = self.framing.inside_body();
        self.violation = Some(violation);
    }
}

thread_local! {
    /// Where raw bytes are read to. One for each thread: it need be cleared for nobody, and idle connections hold none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// Appends what there is to read; true at the end of the stream.
fn poll_into<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    scratch: &mut [u8],
    raw: &mut Vec<u8>,
) -> Poll<io::Result<bool>> {
    let mut part = ReadBuf::new(scratch);
    ready!(Pin::new(stream).poll_read(cx, &mut part))?;
    raw.extend_from_slice(part.filled());
    Poll::Ready(Ok(part.filled().is_empty()))
}

impl<S: AsyncRead + Unpin> Strict<S> {
    fn poll_head_deadline(&mut self, cx: &mut Context<'_>) {
        if !self.framing.inside_head() {
            self.head_deadline = None;
            return;
        }
        let time = self.head_time;
        let deadline = self.head_deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        if deadline.as_mut().poll(cx).is_ready() {
            self.break_off(Violation::limit("the request head took too long"));
        }
    }

    /// Reads a body of known length straight into the caller's buffer.
    fn poll_plain(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = usize::try_from(self.framing.plain_body()).unwrap_or(usize::MAX).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        self.framing.passed(read as u64);
        Poll::Ready(Ok(()))
    }

    /// Reads more raw bytes; true at the end of the stream.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let (inner, raw) = (&mut self.inner, &mut self.raw);
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => poll_into(inner, cx, &mut scratch[..], raw),
            // Somebody further out is reading into it: one stream inside of another.
            Err(_) => poll_into(inner, cx, &mut [0; READ_SIZE], raw),
        })
    }

    fn poll_resume(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.framing.is_held() {
            ready!(self.gate.poll(cx));
            self.framing.resume();
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                this.give(buf);
                return Poll::Ready(Ok(()));
            }
            if let Some(violation) = this.violation {
                return Poll::Ready(if this.mid_body {
                    Err(io::Error::other(violation.what))
                } else {
                    Ok(())
                });
            }
            ready!(this.poll_resume(cx));
            if !this.raw.is_empty() {
                this.feed();
                continue;
            }
            if this.framing.plain_body() > 0 {
                return this.poll_plain(cx, buf);
            }
            this.poll_head_deadline(cx);
            if this.violation.is_none() && ready!(this.poll_raw(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Strict<S> {
    fn poll_aside(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut self.inner;
        self.aside.write(|bytes| Pin::new(&mut *inner).poll_write(cx, bytes))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_aside(cx))?;
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.aside.spoke();
        Poll::Ready(Ok(count))
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.aside.flushing();
        ready!(self.poll_aside(cx))?;
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
        ready!(self.poll_aside(cx))?;
        let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.aside.spoke();
        Poll::Ready(Ok(count))
    }
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
