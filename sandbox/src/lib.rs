//! STARTS THINGS. A folder per backend: pure spec → list of steps, then doing the list.
//!
//! Not here: what the agent may reach (the egress), secrets (none ever comes here), the manifest's syntax.

pub mod attack;
pub mod docker;
pub mod linux;
pub mod provision;
pub mod spec;

pub use spec::{InjectedFile, LaunchFault, SandboxError, Spec, Stdio};
