//! The bottle's own certificate authority.
use policy::Host;
use std::sync::Arc;

/// What went wrong with a CA.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Making or reading it failed.
    #[error("certificate authority: {0}")]
    Unusable(String),
}

/// A CA whose key never leaves the process. P-256 unless it was loaded.
#[derive(Clone)]
pub struct CertificateAuthority {}

impl CertificateAuthority {
    /// A new one, named after the bottle, good for 30 days, back-dated an hour.
    /// # Errors
    /// When key generation fails.
    pub fn generate(bottle: &str) -> Result<CertificateAuthority, CaError> {
        let _ = bottle;
        todo!()
    }
    /// The user's own (`bottle egress --ca FILE --ca-key FILE`); checked to be a CA that may sign.
    /// # Errors
    /// Which of the two files is wrong and how.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<CertificateAuthority, CaError> {
        let _ = (certificate_pem, key_pem);
        todo!()
    }
    /// The certificate, for trust stores.
    pub fn certificate_pem(&self) -> &str {
        todo!()
    }
    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        todo!()
    }
    /// The server side of a host: its leaf, HTTP/2 and HTTP/1.1 by ALPN, TLS 1.2 and 1.3, tickets that no other host's
    /// configuration takes. Cached.
    /// # Errors
    /// When the leaf cannot be signed.
    pub fn server_config(&self, host: &Host) -> Result<Arc<rustls::ServerConfig>, CaError> {
        let _ = host;
        todo!()
    }
}
