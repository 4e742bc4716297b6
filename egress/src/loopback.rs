//! Both ends of one HTTPS request, as small as can be: what `bottle demo` shows a bottle with, where no network and no
//! other program is at hand. Not on the way of any real request.
use crate::CertificateAuthority;
use crate::tls;
use policy::Host;
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const HEAD_LIMIT: u64 = 64 * 1024;
const ANSWER_LIMIT: u64 = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every request for this host with what `answer` makes of its head, until the runtime ends.
/// # Errors
/// When the listener or the certificate is unusable.
pub async fn serve(
    listener: TcpListener,
    ca: &CertificateAuthority,
    host: &Host,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> io::Result<()> {
    let mut config = ServerConfig::clone(&*ca.server_config(host).map_err(io::Error::other)?);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let answer = Arc::new(answer);
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
        tokio::spawn(async move {
            // A client that goes away has told so itself.
            let _gone = respond(acceptor, stream, &*answer).await;
        });
    }
}

async fn respond(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    answer: &impl Fn(&str) -> String,
) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let head = read_head(&mut stream).await?;
    let body = answer(&head);
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// Asks through a proxy for a page of this host, trusting this CA alone; the whole response, head included.
/// # Errors
/// When something on the way fails or takes too long.
pub async fn get(proxy: SocketAddr, host: &Host, path: &str, ca_pem: &str) -> io::Result<String> {
    tokio::time::timeout(PATIENCE, ask(proxy, host, path, ca_pem)).await?
}

async fn ask(proxy: SocketAddr, host: &Host, path: &str, ca_pem: &str) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    tls::add_pem(&mut roots, ca_pem).map_err(io::Error::other)?;
    let verifier = tls::verifier(roots).map_err(io::Error::other)?;
    let config = tls::client(verifier, &[b"http/1.1"]).map_err(io::Error::other)?;
    let name = tls::server_name(host).map_err(io::Error::other)?;
    let tunnel = connect(proxy, host).await?;
    let mut stream = TlsConnector::from(config).connect(name, tunnel).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut response = String::new();
    stream.take(ANSWER_LIMIT).read_to_string(&mut response).await?;
    Ok(response)
}

async fn connect(proxy: SocketAddr, host: &Host) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    stream.write_all(format!("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n").as_bytes()).await?;
    let head = read_head(&mut stream).await?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(stream),
        _ => {
            Err(io::Error::other(format!("the proxy answered `{}`", head.lines().next().unwrap_or_default())))
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() as u64 >= HEAD_LIMIT {
            return Err(io::Error::other("a head without an end"));
        }
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).map_err(io::Error::other)
}
