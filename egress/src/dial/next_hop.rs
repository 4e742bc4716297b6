//! The operator's upstream proxy. Names go to it after the decision, unresolved; when it fails, nothing goes around it.
use super::{Destination, Dialled, Failure, SetupError, Stream, secure};
use crate::{Limits, UpstreamProxy, tls};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use policy::{Host, Scheme};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// Where everything goes that leaves.
pub(crate) struct NextHop {
    host: Host,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
    handshake_time: Duration,
}

impl NextHop {
    pub(super) fn new(
        proxy: &UpstreamProxy,
        roots: &Arc<RootCertStore>,
        limits: &Limits,
    ) -> Result<NextHop, SetupError> {
        let uri: Uri = proxy.url.parse().map_err(|_| bad("is not a URL"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(bad("must begin with `http://` or `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("names no host"))?;
        let host = Host::parse(authority.host()).map_err(|e| bad(&e.to_string()))?;
        let tls =
            (scheme == Scheme::Https).then(|| tls::client(roots.clone(), &[b"http/1.1"])).transpose()?;
        Ok(NextHop {
            host,
            port: authority.port_u16().unwrap_or(scheme.default_port()),
            tls,
            authorization: authority.as_str().rsplit_once('@').map(|(user, _)| basic(user)).transpose()?,
            handshake_time: limits.handshake_time,
        })
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// `Proxy-Authorization`, for requests in absolute form.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// TLS to the proxy itself, where its URL says so.
    pub(super) async fn secure(&self, dialled: Dialled) -> Result<Dialled, Failure> {
        let Some(config) = &self.tls else { return Ok(dialled) };
        let stream = secure(dialled.stream, &self.host, config.clone(), self.handshake_time).await?;
        Ok(Dialled { stream: Box::new(stream), address: dialled.address })
    }

    /// CONNECT (RFC 9110 section 9.3.6).
    pub(super) async fn tunnel(&self, dialled: Dialled, to: &impl Destination) -> Result<Dialled, Failure> {
        let broken = |error: hyper::Error| Failure::Unreachable(format!("upstream proxy: {error}"));
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(dialled.stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(self.connect_request(to)?).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(Failure::Unreachable(format!(
                "upstream proxy answered CONNECT with {}",
                response.status()
            )));
        }
        let stream: Stream = Box::new(TokioIo::new(hyper::upgrade::on(response).await.map_err(broken)?));
        Ok(Dialled { stream, address: dialled.address })
    }

    fn connect_request(&self, to: &impl Destination) -> Result<Request<Empty<bytes::Bytes>>, Failure> {
        let authority = format!("{}:{}", to.host(), to.port());
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(&authority)
            .header(header::HOST, &authority)
            .body(Empty::new())
            .map_err(|e| Failure::Unreachable(format!("upstream proxy: {e}")))?;
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        Ok(request)
    }
}

fn basic(user_info: &str) -> Result<HeaderValue, SetupError> {
    let plain: Vec<u8> = percent_decode_str(user_info).collect();
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(plain)))
        .map_err(|_| bad("has user information that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Without the URL: it may hold a password.
fn bad(what: &str) -> SetupError {
    SetupError(format!("`upstream_proxy.url` {what}"))
}
