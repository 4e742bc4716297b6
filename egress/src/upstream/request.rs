//! A request in the form of the version that its connection speaks.
use crate::body::Body;
use crate::dial::NextHop;
use http::uri::{PathAndQuery, Scheme as UriScheme};
use http::{HeaderValue, Request, Uri, Version, header};
use policy::Permitted;

/// `host`, or `host:port` where the port is not the scheme's own.
pub(super) fn authority(permitted: &Permitted) -> String {
    let request = permitted.request();
    if request.port == request.scheme.default_port() {
        request.host.to_string()
    } else {
        format!("{}:{}", request.host, request.port)
    }
}

/// Origin form with `Host` (h1), absolute form (to a next hop), or pseudo-headers (h2).
pub(super) fn shape(
    mut request: Request<Body>,
    permitted: &Permitted,
    h2: bool,
    hop: Option<&NextHop>,
) -> Request<Body> {
    let authority = authority(permitted);
    request.headers_mut().remove(header::HOST);
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if h2 || hop.is_some() {
        *request.uri_mut() = absolute(permitted, &authority, path);
    } else {
        *request.uri_mut() = Uri::from(path);
    }
    *request.version_mut() = if h2 { Version::HTTP_2 } else { Version::HTTP_11 };
    if !h2 && let Ok(host) = HeaderValue::from_str(&authority) {
        request.headers_mut().insert(header::HOST, host);
    }
    if let Some(value) = hop.and_then(NextHop::authorization) {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, value.clone());
    }
    request
}

pub(super) fn absolute(permitted: &Permitted, authority: &str, path: PathAndQuery) -> Uri {
    let scheme = match permitted.request().scheme {
        policy::Scheme::Http => UriScheme::HTTP,
        policy::Scheme::Https => UriScheme::HTTPS,
    };
    let whole = Uri::builder().scheme(scheme).authority(authority).path_and_query(path.clone()).build();
    whole.unwrap_or_else(|_| Uri::from(path))
}
