//! What all talk with the engine runs on.
use crate::failure::Failure;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The containers are gone by then; what the runtime still does is of no use to anybody.
const RUNTIME_END: Duration = Duration::from_millis(500);

/// The runtime, which must outlive everything that runs on it and must not keep the launcher.
pub(super) struct Room(pub(super) RuntimeUntilDropped);

impl Room {
    pub(super) fn open() -> Result<Room, Failure> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("docker").build()?;
        Ok(Room(RuntimeUntilDropped(Some(runtime))))
    }

    pub(super) fn handle(&self) -> tokio::runtime::Handle {
        self.0.handle().clone()
    }
}

pub(super) struct RuntimeUntilDropped(Option<Runtime>);

impl std::ops::Deref for RuntimeUntilDropped {
    type Target = Runtime;
    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Drop for RuntimeUntilDropped {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(RUNTIME_END);
        }
    }
}
