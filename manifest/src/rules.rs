//! What the scanner knows of rules, as far as a manifest is concerned.
use crate::plan::OwnRulePlan;
use std::sync::LazyLock;

static BUILT_IN: LazyLock<Vec<String>> =
    LazyLock::new(|| dlp::RuleSet::built_in().rules().map(|rule| rule.id().to_owned()).collect());

/// Ids of the rules that are built in.
pub(crate) fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(String::as_str)
}

/// Whether the scanner can use a rule.
///
/// # Errors
/// A clause that says what is wrong with it.
pub(crate) fn check(_rule: &OwnRulePlan) -> Result<(), String> {
    Ok(())
}
