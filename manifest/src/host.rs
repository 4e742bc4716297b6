//! What a manifest needs to know of the machine. The shell answers; the lowering only asks.
use credentials::TokenRef;
use std::path::{Path, PathBuf};

/// Facts about the machine that the bottle is to run on. Nothing here runs a program or reads a secret.
pub trait Host {
    /// The user's home folder, absolute.
    fn home(&self) -> PathBuf;
    /// Where programs of this user keep state (`~/.local/state`), absolute.
    fn state(&self) -> PathBuf;
    /// Where this user's launchers listen to their operator, absolute. No agent may reach it.
    fn runtime(&self) -> PathBuf;
    /// Whether a variable is set and not empty.
    fn has_variable(&self, name: &str) -> bool;
    /// Whether a path exists.
    fn exists(&self, path: &Path) -> bool;
    /// The path with every link resolved, when it exists.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;
    /// Where the program of this name is, looked for as a shell would in the absolute folders of `PATH`.
    fn program(&self, name: &str) -> Option<PathBuf>;
    /// The registries that this machine's package tools are configured for. Asked only for `presets: [packages]`.
    fn registries(&self, workspace: &Path) -> Registries;
}

/// Registries of package tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    /// Each of them once.
    pub list: Vec<Registry>,
    /// What could not be found out, for people.
    pub unknown: Vec<String>,
}

/// A host that a package tool takes packages from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The tool: `npm`, `pip`, …
    pub tool: String,
    /// Where the tool's configuration says so, for people.
    pub from: String,
    /// `http` or `https`.
    pub scheme: policy::Scheme,
    /// The host.
    pub host: policy::Host,
    /// The port.
    pub port: u16,
    /// Whether the user or the system's administrator wrote it down, so that it may be a mirror inside a company; a
    /// tool's own default may not lead to a private address.
    pub configured: bool,
    /// The credential that the tool has for it.
    pub auth: Option<RegistryAuth>,
}

/// A credential that a package tool has for its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAuth {
    /// Where the secret is.
    pub source: TokenRef,
    /// How it stands in requests.
    pub scheme: credentials::AuthScheme,
    /// The look of its placeholder.
    pub format: credentials::PlaceholderFormat,
    /// The variable that the tool's own configuration reads it from, when there is one.
    pub env: Vec<String>,
}
