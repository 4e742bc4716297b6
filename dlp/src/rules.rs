//! Kinds of secrets that nobody told us about: how they look, and what tells the real ones from the rest.
//!
//! All words of all rules are sought in one pass (`words`); where one stands, the rule's pattern is run from there
//! (`machine`), its value taken out and judged (`checks`, `made_up`, entropy). A run that the bytes end in the middle of is what a
//! stream holds back.
mod checks;
mod kinds;
mod machine;
mod made_up;
mod words;

use crate::find::{Find, Seen, Text};
use checks::{Check, Evidence};
use kinds::Kind;
use machine::{Machine, Run};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};
use words::{WordAt, Words};
use zeroize::Zeroizing;

/// Bytes that a rule may look back from its word, and that streams therefore remember.
pub(crate) const BACK: usize = 64;

/// One rule.
pub struct Rule {
    id: Arc<str>,
    provider: Cow<'static, str>,
    about: Arc<str>,
    words: Vec<Vec<u8>>,
    pattern: Cow<'static, str>,
    /// How far before its word a match may begin.
    back: usize,
    /// Bytes that a match may have.
    longest: usize,
    /// Nothing that words are made of may stand right before.
    alone: bool,
    /// The group that is the value; 0 is the whole match.
    group: usize,
    /// Bits for each byte that the value must have at least.
    entropy: f64,
    check: Option<Check>,
    machine: OnceLock<Option<Machine>>,
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
        self.check.is_some()
    }
    /// Bytes that a stream may hold back for it.
    pub fn longest(&self) -> usize {
        self.longest
    }

    pub(crate) fn shared_id(&self) -> Arc<str> {
        self.id.clone()
    }
    pub(crate) fn shared_about(&self) -> Arc<str> {
        self.about.clone()
    }

    fn of(kind: &'static Kind) -> Rule {
        Rule {
            id: kind.id.into(),
            provider: kind.provider.into(),
            about: kind.about.into(),
            words: kind.words.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect(),
            pattern: kind.pattern.into(),
            back: 0,
            longest: kind.longest,
            alone: kind.alone,
            group: kind.group,
            entropy: kind.entropy,
            check: kind.check,
            machine: OnceLock::new(),
        }
    }

    /// Compiled when its word is seen for the first time: most never are.
    fn machine(&self) -> Option<&Machine> {
        self.machine.get_or_init(|| Machine::new(&self.pattern).ok()).as_ref()
    }

    /// The value of a match, when it is one to be reported.
    fn value(&self, bytes: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let value = match self.group {
            0 => found.clone(),
            group => self.machine()?.group(bytes, found.clone(), group)?,
        };
        let evidence = Evidence { value: &bytes[value.clone()], whole: &bytes[found] };
        self.convinces(&evidence).then_some(value)
    }

    fn convinces(&self, evidence: &Evidence<'_>) -> bool {
        !evidence.value.is_empty()
            && checks::entropy(evidence.value) >= self.entropy
            && self.check.is_none_or(|check| check(evidence))
            && !made_up::is_made_up(evidence.value)
    }
}

/// Many rules, compiled for one pass. Cheap to clone.
#[derive(Clone)]
pub struct RuleSet {
    inner: Arc<Inner>,
}

struct Inner {
    rules: Vec<Arc<Rule>>,
    words: Words,
    /// The rules of each word.
    by_word: Vec<Vec<u32>>,
}

/// A place from which a rule is to be run, and the word there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    word: usize,
    rule: u32,
}

impl RuleSet {
    /// The rules that come with this crate.
    pub fn built_in() -> RuleSet {
        static BUILT_IN: LazyLock<RuleSet> =
            LazyLock::new(|| RuleSet::of(kinds::all().map(|kind| Arc::new(Rule::of(kind))).collect()));
        BUILT_IN.clone()
    }

    /// No rules.
    pub fn none() -> RuleSet {
        RuleSet::of(Vec::new())
    }

    /// Only the rules that are wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Rule) -> bool) -> RuleSet {
        RuleSet::of(self.inner.rules.iter().filter(|rule| wanted(rule)).cloned().collect())
    }

    /// These and those; where two have one id, the other's counts.
    #[must_use]
    pub fn with(&self, other: &RuleSet) -> RuleSet {
        let replaced = |rule: &&Arc<Rule>| other.rules().all(|theirs| theirs.id != rule.id);
        let own = self.inner.rules.iter().filter(replaced);
        RuleSet::of(own.chain(&other.inner.rules).cloned().collect())
    }

    /// Every rule, in the order in which they count where two see the same.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.inner.rules.iter().map(Arc::as_ref)
    }

    /// Nothing to seek.
    pub fn is_empty(&self) -> bool {
        self.inner.rules.is_empty()
    }

    pub(crate) fn rule(&self, number: u32) -> Option<&Rule> {
        self.inner.rules.get(number as usize).map(Arc::as_ref)
    }

    fn of(rules: Vec<Arc<Rule>>) -> RuleSet {
        let mut by_word: HashMap<Vec<u8>, Vec<u32>> = HashMap::new();
        for (number, rule) in (0_u32..).zip(&rules) {
            for word in &rule.words {
                by_word.entry(word.clone()).or_default().push(number);
            }
        }
        let mut sorted: Vec<(Vec<u8>, Vec<u32>)> = by_word.into_iter().collect();
        sorted.sort();
        let (words, by_word): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        RuleSet { inner: Arc::new(Inner { rules, words: Words::new(words), by_word }) }
    }

    /// Everything that these bytes hold, and the first place where something may have begun that does not end here.
    pub(crate) fn sweep(&self, text: Text<'_>, found: &mut Vec<Find>) -> usize {
        let mut hold = text.bytes.len();
        if self.is_empty() {
            return hold;
        }
        let mut candidates = self.candidates(text);
        candidates.sort_unstable();
        candidates.dedup();
        let mut seen = Seen::default();
        for candidate in candidates {
            self.run(text, candidate, &mut seen, &mut hold, found);
        }
        if !text.last {
            hold = hold.min(self.begun(text));
        }
        hold
    }

    fn candidates(&self, text: Text<'_>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        self.inner.words.find(text.bytes, text.from, |WordAt { start, word }| {
            candidates
                .extend(self.inner.by_word[word].iter().map(|rule| Candidate { word: start, rule: *rule }));
        });
        candidates
    }

    fn run(
        &self,
        text: Text<'_>,
        candidate: Candidate,
        seen: &mut Seen,
        hold: &mut usize,
        found: &mut Vec<Find>,
    ) {
        let Candidate { word, rule: number } = candidate;
        let Some(rule) = self.rule(number) else { return };
        let Some(machine) = rule.machine().filter(|_| !seen.covers(number, word)) else { return };
        for start in word.saturating_sub(rule.back)..=word {
            if rule.alone && !stands_alone(text.bytes, start) {
                continue;
            }
            match machine.run(text.bytes, start, rule.longest, text.last) {
                Run::Never => {}
                Run::Open => {
                    *hold = (*hold).min(word);
                    return;
                }
                Run::Match(end) => {
                    if let Some(value) = rule.value(text.bytes, start..end) {
                        seen.cover(number, value.end);
                        let read = Zeroizing::new(text.bytes[value.clone()].to_vec());
                        found.push(Find::of_rule(number, word, value, read));
                        return;
                    }
                }
            }
        }
    }

    /// Where the bytes end with the beginning of a word.
    fn begun(&self, text: Text<'_>) -> usize {
        let counts = |at: &WordAt| {
            let mut rules = self.inner.by_word[at.word].iter().filter_map(|number| self.rule(*number));
            rules.any(|rule| !rule.alone || rule.back > 0 || stands_alone(text.bytes, at.start))
        };
        let mut begun = self.inner.words.begun(text.bytes, text.from).filter(counts);
        begun.next().map_or(text.bytes.len(), |at| at.start)
    }
}

/// Nothing that a longer word would be made of stands before: an escaped line break (`\n`) or character (`%3D`) is no part of
/// a word.
fn stands_alone(bytes: &[u8], start: usize) -> bool {
    let (before, _) = bytes.split_at(start.min(bytes.len()));
    match before {
        [] => true,
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f'] => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., one] => !(one.is_ascii_alphanumeric() || *one == b'_'),
    }
}
