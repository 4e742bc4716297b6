//! A CA of the user's own: what is wrong with it is said at the start, not by a client later.
use super::{CONFIGS, CaError, CertificateAuthority, Inner, cache};
use policy::Host;
use rcgen::{Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(super) fn load(certificate_pem: &str, key_pem: &str) -> Result<CertificateAuthority, CaError> {
    let mut certificates = certificates(certificate_pem)?.into_iter();
    let certificate = certificates.next().ok_or_else(|| in_certificate("no certificate in it"))?;
    let key = key(key_pem)?;
    let not_after = check(&certificate, &key)?;
    let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|e| in_certificate(&e.to_string()))?;
    let chain = if is_self_issued(&certificate)? { Vec::new() } else { chain(&certificate, certificates) };
    let authority = CertificateAuthority(Arc::new(Inner {
        issuer,
        certificate_pem: certificate_pem.to_owned(),
        certificate,
        chain,
        not_after,
        configs: cache::Configs::new(CONFIGS),
    }));
    probe(&authority)?;
    Ok(authority)
}

fn chain(
    signer: &CertificateDer<'static>,
    rest: impl Iterator<Item = CertificateDer<'static>>,
) -> Vec<CertificateDer<'static>> {
    std::iter::once(signer.clone()).chain(rest).collect()
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CaError> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| in_certificate(&format!("not PEM: {e}")))
}

fn key(pem: &str) -> Result<KeyPair, CaError> {
    if pem.contains("ENCRYPTED") {
        return Err(in_key(
            "encrypted; give it without a passphrase, by a descriptor if need be (`--ca-key /dev/fd/3`)",
        ));
    }
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| in_key("no private key in PEM (PKCS#8, PKCS#1 or SEC1) in it"))?;
    KeyPair::try_from(&der)
        .map_err(|_| in_key("of no kind that can sign here; RSA, P-256, P-384 and Ed25519 can"))
}

/// What RFC 5280 sections 4.2.1.3 and 4.2.1.9 ask of a certificate that signs others.
fn check(certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<SystemTime, CaError> {
    let parsed = parse(certificate)?;
    if !parsed.is_ca() {
        return Err(in_certificate("not a CA (basicConstraints lacks CA:TRUE)"));
    }
    let usage = parsed.key_usage().map_err(|e| in_certificate(&e.to_string()))?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(in_certificate("may not sign certificates (keyUsage lacks keyCertSign)"));
    }
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(in_key("not the key of the certificate"));
    }
    check_time(&parsed)
}

fn check_time(parsed: &X509Certificate<'_>) -> Result<SystemTime, CaError> {
    let validity = parsed.validity();
    if instant(validity.not_before.timestamp()) > SystemTime::now() {
        return Err(in_certificate(&format!("not valid before {}", validity.not_before)));
    }
    let not_after = instant(validity.not_after.timestamp());
    if not_after <= SystemTime::now() {
        return Err(in_certificate(&format!("expired {}", validity.not_after)));
    }
    Ok(not_after)
}

fn instant(timestamp: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(timestamp).unwrap_or(0))
}

fn is_self_issued(certificate: &CertificateDer<'_>) -> Result<bool, CaError> {
    let parsed = parse(certificate)?;
    Ok(parsed.subject().as_raw() == parsed.issuer().as_raw())
}

/// Signs a leaf and looks at its issuer: a subject that our encoder cannot repeat byte for byte (two organisational
/// units, values joined by `+`) would make leaves that no client can chain.
fn probe(authority: &CertificateAuthority) -> Result<(), CaError> {
    let key = KeyPair::generate().map_err(|e| CaError::because("no key", e))?;
    let leaf = authority.sign(&Host::Ip(Ipv4Addr::LOCALHOST.into()), &key, SystemTime::now())?;
    let (ca, leaf) = (parse(&authority.0.certificate)?, parse(leaf.der())?);
    if ca.subject().as_raw() != leaf.issuer().as_raw() {
        return Err(in_certificate(
            "its subject has parts that cannot be repeated; use one with each attribute once",
        ));
    }
    leaf.verify_signature(Some(ca.public_key())).map_err(|e| in_key(&format!("signs wrongly: {e}")))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CaError> {
    X509Certificate::from_der(certificate)
        .map(|(_, parsed)| parsed)
        .map_err(|e| in_certificate(&format!("not X.509: {e}")))
}

fn in_certificate(what: &str) -> CaError {
    CaError::Unusable(format!("certificate file: {what}"))
}

fn in_key(what: &str) -> CaError {
    CaError::Unusable(format!("key file: {what}"))
}
