//! HOLDS SECRETS. The only crate that can read their bytes: sources, placeholders, bindings, injection.
//!
//! Not here: which route binds which credential (the plan says), when to send (the egress), the search for values in
//! streams (`dlp`, which is handed the bytes through [`Vault::expose_to_scanner`]).
#![forbid(unsafe_code)]

pub mod reference;
pub mod secret;

pub mod vault;

pub mod remote;

mod held;
mod source;
mod world;

pub mod placeholder;

pub mod inject;
mod spelled;
pub mod swap;

mod dotenv;
pub mod exact;

pub use exact::{Exact, ExactError, ExactSource, NamedSecret, load_exact};
pub use inject::{InjectError, Injected, inject, proxy_authorization};
pub use placeholder::{Placeholder, PlaceholderFormat};
pub use reference::{AuthScheme, Binding, Places, Slot, TokenRef};
pub use remote::{Fresh, Handed, Sources};
pub use secret::{SHORTEST_SOUGHT, Secret};
pub use swap::{BodyKind, BodySwapper};
pub use vault::{Resolution, SlotSpec, Unavailable, Vault, unsought};
