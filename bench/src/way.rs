//! A way from the driver to the upstream: directly, or through one of the proxies that are measured.
use crate::child::Process;
use crate::pki;
use crate::workers::AHEAD;
use anyhow::{Context, Result, bail};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who is between driver and upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Nobody.
    Direct,
    /// A CONNECT proxy that copies bytes.
    Tunnel,
    /// Ends TLS on both sides and copies: what all others are compared with.
    Floor,
    /// The same, and it remembers the upstream's tickets.
    FloorResuming,
    /// `bottle egress` with rules and looking for instructions off; known values are always sought.
    OursDlpOff,
    /// `bottle egress` as it is by default.
    Ours,
    /// A proxy made of the library hudsucker.
    Hudsucker,
    /// mitmdump.
    Mitmproxy,
}

impl Who {
    /// All, in the order of tables.
    pub(crate) const ALL: [Who; 8] = [
        Who::Direct,
        Who::Tunnel,
        Who::Floor,
        Who::FloorResuming,
        Who::OursDlpOff,
        Who::Ours,
        Who::Hudsucker,
        Who::Mitmproxy,
    ];

    /// How it is called in options.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Who::Direct => "direct",
            Who::Tunnel => "tunnel",
            Who::Floor => "floor",
            Who::FloorResuming => "floor-resuming",
            Who::OursDlpOff => "ours-dlp-off",
            Who::Ours => "ours",
            Who::Hudsucker => "hudsucker",
            Who::Mitmproxy => "mitmproxy",
        }
    }

    /// How it is called in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Who::Direct => "direct",
            Who::Tunnel => "CONNECT tunnel",
            Who::Floor => "floor",
            Who::FloorResuming => "floor, resuming",
            Who::OursDlpOff => "bottle, DLP off",
            Who::Ours => "**bottle**",
            Who::Hudsucker => "hudsucker",
            Who::Mitmproxy => "mitmproxy",
        }
    }
}

/// How the driver goes.
pub(crate) struct Way {
    /// Who is in between.
    pub(crate) who: Who,
    /// Whose process, where somebody is.
    pub(crate) process: Option<Process>,
    address: SocketAddr,
    credential: String,
    h1: Arc<ClientConfig>,
    h2: Arc<ClientConfig>,
}

/// A connection through a way, ready for HTTP.
pub(crate) type Tls = TlsStream<BufReader<TcpStream>>;

impl Way {
    /// A way to `address` (of the proxy, or of the upstream when nobody is between), on which the certificates of one authority are
    /// good and no others, with the credential that the driver sends.
    pub(crate) fn new(who: Who, address: SocketAddr, ca: &Path, credential: &str) -> Result<Way> {
        // Every connection is that of another program, which has no tickets yet.
        let h1 = pki::client(ca, &[b"http/1.1"], false)?;
        let h2 = pki::client(ca, &[b"h2"], false)?;
        Ok(Way { who, process: None, address, credential: credential.to_owned(), h1, h2 })
    }

    /// With the process whose time and memory count.
    pub(crate) fn of(self, process: Process) -> Way {
        Way { process: Some(process), ..self }
    }

    /// CPU time that its process used so far; none where nobody is between.
    pub(crate) fn cpu(&self) -> Result<Option<Duration>> {
        self.process.as_ref().map(Process::cpu).transpose()
    }

    /// The head of a request, without the empty line that ends it.
    pub(crate) fn head(&self, method: &str, host: &str, path: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\
             Authorization: Bearer {}\r\n",
            self.credential
        )
    }

    /// What the driver sends as `Authorization`.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.credential)
    }

    /// A new connection for HTTP/1.1 to this host.
    pub(crate) async fn connect(&self, host: &str) -> Result<Tls> {
        self.open(host, &self.h1).await
    }

    /// A new connection for HTTP/2 to this host.
    pub(crate) async fn connect_h2(&self, host: &str) -> Result<Tls> {
        let tls = self.open(host, &self.h2).await?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            bail!("HTTP/2 was not agreed on");
        }
        Ok(tls)
    }

    async fn open(&self, host: &str, config: &Arc<ClientConfig>) -> Result<Tls> {
        let mut tcp =
            TcpStream::connect(self.address).await.with_context(|| format!("to {}", self.address))?;
        tcp.set_nodelay(true)?;
        if self.who != Who::Direct {
            tunnel(&mut tcp, host).await?;
        }
        let name = ServerName::try_from(host.to_owned())?;
        let tcp = BufReader::with_capacity(AHEAD, tcp);
        TlsConnector::from(config.clone()).connect(name, tcp).await.context("TLS")
    }
}

async fn tunnel(tcp: &mut TcpStream, host: &str) -> Result<()> {
    let request = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if tcp.read_buf(&mut head).await? == 0 || head.len() > 4096 {
            bail!("no answer to CONNECT: {}", String::from_utf8_lossy(&head));
        }
    }
    if !head.starts_with(b"HTTP/1.1 200") && !head.starts_with(b"HTTP/1.0 200") {
        bail!("CONNECT was refused: {}", String::from_utf8_lossy(&head));
    }
    Ok(())
}
