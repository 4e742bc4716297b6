//! What every engine needs and no manifest changes, begun before anything else is known.
use crate::{injection, tls};
use dlp::RuleSet;
use std::sync::Once;

/// Begins to read the system's roots and to compile the built-in rules and the patterns for answers, on threads beside the caller.
/// Nobody waits for them here: whoever needs one of them first waits for it, and without it nothing passes. Again it does nothing.
pub fn begin_ahead() {
    static BEGUN: Once = Once::new();
    tls::read_beside();
    BEGUN.call_once(|| {
        let compile = || {
            RuleSet::built_in().prepare();
            injection::prepare();
        };
        // Where no thread can be had, whoever needs them first compiles them.
        drop(std::thread::Builder::new().name("rules".to_owned()).spawn(compile));
    });
}
