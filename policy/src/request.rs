//! The canonical facts of a request.
use crate::host::Authority;
use crate::text::quoted;
use crate::{Denial, DenialCode, Host, HostError, NormalPath};
use serde::{Deserialize, Serialize};

/// Longer targets are refused whole; nothing is ever cut.
pub const MAX_TARGET: usize = 64 * 1024;
const MAX_METHOD: usize = 32;

/// The scheme of a request. WebSocket handshakes are requests of the scheme they run over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A method: an upper-case token (RFC 9110 section 9.1). Methods are case-sensitive; `get` is not `GET` and is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Method(Box<str>);

impl Method {
    /// Parses a method token that begins with a letter, of at most 32 upper-case letters, digits or `-`.
    /// # Errors
    /// A clause that says why it is none.
    pub fn parse(text: &str) -> Result<Method, &'static str> {
        let known = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if text.len() > MAX_METHOD {
            return Err("a method has at most 32 characters");
        }
        if text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(known) {
            Ok(Method(text.into()))
        } else {
            Err("a method is a word of upper-case letters, digits and `-`")
        }
    }
    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TryFrom<String> for Method {
    type Error = String;
    fn try_from(text: String) -> Result<Method, String> {
        Method::parse(&text).map_err(str::to_owned)
    }
}
impl From<Method> for String {
    fn from(method: Method) -> String {
        method.0.into()
    }
}

/// What is judged. Made in one place, from wire facts; whoever holds one holds it in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of the connection it came on.
    pub scheme: Scheme,
    /// From the target; equal to CONNECT target, SNI and Host where there are several ([`Request::agree`]).
    pub host: Host,
    /// Destination port.
    pub port: u16,
    /// As sent.
    pub method: Method,
    /// Normal form of the path.
    pub path: NormalPath,
    /// Raw query without `?`, as sent (checked for control bytes and length only).
    pub query: Option<Box<str>>,
    /// The raw origin-form target (`/path?query`, or `*` for OPTIONS), what will be sent: equal in meaning to
    /// `path` + `query`.
    pub target: Box<str>,
}

impl Request {
    /// From wire facts. `target` is origin-form (or `*` for OPTIONS). CONNECT is no request to an origin and is
    /// refused; the extended CONNECT of WebSocket over h2 is judged as the GET that it stands for (RFC 8441).
    /// # Errors
    /// A [`Denial`] of code `malformed-request` when any part is not unambiguous, `limit-exceeded` when it is too long.
    pub fn new(
        scheme: Scheme,
        host: Host,
        port: u16,
        method: &str,
        target: &str,
    ) -> Result<Request, Box<Denial>> {
        read(method, target)
            .map(|(method, path, query)| {
                let (host, target) = (host.clone(), target.into());
                Request { scheme, host, port, method, path, query, target }
            })
            .map_err(|denial| Box::new(denial.with_destination(host, port)))
    }

    /// Parses an absolute URL (`bottle explain`, absolute-form). User info and fragments are refused, and nothing is
    /// repaired on the way. `ws` and `wss` mean the scheme they run over.
    /// # Errors
    /// As [`Request::new`].
    pub fn from_url(method: &str, url: &str) -> Result<Request, Box<Denial>> {
        let (scheme, rest) = split_scheme(url)
            .ok_or_else(|| malformed(&format!("{} is no http or https URL", quoted(url, 200))))?;
        let (authority, target) = split_authority(rest);
        let authority = Authority::parse(authority).map_err(|error| bad_authority(&error))?;
        let port = authority.port.unwrap_or(scheme.default_port());
        Request::new(scheme, authority.host, port, method, &target)
    }

    /// Checks that the authority of `Host`/`:authority` (raw text) names this request's host and port. A port that is
    /// not written agrees: some clients leave out even an unusual one, and what was asked for says where this goes.
    /// # Errors
    /// A [`Denial`] of code `authority-mismatch` or `malformed-request`.
    pub fn agree(&self, authority: &str) -> Result<(), Box<Denial>> {
        let named =
            Authority::parse(authority).map_err(|error| self.with_destination(bad_authority(&error)))?;
        if named.host == self.host && named.port.is_none_or(|port| port == self.port) {
            return Ok(());
        }
        Err(self.with_destination(self.mismatch(authority)))
    }

    fn mismatch(&self, authority: &str) -> Denial {
        let (named, host, port) = (quoted(authority, 200), &self.host, self.port);
        let sentence = format!(
            "the request names {named} but its connection leads to `{host}:{port}`; both must be the same"
        );
        Denial::new(DenialCode::AuthorityMismatch, sentence)
    }

    fn with_destination(&self, denial: Denial) -> Box<Denial> {
        Box::new(denial.with_destination(self.host.clone(), self.port))
    }

    /// `https://host[:port]/path` without the query, for people.
    pub fn display_url(&self) -> String {
        let (scheme, host, path) = (self.scheme.as_str(), &self.host, self.path.as_str());
        let path = if path == "*" { "" } else { path };
        if self.port == self.scheme.default_port() {
            format!("{scheme}://{host}{path}")
        } else {
            format!("{scheme}://{host}:{}{path}", self.port)
        }
    }
}

type Parts = (Method, NormalPath, Option<Box<str>>);

fn read(method: &str, target: &str) -> Result<Parts, Denial> {
    if target.len() > MAX_TARGET {
        let sentence =
            format!("the request target is longer than {MAX_TARGET} bytes; nothing of it was sent");
        return Err(Denial::new(DenialCode::LimitExceeded, sentence));
    }
    let method = Method::parse(method).map_err(malformed)?;
    check_method(&method, target).map_err(malformed)?;
    let (path, query) = read_target(target).map_err(malformed)?;
    Ok((method, path, query))
}

fn check_method(method: &Method, target: &str) -> Result<(), &'static str> {
    match method.as_str() {
        "CONNECT" => Err("there are no tunnels inside a connection; ask for each host by its own connection"),
        method if target == "*" && method != "OPTIONS" => Err("the target `*` belongs to OPTIONS"),
        _ => Ok(()),
    }
}

fn read_target(target: &str) -> Result<(NormalPath, Option<Box<str>>), &'static str> {
    if target == "*" {
        return Ok((NormalPath::asterisk(), None));
    }
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    query.map_or(Ok(()), check_query)?;
    Ok((NormalPath::parse(path)?, query.map(Into::into)))
}

/// No route judges a query, so it needs no normal form; it only must not end the request line, or hide a fragment.
fn check_query(query: &str) -> Result<(), &'static str> {
    if query.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err("the query has a blank or a control character");
    }
    if query.contains('#') {
        return Err("the target has a fragment");
    }
    Ok(())
}

/// Scheme names ignore case (RFC 3986 section 3.1).
fn split_scheme(url: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = url.split_once("://")?;
    match name.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some((Scheme::Http, rest)),
        "https" | "wss" => Some((Scheme::Https, rest)),
        _ => None,
    }
}

/// The target is `/` and what followed when the URL has no path of its own. What stands in the wrong place stays in the
/// authority or the target, where it is refused.
fn split_authority(rest: &str) -> (&str, std::borrow::Cow<'_, str>) {
    match rest.find(['/', '?']).and_then(|at| rest.split_at_checked(at)) {
        Some((authority, target)) if target.starts_with('/') => (authority, target.into()),
        Some((authority, query)) => (authority, format!("/{query}").into()),
        None => (rest, "/".into()),
    }
}

fn malformed(why: &str) -> Denial {
    Denial::new(DenialCode::MalformedRequest, format!("the request is not clear: {why}"))
}

fn bad_authority(error: &HostError) -> Denial {
    malformed(&error.to_string())
}
