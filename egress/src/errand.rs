//! An errand of the operator's own programs: a request to a server that the operator named (`bottle export`). No route judges it
//! and no agent comes near it; TLS is verified as everywhere.
use crate::caller::{addresses, talk};
use crate::tls;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use policy::Host;
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes of an answer.
const ANSWER: usize = 256 * 1024;

/// The way to one server.
pub struct Errand {
    host: Host,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

impl Errand {
    /// To this host and port; with TLS, by the roots of the system.
    /// # Errors
    /// When TLS cannot be prepared, a clause.
    pub fn to(host: Host, port: u16, secure: bool) -> Result<Errand, String> {
        let prepare = || tls::client(tls::system_verifier()?, &[b"http/1.1"]);
        let tls = secure.then(prepare).transpose().map_err(|error| error.0)?;
        Ok(Errand { host, port, tls })
    }

    /// One request on a connection of its own; the answer whole. It takes as long as it takes.
    /// # Errors
    /// What went wrong, a clause.
    pub async fn run(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, String> {
        let stream = self.connect().await?;
        let Some(config) = &self.tls else { return talk(stream, request, ANSWER).await };
        let name = tls::server_name(&self.host)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        talk(stream.map_err(|error| format!("no TLS: {error}"))?, request, ANSWER).await
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        let mut last = "its name leads nowhere".to_owned();
        for ip in addresses(&self.host).await {
            match TcpStream::connect((ip, self.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}
