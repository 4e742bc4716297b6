//! Files that the host will execute or trust later, and that the agent must therefore not write (invariant 7).
use crate::SandboxError;
use crate::linux::host::Host;
use crate::linux::step::Step;
use manifest::plan::SandboxPlan;

/// Steps before and after the workspace is mounted.
#[derive(Default)]
pub(super) struct Protection {
    pub(super) placeholders: Vec<Step>,
    pub(super) pins: Vec<Step>,
}

pub(super) fn protection(_plan: &SandboxPlan, _host: &dyn Host) -> Result<Protection, SandboxError> {
    Ok(Protection::default())
}
