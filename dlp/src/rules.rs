//! Kinds of secrets that nobody told us about: how they look, and what tells the real ones from the rest.
//!
//! All words of all rules are sought in one pass (`words`); where one stands, the rule's pattern is run from there
//! (`machine`), its value taken out and judged (`checks`, `made_up`, entropy). A run that the bytes end in the middle of is
//! what a stream holds back. Three rules have no words and finders of their own: numbers of cards and accounts (`digits`) and
//! seed phrases (`seeds`).
mod anchor;
mod checks;
mod digits;
mod gitleaks;
mod go;
mod kinds;
mod led;
mod machine;
mod made_up;
mod own;
mod rule;
mod seeds;
mod sweep;
mod words;

use crate::find::{Find, Seen, Text};
use crate::masks::Masks;
use crate::survey::Survey;
use crate::view::View;
pub use gitleaks::Loaded;
use led::Led;
pub use own::{OwnRule, RuleError};
use rule::Finder;
pub use rule::Rule;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};
use sweep::Sweep;
use words::{WordAt, Words};

/// Bytes that a rule may look back from its word, and that streams therefore remember.
pub(crate) const BACK: usize = 96;

/// Many rules, compiled for one pass. Cheap to clone.
#[derive(Clone)]
pub struct RuleSet {
    inner: Arc<Inner>,
}

struct Inner {
    rules: Vec<Arc<Rule>>,
    /// In order, and which of them are of rules that are not ours.
    named: Vec<Vec<u8>>,
    bare: HashSet<Vec<u8>>,
    words: OnceLock<Words>,
    /// The rules of each word.
    by_word: Vec<Vec<u32>>,
    /// The rules that begin before their words.
    led: Vec<u32>,
    /// Those of them whose beginnings are plain, as one.
    led_plainly: Option<Led>,
    digits: Vec<u32>,
    seeds: Vec<u32>,
    /// The rules that are sought for themselves.
    everywhere: Vec<u32>,
}

/// Places from which a rule is to be run, the first one that matches counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    end: usize,
    rule: u32,
    begin: usize,
}

/// Where rules are to be tried.
#[derive(Default)]
struct Places {
    words: Vec<WordAt>,
    digits: Vec<usize>,
}

impl RuleSet {
    /// The rules that come with this crate.
    pub fn built_in() -> RuleSet {
        static BUILT_IN: LazyLock<RuleSet> =
            LazyLock::new(|| RuleSet::of(kinds::all().map(|kind| Arc::new(Rule::of(kind))).collect()));
        BUILT_IN.clone()
    }

    /// Their ids, without the work that looking for them needs.
    pub fn built_in_ids() -> impl Iterator<Item = &'static str> {
        kinds::all().map(|kind| kind.id)
    }

    /// No rules.
    pub fn none() -> RuleSet {
        RuleSet::of(Vec::new())
    }

    /// Only the rules that are wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Rule) -> bool) -> RuleSet {
        let rules: Vec<Arc<Rule>> = self.inner.rules.iter().filter(|rule| wanted(rule)).cloned().collect();
        // What was compiled for the search serves on.
        if rules.len() == self.inner.rules.len() { self.clone() } else { RuleSet::of(rules) }
    }

    /// These and those; where two have one id, the other's counts.
    #[must_use]
    pub fn with(&self, other: &RuleSet) -> RuleSet {
        if other.is_empty() {
            return self.clone();
        }
        let replaced = |rule: &&Arc<Rule>| other.rules().all(|theirs| theirs.id() != rule.id());
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
            for word in rule.words() {
                by_word.entry(word.clone()).or_default().push(number);
            }
        }
        let mut sorted: Vec<(Vec<u8>, Vec<u32>)> = by_word.into_iter().collect();
        sorted.sort();
        let (named, by_word): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        let those = |wanted: &dyn Fn(&Rule) -> bool| {
            (0_u32..).zip(&rules).filter(|(_, rule)| wanted(rule)).map(|(number, _)| number).collect()
        };
        // Of our own rules it is known that words of three letters stand before what values are made of.
        let bare: HashSet<Vec<u8>> =
            rules.iter().filter(|rule| !rule.is_ours()).flat_map(|rule| rule.words()).cloned().collect();
        let inner = Inner {
            led: those(&|rule| rule.finder() == Finder::Words && rule.lead() > 0 && !rule.has_plain_lead()),
            led_plainly: Led::of(rules.iter().map(Arc::as_ref)),
            digits: those(&|rule| rule.finder() == Finder::Digits),
            seeds: those(&|rule| rule.finder() == Finder::Seeds),
            everywhere: those(&|rule| rule.finder() == Finder::Everywhere),
            named,
            bare,
            words: OnceLock::new(),
            by_word,
            rules,
        };
        RuleSet { inner: Arc::new(inner) }
    }

    /// Compiles what a search needs, which takes some milliseconds and is done before the first one otherwise.
    pub fn prepare(&self) {
        self.words();
    }

    fn words(&self) -> &Words {
        let Inner { named, bare, words, .. } = &*self.inner;
        words.get_or_init(|| Words::new(named.clone(), |word| bare.contains(word)))
    }

    /// Everything that these bytes hold, of which these are the masks, and the first place where something may have begun that does not end here.
    pub(crate) fn sweep(&self, text: Text<'_>, masks: &Masks, found: &mut Vec<Find>) -> usize {
        if self.is_empty() {
            return text.bytes.len();
        }
        let mut places = Places::default();
        self.words().find(text.bytes, text.from, |word| places.words.push(word));
        if !self.inner.digits.is_empty() {
            let mut look = |row| digits::places(text.bytes, text.from, row, |at| places.digits.push(at));
            digits::rows(text.bytes, text.from, masks, &mut look);
        }
        self.sweep_at(text, masks, &places, found)
    }

    /// As [`RuleSet::sweep`], of some bytes and of their view, which differs: what is found in each, and what each holds back.
    ///
    /// Words and digits are sought in the view alone. One that the bytes hold too stands in both as it is, or an escape cuts it:
    /// then it goes on into the escape or begins there.
    pub(crate) fn sweep_both(
        &self,
        text: Text<'_>,
        read: Text<'_>,
        survey: &Survey,
        view: &View,
    ) -> [(Vec<Find>, usize); 2] {
        let (mut finds, mut finds_read) = (Vec::new(), Vec::new());
        if self.is_empty() {
            return [(finds, text.bytes.len()), (finds_read, read.bytes.len())];
        }
        let (mut plain, mut viewed) = (Places::default(), Places::default());
        self.words_of_both(text, read, view, [&mut plain.words, &mut viewed.words]);
        if !self.inner.digits.is_empty() {
            digits_of_both(text, read, (survey, view), [&mut plain.digits, &mut viewed.digits]);
        }
        let hold = self.sweep_at(text, &survey.masks, &plain, &mut finds);
        let hold_read = self.sweep_at(read, survey.read(), &viewed, &mut finds_read);
        [(finds, hold), (finds_read, hold_read)]
    }

    fn words_of_both(&self, text: Text<'_>, read: Text<'_>, view: &View, both: [&mut Vec<WordAt>; 2]) {
        let [plain, viewed] = both;
        let words = self.words();
        words.find(read.bytes, read.from, |at| {
            viewed.push(at);
            let start = view.unchanged(at.start..at.start + words.length(at.word));
            plain.extend(start.map(|start| WordAt { start, ..at }));
        });
        for escape in view.changes(text.bytes).skip_while(|escape| escape.end <= text.from) {
            words.find_at_escape(text.bytes, text.from, escape, |at| plain.push(at));
        }
    }

    fn sweep_at(&self, text: Text<'_>, masks: &Masks, places: &Places, found: &mut Vec<Find>) -> usize {
        let mut sweep = Sweep { text, seen: Seen::default(), hold: text.bytes.len(), found };
        for candidate in self.candidates(places) {
            if let Some(rule) = self.rule(candidate.rule) {
                sweep.run(rule, candidate.rule, candidate.begin..candidate.end + 1);
            }
        }
        self.seek_seeds(masks, &mut sweep);
        for number in &self.inner.everywhere {
            let Some(rule) = self.rule(*number) else { continue };
            let mut from = text.from;
            while let Some(start) = rule.next(text.bytes, from) {
                sweep.run(rule, *number, start..start + 1);
                from = start + 1;
            }
        }
        if !text.last {
            self.hold_begun(&mut sweep);
        }
        sweep.hold
    }

    fn candidates(&self, places: &Places) -> Vec<Candidate> {
        let mut all = Vec::new();
        for WordAt { start, word } in &places.words {
            all.extend(self.inner.by_word[*word].iter().map(|rule| {
                let lead = self.rule(*rule).map_or(0, Rule::lead);
                Candidate { end: *start, rule: *rule, begin: start.saturating_sub(lead) }
            }));
        }
        for at in &places.digits {
            let at = |rule: &u32| Candidate { end: *at, rule: *rule, begin: *at };
            all.extend(self.inner.digits.iter().map(at));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn seek_seeds(&self, masks: &Masks, sweep: &mut Sweep<'_, '_>) {
        let Text { bytes, from, last } = sweep.text;
        let mut rows = Vec::new();
        if !self.inner.seeds.is_empty() {
            seeds::find(bytes, from, masks, |row| rows.push(row));
            rows.dedup();
        }
        for begin in rows {
            match seeds::row(bytes, from, begin, last) {
                seeds::Row::Phrase(phrase) => {
                    self.inner
                        .seeds
                        .iter()
                        .for_each(|number| sweep.find(*number, phrase.start, phrase.clone()));
                }
                seeds::Row::Open(held) => sweep.hold = sweep.hold.min(held),
                seeds::Row::Other => {}
            }
        }
    }

    /// Where the bytes end with the beginning of something.
    fn hold_begun(&self, sweep: &mut Sweep<'_, '_>) {
        let Text { bytes, from, .. } = sweep.text;
        let counts = |at: &WordAt| {
            let mut rules = self.inner.by_word[at.word].iter().filter_map(|number| self.rule(*number));
            rules.any(|rule| rule.may_begin(bytes, at.start))
        };
        if let Some(word) = self.words().begun(bytes, from).find(counts) {
            sweep.hold = sweep.hold.min(word.start);
        }
        for rule in self.inner.led.iter().filter_map(|number| self.rule(*number)) {
            let reach = bytes.len().saturating_sub(rule.lead() + rule.longest_word()).max(from);
            (reach..bytes.len()).for_each(|start| sweep.hold_open(rule, start));
        }
        for rule in self.inner.everywhere.iter().filter_map(|number| self.rule(*number)) {
            let reach = bytes.len().saturating_sub(rule.longest()).max(from);
            (reach..bytes.len()).for_each(|start| sweep.hold_open(rule, start));
        }
        if let Some(led) = &self.inner.led_plainly {
            sweep.hold = led.begun(bytes, from, sweep.hold);
        }
        for rule in self.inner.digits.iter().filter_map(|number| self.rule(*number)) {
            digits::begun(bytes, from).for_each(|at| sweep.hold_open(rule, at));
        }
        let row = seeds::begun(bytes).filter(|_| !self.inner.seeds.is_empty());
        if let Some(seeds::Row::Open(held)) = row.map(|begin| seeds::row(bytes, from, begin, false)) {
            sweep.hold = sweep.hold.min(held);
        }
    }
}

fn digits_of_both(
    text: Text<'_>,
    read: Text<'_>,
    (survey, view): (&Survey, &View),
    both: [&mut Vec<usize>; 2],
) {
    let [plain, viewed] = both;
    let mut look = |row| digits::places(text.bytes, text.from, row, |at| plain.push(at));
    digits::rows(read.bytes, read.from, survey.read(), |row| {
        digits::places(read.bytes, read.from, row, |at| viewed.push(at));
        view.unchanged(row..row + digits::ROW).into_iter().for_each(&mut look);
    });
    for escape in view.changes(text.bytes).skip_while(|escape| !digits::may_reach(escape, text.from)) {
        if !digits::may_be_rows(&survey.masks, &escape) {
            continue;
        }
        digits::rows_at_escape(text.bytes, text.from, escape, &mut look);
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
        [.., one] => !is_of_a_word(*one),
    }
}

/// Behind the length of a field, which looks like a letter: how long the field is, and whether nothing else but a field begins
/// so. What stands before a length is binary, or the tag of a field of Protocol Buffers or of a text of CBOR.
fn framed(bytes: &[u8], start: usize) -> Option<Frame> {
    let (before, _) = bytes.split_at(start.min(bytes.len()));
    let (rest, [tag, length]) = before.split_last_chunk()?;
    let surely = match tag {
        0..b' ' | 0x7F.. => true,
        b'*' | b'2' | b':' | b'B' | b'J' | b'R' | b'Z' | b'b' | b'j' | b'r' | b'z' | b'x' => {
            rest.last().is_none_or(|before| !is_of_a_word(*before))
        }
        _ => return None,
    };
    is_of_a_word(*length).then_some(Frame { length: usize::from(*length), surely })
}

/// A field that something stands in.
#[derive(Debug, Clone, Copy)]
struct Frame {
    length: usize,
    surely: bool,
}

fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
