//! TLS towards upstreams: verified always, aws-lc-rs, 1.2 and 1.3. There is no switch.
mod roots;
mod vouching;

use crate::dial::SetupError;
use policy::Host;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, ClientConfig, NamedGroup, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::{Arc, OnceLock};

pub(crate) use roots::Roots;
pub use roots::begin_roots;
pub(crate) use vouching::by as verifier;

/// TLS versions on both legs.
pub(crate) const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The one crypto provider of the process. As browsers do, it asks for AES-128 first: with it comes SHA-256, for which processors
/// have instructions; of the handshakes' time SHA-384 took a fifth.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let made = || {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.sort_by_key(|suite| !FIRST.contains(&suite.suite()));
        Arc::new(provider)
    };
    PROVIDER.get_or_init(made).clone()
}

/// The same for the agent's leg, with the cheapest agreement on a key: what is said there does not leave the machine, so nobody
/// keeps it for a computer that is yet to be built.
pub(crate) fn provider_inside() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let made = || {
        let mut provider = CryptoProvider::clone(&provider());
        provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::X25519);
        Arc::new(provider)
    };
    PROVIDER.get_or_init(made).clone()
}

const FIRST: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Roots of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), else the built-in ones of Mozilla. Read once: they are some
/// hundreds of files.
pub(crate) fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    })
}

/// Verifies by the roots of the system alone; reads them when nobody did.
/// # Errors
/// When there are none.
pub(crate) fn system_verifier() -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    verifier(system_roots().clone())
}

/// Adds every certificate of a PEM text; one that cannot be used is an error, not a gap.
pub(crate) fn add_pem(roots: &mut RootCertStore, pem: &str) -> Result<(), SetupError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| SetupError(format!("root certificate: not PEM: {e}")))?;
        roots.add(certificate).map_err(|e| SetupError(format!("root certificate: {e}")))?;
    }
    if roots.len() == before {
        return Err(SetupError("root certificate: the file holds none".to_owned()));
    }
    Ok(())
}

/// A client that offers these protocols by ALPN. Verifiers come from [`Roots`], [`verifier`] and [`system_verifier`].
pub(crate) fn client(
    verifier: Arc<dyn ServerCertVerifier>,
    alpn: &[&[u8]],
) -> Result<Arc<ClientConfig>, SetupError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|e| SetupError(format!("tls: {e}")))?
        // The library's word for every verifier that is not made of one set of roots: see `vouching`.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The name an upstream's certificate must carry.
pub(crate) fn server_name(host: &Host) -> Result<ServerName<'static>, String> {
    match host {
        Host::Ip(ip) => Ok(ServerName::IpAddress((*ip).into())),
        Host::Name(name) => ServerName::try_from(name.to_string()).map_err(|e| format!("`{name}`: {e}")),
    }
}
