//! Containers of an engine that speaks Docker's API: Docker, Docker Desktop, rootless Docker, Podman.
//!
//! The story: [`connect`] finds the engine as the user's own client would; [`facts`] asks it what it is; [`user_image`]
//! gets what the agent's container is made of; [`plan`] turns a bottle into steps, which [`bottle::Bottle`] does and
//! undoes; [`agent`] is the agent that runs. Nothing of the API's client shows in a public signature.

pub mod agent;
pub mod bottle;
pub mod clean;
pub mod connect;
mod diagnose;
pub mod facts;
mod failure;
mod files;
pub mod home;
pub mod image;
mod line;
mod perform;
pub mod plan;
pub mod spec;
pub mod user_image;
pub mod wire;

pub use agent::Inmate;
pub use bottle::{Bottle, Created, Owner};
pub use connect::Engine;
pub use diagnose::diagnose;
pub use facts::Facts;
pub use files::OwnFile;
pub use user_image::UserImage;
pub use wire::Wire;

/// The agent's filter of system calls for the engine's machine, as JSON; `None` for a machine that is not known.
#[must_use]
pub fn filter(facts: &Facts) -> Option<String> {
    crate::linux::calls_of(&facts.arch)
}
