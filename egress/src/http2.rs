//! HTTP/2 as both legs speak it: bodies, flow control, tunnels and signs of life, over the `h2` crate.
//!
//! hyper, which speaks HTTP/1.1 here, has the same, and says and shows no interim answers (1xx) in HTTP/2. Not here: what
//! is asked for and answered; see [`crate::inbound`] and [`crate::upstream`].
mod duplex;
mod outgoing;
mod pulse;
mod received;

pub(crate) use duplex::Duplex;
pub(crate) use outgoing::{Outgoing, pump};
pub(crate) use pulse::Pulse;
pub(crate) use received::Received;
