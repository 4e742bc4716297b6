//! What must hold for every input. The targets in `fuzz_targets/` are one line each: they hand bytes to these.
//!
//! Run one with `RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none decide fuzz/corpus/decide fuzz/seeds/decide` (the
//! code is free of `unsafe`; what is sought are panics and broken promises, and without a sanitizer more is tried).

mod client_hello;
mod decide;
mod dns;
mod framing;
mod inspect;
mod manifest;
mod packed;
mod request;
mod rules;
mod stream;

pub use client_hello::client_hello;
pub use decide::decide;
pub use dns::dns;
pub use framing::framing;
pub use inspect::{codes, fragments, inspect};
pub use manifest::manifest;
pub use packed::packed;
pub use request::request;
pub use rules::{own_rule, rule_file};
pub use stream::{placeholder_swap, scrub};

/// The lines of a text; missing ones are empty.
fn lines<const N: usize>(text: &str) -> [&str; N] {
    let mut lines = text.split('\n');
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}
