//! Certificates of one run: an authority for the upstream, one for the relay in the middle, and ready-made leaves.
use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The domain of every name that is measured.
pub(crate) const DOMAIN: &str = "bench.test";

/// The crypto provider of every process here: the one that the product uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A certificate authority made for one run, and a leaf for `bench.test` and every name directly below it.
pub(crate) struct Authority {
    /// Certificate of the authority, PEM.
    pub(crate) certificate: String,
    /// Its private key, PEM.
    pub(crate) key: String,
    /// Certificate of the leaf, PEM.
    pub(crate) leaf: String,
    /// The leaf's private key, PEM.
    pub(crate) leaf_key: String,
}

impl Authority {
    /// Makes both; P-256, as the product's.
    pub(crate) fn generate(name: &str) -> Result<Authority> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key)?.pem();
        let key_pem = key.serialize_pem();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec![DOMAIN.to_owned(), format!("*.{DOMAIN}")])?;
        leaf.distinguished_name.push(DnType::CommonName, DOMAIN);
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &issuer)?.pem();
        Ok(Authority { certificate, key: key_pem, leaf, leaf_key: leaf_key.serialize_pem() })
    }

    /// Writes `NAME.pem`, `NAME.key`, `NAME-leaf.pem` and `NAME-leaf.key` into a folder.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        fs::write(folder.join(format!("{name}.pem")), &self.certificate)?;
        fs::write(folder.join(format!("{name}.key")), &self.key)?;
        fs::write(folder.join(format!("{name}-leaf.pem")), &self.leaf)?;
        fs::write(folder.join(format!("{name}-leaf.key")), &self.leaf_key)?;
        Ok(())
    }
}

/// A server with the ready-made leaf `NAME-leaf.pem` of a folder.
pub(crate) fn server(folder: &Path, name: &str, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>> {
    let certificate = folder.join(format!("{name}-leaf.pem"));
    let chain = CertificateDer::pem_file_iter(&certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}-leaf.key")))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// A client that trusts the authority of one PEM file and nothing else.
pub(crate) fn client(ca: &Path, alpn: &[&[u8]], resume: bool) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).with_context(|| format!("`{}`", ca.display()))? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    if !resume {
        config.resumption = rustls::client::Resumption::disabled();
    }
    Ok(Arc::new(config))
}
