//! What the scanner knows of rules, as far as a manifest is concerned.
use crate::plan::OwnRulePlan;

/// Findings that are no rules of a list, and may have an action in the manifest all the same.
pub const VALUES: [&str; 4] = ["known-secret", "placeholder-astray", "split-secret", "unreadable"];
/// What the bottle planted, which never leaves.
pub const CANARY: &str = "canary";
/// Findings of searches that have keys of their own.
const SEARCHES: [&str; 2] = ["prompt-injection", "random-text"];

/// Whether findings have this name that are no rule's: a rule of that name would be taken for them.
pub fn is_reserved(id: &str) -> bool {
    id == CANARY || VALUES.contains(&id) || SEARCHES.contains(&id)
}

/// What a rule costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It is tried where one of its words stands.
    Quick,
    /// It is tried at every byte.
    Slow,
}

/// Whether the scanner can use a rule.
///
/// # Errors
/// A clause that says what is wrong with it.
pub(crate) fn check(rule: &OwnRulePlan) -> Result<Pace, String> {
    match dlp::RuleSet::of_own(&[rule.rule()]) {
        Ok(rules) => Ok(if rules.rules().any(dlp::Rule::is_slow) { Pace::Slow } else { Pace::Quick }),
        Err(errors) => {
            let all: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            Err(all.join("; "))
        }
    }
}
