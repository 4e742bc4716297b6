//! SCANS. Streaming: bytes in, clean bytes or a finding out; scrubbing of known values.
//!
//! Not here: I/O, decompression of transfer (the egress hands over decoded bytes), what to do about a finding, rules for
//! kinds of credentials nobody told us about (they come later; today known values are sought, in every spelling).
#![forbid(unsafe_code)]

mod forms;
pub mod known;
mod matcher;
pub mod scan;
pub mod scrub;
mod stream;
mod view;

pub use known::{KnownValue, KnownValues};
pub use scan::{Hit, Scanner};
pub use scrub::Scrubber;
