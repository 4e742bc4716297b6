//! DECIDES. What a request is, in one normal form, and whether the routes of a bottle allow it.
//!
//! Not here: I/O, clocks, name resolution, secrets, the manifest's syntax. Everything is a pure function of its
//! arguments; the same code answers `bottle explain` and the wire. Nothing here may panic: the texts it reads were
//! written by the agent, and a judge that can be knocked over is a door.
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]
#![deny(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod host;
pub mod path;
pub mod request;
pub mod route;

pub mod address;
pub mod decide;
pub mod denial;
pub mod exception;
pub mod proposal;

pub mod special;
pub mod text;
mod within;

pub use address::{AddressRefusal, Vetted, vet};
pub use decide::{Opening, Permitted, PermittedTunnel, Policy, PolicyError, decide, open};
pub use denial::{Denial, DenialCode};
pub use exception::ProxyException;
pub use host::{Authority, Host, HostError, HostName, HostPattern, parents};
pub use path::{NormalPath, PathPattern};
pub use proposal::Proposal;
pub use request::{Method, Request, Scheme};
pub use route::{Protocol, Route, RouteId, TlsMode};
pub use text::neutral;
