//! A TCP connection that does not wait for ever for a peer that reads nothing.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// Exchanges and tunnels end first and say why; this is for what they have handed on.
const AFTER: Duration = Duration::from_secs(2);

/// Reads without a limit, which others set; a write fails when the peer takes nothing for the idle time.
pub(crate) struct Socket {
    tcp: TcpStream,
    limit: Duration,
    cut: CancellationToken,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// If it is dropped after `cut`, the peer gets a reset: an end would look like the end of what it was reading.
    pub(crate) fn new(tcp: TcpStream, idle: Duration, cut: CancellationToken) -> Socket {
        Socket { tcp, limit: idle + AFTER, cut, stuck: None }
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stuck
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing")))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.cut.is_cancelled() {
            // A socket that takes no options has been reset already.
            let _gone = socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.in_time(cx, written)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.in_time(cx, written)
    }
    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair(idle: Duration, cut: CancellationToken) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let far = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (near, _) = listener.accept().await.expect("it was dialled");
        (Socket::new(near, idle, cut), far)
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up_and_a_slow_one_is_not() {
        let (mut near, mut far) = pair(Duration::from_millis(200), CancellationToken::new()).await;
        let slow = tokio::spawn(async move {
            let mut buffer = vec![0; 4 << 20];
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(400)).await;
                far.read_exact(&mut buffer).await.expect("there is more");
            }
            far
        });
        let piece = vec![0; 1 << 20];
        for _ in 0..33 {
            near.write_all(&piece).await.expect("it is slow, and it reads");
        }
        let _far = slow.await.expect("it read");
        let began = std::time::Instant::now();
        let given_up = async { while near.write_all(&piece).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), given_up).await.expect("not for ever");
        assert!(began.elapsed() >= AFTER);
    }

    #[tokio::test]
    async fn a_cut_is_a_reset_and_an_end_is_an_end() {
        for cut in [false, true] {
            let token = CancellationToken::new();
            let (near, mut far) = pair(Duration::from_secs(60), token.clone()).await;
            if cut {
                token.cancel();
            }
            drop(near);
            assert_eq!(far.read(&mut [0]).await.is_err(), cut);
        }
    }
}
