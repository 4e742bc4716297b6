//! MOVES BYTES. Listener, sniff, DNS, TLS, CA, HTTP, WebSocket, tunnel, exchange, upstream, respond.
//!
//! Not here: the manifest, namespaces, the command line. Start reading at [`exchange`].
#![forbid(unsafe_code)]

pub mod body;
pub mod ca;
pub mod config;
pub mod dial;
pub mod dns;
pub mod engine;
pub mod names;
mod tls;
pub mod tunnel;
pub mod upstream;

pub use ca::CertificateAuthority;
pub use config::{Config, DlpAction, DlpTerms, Limits, Upstream, UpstreamProxy};
pub use engine::{Engine, Listeners};
