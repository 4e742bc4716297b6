//! DECIDES. What a request is, in one normal form, and whether the routes of a bottle allow it.
//!
//! Not here: I/O, clocks, name resolution, secrets, the manifest's syntax. Everything is a pure function of its
//! arguments; the same code answers `bottle explain` and the wire.
#![forbid(unsafe_code)]

pub mod address;
pub mod decide;
pub mod denial;
pub mod host;
pub mod path;
pub mod request;
pub mod route;

pub use address::{AddressRefusal, Vetted, vet};
pub use decide::{Opening, Permitted, PermittedTunnel, Policy, decide, open};
pub use denial::{Denial, DenialCode};
pub use host::{Host, HostError, HostPattern};
pub use path::{NormalPath, PathPattern};
pub use request::{Method, Request, Scheme};
pub use route::{Protocol, Route, RouteId, TlsMode};
