//! Why not.
use crate::decide::{Facet, differences};
use crate::text::quoted;
use crate::{Host, Protocol, Request, Route};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

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
    /// Something stood in an answer that the manifest keeps out.
    AnswerBlocked,
    /// A budget of the manifest is used up (bytes sent, requests, new connections).
    BudgetExceeded,
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
    /// The operator's upstream proxy could not be reached, verified or used, or did not let this through.
    UpstreamProxy,
    /// The operator's kill switch is on: nothing goes out.
    KillSwitch,
    /// The operator was asked and said no, or did not answer in time.
    NotGranted,
    /// The rule that let it through holds no longer.
    Revoked,
    /// The engine is ending or failed internally.
    EgressFailure,
}

impl DenialCode {
    /// `host-not-allowed` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            DenialCode::HostNotAllowed => "host-not-allowed",
            DenialCode::PortNotAllowed => "port-not-allowed",
            DenialCode::SchemeNotAllowed => "scheme-not-allowed",
            DenialCode::MethodNotAllowed => "method-not-allowed",
            DenialCode::PathNotAllowed => "path-not-allowed",
            DenialCode::MalformedRequest => "malformed-request",
            DenialCode::AuthorityMismatch => "authority-mismatch",
            DenialCode::AddressNotAllowed => "address-not-allowed",
            DenialCode::NameNotResolved => "name-not-resolved",
            DenialCode::ProtocolNotAllowed => "protocol-not-allowed",
            DenialCode::CredentialUnavailable => "credential-unavailable",
            DenialCode::CredentialNeedsTls => "credential-needs-tls",
            DenialCode::SecretInRequest => "secret-in-request",
            DenialCode::AnswerBlocked => "answer-blocked",
            DenialCode::BudgetExceeded => "budget-exceeded",
            DenialCode::LimitExceeded => "limit-exceeded",
            DenialCode::Unreadable => "unreadable",
            DenialCode::UpstreamCertificate => "upstream-certificate",
            DenialCode::UpstreamUnreachable => "upstream-unreachable",
            DenialCode::UpstreamTimeout => "upstream-timeout",
            DenialCode::UpstreamProxy => "upstream-proxy",
            DenialCode::KillSwitch => "kill-switch",
            DenialCode::NotGranted => "not-granted",
            DenialCode::Revoked => "revoked",
            DenialCode::EgressFailure => "egress-failure",
        }
    }

    /// Whether another rule would let the request through, so that asking the operator for one is of use.
    pub fn is_askable(self) -> bool {
        matches!(
            self,
            DenialCode::HostNotAllowed
                | DenialCode::PortNotAllowed
                | DenialCode::SchemeNotAllowed
                | DenialCode::MethodNotAllowed
                | DenialCode::PathNotAllowed
        )
    }

    /// The HTTP status of a refusal with this code: 403 for policy (the one status that clients neither retry nor take
    /// for a login), 400 malformed, 413 limits (the egress says 431 where it is the head), 502 and 504 upstream.
    pub fn status(self) -> u16 {
        match self {
            DenialCode::MalformedRequest => 400,
            DenialCode::LimitExceeded => 413,
            DenialCode::NameNotResolved
            | DenialCode::CredentialUnavailable
            | DenialCode::UpstreamCertificate
            | DenialCode::UpstreamUnreachable
            | DenialCode::UpstreamProxy
            | DenialCode::EgressFailure => 502,
            DenialCode::UpstreamTimeout => 504,
            _ => 403,
        }
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
    /// When the same may go out after all; `None`: not by waiting.
    pub opens_in: Option<Duration>,
}

impl Denial {
    /// A denial without a request.
    pub fn new(code: DenialCode, sentence: impl Into<String>) -> Denial {
        let sentence = sentence.into();
        Denial { code, sentence, detail: None, request: None, host: None, port: None, opens_in: None }
    }

    /// A denial of a request that is at hand.
    pub fn of(code: DenialCode, sentence: impl Into<String>, request: Request) -> Denial {
        let (host, port) = (Some(request.host.clone()), Some(request.port));
        Denial { host, port, request: Some(Box::new(request)), ..Denial::new(code, sentence) }
    }

    /// The same denial with what only the operator sees.
    pub fn with_detail(self, detail: impl Into<String>) -> Denial {
        Denial { detail: Some(detail.into()), ..self }
    }

    /// The same denial with the destination that was asked for.
    pub fn with_destination(self, host: Host, port: u16) -> Denial {
        Denial { host: Some(host), port: Some(port), ..self }
    }
}

/// What ends every refusal by policy. The agent is told once, plainly, so that it neither retries nor looks for a way
/// around.
const POLICY: &str =
    "this is the operator's policy and not to be worked around, http://_egress.local/ shows what is allowed";

/// How much of a list one sentence holds.
const LISTED: usize = 5;

/// No route names the host.
pub(crate) fn host_denial(bare_apex: bool, request: Request) -> Denial {
    let host = &request.host;
    let hint = if bare_apex {
        format!(" (`*.{host}` is allowed, which covers only names below it)")
    } else {
        String::new()
    };
    let sentence = format!("no route of this bottle allows the host `{host}`{hint}; {POLICY}");
    Denial::of(DenialCode::HostNotAllowed, sentence, request)
}

/// Routes name the host, and none covers the request.
pub(crate) fn route_denial(naming: &[&Arc<Route>], nearest: &Route, request: Request) -> Denial {
    let facets = differences(nearest, &request);
    let code = facets.first().map_or(DenialCode::HostNotAllowed, |facet| facet_code(*facet));
    let what = format!("{} {}", request.method.as_str(), request.display_url());
    let terms = all_terms(nearest, &facets);
    let others = other_routes(naming, nearest, &request);
    let name = quoted(&nearest.name, 100);
    let sentence = format!(
        "{} is not allowed: route {name} allows this host {terms}{others}; {POLICY}",
        quoted(&what, 300)
    );
    Denial::of(code, sentence, request)
}

fn facet_code(facet: Facet) -> DenialCode {
    match facet {
        Facet::Port => DenialCode::PortNotAllowed,
        Facet::Scheme => DenialCode::SchemeNotAllowed,
        Facet::Protocol => DenialCode::ProtocolNotAllowed,
        Facet::Method => DenialCode::MethodNotAllowed,
        Facet::Path => DenialCode::PathNotAllowed,
    }
}

fn all_terms(route: &Route, facets: &[Facet]) -> String {
    let terms: Vec<String> = facets.iter().map(|facet| term(route, *facet)).collect();
    terms.join(" and ")
}

/// What the route demands in one facet.
fn term(route: &Route, facet: Facet) -> String {
    match facet {
        Facet::Port => format!("only on port {}", route.port),
        Facet::Scheme => format!("only by {}", route.scheme.as_str()),
        Facet::Protocol if route.protocol == Protocol::Tcp => "only as raw bytes, not as HTTP".to_owned(),
        Facet::Protocol => "only as TLS that is passed through unopened".to_owned(),
        Facet::Method => {
            format!("only with {}", list(route.methods.iter().flatten().map(|m| m.as_str().to_owned())))
        }
        Facet::Path => {
            format!("only for {}", list(route.paths.iter().flatten().map(|p| quoted(p.as_str(), 100))))
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    let more = items.len().saturating_sub(LISTED);
    items.truncate(LISTED);
    match (items.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (_, 0) => items.join(", "),
        _ => format!("{} and {more} more", items.join(", ")),
    }
}

/// Other routes that only one thing keeps from allowing the request.
fn other_routes(naming: &[&Arc<Route>], nearest: &Route, request: &Request) -> String {
    let others = naming.iter().filter(|route| route.id != nearest.id);
    let near = others.filter_map(|route| match differences(route, request).as_slice() {
        [facet] => Some(format!(", route {} {}", quoted(&route.name, 100), term(route, *facet))),
        _ => None,
    });
    near.take(2).collect()
}
