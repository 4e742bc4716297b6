//! A stream of bytes to an engine, whatever it goes over.
use super::names;
use crate::SandboxError;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Anything that reads and writes.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

/// One connection.
pub(super) struct Stream(Box<dyn Bytes>);

impl Stream {
    pub(super) fn new(bytes: impl Bytes + 'static) -> Stream {
        Stream(Box::new(bytes))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}

pub(super) async fn unix(path: &Path) -> Result<Stream, SandboxError> {
    let connected = UnixStream::connect(path).await;
    connected.map(Stream::new).map_err(|error| unix_refused(path, &error))
}

fn unix_refused(path: &Path, error: &io::Error) -> SandboxError {
    let place = path.display();
    let failed = SandboxError::new(format!("cannot connect to the engine at `unix://{place}`: {error}"));
    failed.with_hint(match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket: start the engine (`sudo systemctl start docker`), or look at `DOCKER_HOST` and \
             `docker context ls`",
        io::ErrorKind::PermissionDenied => {
            "this user may not speak to that engine: join its group (`sudo usermod -aG docker $USER`, then log in \
             again; its members are as good as root), or use a rootless engine: \
             `dockerd-rootless-setuptool.sh install`, or Podman with `systemctl --user start podman.socket`"
        }
        io::ErrorKind::ConnectionRefused => {
            "the socket is there and nobody listens: start the engine (`sudo systemctl start docker`)"
        }
        _ => "look whether that is the engine's socket",
    })
}

/// Tries the addresses of a name in their order.
pub(super) async fn tcp(host: &str, port: u16) -> Result<TcpStream, SandboxError> {
    let mut last = None;
    for address in names::addresses(host).await? {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => {
                // Small requests one after the other: waiting for more to send only costs.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(|| "the name has no address".to_owned(), |error| error.to_string());
    Err(SandboxError::new(format!("cannot connect to the engine at `tcp://{host}:{port}`: {why}")).with_hint(
        "look whether the engine listens there (`dockerd -H tcp://…`), and at the firewall between",
    ))
}
