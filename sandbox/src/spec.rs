//! What every backend is told.
use manifest::plan::SandboxPlan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A bottle to start: the plan's part, and what only the start knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Slug of the bottle; also its host name.
    pub slug: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The agent's whole environment.
    pub env: BTreeMap<String, String>,
    /// From the plan.
    pub sandbox: SandboxPlan,
    /// Files that exist inside only (trust stores, resolver configuration); read-only.
    pub files: Vec<InjectedFile>,
    /// Terminal or pipes.
    pub stdio: Stdio,
}

/// A file that exists inside only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InjectedFile {
    /// Absolute path inside.
    pub path: PathBuf,
    /// Content.
    pub content: Vec<u8>,
    /// Unix mode.
    pub mode: u32,
}

/// How the agent is connected to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stdio {
    /// Own PTY and session; the launcher relays.
    Pty,
    /// The launcher's descriptors 0, 1, 2 are inherited (only when they are no terminal).
    Inherit,
}

/// Why a bottle could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{what}{}", .hint.as_ref().map(|h| format!("\n  help: {h}")).unwrap_or_default())]
pub struct SandboxError {
    /// Which step failed, on what, and the kernel's answer.
    pub what: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Set when the walls stood and only the agent's program could not be executed.
    pub fault: Option<LaunchFault>,
}

/// What was wrong with the agent's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchFault {
    /// No such program inside the bottle (a shell says 127).
    NotFound,
    /// It is there and cannot be executed (a shell says 126).
    NotExecutable,
}

impl SandboxError {
    /// A failure of the bottle itself.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, fault: None }
    }

    /// The same, with the way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
