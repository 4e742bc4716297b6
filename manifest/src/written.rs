//! The manifest as written. Every key, its type and its meaning stand here, in the folder beside, and nowhere else: the
//! checks of shape, the JSON schema and `docs/manifest.md` are made from these types and their comments.
use crate::at::At;
use schemars::JsonSchema;
use serde::Deserialize as Derive;

mod auth;
mod dlp;
mod hand;

pub use auth::{Auth, AuthChoice, AuthScheme, Format, PlaceWord, Token};
pub use dlp::{
    Allowance, Budget, Canaries, Canary, Dlp, DlpAction, DlpSecret, EntropyAction, InjectionAction, OwnRule,
    Responses, RouteDlp, RuleAction, RuleChoice, RuleTable,
};
pub use hand::{Port, Table};

/// A bottle, as its user describes it: `bottle.yaml`. Every key has a default; an empty file is a bottle that reaches
/// nothing. Unknown keys are errors. Relative paths start at the manifest's folder; `~` is the user's home.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the bottle; its private home, its audit file and the names of running bottles come from it. Lower-case
    /// letters, digits and `-`, at most 40. Default: made from the workspace folder's name.
    pub name: Option<At<String>>,
    /// What starts the bottle. Default: `linux`.
    pub backend: Option<At<Backend>>,
    /// The folder that the agent works in, mounted read-write at its own path. Everything else of the home folder is out
    /// of sight. Default: the manifest's folder.
    pub workspace: Option<At<String>>,
    /// Manifests that come with `bottle` and are added to this one: agents (`claude-code`, `codex`, …), code hosts
    /// (`github`, `gitlab`, …) and `packages`, which takes the hosts of package registries from the configuration of the
    /// tools on this machine. Routes of the manifest come before routes of presets, so they win.
    #[serde(default)]
    pub presets: Vec<At<String>>,
    /// The program that runs inside.
    pub agent: Option<Agent>,
    /// More of this machine's disk, for the agent to see.
    #[serde(default)]
    pub mounts: Vec<At<Mount>>,
    /// Ports of servers inside the bottle, published on 127.0.0.1 of this machine: `3000`, or `"8080:3000"` for another
    /// port outside (before the colon) than inside.
    #[serde(default)]
    pub ports: Vec<At<Port>>,
    /// More paths of the workspace that the agent may read but not write, besides those that this machine would execute
    /// or trust later (`.git/hooks`, `.git/config`, editor and agent settings, the manifest).
    #[serde(default)]
    pub protect: Vec<At<String>>,
    /// Paths of the workspace that are set free although they are protected by default. What the agent writes there, this
    /// machine may execute.
    #[serde(default)]
    pub unprotect: Vec<At<String>>,
    /// What the bottle may use up.
    pub limits: Option<Limits>,
    /// The bottle is stopped after this long: `90s`, `30m`, `8h`, `2d`. Default: no limit.
    pub time_limit: Option<At<String>>,
    /// The container image that the agent runs in (backend `docker`), by name: `my-agent:latest`. It must be there or be
    /// had from the engine's registries. The backend `linux` uses this machine's programs instead.
    pub image: Option<At<String>>,
    /// How the image is made, instead of `image` (backend `docker`).
    pub build: Option<At<Build>>,
    /// How the agent's container is cut off (backend `docker`). Default: `sealed`.
    pub network: Option<At<Network>>,
    /// The engine's network through which the egress reaches the world (backend `docker`): the name of one, or `host`.
    /// Default: `bridge`.
    pub outward_network: Option<At<String>>,
    /// What the bottle reaches.
    pub egress: Option<Egress>,
    /// The record of what the bottle did.
    pub audit: Option<Audit>,
}

/// What starts a bottle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Rootless namespaces on this machine.
    Linux,
    /// Containers of a Docker engine, or of Podman.
    Docker,
    /// Pods. Not built yet.
    Kubernetes,
}

/// How an image is made: a folder with a `Dockerfile` is sent to the engine, which builds it.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The folder that is sent. What its `.dockerignore` names stays here. In the workspace it is write-protected, and it
    /// cannot be the whole workspace: a build is no bottle, and must not run what an agent wrote.
    pub context: At<String>,
    /// The file to follow, as seen from that folder. Default: `Dockerfile`.
    pub dockerfile: Option<At<String>>,
    /// The stage to stop at. Default: the last one.
    pub target: Option<At<String>>,
    /// Values for its `ARG`s. Never a secret: whoever has the image can read them.
    pub args: Option<Table>,
}

/// How an agent's container is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// No network at all: every connection is caught inside and answered by the egress.
    Sealed,
    /// A network of the engine without a way out, on which the egress is a proxy. With Podman, services of the engine's
    /// machine may be reached from there, but for those on its loopback addresses.
    Internal,
}

/// The program that runs inside.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Program and arguments; no shell. `bottle run -- CMD` takes its place. Default: the preset's.
    pub command: Option<At<Vec<At<String>>>>,
    /// The preset of the agent that runs inside: its routes, environment and command.
    pub preset: Option<At<String>>,
    /// Variables of the agent's environment. Never a secret: a secret belongs in `auth.token`, where the agent holds a
    /// placeholder for it.
    pub env: Option<Table>,
    /// Names of variables of this machine's environment that the agent gets unchanged, besides `TERM`, `LANG` and others
    /// that only describe the terminal, the language and the time zone.
    #[serde(default)]
    pub pass_env: Vec<At<String>>,
    /// Whether agents find the bottle's tools (MCP: what may I reach, why was this refused, ask the operator) in their own
    /// configuration inside the bottle, with a short instruction. `true`: Claude Code, Codex, Gemini CLI and opencode do, whatever
    /// runs; `false`: none does. Default: those whose preset is used. An entry of the user's own of the same name stays.
    pub tools: Option<bool>,
}

/// A part of this machine's disk that the agent sees.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// The file or folder on this machine.
    pub path: At<String>,
    /// Where it is inside the bottle, absolute. Default: at its own path.
    pub at: Option<At<String>>,
    /// Whether the agent may write. Default: `ro`.
    pub mode: Option<Mode>,
    /// When it does not exist: `true` leaves it out, `false` is an error. Default: `false`.
    #[serde(default)]
    pub optional: bool,
}

/// Whether the agent may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Read only.
    Ro,
    /// Read and write.
    Rw,
}

/// What the bottle may use up; each limit's default is the backend's.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory of all its processes, none of it in swap: `512MiB`, `4GiB`.
    pub memory: Option<At<String>>,
    /// Number of its processes and threads.
    pub processes: Option<At<u64>>,
    /// Number of processors, in steps of a thousandth: `2`, `0.5`.
    pub cpus: Option<At<f64>>,
    /// Open files of each process.
    pub open_files: Option<At<u64>>,
}

/// What the bottle reaches. Without routes: nothing.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// What happens to requests that no route allows. Default: `deny`.
    pub unmatched: Option<At<Unmatched>>,
    /// How long a request waits for the operator with `unmatched: ask`, before it is refused: `90s`, `5m`. Default: `5m`.
    pub answer_within: Option<At<String>>,
    /// A program of this machine, with its arguments, that is started whenever an agent asks for something: the request
    /// stands in its standard input as JSON. No shell; it runs outside of the bottle. Default: none.
    pub on_request: Option<At<Vec<At<String>>>>,
    /// The allowlist. The first route that covers a request decides which credential it gets and which checks it passes.
    #[serde(default)]
    pub routes: Vec<At<Route>>,
    /// The search for secrets in what leaves. Every token is always sought.
    pub dlp: Option<Dlp>,
    /// How much may leave by all routes together.
    pub budget: Option<Budget>,
    /// A proxy that everything goes through after it was allowed, but for its exceptions.
    pub upstream_proxy: Option<UpstreamProxy>,
    /// PEM files with more root certificates to trust upstream, besides this machine's. In the workspace they are
    /// write-protected.
    #[serde(default)]
    pub upstream_roots: Vec<At<String>>,
    /// Names that are not looked up: `host` or `host:port` → `address` or `address:port`. These addresses may be private
    /// ones. A route is needed all the same. What goes through `upstream_proxy` is looked up there, and not here.
    pub resolve: Option<Table>,
}

/// What happens to requests that no route allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    /// They are refused at once.
    Deny,
    /// They wait for the operator, who answers with `bottle allow`, `bottle watch` or `bottle ui`. Where nobody can
    /// answer they are refused at once.
    Ask,
}

/// A rule of the allowlist: which requests may go out, with which credential.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// One host (`api.example.com`, `10.0.0.1`), or all names below one at any depth, without itself (`*.example.com`).
    pub host: At<String>,
    /// For people, in the preflight and the audit; no two routes share one. Default: made from host and paths.
    pub name: Option<At<String>>,
    /// Default: 443, or 80 with `scheme: http`.
    pub port: Option<At<u16>>,
    /// Default: `https`. A credential never goes out over `http`.
    pub scheme: Option<At<Scheme>>,
    /// Default: `http`.
    pub protocol: Option<At<Protocol>>,
    /// Default: `open`.
    pub tls: Option<At<Tls>>,
    /// Which methods. Default: all.
    pub methods: Option<At<Vec<At<String>>>>,
    /// Which paths: `*` stands for anything within one segment, `**` for any number of segments. Default: all.
    pub paths: Option<At<Vec<At<String>>>>,
    /// The host may resolve to a private address: RFC 1918, shared address space (100.64.0.0/10) and unique local IPv6
    /// (fc00::/7). Never to this machine itself, its link, or a metadata service, which only `resolve` can name.
    /// Default: `false`.
    pub allow_private: Option<At<bool>>,
    /// The credential of the route, or a list of which the first one at hand is taken. Default: none.
    pub auth: Option<At<AuthChoice>>,
    /// The search for secrets in what leaves by this route.
    pub dlp: Option<At<RouteDlp>>,
    /// How much may leave by this route, besides what `egress.budget` says.
    pub budget: Option<Budget>,
}

/// The scheme of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// Plain HTTP.
    Http,
}

/// What a route lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP in any version, and WebSocket; every request is judged.
    Http,
    /// Raw bytes to one host and port, not inspected; the audit says so.
    Tcp,
}

/// What happens to the TLS of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Opened with the bottle's own certificate authority, so that requests can be judged.
    Open,
    /// The name is checked and the rest passed through unopened: for clients that pin certificates.
    Passthrough,
}

/// A proxy that everything goes through after it was allowed, but for its exceptions. TLS, WebSockets and raw bytes go
/// through it by CONNECT, plain HTTP in absolute form. When it is down nothing goes around it. Names are resolved by the
/// proxy, so that their addresses are not vetted here; an address that a request names is. Credentials of routes go
/// through it inside TLS: it can read them only when it opens TLS, which needs `ca`.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamProxy {
    /// `http://host:port`, or `https://host:port` for TLS to the proxy itself. Never with a password: `auth` has it.
    pub url: At<String>,
    /// A PEM file with the certificate authority that the proxy signs with, when it opens TLS. It is trusted for what
    /// comes through the proxy and for nothing else; not for the proxy's own certificate either. In the workspace it is
    /// write-protected.
    pub ca: Option<At<String>>,
    /// With `https://`: a PEM file with the roots of the proxy's own certificate. No others verify it then. Default: this
    /// machine's and `upstream_roots`. In the workspace it is write-protected.
    pub roots: Option<At<String>>,
    /// What the proxy asks for: Basic authentication.
    pub auth: Option<At<ProxyAuth>>,
    /// What goes direct: one host (`api.example.com`, `10.0.0.1`), all names below one, without itself (`*.example.com`),
    /// or a block of addresses (`10.0.0.0/8`), on every port. The host counts as it was asked for: a block covers
    /// addresses that a request names and never a name, wherever that leads. What goes direct is looked up and vetted
    /// here. A route is needed all the same. Default: nothing.
    #[serde(default)]
    pub except: Vec<At<String>>,
}

/// User name and password for an upstream proxy.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyAuth {
    /// The user name.
    pub username: At<String>,
    /// Where the password comes from. It is a secret like any other: searched for in what leaves, taken out of what comes
    /// back, never inside the bottle.
    pub token: At<Token>,
}

/// The record of what the bottle did.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The file, outside the workspace. Default: `~/.local/state/bottle/NAME/audit.jsonl`.
    pub file: Option<At<String>>,
}
