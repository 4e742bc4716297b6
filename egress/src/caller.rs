//! A caller of an engine: what a program inside of a bottle does to ask the egress something. Not the engine's own leg outwards.
use crate::resolve::Resolver;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use policy::Host;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes of an answer: the routes of a large manifest.
const ANSWER: usize = 4 * 1024 * 1024;

/// Knows where the egress answers as a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Caller(SocketAddr);

impl Caller {
    /// The first address of a host at which something listens.
    /// # Errors
    /// Why there is none, a clause.
    pub async fn find(host: &Host, port: u16) -> Result<Caller, String> {
        let mut last = "its name leads nowhere".to_owned();
        for ip in addresses(host).await {
            match TcpStream::connect((ip, port)).await {
                Ok(_) => return Ok(Caller(SocketAddr::new(ip, port))),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    /// One request, with an absolute URL; the answer whole.
    /// # Errors
    /// What went wrong, a clause.
    pub async fn call(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let stream = TcpStream::connect(self.0).await.map_err(|error| error.to_string())?;
        let response = talk(stream, request, ANSWER).await?;
        Ok((response.status(), response.into_body()))
    }
}

/// One request on a new connection; the answer whole, of this many bytes at most.
pub(crate) async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<Response<Bytes>, String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|error| error.to_string())?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    tokio::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        ended = connection => match ended {
            // It ended in good order: what was said on it is there.
            Ok(()) => talk.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

pub(crate) async fn addresses(host: &Host) -> Vec<IpAddr> {
    match host {
        Host::Ip(ip) => vec![*ip],
        Host::Name(name) => Resolver::new(&[]).addresses(name).await.unwrap_or_default(),
    }
}
