//! Who may vouch for upstreams. The roots of a system are hundreds of files: they are read beside the start of the engine, and
//! whoever shakes hands first waits for them. Where they cannot be had, nothing is verified and nothing passes.
use super::add_pem;
use crate::dial::{Failure, SetupError};
use rustls::RootCertStore;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Roots of one way out. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Roots {
    /// `None`: the operator's own and no others.
    system: Option<System>,
    own: Arc<RootCertStore>,
}

/// Those of the machine, read once.
#[derive(Clone, Default)]
struct System(Arc<OnceCell<Arc<RootCertStore>>>);

impl Roots {
    /// Those of the system, which are being read from now on, and the operator's own, which are read at once: a mistake in them
    /// is told at the start. On a tokio runtime.
    /// # Errors
    /// When one of the operator's own is no certificate.
    pub(crate) fn of_system(own: &[String]) -> Result<Roots, SetupError> {
        let system = System::default();
        let mut roots = Roots { system: Some(system.clone()), own: Arc::default() };
        for pem in own {
            roots = roots.and(pem)?;
        }
        // Whoever needs them hears what went wrong.
        tokio::spawn(async move { drop(system.read().await) });
        Ok(roots)
    }

    /// These and no others.
    /// # Errors
    /// When one is no certificate.
    pub(crate) fn only(pem: &str) -> Result<Roots, SetupError> {
        Roots { system: None, own: Arc::default() }.and(pem)
    }

    /// The same, and these.
    /// # Errors
    /// When one is no certificate.
    pub(crate) fn and(&self, pem: &str) -> Result<Roots, SetupError> {
        let mut own = RootCertStore::clone(&self.own);
        add_pem(&mut own, pem)?;
        Ok(Roots { system: self.system.clone(), own: Arc::new(own) })
    }

    /// All of them.
    pub(crate) async fn store(&self) -> Result<Arc<RootCertStore>, Failure> {
        let Some(system) = &self.system else { return Ok(Arc::clone(&self.own)) };
        let system = system.read().await?;
        if self.own.is_empty() {
            return Ok(system);
        }
        let mut all = RootCertStore::clone(&system);
        all.extend(self.own.roots.iter().cloned());
        Ok(Arc::new(all))
    }
}

impl System {
    async fn read(&self) -> Result<Arc<RootCertStore>, Failure> {
        let reading = || async { tokio::task::spawn_blocking(|| Arc::new(super::system_roots())).await };
        let read = self.0.get_or_try_init(reading).await;
        read.cloned().map_err(|error| Failure::Certificate(format!("the roots of this machine: {error}")))
    }
}
