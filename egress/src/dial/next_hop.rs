//! The operator's upstream proxy. Names go to it after the decision, unresolved; when it fails, nothing goes around it.
use super::connect::{self, connect};
use super::{Destination, Dialled, Failure, SetupError, secure};
use crate::tls::{self, Roots};
use crate::{Limits, ProxyAuth, UpstreamProxy, fresh};
use http::{HeaderMap, HeaderValue, Uri, header};
use policy::{Host, ProxyException, Scheme};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Where everything goes that leaves, but for the exceptions.
pub(crate) struct NextHop {
    host: Host,
    port: u16,
    /// By which its own certificate is verified, where its URL wants TLS.
    roots: Option<Roots>,
    tls: OnceCell<Arc<ClientConfig>>,
    auth: Option<ProxyAuth>,
    except: Vec<ProxyException>,
    handshake_time: Duration,
}

impl NextHop {
    pub(super) fn new(proxy: &UpstreamProxy, roots: &Roots, limits: &Limits) -> Result<NextHop, SetupError> {
        let uri: Uri = proxy.url.parse().map_err(|_| bad("is not a URL"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(bad("must begin with `http://` or `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("must not hold a user name or password; they belong into `upstream_proxy.auth`"));
        }
        let host = Host::parse(authority.host()).map_err(|e| bad(&e.to_string()))?;
        Ok(NextHop {
            host,
            port: authority.port_u16().unwrap_or(scheme.default_port()),
            roots: (scheme == Scheme::Https).then(|| own_roots(proxy, roots)).transpose()?,
            tls: OnceCell::new(),
            auth: proxy.auth.clone(),
            except: proxy.except.clone(),
            handshake_time: limits.handshake_time,
        })
    }

    /// Whether a host goes through it. Judged by the host as it was asked for; nothing is looked up.
    pub(super) fn takes(&self, host: &Host) -> bool {
        !self.except.iter().any(|exception| exception.covers(host))
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// `Proxy-Authorization` as it is now, for CONNECT and for requests in absolute form.
    pub(crate) async fn authorization(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(ProxyAuth { username, slot, vault }) = &self.auth else { return Ok(None) };
        let unfit = |why: String| Failure::Proxy(format!("its password ({slot}) is not to be had: {why}"));
        let secret = fresh::current(vault, *slot).await.map_err(unfit)?;
        let value = credentials::proxy_authorization(*slot, username, &secret);
        value.map(Some).map_err(|error| unfit(error.to_string()))
    }

    /// What a 407 means that came back for a request in absolute form.
    pub(crate) fn unauthorized(was_sent: bool, headers: &HeaderMap) -> Failure {
        let values = headers.get_all(header::PROXY_AUTHENTICATE);
        connect::unauthorized(was_sent, values.iter().any(|value| connect::offers_basic(value.as_bytes())))
    }

    /// TLS to the proxy itself, where its URL says so.
    pub(super) async fn secure(&self, dialled: Dialled) -> Result<Dialled, Failure> {
        let Some(roots) = &self.roots else { return Ok(dialled) };
        let config = self.tls.get_or_try_init(|| own_tls(roots)).await?;
        let stream = secure(dialled.stream, &self.host, Arc::clone(config), self.handshake_time).await?;
        Ok(Dialled { stream: Box::new(stream), address: dialled.address })
    }

    /// A tunnel to the destination.
    pub(super) async fn tunnel(&self, dialled: Dialled, to: &impl Destination) -> Result<Dialled, Failure> {
        let authority = format!("{}:{}", to.host(), to.port());
        let authorization = self.authorization().await?;
        let stream = connect(dialled.stream, &authority, authorization.as_ref()).await?;
        Ok(Dialled { stream, address: dialled.address })
    }
}

/// The proxy's own certificate is verified by its own roots and no others, where it has some. What it signs for others
/// (its interception CA) does not count for it.
fn own_roots(proxy: &UpstreamProxy, roots: &Roots) -> Result<Roots, SetupError> {
    proxy.roots_pem.as_ref().map_or_else(|| Ok(roots.clone()), |pem| Roots::only(pem))
}

async fn own_tls(roots: &Roots) -> Result<Arc<ClientConfig>, Failure> {
    tls::client(roots.verifier().await?, &[b"http/1.1"]).map_err(|error| Failure::Certificate(error.0))
}

/// Without the URL: it may hold a password.
fn bad(what: &str) -> SetupError {
    SetupError(format!("`upstream_proxy.url` {what}"))
}
