//! The bottle's own certificate authority.
//!
//! One per bottle, made in memory; its key is never written. Each host gets a key and a leaf of its own and a server
//! configuration with its own ticket key, so that a session resumed for one name is worth nothing for another.
mod cache;
mod load;

use credentials::Secret;
use policy::Host;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod,
};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType, SerialNumber};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HOUR: Duration = Duration::from_secs(3600);
const CA_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
const LEAF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Upper bound of a common name (RFC 5280 appendix A.1, ub-common-name).
const COMMON_NAME_MAX: usize = 64;
/// Server configurations kept; each costs a few KiB, and a host that fell out costs a new leaf (80 µs).
const CONFIGS: usize = 2048;

/// What went wrong with a CA.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Making or reading it failed.
    #[error("certificate authority: {0}")]
    Unusable(String),
}

impl CaError {
    fn because(what: &str, error: impl std::fmt::Display) -> CaError {
        CaError::Unusable(format!("{what}: {error}"))
    }
}

/// A CA whose key never leaves the process. P-256 unless it was loaded.
#[derive(Clone)]
pub struct CertificateAuthority(Arc<Inner>);

struct Inner {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    /// What clients need besides the leaf to reach a root they trust: nothing, but for a loaded intermediate.
    chain: Vec<CertificateDer<'static>>,
    not_after: SystemTime,
    configs: cache::Configs,
}

impl CertificateAuthority {
    /// A new one, named after the bottle, good for 30 days, back-dated an hour.
    /// # Errors
    /// When key generation fails.
    pub fn generate(bottle: &str) -> Result<CertificateAuthority, CaError> {
        let key = KeyPair::generate().map_err(|e| CaError::because("no key", e))?;
        let now = SystemTime::now();
        let params = ca_params(bottle, &key, now, now + CA_LIFE);
        let certificate = params.self_signed(&key).map_err(|e| CaError::because("not signed", e))?;
        Ok(CertificateAuthority(Arc::new(Inner {
            certificate_pem: certificate.pem(),
            certificate: certificate.into(),
            issuer: Issuer::new(params, key),
            chain: Vec::new(),
            not_after: now + CA_LIFE,
            configs: cache::Configs::new(CONFIGS),
        })))
    }

    /// The user's own (`bottle egress --ca FILE --ca-key FILE`); checked to be a CA that may sign. The first
    /// certificate of the file signs; further ones are sent along as its chain.
    /// # Errors
    /// Which of the two files is wrong and how.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<CertificateAuthority, CaError> {
        load::load(certificate_pem, key_pem)
    }

    /// The certificate, for trust stores.
    pub fn certificate_pem(&self) -> &str {
        &self.0.certificate_pem
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.0.certificate
    }

    /// The server side of a host: its leaf, HTTP/2 and HTTP/1.1 by ALPN, TLS 1.2 and 1.3, tickets that no other host's
    /// configuration takes. Cached until half of the leaf's life has passed.
    /// # Errors
    /// When the leaf cannot be signed.
    pub fn server_config(&self, host: &Host) -> Result<Arc<ServerConfig>, CaError> {
        let now = SystemTime::now();
        if let Some(config) = self.0.configs.get(host, now) {
            return Ok(config);
        }
        let config = Arc::new(self.mint(host, now)?);
        Ok(self.0.configs.insert(host, config, now + LEAF_LIFE / 2))
    }

    fn mint(&self, host: &Host, now: SystemTime) -> Result<ServerConfig, CaError> {
        let key = KeyPair::generate().map_err(|e| CaError::because("no key for a leaf", e))?;
        let leaf = self.sign(host, &key, now)?;
        let mut chain = vec![leaf.into()];
        chain.extend(self.0.chain.iter().cloned());
        server_config(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    fn sign(&self, host: &Host, key: &KeyPair, now: SystemTime) -> Result<Certificate, CaError> {
        if self.0.not_after <= now {
            return Err(CaError::Unusable("expired; start the bottle anew".to_owned()));
        }
        let until = (now + LEAF_LIFE).min(self.0.not_after);
        let params = leaf_params(host, key, now, until)?;
        params.signed_by(key, &self.0.issuer).map_err(|e| CaError::because("leaf not signed", e))
    }
}

/// A CA for another program to sign with (`bottle ca`). The engine never makes one.
pub struct WrittenCa {
    /// PEM.
    pub certificate_pem: String,
    /// PKCS#8, PEM.
    pub key_pem: Secret,
}

/// A CA of the same make as [`CertificateAuthority::generate`] gives, good for `life` from now and back-dated an hour.
/// # Errors
/// When key generation fails.
pub fn dangerous_written_ca(name: &str, life: Duration) -> Result<WrittenCa, CaError> {
    let key = KeyPair::generate().map_err(|e| CaError::because("no key", e))?;
    let now = SystemTime::now();
    let certificate = ca_params(name, &key, now, now + life)
        .self_signed(&key)
        .map_err(|e| CaError::because("not signed", e))?;
    let key_pem = Secret::new(key.serialize_pem().into_bytes());
    Ok(WrittenCa { certificate_pem: certificate.pem(), key_pem })
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificateAuthority")
    }
}

fn ca_params(bottle: &str, key: &KeyPair, now: SystemTime, until: SystemTime) -> CertificateParams {
    let mut params = params(key, now, until);
    params.distinguished_name.push(DnType::CommonName, ca_name(bottle, key));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Tells CAs of two runs of one bottle apart: a client that trusts both looks issuers up by name.
fn ca_name(bottle: &str, key: &KeyPair) -> String {
    let id: String = key_id(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let room = COMMON_NAME_MAX - "bot-bottle CA  ".len() - id.len();
    let bottle: String = bottle.chars().filter(char::is_ascii_graphic).take(room).collect();
    format!("bot-bottle CA {bottle} {id}")
}

fn leaf_params(
    host: &Host,
    key: &KeyPair,
    now: SystemTime,
    until: SystemTime,
) -> Result<CertificateParams, CaError> {
    let mut params = params(key, now, until);
    let text = match host {
        Host::Name(name) => name.to_string(),
        Host::Ip(ip) => ip.to_string(),
    };
    // A longer name stands in the SAN alone, which is critical then (RFC 5280 section 4.2.1.6).
    if text.len() <= COMMON_NAME_MAX {
        params.distinguished_name.push(DnType::CommonName, text);
    }
    params.subject_alt_names = vec![san(host)?];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn san(host: &Host) -> Result<SanType, CaError> {
    match host {
        Host::Ip(ip) => Ok(SanType::IpAddress(*ip)),
        Host::Name(name) => name
            .to_string()
            .try_into()
            .map(SanType::DnsName)
            .map_err(|e| CaError::because("name of a leaf", e)),
    }
}

/// What CA and leaves have in common.
fn params(key: &KeyPair, now: SystemTime, until: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let year_1970 = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = year_1970 + epoch(now - HOUR);
    params.not_after = year_1970 + epoch(until);
    params.serial_number = Some(serial());
    params.distinguished_name = DistinguishedName::new();
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(key));
    params
}

/// RFC 5280 section 4.2.1.2, method 1: what OpenSSL and others compute as well, so that a client that compares the
/// issuer's identifier with its own finding agrees.
fn key_id(key: &KeyPair) -> Vec<u8> {
    Sha1::digest(key.public_key_raw()).to_vec()
}

/// 16 random bytes, positive and not zero (RFC 5280 section 4.1.2.2).
fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Whole seconds since 1970, which is all that certificates carry.
fn epoch(time: SystemTime) -> Duration {
    Duration::from_secs(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CaError> {
    let unusable = |error| CaError::because("leaf not usable", error);
    let mut config = ServerConfig::builder_with_provider(crate::tls::provider_inside())
        .with_protocol_versions(crate::tls::VERSIONS)
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    // Each is work for a connection that may never come; whoever resumes gets a new one.
    config.send_tls13_tickets = 1;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(unusable)?;
    // Tickets serve; sessions by id only hold memory here.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}
