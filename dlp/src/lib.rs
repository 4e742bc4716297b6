//! SCANS. Streaming: bytes in, clean bytes or a finding out; scrubbing of known values.
//!
//! Not here: I/O, codings of transfer (the egress hands over decoded bytes), what to do about a finding (the caller
//! judges each).
//!
//! Outward an [`Inspector`] seeks [`Sought`]: known values and rules, as they stand, unescaped and through [`layers`] of codes; a
//! [`Collector`] puts together what leaves in pieces. Inward a [`Scrubber`] seeks known values alone.
#![forbid(unsafe_code)]

mod alphabets;
pub mod any_word;
mod blocks;
mod find;
mod forms;
pub mod fragments;
pub mod hit;
pub mod inspect;
pub mod known;
pub mod lanes;
pub mod layers;
mod masks;
mod matcher;
pub mod packed;
pub mod rules;
pub mod scan;
pub mod scrub;
pub mod sought;
mod stream;
mod survey;
mod view;

pub use any_word::AnyWord;
pub use fragments::{Collector, Fragments};
pub use hit::{Fingerprint, FingerprintKey, Hit, Verdict};
pub use inspect::Inspector;
pub use known::{KnownValue, KnownValues};
pub use layers::{Layer, Layers};
pub use packed::Unfolding;
pub use rules::{Loaded, OwnRule, Rule, RuleError, RuleSet};
pub use scan::{KnownHit, Scanner};
pub use scrub::Scrubber;
pub use sought::Sought;
