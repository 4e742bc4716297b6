//! Why not.
use crate::{Host, Request};
use serde::{Deserialize, Serialize};

/// Stable codes of refusals; what `bottle-decision: denied; code=…` carries. Serialised in kebab-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenialCode {
    /// No route names this host.
    HostNotAllowed,
    /// The host has routes, none for this port.
    PortNotAllowed,
    /// The host has routes, none for this scheme (plain http where https is allowed).
    SchemeNotAllowed,
    /// Host and port match, the method does not.
    MethodNotAllowed,
    /// Host, port and method match, the path does not.
    PathNotAllowed,
    /// The request is not unambiguous: framing, path, authority syntax.
    MalformedRequest,
    /// CONNECT target, SNI, Host or :authority differ.
    AuthorityMismatch,
    /// Every vetted address of the host is special-purpose (private, loopback, metadata…).
    AddressNotAllowed,
    /// The name does not resolve, or the look-up failed.
    NameNotResolved,
    /// Not HTTP, and no raw route for this host and port.
    ProtocolNotAllowed,
    /// The credential of the route is not to be had now.
    CredentialUnavailable,
    /// The credential may go out over verified TLS only.
    CredentialNeedsTls,
    /// A placeholder or a known secret stood where it must not.
    SecretInRequest,
    /// A limit was passed (head size, connections, time).
    LimitExceeded,
    /// What must be inspected cannot be read (unknown content-encoding and the like).
    Unreadable,
    /// The upstream's certificate did not verify.
    UpstreamCertificate,
    /// The upstream could not be reached or broke off.
    UpstreamUnreachable,
    /// The upstream (or upstream proxy) did not answer in time.
    UpstreamTimeout,
    /// The engine is ending or failed internally.
    EgressFailure,
}

impl DenialCode {
    /// `host-not-allowed` and so on.
    pub fn as_str(self) -> &'static str {
        todo!()
    }
    /// The HTTP status of a refusal with this code: 403 for policy, 400 malformed, 413/431 limits, 502/504 upstream.
    pub fn status(self) -> u16 {
        todo!()
    }
}

/// A request that does not go out, and why, for two audiences.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Denial {
    /// Stable code.
    pub code: DenialCode,
    /// One plain sentence for the agent: what, by which rule, that it is policy; no secrets, neutralised.
    pub sentence: String,
    /// What the operator may want besides; never shown to the agent.
    pub detail: Option<String>,
    /// The request, when there was one to hold.
    pub request: Option<Box<Request>>,
    /// The host asked for, when known.
    pub host: Option<Host>,
    /// The port asked for, when known.
    pub port: Option<u16>,
}

impl Denial {
    /// A denial without a request.
    pub fn new(code: DenialCode, sentence: impl Into<String>) -> Denial {
        Denial { code, sentence: sentence.into(), detail: None, request: None, host: None, port: None }
    }
}
