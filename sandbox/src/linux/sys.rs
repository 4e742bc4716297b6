//! The kernel calls that no safe wrapper offers. The only unsafe code of the project lives in this folder.
#![expect(unsafe_code, reason = "each block says why it is sound")]

pub(crate) mod attempt;
mod mount;
mod process;

pub(crate) use mount::{MountAttr, mount_setattr};
pub(crate) use process::{Forked, clone_into, close_from, fork, landlock_abi, reset_signals};
