//! MOVES BYTES. Listener, sniff, DNS, TLS, CA, HTTP, WebSocket, tunnel, exchange, upstream, respond.
//!
//! Not here: the manifest, namespaces, the command line. Start reading at [`exchange`].
#![forbid(unsafe_code)]

mod ahead;
pub mod body;
pub mod budget;
pub mod ca;
mod caller;
mod coding;
pub mod config;
mod cut;
pub mod desk;
pub mod dial;
pub mod dns;
pub mod engine;
pub mod errand;
mod exchange;
pub mod framing;
mod fresh;
mod headers;
mod http2;
mod inbound;
mod injection;
mod interim;
mod introspect;
mod listen;
pub mod loopback;
pub mod names;
mod record;
mod resolve;
mod respond;
mod running;
mod screen;
mod seat;
pub mod sniff;
mod socket;
mod steering;
mod tls;
mod trailers;
pub mod tunnel;
mod unpack;
pub mod upstream;
pub mod websocket;

pub use ahead::{begin_ahead, begin_roots};
pub use budget::{Budget, Budgets, Rate};
pub use ca::{CertificateAuthority, WrittenCa, dangerous_written_ca};
pub use caller::Caller;
pub use config::{
    Allowance, Asking, Config, DlpAction, DlpTerms, LEARNING, Limits, ProxyAuth, RouteTerms, RuleAction,
    RuleActions, Unmatched, Upstream, UpstreamProxy,
};
pub use engine::{Engine, Listeners};
pub use errand::Errand;
pub use running::Live;
pub use seat::Rule;
pub use steering::Steering;
pub use unpack::{Damaged, Unpacking};
