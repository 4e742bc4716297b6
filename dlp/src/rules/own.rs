//! Rules of the user's own.
use super::anchor::anchor;
use super::machine::Machine;
use super::rule::{Allowed, Finder, Part, Rule, Target, Written};
use super::{BACK, RuleSet};
use regex_automata::meta::Regex;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Bytes that a match may have when the pattern sets no bound: what follows is not looked at.
const LONGEST: usize = 4096;

/// A rule as the user writes it.
#[derive(Debug, Clone, Default)]
pub struct OwnRule {
    /// What findings and allowances call it.
    pub id: String,
    /// What it finds, in a few words; the id when empty.
    pub about: String,
    /// A regular expression about bytes: `\w`, `\d`, `\s`, `\b` and `(?i)` know ASCII only.
    pub pattern: String,
    /// The group that is the value: 0 is the first one, or the whole match where there are no groups.
    pub group: usize,
    /// Bits for each byte that a value must have at least; 0 asks for nothing.
    pub entropy: f64,
    /// Words that no value has, in any case of their letters.
    pub stop_words: Vec<String>,
    /// Values of which one of these patterns matches a part are none.
    pub except: Vec<String>,
}

/// What is wrong with a rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Line and column in the file, from 1 on; without a file the number of the rule, from 1 on, and 1.
    pub line: usize,
    /// See `line`.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for RuleError {}

impl RuleSet {
    /// Rules of the user's own, for [`RuleSet::with`].
    /// # Errors
    /// Every rule that cannot be used, by its number.
    pub fn of_own(rules: &[OwnRule]) -> Result<RuleSet, Vec<RuleError>> {
        let (mut made, mut errors) = (Vec::new(), Vec::new());
        for (number, rule) in (1..).zip(rules) {
            match own(rule) {
                Ok(rule) => made.push(Arc::new(rule)),
                Err(message) => errors.push(RuleError { line: number, column: 1, message }),
            }
        }
        if errors.is_empty() { Ok(RuleSet::of(made)) } else { Err(errors) }
    }
}

fn own(rule: &OwnRule) -> Result<Rule, String> {
    let except = rule.except.iter().map(|pattern| exception(pattern)).collect::<Result<_, _>>()?;
    let allowed =
        Allowed { target: Target::Value, patterns: except, words: lowered(&rule.stop_words), all: false };
    made(rule, vec![allowed])
}

/// The rule with its exceptions.
pub(super) fn made(rule: &OwnRule, allowed: Vec<Allowed>) -> Result<Rule, String> {
    if rule.id.is_empty() {
        return Err("a rule needs an `id`".to_owned());
    }
    let pattern = without_lead(&rule.pattern);
    let machine = Machine::new(&pattern)
        .map_err(|error| format!("the pattern of `{}` is no regular expression: {error}", rule.id))?;
    if rule.group > machine.groups() {
        return Err(format!(
            "`{}` has {} groups, and group {} is to be its value",
            rule.id,
            machine.groups(),
            rule.group
        ));
    }
    if machine.matches_nothing() {
        return Err(format!("the pattern of `{}` matches the empty text, which is everywhere", rule.id));
    }
    let (found, longest) = anchor(&pattern, BACK);
    let finder = if found.is_some() { Finder::Words } else { Finder::Everywhere };
    let machine = if finder == Finder::Everywhere { machine.knowing_firsts() } else { machine };
    let (words, lead) = found.map(|found| (found.words, found.lead)).unwrap_or_default();
    let about = if rule.about.is_empty() { &rule.id } else { &rule.about };
    let longest = longest.unwrap_or(LONGEST).clamp(1, LONGEST);
    let part = if rule.group == 0 { Part::FirstGroup } else { Part::Group(rule.group) };
    let written = Written { id: &rule.id, about, pattern: &pattern, entropy: rule.entropy };
    Ok(Rule::own(&written, machine, finder, words).sized(lead, longest).valued(part, allowed))
}

/// Without what may stand before the word of a rule and is no part of its value: most rules of gitleaks begin so, and would be
/// tried from fifty places for each word.
fn without_lead(pattern: &str) -> Cow<'_, str> {
    const LEAD: &str = r"[\w.-]{0,50}?";
    let (flag, rest) = match pattern.strip_prefix("(?i)") {
        Some(rest) => ("(?i)", rest),
        None => ("", pattern),
    };
    match rest.strip_prefix(LEAD).filter(|rest| rest.contains('(')) {
        Some(rest) => {
            let rest = match rest.strip_prefix("(?i:").and_then(|inner| inner.strip_prefix(LEAD)) {
                Some(inner) => format!("(?i:{inner}"),
                None => rest.to_owned(),
            };
            format!("{flag}{rest}").into()
        }
        None => pattern.into(),
    }
}

/// Letters in small.
pub(super) fn lowered(words: &[String]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect()
}

pub(super) fn exception(pattern: &str) -> Result<Regex, String> {
    Regex::builder()
        .syntax(super::machine::reading())
        .build(pattern)
        .map_err(|_| format!("the exception `{pattern}` is no regular expression"))
}
