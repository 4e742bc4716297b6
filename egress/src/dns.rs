//! The bottle's name server: answers everything itself and forwards nothing.
use crate::names::Names;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Answers one query; `None`: silence (not a query at all).
pub fn answer(query: &[u8], names: &Names) -> Option<Vec<u8>> {
    let _ = (query, names);
    todo!()
}

/// Serves UDP until cancelled.
pub async fn serve_udp(socket: tokio::net::UdpSocket, names: Arc<Names>, end: CancellationToken) {
    let _ = (socket, names, end);
    todo!()
}

/// Serves TCP (length-prefixed messages, bounded in number and time) until cancelled.
pub async fn serve_tcp(listener: tokio::net::TcpListener, names: Arc<Names>, end: CancellationToken) {
    let _ = (listener, names, end);
    todo!()
}
