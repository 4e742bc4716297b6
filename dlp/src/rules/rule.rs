//! One rule: what it seeks, and what must be true of a match.
use super::checks::{self, BEFORE, Check, Evidence};
use super::kinds::Kind;
use super::machine::Machine;
use super::{Frame, framed, made_up, stands_alone};
use regex_automata::Input;
use regex_automata::meta::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// How the places are found at which a rule is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finder {
    /// Where one of its words stands.
    Words,
    /// Where numbers of cards and accounts may begin.
    Digits,
    /// Where words of seed phrases stand in a row.
    Seeds,
    /// At every byte, which is slow.
    Everywhere,
}

/// Which part of a match is the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Group(usize),
    /// The first group that matched something; without groups the whole match.
    FirstGroup,
}

/// What an exception of the user's own looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Value,
    Match,
}

/// What of the user's own is no finding.
pub(super) struct Allowed {
    pub(super) target: Target,
    pub(super) patterns: Vec<Regex>,
    /// In small letters.
    pub(super) words: Vec<Vec<u8>>,
    /// Both a pattern and a word are needed; else either.
    pub(super) all: bool,
}

impl Allowed {
    fn covers(&self, evidence: &Evidence<'_>) -> bool {
        let seen = if self.target == Target::Value { evidence.value } else { evidence.whole };
        let matched = self.patterns.iter().any(|pattern| pattern.is_match(seen));
        let worded =
            self.words.iter().any(|word| !word.is_empty() && checks::holds_word(evidence.value, word));
        if self.all { matched && worded } else { matched || worded }
    }
}

/// What a rule of the user's own says of itself.
pub(super) struct Written<'a> {
    pub(super) id: &'a str,
    pub(super) about: &'a str,
    pub(super) pattern: &'a str,
    pub(super) entropy: f64,
}

/// What most values are made of.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_.~:$".contains(&byte)
}

/// One rule.
pub struct Rule {
    id: Arc<str>,
    provider: Cow<'static, str>,
    about: Arc<str>,
    finder: Finder,
    words: Vec<Vec<u8>>,
    pattern: Cow<'static, str>,
    lead: usize,
    /// What stands before the word is made of letters, digits and few other bytes, and nothing is asked of what stands before
    /// that.
    plain_lead: bool,
    longest: usize,
    alone: bool,
    part: Part,
    entropy: f64,
    check: Option<Check>,
    /// It is one of ours: values that stand for others are none.
    strict: bool,
    allowed: Vec<Allowed>,
    machine: OnceLock<Option<Machine>>,
    search: OnceLock<Option<Regex>>,
}

impl Rule {
    /// What findings and allowances call it.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Who hands such values out; empty for rules of the user's own.
    pub fn provider(&self) -> &str {
        &self.provider
    }
    /// What it finds, in a few words.
    pub fn about(&self) -> &str {
        &self.about
    }
    /// Whether more is looked at than the shape: a checksum, or what the value holds inside.
    pub fn is_checked(&self) -> bool {
        self.check.is_some() || self.finder == Finder::Seeds
    }
    /// Bits for each byte that a value must have at least.
    pub fn entropy(&self) -> f64 {
        self.entropy
    }
    /// Bytes that a stream may hold back for it.
    pub fn longest(&self) -> usize {
        self.longest
    }
    /// It has no word to be found by and is sought for itself, which takes its time.
    pub fn is_slow(&self) -> bool {
        self.finder == Finder::Everywhere
    }

    pub(super) fn of(kind: &'static Kind) -> Rule {
        Rule {
            id: kind.id.into(),
            provider: kind.provider.into(),
            about: kind.about.into(),
            finder: kind.finder,
            words: kind.words.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect(),
            pattern: kind.pattern.into(),
            lead: kind.lead,
            plain_lead: true,
            longest: kind.longest,
            alone: kind.alone,
            part: if kind.group == 0 { Part::Whole } else { Part::Group(kind.group) },
            entropy: kind.entropy,
            check: kind.check,
            strict: true,
            allowed: Vec::new(),
            machine: OnceLock::new(),
            search: OnceLock::new(),
        }
    }

    pub(super) fn own(written: &Written<'_>, machine: Machine, finder: Finder, words: Vec<Vec<u8>>) -> Rule {
        Rule {
            id: written.id.into(),
            provider: Cow::Borrowed(""),
            about: written.about.into(),
            finder,
            words,
            pattern: written.pattern.to_owned().into(),
            lead: 0,
            plain_lead: false,
            longest: 0,
            alone: false,
            part: Part::FirstGroup,
            entropy: written.entropy,
            check: None,
            strict: false,
            allowed: Vec::new(),
            machine: OnceLock::from(Some(machine)),
            search: OnceLock::new(),
        }
    }
    /// How far before its word a match begins at most, and how many bytes it has at most.
    pub(super) fn sized(self, lead: usize, longest: usize) -> Rule {
        Rule { lead, longest, ..self }
    }
    pub(super) fn valued(self, part: Part, allowed: Vec<Allowed>) -> Rule {
        Rule { part, allowed, ..self }
    }

    pub(crate) fn shared_id(&self) -> Arc<str> {
        self.id.clone()
    }
    pub(crate) fn shared_about(&self) -> Arc<str> {
        self.about.clone()
    }
    pub(super) fn finder(&self) -> Finder {
        self.finder
    }
    pub(super) fn words(&self) -> &[Vec<u8>] {
        &self.words
    }
    pub(super) fn longest_word(&self) -> usize {
        self.words.iter().map(Vec::len).max().unwrap_or(0)
    }
    /// How far before its word a match may begin.
    pub(super) fn lead(&self) -> usize {
        self.lead
    }
    /// Whether it comes with this crate.
    pub(super) fn is_ours(&self) -> bool {
        self.strict
    }
    /// Whether what stands before its word is plain: [`is_plain`] is true of every byte of it.
    pub(super) fn has_plain_lead(&self) -> bool {
        self.plain_lead
    }
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }
    /// Whether what stands before allows a match here.
    pub(super) fn may_begin(&self, bytes: &[u8], start: usize) -> bool {
        !self.alone || stands_alone(bytes, start) || framed(bytes, start).is_some()
    }
    /// Whether a match may stand there: alone, or where a field begins; all of the field, where what stands before may be a
    /// word.
    pub(super) fn may_be(&self, bytes: &[u8], found: Range<usize>) -> bool {
        let fits = |frame: Frame| frame.surely || frame.length == found.len();
        !self.alone || stands_alone(bytes, found.start) || framed(bytes, found.start).is_some_and(fits)
    }

    /// Compiled when its word is seen for the first time: most never are.
    pub(super) fn machine(&self) -> Option<&Machine> {
        self.machine.get_or_init(|| Machine::new(&self.pattern).ok()).as_ref()
    }

    /// Where the next match begins, for rules that have no words.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let make = || Regex::builder().syntax(super::machine::reading()).build(&self.pattern).ok();
        let input = Input::new(bytes).range(from..);
        self.search.get_or_init(make).as_ref()?.find(input).map(|found| found.start())
    }

    /// The value of a match, when it is one to be reported.
    pub(super) fn value(&self, bytes: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let group =
            |group| self.machine()?.group(bytes, found.clone(), group).filter(|value| !value.is_empty());
        let value = match self.part {
            Part::Whole => found.clone(),
            Part::Group(number) => group(number)?,
            Part::FirstGroup => {
                let groups = self.machine()?.groups();
                (1..=groups).find_map(group).unwrap_or(found.clone())
            }
        };
        let before = &bytes[found.start.saturating_sub(BEFORE)..found.start];
        let evidence = Evidence { value: &bytes[value.clone()], whole: &bytes[found], before };
        self.convinces(&evidence).then_some(value)
    }

    fn convinces(&self, evidence: &Evidence<'_>) -> bool {
        !evidence.value.is_empty()
            && checks::entropy(evidence.value) >= self.entropy
            && self.check.is_none_or(|check| check(evidence))
            && !(self.strict && made_up::is_made_up(evidence.value))
            && !self.allowed.iter().any(|allowed| allowed.covers(evidence))
    }
}
