//! Who may vouch for upstreams. The roots of a system are hundreds of files: they are read beside the start of the engine, and
//! whoever shakes hands first waits for them. Where they cannot be had, nothing is verified and nothing passes.
use super::{add_pem, system_roots, system_verifier, vouching};
use crate::dial::{Failure, SetupError};
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use std::sync::{Arc, Once};

/// Begins to read those of the system, on a thread beside the caller. Where no thread can be had, whoever needs them first reads them.
/// Again it does nothing.
pub fn begin_roots() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| drop(std::thread::Builder::new().name("roots".to_owned()).spawn(system_roots)));
}

/// Roots of one way out. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Roots {
    /// Whether those of the machine count, besides the operator's own.
    system: bool,
    own: Arc<RootCertStore>,
}

impl Roots {
    /// Those of the system, which are read beside the start or by whoever needs them first, and the operator's own, which are read at
    /// once: a mistake in them is told at the start.
    /// # Errors
    /// When one of the operator's own is no certificate.
    pub(crate) fn of_system(own: &[String]) -> Result<Roots, SetupError> {
        let mut roots = Roots { system: true, own: Arc::new(RootCertStore::empty()) };
        for pem in own {
            roots = roots.and(pem)?;
        }
        Ok(roots)
    }

    /// These and no others.
    /// # Errors
    /// When one is no certificate.
    pub(crate) fn only(pem: &str) -> Result<Roots, SetupError> {
        Roots { system: false, own: Arc::new(RootCertStore::empty()) }.and(pem)
    }

    /// The same, and these.
    /// # Errors
    /// When one is no certificate.
    pub(crate) fn and(&self, pem: &str) -> Result<Roots, SetupError> {
        let mut own = RootCertStore::clone(&self.own);
        add_pem(&mut own, pem)?;
        Ok(Roots { system: self.system, own: Arc::new(own) })
    }

    /// What verifies by them. The machine's are waited for where there are no others; where the operator named some, these are asked
    /// first, and the machine's are read when they do not vouch.
    pub(crate) async fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, Failure> {
        let own = || RootCertStore::clone(&self.own);
        let made = match (self.system, self.own.is_empty()) {
            (false, _) => vouching::by(own()),
            (true, false) => vouching::own_first(own()),
            (true, true) => {
                let unread = |error| Failure::Certificate(format!("the roots of this machine: {error}"));
                tokio::task::spawn_blocking(system_verifier).await.map_err(unread)?
            }
        };
        made.map_err(|error| Failure::Certificate(error.0))
    }
}
