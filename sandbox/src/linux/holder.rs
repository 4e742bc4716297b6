//! A container's network, held for the agent that joins it: what the namespaces of [`super::prepare`] are to a bottle of
//! this machine.
//!
//! The story: [`hold`] is the first process of a container that has no interface but `lo`. It does the same network
//! steps as every bottle, gives up what it can do, and hands the listeners to its first peer, who is the egress in
//! another container and gets them by [`take`]. From then on it only keeps the namespace alive, for as long as that egress
//! lives: where the agent shares its PID namespace, its end is the agent's. [`splice`] is a second
//! program of that container, one per connection from outside to a server of the agent's.

mod door;
mod hold;
mod splice;
mod take;

pub use hold::{News, guards, hold, hold_steps, planned};
pub use splice::splice;
pub use take::{Tether, take, tie};

use super::step::ListenKind;
use serde::{Deserialize, Serialize};

/// argv[1] of this binary as the first process of a holder; argv[2] is the path of the socket.
pub const HOLD: &str = "__hold";
/// argv[3] of a holder that holds processes alone: nobody joins its network, and it hands nothing over.
pub const PROCESSES: &str = "processes";
/// argv[1] of this binary as a way to a server in the holder's network; argv[2] is the port.
pub const SPLICE: &str = "__splice";

/// What the taker says first: who it is and which version it speaks. Everything else is said by the holder.
const GREETING: &[u8; 16] = b"bottle holder 1\n";

/// Holder → taker, in the frames of `wire`.
#[derive(Debug, Serialize, Deserialize)]
enum Offer {
    /// One listener; its descriptor comes along.
    Listener { kind: ListenKind, v6: bool },
    /// These were all.
    Complete,
    /// That greeting is not of this version; nothing is handed over.
    Refused,
}
