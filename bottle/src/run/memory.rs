//! The launcher's memory holds the secrets.
use crate::failure::Failure;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dump, and no other process of the user (a debugger, `/proc/PID/mem`, `/proc/PID/environ`) reads them.
pub fn keep_secrets_in() -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("cannot keep secrets out of core dumps: {error}"));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(failed)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)
}
