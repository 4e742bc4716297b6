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
        _ => format!("{place} is allowed, but could not be reached or broke off"),
    }
}
