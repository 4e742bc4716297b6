//! Who may vouch for upstreams. The roots of a system are hundreds of files: they are read beside the start of the engine, and
//! whoever shakes hands first waits for them. Where they cannot be had, nothing is verified and nothing passes.
use super::{add_pem, system_roots};
use crate::dial::{Failure, SetupError};
use rustls::RootCertStore;
use std::sync::{Arc, Once};

/// Begins to read those of the system. Where no thread can be had, whoever needs them first reads them.
pub(crate) fn read_beside() {
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

    /// All of them.
    pub(crate) async fn store(&self) -> Result<Arc<RootCertStore>, Failure> {
        if !self.system {
            return Ok(Arc::clone(&self.own));
        }
        let unread = |error| Failure::Certificate(format!("the roots of this machine: {error}"));
        let mut all = tokio::task::spawn_blocking(|| system_roots().clone()).await.map_err(unread)?;
        all.extend(self.own.roots.iter().cloned());
        Ok(Arc::new(all))
    }
}
