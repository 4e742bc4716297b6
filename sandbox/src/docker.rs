//! Containers of an engine that speaks Docker's API: Docker, Docker Desktop, rootless Docker, Podman.
//!
//! The story: [`connect`] finds the engine as the user's own client would; [`facts`] asks it what it is; [`image`] lays
//! this very binary into it as an image. Nothing of the API's client shows in a public signature.

pub mod connect;
mod diagnose;
pub mod facts;
mod failure;
pub mod image;

pub use connect::Engine;
pub use diagnose::diagnose;
pub use facts::Facts;
