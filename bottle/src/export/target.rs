//! Where a collector listens: an `http` or `https` URL, and headers from the environment.
use crate::failure::Failure;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use policy::Host;
use std::fmt;

/// The variable that OpenTelemetry's own exporters read: `name=value,name=value`, percent-encoded.
pub const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// A collector.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) scheme: &'static str,
    pub(super) host: Host,
    pub(super) port: u16,
    /// For `Host`.
    pub(super) authority: String,
    /// What stands before `/v1/traces`.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
}

impl Target {
    /// From its URL.
    /// # Errors
    /// What is wrong with it, a clause.
    pub fn parse(url: &str) -> Result<Target, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let (scheme, usual) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            _ => return Err("not a URL that begins with `http://` or `https://`".to_owned()),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
        if authority.contains('@') {
            return Err(format!("no user names and passwords in it; headers are read from `{HEADERS}`"));
        }
        if uri.query().is_some() {
            return Err("a query does not belong there".to_owned());
        }
        let host = uri.host().unwrap_or_default();
        let host = Host::parse(host).map_err(|error| error.to_string())?;
        let path = uri.path().trim_end_matches('/').to_owned();
        let port = uri.port_u16().unwrap_or(usual);
        Ok(Target { scheme, host, port, authority, path, headers: HeaderMap::new() })
    }

    /// With the headers of the environment. They are secrets as a rule: without TLS they go to this machine alone.
    /// # Errors
    /// When they cannot be read, or would go over a network in the clear.
    pub fn with_headers(mut self, text: &str) -> Result<Target, Failure> {
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = header(pair).ok_or_else(|| {
                Failure::new(format!("`{HEADERS}` is no list of `name=value`, with commas"))
            })?;
            self.headers.append(name, value);
        }
        if self.headers.is_empty() || self.is_secure() || self.is_here() {
            return Ok(self);
        }
        Err(Failure::new(format!("the headers of `{HEADERS}` would go to {self} in the clear"))
            .help("name an `https://` URL, or unset the variable"))
    }

    pub(super) fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    fn is_here(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => ip.to_canonical().is_loopback(),
            Host::Name(name) => name.to_string() == "localhost",
        }
    }
}

fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let value: Vec<u8> = percent_decode_str(value.trim()).collect();
    let mut value = HeaderValue::from_bytes(&value).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where() {
        let target = Target::parse("http://127.0.0.1:4318").expect("a target");
        assert_eq!((target.port, target.path.as_str(), target.is_secure()), (4318, "", false));
        let target = Target::parse("https://otel.example/base/").expect("a target");
        assert_eq!((target.port, target.path.as_str(), target.is_secure()), (443, "/base", true));
        assert_eq!(target.to_string(), "https://otel.example/base");
        let target = Target::parse("http://[::1]:4318/").expect("a target");
        assert!(matches!(target.host, Host::Ip(ip) if ip.is_loopback()), "{target:?}");
    }

    #[test]
    fn what_is_no_url_of_a_collector_is_refused() {
        let password = "http://ada:pw@127.0.0.1:4318";
        for url in ["127.0.0.1:4318", "ftp://a.example", "/v1/traces", "http://", password, "http://a/?b=c"] {
            assert!(Target::parse(url).is_err(), "`{url}`");
        }
    }

    #[test]
    fn headers_go_by_tls_or_stay_on_this_machine() {
        let headers = "x-key=a%20b, other=c";
        for url in ["http://127.0.0.1:4318", "http://localhost:4318", "https://otel.example"] {
            let target = Target::parse(url).and_then(|it| it.with_headers(headers).map_err(|it| it.what));
            let target = target.expect(url);
            assert_eq!((target.headers["x-key"].as_bytes(), target.headers.len()), (&b"a b"[..], 2));
            assert!(!format!("{target:?}").contains("a b"), "never shown");
        }
        let far = Target::parse("http://otel.example").expect("a target");
        assert!(
            far.clone().with_headers(headers).is_err_and(|failure| failure.what.contains("in the clear"))
        );
        assert!(far.with_headers("").is_ok());
        let near = Target::parse("http://127.0.0.1").expect("a target");
        assert!(near.with_headers("nonsense").is_err_and(|failure| !failure.what.contains("nonsense")));
    }
}
