//! Rootless namespaces on this machine.
//!
//! The story: [`plan`] turns a spec into a list of [`Step`]s; the launcher starts a `cradle` (this same binary, with
//! clean memory) and tells it the list; the cradle's watcher does the host's steps and makes the namespaces; the
//! bottle's first process builds the walls and hands the listeners out; the agent starts behind them.

mod cgroup;
mod cradle;
mod diagnose;
mod hints;
pub mod holder;
mod host;
mod launch;
mod netlink;
mod perform;
mod plan;
mod running;
mod seccomp;
mod spare;
mod stdio;
pub mod step;
mod survey;
pub(crate) mod sys;
mod syscalls;
mod warden;
mod wire;

pub use crate::running::{Change, Ended};
pub(crate) use seccomp::profile as calls_of;

pub use cradle::cradle_main;
pub use diagnose::{Check, diagnose};
pub use launch::{
    Begun, CRADLE, InsideListeners, Places, Prepared, hold_places, planned, prepare, prepare_on,
    prepare_steps,
};
pub use running::{Handle, Running};
pub use spare::Spare;
pub use step::Step;
pub use survey::{Appeared, Stamp, Survey};
