//! What the product is measured against: the least that a proxy can do. Both understand CONNECT and nothing else of HTTP.
//!
//! - The **tunnel** copies bytes: TLS goes through it unopened.
//! - The **floor** ends TLS on both sides, with a leaf that is ready, and copies what is inside: no HTTP, no policy, no look.
use crate::workers::AHEAD;
use crate::{pki, workers};
use anyhow::{Context, Result, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Bytes that are copied at once at most: as many as four TLS records hold.
const BUFFER: usize = 64 * 1024;
/// Longest head of a CONNECT request.
const LONGEST_HEAD: usize = 4096;

/// A CONNECT proxy that copies bytes; whatever was asked for, it leads to `upstream`.
pub(crate) fn tunnel(upstream: SocketAddr) -> Result<()> {
    workers::run(move |mut client| async move {
        connect_request(&mut client).await?;
        let mut server = TcpStream::connect(upstream).await?;
        server.set_nodelay(true)?;
        client.write_all(ACCEPTED).await?;
        copy(&mut client, &mut server).await
    })
}

/// A CONNECT proxy that ends TLS on both sides and copies what is inside to a connection of its own, one for each client's.
/// With `resume` it remembers the upstream's tickets, which saves half of a handshake.
pub(crate) fn floor(upstream: SocketAddr, folder: &Path, resume: bool) -> Result<()> {
    let server = pki::server(folder, "middle", &[b"h2", b"http/1.1"])?;
    let roots = folder.join("upstream.pem");
    let h1 = pki::client(&roots, &[b"http/1.1"], resume)?;
    let h2 = pki::client(&roots, &[b"h2"], resume)?;
    let floor = Arc::new(Floor { upstream, server, h1, h2 });
    workers::run(move |client| {
        let floor = floor.clone();
        async move { floor.connection(client).await }
    })
}

struct Floor {
    upstream: SocketAddr,
    server: Arc<ServerConfig>,
    h1: Arc<ClientConfig>,
    h2: Arc<ClientConfig>,
}

impl Floor {
    async fn connection(&self, mut client: TcpStream) -> Result<()> {
        let name = connect_request(&mut client).await?;
        client.write_all(ACCEPTED).await?;
        let upstream = async {
            let tcp = TcpStream::connect(self.upstream).await?;
            tcp.set_nodelay(true)?;
            Ok::<_, anyhow::Error>(tcp)
        };
        let accepted = async {
            Ok(TlsAcceptor::from(self.server.clone()).accept(BufReader::with_capacity(AHEAD, client)).await?)
        };
        let (mut inside, tcp) = tokio::try_join!(accepted, upstream)?;
        let is_h2 = inside.get_ref().1.alpn_protocol() == Some(b"h2");
        let config = if is_h2 { self.h2.clone() } else { self.h1.clone() };
        let tcp = BufReader::with_capacity(AHEAD, tcp);
        let mut outside = TlsConnector::from(config).connect(ServerName::try_from(name)?, tcp).await?;
        copy(&mut inside, &mut outside).await
    }
}

const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

async fn copy<A, B>(one: &mut A, other: &mut B) -> Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    tokio::io::copy_bidirectional_with_sizes(one, other, BUFFER, BUFFER).await?;
    Ok(())
}

/// Reads the head of a CONNECT request; the host that it names. Clients wait for the answer before they send more.
async fn connect_request(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 || head.len() > LONGEST_HEAD {
            bail!("no request came");
        }
    }
    let head = std::str::from_utf8(&head)?;
    let target =
        head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).context("not CONNECT")?;
    Ok(target.rsplit_once(':').map_or(target, |(host, _)| host).to_owned())
}
