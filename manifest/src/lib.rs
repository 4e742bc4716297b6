//! UNDERSTANDS THE USER. The only crate that knows YAML: [`Manifest`] (as written) → [`load`] → [`Plan`] (as meant).
//!
//! Not here: reading secrets, touching the network or the disk, starting anything. What a manifest needs to know of the
//! machine it asks a [`Host`], which the shell answers.
#![forbid(unsafe_code)]

pub mod at;
pub mod diff;
pub mod edit;
mod hash;
pub mod host;
pub mod learn;
mod lint;
pub mod lower;
mod meet;
mod node;
pub mod plan;
pub mod presets;
pub mod problem;
pub mod reference;
pub mod rules;
pub mod schema;
mod shape;
pub mod written;

pub use hash::policy_hash;
pub use host::{Host, Registries, Registry, RegistryAuth};
pub use lower::{Loaded, Overrides, Place, load};
pub use node::LARGEST;
pub use plan::Plan;
pub use problem::{Problem, Problems, Report, Severity};
pub use schema::schema;
pub use written::Manifest;
