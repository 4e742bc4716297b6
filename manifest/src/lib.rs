//! UNDERSTANDS THE USER. The only crate that knows YAML: [`Manifest`] (as written) → [`lower`] → [`Plan`] (as meant).
//!
//! Not here: reading secrets, touching the network, starting anything.
#![forbid(unsafe_code)]

pub mod plan;

pub use plan::Plan;
