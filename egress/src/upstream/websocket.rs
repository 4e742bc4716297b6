//! WebSocket handshakes with upstreams (RFC 6455, RFC 8441), on connections of their own.
use super::{Answer, Client, PoolIdentity, WsAnswer, body_of, request};
use crate::body::{Body, empty};
use crate::dial::{Dialled, Failure, secure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::{Denial, Permitted, Scheme};
use sha1::{Digest, Sha1};
use std::net::SocketAddr;
use std::sync::Arc;

/// `Sec-WebSocket-Accept` for a client's `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
pub fn websocket_accept(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

impl Client {
    /// Shakes hands for a WebSocket, over HTTP/1.1 or, where the upstream speaks nothing else, RFC 8441. The hop's own
    /// headers (`Connection`, `Upgrade`, `Sec-WebSocket-Key`, `-Version`) are made here; pass the rest. The connection
    /// is its own, so the pool identity does not matter yet.
    /// # Errors
    /// As [`Client::send`].
    pub async fn websocket(
        &self,
        permitted: &Permitted,
        _: PoolIdentity,
        request: Request<()>,
    ) -> Result<WsAnswer, Box<Denial>> {
        let dialled = self.0.dialer.connect(permitted).await?;
        let address = dialled.address;
        let shaken = if permitted.request().scheme == Scheme::Http {
            over_h1(dialled, permitted, request).await
        } else {
            match self.open_h1(dialled, permitted).await {
                Ok(opened) => over_h1(opened, permitted, request).await,
                Err(Failure::NoProtocol(_)) => self.over_h2(permitted, request).await,
                Err(failure) => Err(failure),
            }
        };
        shaken.map(|shaken| shaken.into_answer(address)).map_err(|failure| failure.denial(permitted))
    }

    async fn open_h1(&self, dialled: Dialled, permitted: &Permitted) -> Result<Dialled, Failure> {
        let config = Arc::clone(&self.0.tls_h1);
        let stream = secure(dialled.stream, &permitted.request().host, config, self.0.handshake_time).await?;
        Ok(Dialled { stream: Box::new(stream), address: dialled.address })
    }

    async fn over_h2(&self, permitted: &Permitted, request: Request<()>) -> Result<Shaken, Failure> {
        let dialled = self
            .0
            .dialer
            .connect(permitted)
            .await
            .map_err(|denial| Failure::unreachable(&denial.to_string()))?;
        let config = Arc::clone(&self.0.tls_h2);
        let stream = secure(dialled.stream, &permitted.request().host, config, self.0.handshake_time).await?;
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake::<_, Body>(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(async move { drop(connection.await) });
        sender.ready().await.map_err(broken)?;
        let response = sender.send_request(extended_connect(permitted, request)).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Ok(Shaken::Refused(response));
        }
        Shaken::upgraded(response).await
    }
}

fn broken(error: hyper::Error) -> Failure {
    Failure::unreachable(&format!("WebSocket handshake: {error}"))
}

enum Shaken {
    Switched(Response<()>, TokioIo<hyper::upgrade::Upgraded>),
    Refused(Response<Incoming>),
}

impl Shaken {
    async fn upgraded(mut response: Response<Incoming>) -> Result<Shaken, Failure> {
        let stream = hyper::upgrade::on(&mut response).await.map_err(broken)?;
        let mut head = response.map(drop);
        *head.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for own in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT] {
            head.headers_mut().remove(own);
        }
        Ok(Shaken::Switched(head, TokioIo::new(stream)))
    }

    fn into_answer(self, address: SocketAddr) -> WsAnswer {
        match self {
            Shaken::Switched(head, stream) => WsAnswer::Switched { head, stream: Box::new(stream), address },
            Shaken::Refused(response) => WsAnswer::Refused(Answer { response: body_of(response), address }),
        }
    }
}

async fn over_h1(dialled: Dialled, permitted: &Permitted, request: Request<()>) -> Result<Shaken, Failure> {
    let (mut sender, connection) =
        http1::Builder::new().handshake::<_, Body>(TokioIo::new(dialled.stream)).await.map_err(broken)?;
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let response = sender.send_request(upgrade(permitted, request, &key)).await.map_err(broken)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Shaken::Refused(response));
    }
    let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(websocket_accept(key.as_bytes()).as_bytes()) {
        return Err(Failure::unreachable(
            "WebSocket handshake: the upstream's Sec-WebSocket-Accept is wrong",
        ));
    }
    Shaken::upgraded(response).await
}

fn upgrade(permitted: &Permitted, request: Request<()>, key: &str) -> Request<Body> {
    let mut request = request::shape(request.map(|()| empty()), permitted, false, None);
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    request
}

fn extended_connect(permitted: &Permitted, request: Request<()>) -> Request<Body> {
    let mut request = request.map(|()| empty());
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = request::absolute(permitted, &request::authority(permitted), path);
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(header::HOST);
    request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
    request.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
    request
}
