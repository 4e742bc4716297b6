//! Who may vouch for an upstream: the operator's own roots first, those of the machine only where they do not. A machine's roots are
//! hundreds of files, and a start need not wait for what its first connections may not ask for.
//!
//! A chain is good when it ends at one of the roots, whichever: asking one half of them after the other gives the answer that all of
//! them together give, but for the words of a refusal.
use super::{provider, system_roots};
use crate::dial::SetupError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, OnceLock};

/// Verifies by these roots.
/// # Errors
/// When there are none: then nobody could be verified.
pub(crate) fn by(roots: RootCertStore) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    Ok(webpki(roots)?)
}

/// Verifies by these roots, which are some, and where they do not vouch by those of the machine.
/// # Errors
/// When there are none.
pub(crate) fn own_first(own: RootCertStore) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    Ok(Arc::new(OwnFirst { own: webpki(own)?, machine: OnceLock::new() }))
}

fn webpki(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, SetupError> {
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    built.map_err(|error| SetupError(format!("roots: {error}")))
}

/// Every answer is that of one of two verifiers of the TLS library; nothing is judged here.
#[derive(Debug)]
struct OwnFirst {
    own: Arc<WebPkiServerVerifier>,
    /// `None`: they cannot be had, and vouch for nobody.
    machine: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl OwnFirst {
    /// Read by whoever needs them first, for some milliseconds once in the life of a process.
    fn machine(&self) -> Option<&WebPkiServerVerifier> {
        self.machine.get_or_init(|| webpki(system_roots().clone()).ok()).as_deref()
    }
}

impl ServerCertVerifier for OwnFirst {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = match self.own.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Ok(verified) => return Ok(verified),
            Err(refused) => refused,
        };
        let Some(machine) = self.machine() else { return Err(refused) };
        let by_machine = machine.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        // Who does not know the issuer has nothing to say about the rest.
        by_machine.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => refused,
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.own.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.own.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.own.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    struct Root {
        der: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn root(name: &str) -> Root {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("signed");
        Root { der: certificate.into(), issuer: Issuer::new(params, key) }
    }

    fn leaf(of: &Root, host: &str) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.signed_by(&KeyPair::generate().expect("a key"), &of.issuer).expect("signed").into()
    }

    fn store(root: &Root) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(root.der.clone()).expect("a root");
        store
    }

    fn verified(by: &OwnFirst, leaf: &CertificateDer<'_>) -> Result<(), Error> {
        let name = ServerName::try_from("a.test").expect("a name");
        by.verify_server_cert(leaf, &[], &name, &[], UnixTime::now()).map(drop)
    }

    #[test]
    fn either_half_vouches_and_nobody_else() {
        let (own, machine, other) = (root("own"), root("machine"), root("other"));
        let both = OwnFirst { own: webpki(store(&own)).expect("roots"), machine: OnceLock::new() };
        // Not asked as long as the operator's own vouch.
        verified(&both, &leaf(&own, "a.test")).expect("by the operator's own");
        assert!(both.machine.get().is_none());
        both.machine.set(webpki(store(&machine)).ok()).expect("set once");
        verified(&both, &leaf(&machine, "a.test")).expect("by the machine's");
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(verified(&both, &leaf(&other, "a.test")), Err(unknown));
        for root in [&own, &machine] {
            let refused = verified(&both, &leaf(root, "b.test")).expect_err("another name");
            assert!(refused.to_string().contains("not valid for name"), "{refused}");
        }
    }

    #[test]
    fn where_the_machine_has_none_its_half_vouches_for_nobody() {
        let (own, other) = (root("own"), root("other"));
        let alone = OwnFirst { own: webpki(store(&own)).expect("roots"), machine: OnceLock::from(None) };
        verified(&alone, &leaf(&own, "a.test")).expect("by the operator's own");
        verified(&alone, &leaf(&other, "a.test")).expect_err("by nobody");
        assert!(by(RootCertStore::empty()).is_err() && own_first(RootCertStore::empty()).is_err());
    }
}
