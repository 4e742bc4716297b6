//! The bottle's own certificate authority.

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
}
