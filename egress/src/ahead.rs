//! What every engine needs and no manifest changes, begun before anything else is known.
use crate::injection;
use dlp::RuleSet;
use std::sync::Once;

pub use crate::tls::begin_roots;

/// Begins to compile the built-in rules and the patterns for answers, on a thread beside the caller. Nobody waits for them here:
/// whoever needs one of them first waits for it, and without it nothing passes. Again it does nothing.
pub fn begin_ahead() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let compile = || {
            RuleSet::built_in().prepare();
            injection::prepare();
        };
        // Where no thread can be had, whoever needs them first compiles them.
        drop(std::thread::Builder::new().name("rules".to_owned()).spawn(compile));
    });
}
