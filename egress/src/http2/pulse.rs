//! Whether the peer of a connection is still there.
use h2::{Ping, PingPong};
use std::future::{pending, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When bytes last came, whatever they were.
#[derive(Clone)]
pub(crate) struct Pulse(Arc<Clock>);

struct Clock {
    began: Instant,
    last_ms: AtomicU64,
}

impl Pulse {
    /// Listens on a stream.
    pub(crate) fn of<S>(stream: S) -> (Pulse, Heard<S>) {
        let pulse = Pulse(Arc::new(Clock { began: Instant::now(), last_ms: AtomicU64::new(0) }));
        (pulse.clone(), Heard { stream, pulse })
    }

    fn beat(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_ms.store(now, Ordering::Relaxed);
    }

    fn quiet_for(&self) -> Duration {
        let last = Duration::from_millis(self.0.last_ms.load(Ordering::Relaxed));
        self.0.began.elapsed().saturating_sub(last)
    }

    /// Returns when the peer is gone without a word: nothing came for the time of `every`, and nothing after a question
    /// for that of `patience`. Asks only while `wanted` says so.
    pub(crate) async fn stops(
        self,
        pings: Option<PingPong>,
        every: Duration,
        patience: Duration,
        wanted: impl Fn() -> bool,
    ) {
        let Some(mut pings) = pings else { return pending().await };
        loop {
            let left = every.saturating_sub(self.quiet_for());
            if !left.is_zero() || !wanted() {
                tokio::time::sleep(left.max(every / 4)).await;
                continue;
            }
            // Fails when the last question has had no answer yet, which then is the one to wait for.
            let _asked = pings.send_ping(Ping::opaque());
            match tokio::time::timeout(patience, poll_fn(|cx| pings.poll_pong(cx))).await {
                Ok(Ok(_)) => {}
                // It has ended, and whoever drives it knows.
                Ok(Err(_)) => return pending().await,
                Err(_) if self.quiet_for() >= patience => return,
                Err(_) => {}
            }
        }
    }
}

/// A stream on which a pulse is heard.
pub(crate) struct Heard<S> {
    stream: S,
    pulse: Pulse,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.beat();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const EVERY: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_millis(300);

    /// Whether the pulse stopped within 40 times the interval, with a peer that does this.
    async fn stops<F: Future>(wanted: bool, peer: impl FnOnce(tokio::io::DuplexStream) -> F) -> bool {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (pulse, near) = Pulse::of(near);
        let (sender, mut connection) =
            h2::client::handshake(near).await.expect("it writes, and waits for nothing");
        let _sender: h2::client::SendRequest<bytes::Bytes> = sender;
        let stops = pulse.stops(connection.ping_pong(), EVERY, PATIENCE, || wanted);
        let all = async { tokio::join!(connection, peer(far)) };
        tokio::select! {
            () = stops => true,
            _ended = all => panic!("nobody ends the connection"),
            () = tokio::time::sleep(EVERY * 40) => false,
        }
    }

    async fn reads_nothing(far: tokio::io::DuplexStream) {
        let _far = far;
        pending::<()>().await;
    }

    async fn answers(far: tokio::io::DuplexStream) {
        let mut peer = h2::server::handshake(far).await.expect("a client");
        while peer.accept().await.is_some() {}
    }

    /// Settings, and then frames of a kind that nobody knows: it is there, and answers no question.
    async fn says_something_else(mut far: tokio::io::DuplexStream) {
        let mut sink = [0; 1 << 12];
        far.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("room");
        loop {
            tokio::time::sleep(EVERY * 3 / 2).await;
            far.write_all(&[0, 0, 0, 0xfa, 0, 0, 0, 0, 0]).await.expect("room");
            let _nothing_yet = tokio::time::timeout(Duration::from_millis(1), far.read(&mut sink)).await;
        }
    }

    #[tokio::test]
    async fn who_is_gone_without_a_word_is_noticed_and_nobody_else() {
        assert!(stops(true, reads_nothing).await);
        assert!(!stops(false, reads_nothing).await, "nobody waits for it");
        assert!(!stops(true, answers).await);
        assert!(!stops(true, says_something_else).await);
    }
}
