//! TLS to an engine: verified, with aws-lc-rs given as a value; nothing is taken from the process's defaults.
use super::super::endpoint::Tls;
use crate::SandboxError;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Ready to verify one engine.
pub(super) struct Client {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Client {
    pub(super) fn new(host: &str, files: &Tls) -> Result<Client, SandboxError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| SandboxError::new(format!("`{host}` is no name that a certificate can carry")))?;
        Ok(Client { connector: TlsConnector::from(Arc::new(config(files)?)), name })
    }

    pub(super) async fn shake_hands(
        &self,
        stream: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TlsStream<TcpStream>, SandboxError> {
        self.connector.connect(self.name.clone(), stream).await.map_err(|error| {
            SandboxError::new(format!("no TLS with the engine at `tcp://{host}:{port}`: {error}")).with_hint(
                "its certificate must come from the ca.pem in `DOCKER_CERT_PATH` (or the context's) and carry this \
                 name or address; and it must accept the cert.pem there",
            )
        })
    }
}

fn config(files: &Tls) -> Result<ClientConfig, SandboxError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| SandboxError::new(format!("cannot prepare TLS: {error}")))?
        .with_root_certificates(roots(files)?);
    let Some((certificate, key)) = &files.client else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| unusable(certificate, &error))
}

/// The authority that was given and no other; without one, the system's.
fn roots(files: &Tls) -> Result<RootCertStore, SandboxError> {
    let mut roots = RootCertStore::empty();
    match &files.ca {
        Some(ca) => {
            for certificate in certificates(ca)? {
                roots.add(certificate).map_err(|error| unusable(ca, &error))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err(SandboxError::new("there is no authority to verify the engine's certificate with")
            .with_hint("put the engine's ca.pem into the folder `DOCKER_CERT_PATH`"));
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, SandboxError> {
    CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|error| unusable(file, &error))
}

fn unusable(file: &Path, error: &dyn Display) -> SandboxError {
    SandboxError::new(format!("cannot use `{}` for TLS with the engine: {error}", file.display())).with_hint(
        "`DOCKER_CERT_PATH` is a folder with ca.pem, cert.pem and key.pem, as for Docker's own client",
    )
}
