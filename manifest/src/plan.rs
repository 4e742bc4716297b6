//! What will be done: every default applied, nothing left to look up; serialisable; names secrets, never holds them.
use credentials::reference::SlotPlan;
use credentials::{Binding, Slot};
use policy::{Host, Policy, ProxyException, RouteId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

mod budget;
mod dlp;

pub use budget::{BudgetPlan, RatePlan};
pub use dlp::{
    AllowancePlan, Canary, DlpAction, DlpPlan, DlpSecret, OwnRulePlan, RouteDlpPlan, RuleAction, RuleActions,
};

/// The whole of a bottle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The bottle's name: lower-case letters, digits, `-`; at most 40. Slugs are made from it.
    pub name: String,
    /// Which backend starts it.
    pub backend: Backend,
    /// What runs inside.
    pub agent: AgentPlan,
    /// What it sees of the machine.
    pub sandbox: SandboxPlan,
    /// Its containers, for the backend that has some.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub docker: Option<DockerPlan>,
    /// What it reaches.
    pub egress: EgressPlan,
    /// Where the audit goes (absolute).
    pub audit_file: PathBuf,
    /// The command of this machine that hears of every request to the operator.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on_request: Option<Vec<String>>,
}

/// Which backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Rootless namespaces on this machine.
    #[default]
    Linux,
    /// Containers of a Docker engine, or of Podman.
    Docker,
}

/// The containers of a bottle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerPlan {
    /// What the agent's container is made of.
    pub image: ImagePlan,
    /// How it is cut off.
    pub network: NetworkLayout,
    /// The engine's network through which the egress reaches the world, or `host`.
    pub outward: String,
}

/// What an agent's container is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImagePlan {
    /// An image by its name.
    Named(String),
    /// A folder to build.
    Build(BuildPlan),
}

/// A folder to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildPlan {
    /// The folder that is sent, absolute.
    pub context: PathBuf,
    /// The file to follow, as seen from there.
    pub dockerfile: String,
    /// The stage to stop at; `None`: the last one.
    pub target: Option<String>,
    /// Values for its `ARG`s.
    pub args: BTreeMap<String, String>,
}

/// How an agent's container is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkLayout {
    /// No network: the agent joins the namespace of a holder, whose listeners the egress has.
    Sealed,
    /// An internal network with the egress on it, as a proxy.
    Internal,
}

/// What runs inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPlan {
    /// Program and arguments; empty until `bottle run -- CMD` or the manifest gives one.
    pub command: Vec<String>,
    /// Variables from manifest and presets; placeholders and trust variables come on top at start.
    pub env: BTreeMap<String, String>,
    /// Names of host variables passed through unchanged when set (TERM, LANG, …).
    pub pass_env: Vec<String>,
    /// Seconds after which the bottle is stopped; `None`: no limit.
    pub time_limit_secs: Option<u64>,
    /// Whose own configuration names the bottle's tools.
    pub tools: Vec<ToolsOf>,
}

/// An agent whose own configuration can name the bottle's tools; called as its preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolsOf {
    /// Claude Code.
    ClaudeCode,
    /// OpenAI Codex.
    Codex,
    /// Gemini CLI.
    GeminiCli,
    /// opencode.
    Opencode,
}

impl ToolsOf {
    /// All of them.
    pub const ALL: [ToolsOf; 4] =
        [ToolsOf::ClaudeCode, ToolsOf::Codex, ToolsOf::GeminiCli, ToolsOf::Opencode];

    /// The name of its preset.
    pub fn preset(self) -> &'static str {
        match self {
            ToolsOf::ClaudeCode => "claude-code",
            ToolsOf::Codex => "codex",
            ToolsOf::GeminiCli => "gemini-cli",
            ToolsOf::Opencode => "opencode",
        }
    }
}

/// What the agent sees of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// Mounted read-write at its own path (absolute, canonical); also the working directory.
    pub workspace: PathBuf,
    /// More of the host, at their own paths unless `at` says otherwise.
    pub mounts: Vec<MountPlan>,
    /// Host folder that is the bottle's private $HOME and lasts from run to run (absolute).
    pub home: PathBuf,
    /// The path that $HOME has inside (the user's own).
    pub home_inside: PathBuf,
    /// Paths inside the workspace that are write-protected although the workspace is writable, besides the built-in
    /// ones (`.git/hooks`, `.git/config`, the manifest, editor and agent settings that run commands).
    pub protect: Vec<PathBuf>,
    /// Protected paths that the manifest sets free.
    pub unprotect: Vec<PathBuf>,
    /// Ports of servers inside, published on 127.0.0.1 of the host.
    pub ports: Vec<PortPlan>,
    /// Limits.
    pub limits: LimitsPlan,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPlan {
    /// Host path, absolute.
    pub path: PathBuf,
    /// Path inside.
    pub at: PathBuf,
    /// Whether the agent may write.
    pub writable: bool,
    /// Not an error when it does not exist (presets).
    pub optional: bool,
}

/// A published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortPlan {
    /// On 127.0.0.1 of the host.
    pub host: u16,
    /// Inside, on 127.0.0.1 or any address of the bottle.
    pub inside: u16,
}

/// Limits of the bottle; `None`: the backend's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsPlan {
    /// Bytes of memory, none of it in swap.
    pub memory: Option<u64>,
    /// Number of processes.
    pub processes: Option<u64>,
    /// CPUs, in thousandths.
    pub millicpus: Option<u64>,
    /// Open files per process.
    pub open_files: Option<u64>,
}

/// What the bottle reaches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EgressPlan {
    /// Routes and the operator's name table.
    pub policy: Policy,
    /// Credentials by route.
    pub bindings: BTreeMap<RouteId, Binding>,
    /// Where secrets come from.
    pub slots: Vec<SlotPlan>,
    /// What is sought in what leaves.
    pub dlp: DlpPlan,
    /// More PEM roots to trust upstream (absolute).
    pub upstream_roots: Vec<PathBuf>,
    /// The next hop, if any.
    pub upstream_proxy: Option<UpstreamProxyPlan>,
    /// How much may leave by all routes together.
    #[serde(default, skip_serializing_if = "BudgetPlan::is_empty")]
    pub budget: BudgetPlan,
    /// How much may leave by single routes, besides that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub route_budgets: BTreeMap<RouteId, BudgetPlan>,
    /// What happens to requests that no route allows.
    #[serde(default, skip_serializing_if = "UnmatchedPlan::is_deny")]
    pub unmatched: UnmatchedPlan,
}

/// What happens to requests that no route allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnmatchedPlan {
    /// They are refused at once.
    #[default]
    Deny,
    /// They wait for the operator.
    Ask {
        /// Seconds, at most.
        wait_secs: u64,
    },
}

impl UnmatchedPlan {
    fn is_deny(&self) -> bool {
        *self == UnmatchedPlan::Deny
    }
}

/// The next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamProxyPlan {
    /// `http://host:port` or `https://host:port`; never with a password.
    pub url: String,
    /// Its interception CA, if it has one (absolute).
    pub ca: Option<PathBuf>,
    /// The roots of its own certificate, instead of all others (absolute).
    pub roots: Option<PathBuf>,
    /// What it asks for.
    pub auth: Option<ProxyAuthPlan>,
    /// What goes direct.
    pub except: Vec<ProxyException>,
}

impl UpstreamProxyPlan {
    /// Whether a host goes through it.
    pub fn takes(&self, host: &Host) -> bool {
        !self.except.iter().any(|exception| exception.covers(host))
    }
}

/// Basic authentication with the next hop; the password is in its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyAuthPlan {
    /// Before the colon.
    pub username: String,
    /// Of the password.
    pub slot: Slot,
}
