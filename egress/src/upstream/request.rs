//! The shape a request takes on each kind of connection.
use crate::body::{self, Body};
use crate::dial::Failure;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme as UriScheme};
use http::{HeaderValue, Method, Request, Uri, Version};
use http_body::Body as _;
use policy::Permitted;

/// Where the request goes.
#[derive(Clone)]
pub(super) enum Shape {
    /// To the origin: `GET /path`.
    Origin,
    /// To a proxy, in plain text: `GET http://host/path`.
    Absolute(Option<HeaderValue>),
}

/// A copy to send again if a kept connection turns out to be dead; only where sending twice means the same as once
/// (RFC 9110 section 9.2.2) and there is no body that could be spent.
pub(super) fn spare(request: &Request<Body>, reused: bool) -> Option<Box<Request<Body>>> {
    let twice = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE];
    if !reused || !request.body().is_end_stream() || !twice.contains(request.method()) {
        return None;
    }
    let mut copy = Request::new(body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(Box::new(copy))
}

/// As HTTP/1.1 has it.
pub(super) fn for_h1(request: &mut Request<Body>, shape: &Shape, to: &Permitted) -> Result<(), Failure> {
    let authority = authority(to);
    let path = path(request);
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(&authority).map_err(unfit)?);
    headers.remove(PROXY_AUTHORIZATION);
    if headers.contains_key(TE) {
        // `trailers` is all that is left of it here. It is a hop's own, and RFC 9110 section 10.1.4 has it say so.
        headers.append(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Shape::Absolute(Some(credentials)) = shape {
        headers.insert(PROXY_AUTHORIZATION, credentials.clone());
    }
    frame(request);
    *request.uri_mut() = match shape {
        Shape::Origin => origin(path)?,
        Shape::Absolute(_) => absolute(to, &authority, path)?,
    };
    Ok(())
}

/// A body whose length nobody knows goes out in chunks whatever the method: hyper would leave out that of a GET.
fn frame(request: &mut Request<Body>) {
    let known = request.headers().contains_key(CONTENT_LENGTH)
        || request.body().is_end_stream()
        || request.body().size_hint().exact().is_some();
    request.headers_mut().remove(TRANSFER_ENCODING);
    if !known {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// As HTTP/2 has it: the authority is in the target.
pub(super) fn for_h2<B>(request: &mut Request<B>, to: &Permitted) -> Result<(), Failure> {
    let path = path(request);
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(HOST);
    request.headers_mut().remove(TRANSFER_ENCODING);
    *request.uri_mut() = absolute(to, &authority(to), path)?;
    Ok(())
}

/// From what was judged, never from the request's own headers.
pub(super) fn authority(to: &Permitted) -> String {
    let request = to.request();
    if request.port == request.scheme.default_port() {
        request.host.to_string()
    } else {
        format!("{}:{}", request.host, request.port)
    }
}

fn path<B>(request: &Request<B>) -> PathAndQuery {
    request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

fn origin(path: PathAndQuery) -> Result<Uri, Failure> {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(unfit)
}

fn absolute(to: &Permitted, authority: &str, path: PathAndQuery) -> Result<Uri, Failure> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(match to.request().scheme {
        policy::Scheme::Http => UriScheme::HTTP,
        policy::Scheme::Https => UriScheme::HTTPS,
    });
    parts.authority = Some(authority.parse::<Authority>().map_err(unfit)?);
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(unfit)
}

fn unfit(error: impl std::fmt::Display) -> Failure {
    Failure::Unreachable(format!("the request does not fit the upstream's protocol: {error}"))
}
