//! Why nothing came of a connection, and what agent and operator are told of it.
use super::Destination;
use policy::{Denial, DenialCode};
use rustls::{AlertDescription, Error as TlsError};
use std::io;

/// Each holds what the operator is told besides.
#[derive(Debug)]
pub(crate) enum Failure {
    NotResolved(String),
    NotAllowed(String),
    Unreachable(String),
    Timeout(String),
    Certificate(String),
    /// The upstream speaks none of the protocols offered by ALPN.
    NoProtocol(String),
    /// The operator's upstream proxy cannot be used, or does not let this through.
    Proxy(String),
}

impl Failure {
    pub(crate) fn of_handshake(error: &io::Error) -> Failure {
        let text = format!("TLS handshake: {error}");
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented) => {
                Failure::Certificate(text)
            }
            Some(
                TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)
                | TlsError::NoApplicationProtocol,
            ) => Failure::NoProtocol(text),
            _ => Failure::Unreachable(text),
        }
    }

    /// What went wrong between here and the upstream proxy itself.
    pub(super) fn at_the_proxy(self) -> Failure {
        match self {
            Failure::NotResolved(detail) => Failure::Proxy(format!("its name was not resolved: {detail}")),
            Failure::Timeout(detail) => Failure::Timeout(format!("upstream proxy: {detail}")),
            Failure::Certificate(detail) => {
                Failure::Proxy(format!("{detail}; its own roots are `upstream_proxy.roots`"))
            }
            Failure::NotAllowed(detail)
            | Failure::Unreachable(detail)
            | Failure::NoProtocol(detail)
            | Failure::Proxy(detail) => Failure::Proxy(detail),
        }
    }

    /// What went wrong behind the upstream proxy, with the operator's way out.
    pub(crate) fn behind_the_proxy(self) -> Failure {
        match self {
            Failure::Certificate(detail) => Failure::Certificate(format!(
                "{detail}; it came through the upstream proxy: when that opens TLS, its certificate authority belongs \
                 into `upstream_proxy.ca`"
            )),
            other => other,
        }
    }

    pub(crate) fn denial(self, to: &impl Destination) -> Box<Denial> {
        let (code, detail) = self.parts();
        let sentence = sentence(code, &format!("`{}` port {}", to.host(), to.port()));
        Box::new(
            Denial::new(code, sentence).with_detail(detail).with_destination(to.host().clone(), to.port()),
        )
    }

    fn parts(self) -> (DenialCode, String) {
        match self {
            Failure::NotResolved(detail) => (DenialCode::NameNotResolved, detail),
            Failure::NotAllowed(detail) => (DenialCode::AddressNotAllowed, detail),
            Failure::Unreachable(detail) | Failure::NoProtocol(detail) => {
                (DenialCode::UpstreamUnreachable, detail)
            }
            Failure::Timeout(detail) => (DenialCode::UpstreamTimeout, detail),
            Failure::Certificate(detail) => (DenialCode::UpstreamCertificate, detail),
            Failure::Proxy(detail) => (DenialCode::UpstreamProxy, format!("upstream proxy: {detail}")),
        }
    }
}

/// What the agent is told. It says nothing of addresses: a hostile agent would map the operator's network by them.
fn sentence(code: DenialCode, place: &str) -> String {
    match code {
        DenialCode::NameNotResolved => format!("{place} is allowed, but the name could not be resolved"),
        DenialCode::AddressNotAllowed => format!(
            "{place} leads to an address that this bottle may not reach; this is the operator's policy and not to be \
             worked around"
        ),
        DenialCode::UpstreamTimeout => format!("{place} is allowed, but did not answer in time"),
        DenialCode::UpstreamCertificate => {
            format!("{place} is allowed, but its certificate could not be verified, so nothing was sent")
        }
        DenialCode::UpstreamProxy => format!(
            "{place} is allowed, but the operator's upstream proxy cannot be used or does not let it through, and \
             nothing goes around it"
        ),
        _ => format!("{place} is allowed, but could not be reached or broke off"),
    }
}
