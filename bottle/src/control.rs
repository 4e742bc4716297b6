//! The operator's line to a running bottle: a socket beside its record, that only its user can open.
//!
//! A line is a message, in JSON. `bottle allow`, `refuse`, `watch`, `ui`, `reload` and `kill-switch` speak here; the launcher
//! answers ([`hub`], [`serve`]) and steers the engine, wherever that runs ([`Steer`]).
pub mod call;
pub mod describe;
pub mod hub;
pub mod narrow;
pub mod notify;
pub mod serve;
mod short;
pub mod steer;
pub mod wire;

pub use hub::{Hub, Switch};
pub use wire::{Call, Say, Seen, Snapshot};

use crate::failure::Failure;
use egress::Live;
use egress::desk::{Answer, AnswerError, Petition};

/// The name of the socket in a bottle's runtime folder.
pub const SOCKET: &str = "control.sock";

/// A running engine, wherever it runs. Calls may take as long as a message there and back.
pub trait Steer: Send + Sync {
    /// Answers a petition; `by` says who and how, for the audit. `always` has been written down by then.
    /// # Errors
    /// When it is not open, or cannot be allowed so.
    fn answer(&self, id: &str, answer: Answer, by: &str) -> Result<Petition, AnswerError>;
    /// The kill switch; how many exchanges it ended.
    /// # Errors
    /// When the engine cannot be told.
    fn lock(&self, on: bool, by: &str) -> Result<usize, Failure>;
    /// Whether somebody can answer.
    fn attend(&self, on: bool);
    /// What is under way; nothing when the engine does not say.
    fn running(&self) -> Vec<Live>;
    /// Puts a manifest in force that was read again; how many exchanges that ended.
    /// # Errors
    /// When the engine cannot be told, or does not take it; the old one is in force then.
    fn rule(&self, change: steer::Change, by: &str) -> Result<usize, Failure>;
}
