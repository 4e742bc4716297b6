//! Peers that say exactly what a test wants, by either version.
use super::world::{Io, World};
use bytes::Bytes;
use h2::server::SendResponse;
use http::Request;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Reads up to the end of a head.
pub(crate) async fn read_head(stream: &mut Io) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte =
            tokio::time::timeout(Duration::from_secs(5), stream.read_u8()).await.expect("a head in time");
        head.push(byte.unwrap_or_else(|_| panic!("an end in {}", String::from_utf8_lossy(&head))));
    }
    String::from_utf8(head).unwrap()
}

/// Everything up to the end, and whether that was a clean one.
pub(crate) async fn read_to_end(stream: &mut Io) -> (Vec<u8>, bool) {
    let (mut all, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let read = tokio::time::timeout(Duration::from_secs(8), stream.read(&mut buffer)).await;
        match read.unwrap_or_else(|_| panic!("no end after {}", String::from_utf8_lossy(&all))) {
            Ok(0) => return (all, true),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(_) => return (all, false),
        }
    }
}

/// Serves every request of an h2 connection with `serve`, each in a task of its own.
pub(crate) async fn h2_server<F, S>(stream: Io, serve: S)
where
    S: Fn(Request<h2::RecvStream>, SendResponse<Bytes>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    // `h2` measures by this how many small frames may wait.
    let mut builder = h2::server::Builder::new();
    let shaken = builder.initial_connection_window_size(1 << 20).handshake(stream).await;
    let Ok(mut connection) = shaken else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(serve(request, respond));
    }
}

/// A connection of an agent that speaks h2.
pub(crate) async fn h2_client(world: &World, host: &str) -> h2::client::SendRequest<Bytes> {
    let stream = world.tls_as(&format!("{host}:443"), host, &[b"h2"]).await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    // Ends with the test.
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// One GET by h2: status and body.
pub(crate) async fn h2_text(world: &World, host: &str) -> (u16, String) {
    let mut client = h2_client(world, host).await;
    let request = Request::get(format!("https://{host}/")).body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = answer.await.expect("an answer");
    let (status, mut body, mut all) = (answer.status().as_u16(), answer.into_body(), Vec::new());
    while let Some(data) = body.data().await {
        let data = data.expect("a whole body");
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    (status, String::from_utf8(all).unwrap())
}

/// Writes, as far as the other side lets it.
pub(crate) async fn write(stream: &mut Io, bytes: impl AsRef<[u8]>) {
    // Whoever is hung up on learns it by reading.
    let _cut = stream.write_all(bytes.as_ref()).await;
    let _cut = stream.flush().await;
}
