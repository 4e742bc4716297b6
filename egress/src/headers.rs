//! Which headers end at a hop.
use http::{HeaderMap, HeaderName, HeaderValue, header};
use policy::{Denial, DenialCode, Route};

/// Names that speak to the next hop only (RFC 9110 7.6.1 and what stands in its place in the wild).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Names by which some origins take another method or target for the one that was judged.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Names that only we may say.
pub(crate) const DECISION: HeaderName = HeaderName::from_static("bottle-decision");
/// The id of the exchange, for `/why/<id>`.
pub(crate) const EXCHANGE: HeaderName = HeaderName::from_static("bottle-exchange");

/// Headers that `Connection` may not take away: what is judged or framed with them.
const NOT_BY_CONNECTION: [&str; 6] =
    ["host", "content-length", "content-encoding", "content-type", "transfer-encoding", "authorization"];

/// Strips a request for the next hop; `te: trailers` stays (gRPC).
/// # Errors
/// The header that `Connection` names and must not.
pub(crate) fn strip_request(headers: &mut HeaderMap) -> Result<(), &'static str> {
    let trailers = headers.get_all(header::TE).iter().any(says_trailers);
    strip_named(headers)?;
    strip_hop(headers);
    // The expectation is met here: the agent's body is asked for once the request is allowed.
    headers.remove(header::EXPECT);
    headers.remove("http2-settings");
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    Ok(())
}

/// Bytes of header or trailer lines, as HTTP/1.1 would write them.
pub(crate) fn size_of_fields(fields: &HeaderMap) -> u64 {
    fields.iter().map(|(name, value)| (name.as_str().len() + value.len() + 4) as u64).sum()
}

/// Where a route limits what may be asked for, nothing may ask for something else on the side.
/// # Errors
/// When a header does.
pub(crate) fn overrides(route: &Route, headers: &HeaderMap) -> Result<(), Box<Denial>> {
    if route.methods.is_none() && route.paths.is_none() {
        return Ok(());
    }
    // CGI and its heirs read `X_Rewrite_Url` as `X-Rewrite-Url` (RFC 3875 section 4.1.18).
    let overriding = |name: &&HeaderName| {
        name.as_str().starts_with('x') && OVERRIDES.contains(&name.as_str().replace('_', "-").as_str())
    };
    let Some(name) = headers.keys().find(overriding) else { return Ok(()) };
    let (code, what) = if name.as_str().ends_with("url") {
        (DenialCode::PathNotAllowed, "path")
    } else {
        (DenialCode::MethodNotAllowed, "method")
    };
    let sentence = format!(
        "the header `{name}` asks the origin for another {what} than the one that was judged; its route limits methods \
         or paths, so send the request without it, as what it is meant to be"
    );
    Err(Box::new(Denial::new(code, sentence)))
}

/// What gRPC says behind its messages (its HTTP/2 protocol, section Responses).
const GRPC_TRAILERS: HeaderValue =
    HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin");

/// HTTP/1.1 is given those trailers that the head announced; upstreams that speak HTTP/2 announce none.
pub(crate) fn announce_trailers<B>(mut response: http::Response<B>) -> http::Response<B> {
    let kind = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if kind.starts_with(b"application/grpc") && !response.headers().contains_key(header::TRAILER) {
        response.headers_mut().insert(header::TRAILER, GRPC_TRAILERS);
    }
    response
}

/// Strips an answer: hop-by-hop, what only the egress may say, and hints at ways around it.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    // An upstream that names what it must not names it in vain.
    if strip_named(headers).is_err() {
        headers.remove(header::CONNECTION);
    }
    strip_hop(headers);
    headers.remove(header::ALT_SVC);
    headers.remove(DECISION);
    headers.remove(EXCHANGE);
}

fn strip_hop(headers: &mut HeaderMap) {
    remove_named(headers, &HOP_BY_HOP);
}

/// Removes headers by small letters: what is there is looked at once, nothing is sought for each name.
pub(crate) fn remove_named(headers: &mut HeaderMap, names: &[&str]) {
    let named = |name: &&HeaderName| names.contains(&name.as_str());
    let there: Vec<HeaderName> = headers.keys().filter(named).cloned().collect();
    for name in there {
        headers.remove(name);
    }
}

fn strip_named(headers: &mut HeaderMap) -> Result<(), &'static str> {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in &named {
        if let Some(kept) = NOT_BY_CONNECTION.into_iter().find(|kept| kept == name) {
            return Err(kept);
        }
    }
    for name in named {
        headers.remove(name);
    }
    Ok(())
}

fn says_trailers(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.split(',').any(|item| item.trim().eq_ignore_ascii_case("trailers")))
}

/// Whether the header's values, as a list, hold this token.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_connection_names_goes() {
        let mut headers = map(&[
            ("connection", "close, X-One"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("proxy-authorization", "x"),
        ]);
        strip_request(&mut headers).expect("nothing forbidden is named");
        assert_eq!(headers, map(&[("x-two", "2")]));
    }

    #[test]
    fn connection_cannot_take_what_is_judged() {
        strip_request(&mut map(&[("connection", "Content-Length")]))
            .expect_err("framing is not for hops to take");
    }

    #[test]
    fn grpc_keeps_its_te() {
        let mut headers = map(&[("te", "trailers, deflate")]);
        strip_request(&mut headers).expect("nothing is named");
        assert_eq!(headers, map(&[("te", "trailers")]));
    }

    #[test]
    fn an_upstream_cannot_speak_as_the_egress() {
        let mut headers = map(&[
            ("bottle-decision", "denied; code=x"),
            ("bottle-exchange", "1"),
            ("alt-svc", "h3=\":443\""),
        ]);
        strip_response(&mut headers);
        assert!(headers.is_empty());
    }
}
