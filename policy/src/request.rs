//! The canonical facts of a request.
use crate::{Denial, Host, NormalPath};
use serde::{Deserialize, Serialize};

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
    /// Parses a method token of at most 32 upper-case letters, digits or `-`.
    /// # Errors
    /// A clause that says why it is none.
    pub fn parse(text: &str) -> Result<Method, &'static str> {
        let _ = text;
        todo!()
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
    /// From wire facts. `target` is origin-form.
    /// # Errors
    /// A [`Denial`] of code `malformed-request` when any part is not unambiguous.
    pub fn new(scheme: Scheme, host: Host, port: u16, method: &str, target: &str) -> Result<Request, Box<Denial>> {
        let _ = (scheme, host, port, method, target);
        todo!()
    }
    /// Parses an absolute URL (`bottle explain`, absolute-form). User info and fragments are refused.
    /// # Errors
    /// As [`Request::new`].
    pub fn from_url(method: &str, url: &str) -> Result<Request, Box<Denial>> {
        let _ = (method, url);
        todo!()
    }
    /// Checks that the authority of `Host`/`:authority` (raw text) names this request's host and port.
    /// # Errors
    /// A [`Denial`] of code `authority-mismatch` or `malformed-request`.
    pub fn agree(&self, authority: &str) -> Result<(), Box<Denial>> {
        let _ = authority;
        todo!()
    }
    /// `https://host[:port]/path` without the query, for people.
    pub fn display_url(&self) -> String {
        todo!()
    }
}
