//! Rules of the allowlist, as meant.
use crate::{HostPattern, Method, PathPattern, Scheme};
use serde::{Deserialize, Serialize};

/// The place of a route in the plan; side tables (credentials, checks) use it as their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteId(pub u32);

/// What a route lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP in any version, WebSocket included; every request is judged.
    Http,
    /// Raw bytes to one host and port, not inspected.
    Tcp,
}

/// What happens to TLS on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Opened with the bottle's CA.
    Open,
    /// SNI checked, not opened.
    Passthrough,
}

/// A rule of the allowlist with every default applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its place in the plan.
    pub id: RouteId,
    /// For people: `api.github.com /acme/**`, or the preset it came from.
    pub name: String,
    /// Which hosts.
    pub host: HostPattern,
    /// Which port; never a wildcard.
    pub port: u16,
    /// Which scheme (`http` only when the manifest says so).
    pub scheme: Scheme,
    /// Raw or HTTP.
    pub protocol: Protocol,
    /// Opened or passed through.
    pub tls: TlsMode,
    /// Allowed methods; `None`: all.
    pub methods: Option<Vec<Method>>,
    /// Allowed paths; `None`: all.
    pub paths: Option<Vec<PathPattern>>,
    /// Names of this route may resolve to private addresses.
    pub allow_private: bool,
}
