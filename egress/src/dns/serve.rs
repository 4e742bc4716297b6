//! The name server's sockets.
use super::answer;
use crate::names::Names;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// From the first byte of a connection to its last, unless it keeps asking.
const IDLE: Duration = Duration::from_secs(10);
/// Questions are short: a name of 255 bytes and a few options.
const MESSAGE_MAX: usize = 4096;
/// Pause after a socket error, so that a broken socket does not spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves UDP until cancelled. One answer is made at a time, without waiting for anything but the socket: a flood fills
/// the kernel's buffer, not our memory.
pub async fn serve_udp(socket: UdpSocket, names: Arc<Names>, end: CancellationToken) {
    end.run_until_cancelled(answer_datagrams(&socket, &names)).await;
}

async fn answer_datagrams(socket: &UdpSocket, names: &Names) {
    let mut buffer = [0; MESSAGE_MAX];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if let Some(answer) = answer(&buffer[..length], names) {
            // A client that is gone asks again or not at all.
            socket.send_to(&answer, client).await.ok();
        }
    }
}

/// Serves TCP (length-prefixed messages, RFC 7766; bounded in number, size and time) until cancelled.
pub async fn serve_tcp(listener: TcpListener, names: Arc<Names>, end: CancellationToken) {
    end.clone().run_until_cancelled(accept(&listener, &names, &end)).await;
}

async fn accept(listener: &TcpListener, names: &Arc<Names>, end: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (names, end) = (names.clone(), end.clone());
        tokio::spawn(async move {
            end.run_until_cancelled(converse(stream, &names)).await;
            drop(place);
        });
    }
}

async fn converse(mut stream: TcpStream, names: &Names) {
    while let Ok(Ok(true)) = tokio::time::timeout(IDLE, exchange(&mut stream, names)).await {}
}

/// One question and its answer; false when the connection is to end.
async fn exchange(stream: &mut TcpStream, names: &Names) -> std::io::Result<bool> {
    let length = usize::from(stream.read_u16().await?);
    if length > MESSAGE_MAX {
        return Ok(false);
    }
    let mut query = vec![0; length];
    stream.read_exact(&mut query).await?;
    let Some(answer) = answer(&query, names) else { return Ok(false) };
    let mut framed = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    framed.extend(answer);
    stream.write_all(&framed).await?;
    Ok(true)
}
