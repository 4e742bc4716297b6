//! A proxy made of the library hudsucker, as its own example makes one, with what a careful user adds: certificates verified
//! against roots of one's own, and TCP_NODELAY on both legs, without which its first answers wait 40 ms.
//!
//! `hudsucker-peer UPSTREAM FOLDER`: whatever is asked for, connections go to the address UPSTREAM; FOLDER has `middle.pem`,
//! `middle.key` (what it signs with) and `upstream.pem` (what it trusts).
use anyhow::{Context, Result};
use hudsucker::Proxy;
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::rcgen::{Issuer, KeyPair};
use hyper::Uri;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use socket2::{Domain, Socket, Type};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use tokio::net::TcpStream;
use tower_service::Service;

/// Connects to one address, whatever the name.
#[derive(Clone)]
struct ToUpstream(SocketAddr);

impl Service<Uri> for ToUpstream {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = self.0;
        Box::pin(async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            Ok(TokioIo::new(tcp))
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (upstream, folder) =
        arguments.next().zip(arguments.next()).context("usage: hudsucker-peer UPSTREAM FOLDER")?;
    let folder = Path::new(&folder);
    let key = KeyPair::from_pem(&std::fs::read_to_string(folder.join("middle.key"))?)?;
    let issuer = Issuer::from_ca_cert_pem(&std::fs::read_to_string(folder.join("middle.pem"))?, key)?;
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls(folder)?)
        .https_only()
        .enable_http1()
        .enable_http2()
        .wrap_connector(ToUpstream(upstream.parse()?));
    let listener = listener()?;
    let address = listener.local_addr()?;
    let proxy = Proxy::builder()
        .with_listener(listener)
        .with_ca(RcgenAuthority::new(issuer, 10_000, aws_lc_rs::default_provider()))
        .with_http_connector(connector)
        .build()?;
    println!("listening on {address}");
    Ok(proxy.start().await?)
}

fn tls(folder: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(folder.join("upstream.pem"))? {
        roots.add(certificate?)?;
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Connections take TCP_NODELAY over from the socket that accepted them.
fn listener() -> Result<tokio::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(4096)?;
    Ok(tokio::net::TcpListener::from_std(socket.into())?)
}
