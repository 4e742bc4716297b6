//! Happy eyeballs (RFC 8305) over vetted addresses.
use super::Dialled;
use crate::socket::Socket;
use futures_util::stream::{FuturesUnordered, StreamExt};
use policy::Vetted;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// RFC 8305 section 8: Connection Attempt Delay.
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses tried of one name; a name with hundreds of them is no reason for hundreds of sockets.
const MOST: usize = 16;
/// A peer that vanished is noticed within some two minutes, whatever waits on the connection.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The first address that answers; the others' attempts end with the race. The error lists them all. Once connected, a
/// peer that takes nothing for `idle` is given up.
pub(super) async fn connect(vetted: Vec<Vetted>, idle: Duration) -> Result<Dialled, String> {
    let mut waiting = interleave(vetted.into_iter().map(Vetted::socket_addr)).into_iter();
    let mut running = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        if let Some(next) = waiting.next() {
            running.push(attempt(next, idle));
        }
        match next_result(&mut running, waiting.len() > 0).await {
            Some(Ok(dialled)) => return Ok(dialled),
            Some(Err(failure)) => failures.push(failure),
            None if waiting.len() == 0 && running.is_empty() => return Err(failures.join(", ")),
            None => {}
        }
    }
}

/// The next attempt to end; `None` when the head start is over or none is running.
async fn next_result<F>(running: &mut FuturesUnordered<F>, more: bool) -> Option<F::Output>
where
    F: Future,
{
    if more {
        tokio::time::timeout(HEAD_START, running.next()).await.ok().flatten()
    } else {
        running.next().await
    }
}

async fn attempt(address: SocketAddr, idle: Duration) -> Result<Dialled, String> {
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        prepare(&stream)?;
        Ok::<_, io::Error>(Socket::new(stream, idle, CancellationToken::new()))
    };
    match connected.await {
        Ok(stream) => Ok(Dialled { stream: Box::new(stream), address }),
        Err(error) => Err(format!("{address}: {error}")),
    }
}

/// Without `TCP_NODELAY` a small request waits for the acknowledgement of the one before (40 ms).
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4).with_retries(4);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// IPv6 and IPv4 in turn, beginning with the family that the resolver put first (RFC 8305 section 4).
fn interleave(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let all: Vec<SocketAddr> = addresses.take(MOST).collect();
    let first_is_v6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|n| [first.get(n), second.get(n)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let given = addresses(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1"]);
        let wanted = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "1.1.1.3:1"]);
        assert_eq!(interleave(given.into_iter()), wanted);
    }

    fn pinned(all: &[SocketAddr]) -> Vec<Vetted> {
        all.iter().copied().map(Vetted::operator_pinned).collect()
    }

    async fn listening() -> (tokio::net::TcpListener, SocketAddr) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    }

    const IDLE: Duration = Duration::from_secs(60);

    fn closed() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_at_once() {
        let (_listener, open) = listening().await;
        let began = std::time::Instant::now();
        let dialled = connect(pinned(&[closed(), closed(), open]), IDLE).await.unwrap();
        assert_eq!(dialled.address, open);
        assert!(began.elapsed() < HEAD_START, "no head start for the dead");
    }

    /// A listener whose queue is full leaves its callers without an answer, as a network that drops packets does.
    #[tokio::test]
    async fn an_address_that_is_silent_gets_a_head_start_only() {
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&addresses(&["127.0.0.1:0"])[0].into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let _filling = std::net::TcpStream::connect(silent).unwrap();
        let (_listener, open) = listening().await;
        let began = std::time::Instant::now();
        let dialled = connect(pinned(&[silent, open]), IDLE).await.unwrap();
        assert_eq!(dialled.address, open);
        assert!(began.elapsed() >= HEAD_START && began.elapsed() < HEAD_START * 4, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn the_operator_is_told_every_address_that_failed() {
        let (first, second) = (closed(), closed());
        let told = connect(pinned(&[first, second]), IDLE).await.err().unwrap();
        assert!(told.contains(&first.to_string()) && told.contains(&second.to_string()), "{told}");
        assert!(connect(Vec::new(), IDLE).await.is_err(), "nothing to dial is no success");
    }
}
