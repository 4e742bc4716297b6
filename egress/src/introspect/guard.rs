//! Who may ask here: programs of the bottle. A page of another site that a browser in the bottle shows may not, neither by a
//! form nor by a script nor by a name of its own that leads here.
use super::page::problem;
use crate::body::Body;
use crate::names::is_own_name;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use policy::Authority;

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It names another host.
    Host,
    /// A page of another site sent it.
    Origin,
}

impl Foreign {
    pub(super) fn response(self) -> Response<Body> {
        let (code, sentence) = match self {
            Foreign::Host => {
                ("foreign-host", "this host is called `_egress.local`, and answers to no other name")
            }
            Foreign::Origin => {
                ("foreign-origin", "a page of another site sent this; only programs of the bottle may ask")
            }
        };
        problem(StatusCode::FORBIDDEN, code, sentence)
    }
}

/// Whether a request comes from a program, or from a page of this host.
pub(super) fn same_site<B>(request: &Request<B>) -> Result<(), Foreign> {
    let headers = request.headers();
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let named = headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    if !target.into_iter().chain(named).all(is_own_authority) {
        return Err(Foreign::Host);
    }
    if !headers.get_all(header::ORIGIN).iter().all(is_own_origin) {
        return Err(Foreign::Origin);
    }
    // A link that somebody follows to a page that is only read does no harm.
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let from = |value: &HeaderValue| ["same-origin", "none"].iter().any(|own| value == own);
    if !reads && !headers.get_all("sec-fetch-site").iter().all(from) {
        return Err(Foreign::Origin);
    }
    Ok(())
}

fn is_own_authority(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    Authority::parse(text).is_ok_and(|authority| authority.host.name().is_some_and(is_own_name))
}

/// `null`, which sandboxed frames and files send, is nobody's own.
fn is_own_origin(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let authority = bytes.strip_prefix(b"http://").or_else(|| bytes.strip_prefix(b"https://"));
    authority.is_some_and(is_own_authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &str, url: &str, headers: &[(&str, &str)]) -> Result<(), Foreign> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        same_site(&request.body(()).expect("a request"))
    }

    #[test]
    fn programs_and_own_pages_may() {
        for headers in [
            &[("host", "_egress.local")][..],
            &[("host", "egress:9099")],
            &[("host", "_egress.local:443"), ("origin", "https://_egress.local")],
            &[("host", "_egress.local"), ("origin", "http://egress:9099"), ("sec-fetch-site", "same-origin")],
            &[],
        ] {
            assert_eq!(judged("POST", "/ask", headers), Ok(()), "{headers:?}");
        }
        assert_eq!(judged("POST", "http://_egress.local/ask", &[("host", "_egress.local")]), Ok(()));
    }

    #[test]
    fn another_name_that_leads_here_may_not() {
        for host in
            ["evil.example", "198.18.0.2", "_egress.local.evil.example", "_egress.local@evil.example", ""]
        {
            assert_eq!(judged("GET", "/", &[("host", host)]), Err(Foreign::Host), "{host}");
        }
        assert_eq!(judged("GET", "http://_egress.local/", &[("host", "evil.example")]), Err(Foreign::Host));
        assert_eq!(judged("GET", "http://evil.example/", &[("host", "_egress.local")]), Err(Foreign::Host));
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        for origin in
            ["http://evil.example", "null", "http://_egress.local.evil.example", "file://", "_egress.local"]
        {
            let headers = [("host", "_egress.local"), ("origin", origin)];
            assert_eq!(judged("POST", "/ask", &headers), Err(Foreign::Origin), "{origin}");
            assert_eq!(judged("GET", "/", &headers), Err(Foreign::Origin), "{origin}");
        }
        for site in ["cross-site", "same-site", "sideways"] {
            let headers = [("host", "_egress.local"), ("sec-fetch-site", site)];
            assert_eq!(judged("POST", "/ask", &headers), Err(Foreign::Origin), "{site}");
            assert_eq!(judged("GET", "/", &headers), Ok(()), "a link that is followed: {site}");
        }
    }
}
