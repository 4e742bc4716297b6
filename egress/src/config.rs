//! What an engine is told. Plain data: `bottle` translates the plan into it.
mod terms;

use crate::Budgets;
use crate::desk::{LocalSite, Notices};
use credentials::{Binding, Slot, Vault};
use policy::{Policy, ProxyException, RouteId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use terms::{Allowance, DlpAction, DlpTerms, RouteTerms, RuleAction, RuleActions};

/// Everything an engine needs.
pub struct Config {
    /// Slug of the bottle, for messages.
    pub bottle: String,
    /// Routes.
    pub policy: Arc<Policy>,
    /// Credentials by route.
    pub bindings: BTreeMap<RouteId, Binding>,
    /// The secrets.
    pub vault: Vault,
    /// What is sought in what leaves.
    pub dlp: DlpTerms,
    /// Signs the leaves.
    pub ca: crate::CertificateAuthority,
    /// The outward leg.
    pub upstream: Upstream,
    /// Bounds of everything.
    pub limits: Limits,
    /// Where events go.
    pub audit: audit::Auditor,
    /// What is asked and answered while it runs.
    pub asking: Asking,
}

/// What is asked and answered while an engine runs.
#[derive(Default)]
pub struct Asking {
    /// Names the policy in the audit; empty: nothing does.
    pub policy_hash: String,
    /// What happens to requests that no route allows.
    pub unmatched: Unmatched,
    /// Whether somebody can answer from the start.
    pub attended: bool,
    /// Whether the kill switch is on from the start.
    pub locked: bool,
    /// Who hears of petitions.
    pub notices: Option<Notices>,
    /// Pages of the engine's own host besides its own ones.
    pub local: Option<Arc<dyn LocalSite>>,
}

/// The name in the audit of what goes out only to be learned from.
pub const LEARNING: &str = "(learning)";

/// What happens to requests that no route allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// They are refused at once.
    #[default]
    Deny,
    /// They wait for the operator, for this long at most.
    Ask {
        /// How long.
        wait: Duration,
    },
    /// They go out, by a route of their own each, which the audit calls [`LEARNING`]: never to private addresses, and what
    /// is sought in them is sought all the same.
    Learn,
}

/// The outward leg.
#[derive(Default)]
pub struct Upstream {
    /// PEM roots besides the system's and the built-in ones.
    pub extra_roots_pem: Vec<String>,
    /// The next hop of everything but its exceptions.
    pub proxy: Option<UpstreamProxy>,
    /// Name servers to ask instead of the system's; empty: the system's.
    pub nameservers: Vec<std::net::SocketAddr>,
    /// How much may leave in a time.
    pub budgets: Budgets,
}

/// The next hop.
pub struct UpstreamProxy {
    /// `http://host:port` or `https://host:port`; never with a password.
    pub url: String,
    /// Its interception CA, PEM: trusted for what comes through it, and for nothing else.
    pub ca_pem: Option<String>,
    /// The roots of its own certificate (`https://`), PEM, instead of those of all upstreams.
    pub roots_pem: Option<String>,
    /// What it asks for.
    pub auth: Option<ProxyAuth>,
    /// What goes direct.
    pub except: Vec<ProxyException>,
}

impl UpstreamProxy {
    /// One that opens nothing, asks for nothing and takes everything.
    pub fn at(url: impl Into<String>) -> UpstreamProxy {
        UpstreamProxy { url: url.into(), ca_pem: None, roots_pem: None, auth: None, except: Vec::new() }
    }
}

/// Basic authentication (RFC 7617) with the next hop.
#[derive(Clone)]
pub struct ProxyAuth {
    /// Before the colon.
    pub username: String,
    /// The password's slot.
    pub slot: Slot,
    /// Holds it.
    pub vault: Vault,
}

/// Bounds. Each has a default that fits real clients; none may be absent.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections from the bottle at once.
    pub connections: usize,
    /// Bytes of a request head.
    pub head_bytes: usize,
    /// Bytes read before the protocol must be clear.
    pub sniff_bytes: usize,
    /// Time until the protocol must be clear.
    pub sniff_time: Duration,
    /// Time for TLS handshakes on either side.
    pub handshake_time: Duration,
    /// Time to read a request head.
    pub head_time: Duration,
    /// Time to connect upstream, all addresses together.
    pub connect_time: Duration,
    /// Idle time of a kept connection.
    pub idle_time: Duration,
    /// Idle time of a tunnel or stream in which nothing moves.
    pub stream_idle_time: Duration,
    /// Streams of one h2 connection.
    pub h2_streams: u32,
    /// Bodies in br or zstd that are decoded at once: each may take up to 16 MiB (RFC 7932 section 9.1; RFC 9659 has 8).
    pub decoders: usize,
    /// Names that have a synthetic address.
    pub names: usize,
    /// Time that running exchanges get when the engine ends.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4096,
            head_bytes: 64 * 1024,
            sniff_bytes: 17 * 1024,
            sniff_time: Duration::from_secs(10),
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(30),
            connect_time: Duration::from_secs(20),
            idle_time: Duration::from_secs(90),
            stream_idle_time: Duration::from_secs(3600),
            h2_streams: 256,
            decoders: 32,
            names: 16_384,
            grace: Duration::from_secs(3),
        }
    }
}
