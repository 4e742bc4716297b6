//! One pattern, run from one place.
//!
//! A lazy automaton tells byte by byte whether a match is still possible. That is what decides what a stream holds back, so it
//! has to be exact; a search for the next match, which is what regex libraries do, would not tell.
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use std::ops::Range;

/// Bytes of an automaton's memory for each thread that runs it; past that it begins anew. Those of built-in rules need a
/// few thousand.
const CACHE: usize = 256 * 1024;
/// Bytes of a compiled pattern.
const NFA_LIMIT: usize = 4 << 20;

/// What a run gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// No match begins there, whatever follows.
    Never,
    /// What follows decides.
    Open,
    /// One ends here.
    Match(usize),
}

type Make<T> = Box<dyn Fn() -> T + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>;

pub(crate) struct Machine {
    dfa: DFA,
    captures: PikeVM,
    caches: Pool<Cache, Make<Cache>>,
    capture_caches: Pool<pikevm::Cache, Make<pikevm::Cache>>,
    /// Bytes with which a match may begin; `None`: nobody asked.
    firsts: Option<Box<[bool; 256]>>,
}

/// What may stand before a place, as far as an automaton tells one thing from another: nothing, ends of lines, words, the rest.
const BEFORE: [&[u8]; 5] = [b"", b"\n", b"\r", b"a", b" "];

impl Machine {
    /// Patterns are about bytes: `\w`, `\d`, `\s`, `\b` and `(?i)` know ASCII only, as Go's do.
    /// # Errors
    /// What is wrong with the pattern.
    pub(crate) fn new(pattern: &str) -> Result<Machine, String> {
        let nfa = nfa(pattern)?;
        let config = DFA::config()
            .match_kind(MatchKind::LeftmostFirst)
            .cache_capacity(CACHE)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder()
            .configure(config)
            .build_from_nfa(nfa.clone())
            .map_err(|error| innermost(&error))?;
        let captures = PikeVM::new_from_nfa(nfa).map_err(|error| innermost(&error))?;
        let (for_cache, for_captures) = (dfa.clone(), captures.clone());
        Ok(Machine {
            dfa,
            captures,
            caches: Pool::new(Box::new(move || for_cache.create_cache())),
            capture_caches: Pool::new(Box::new(move || for_captures.create_cache())),
            firsts: None,
        })
    }

    /// For rules that are tried at every byte: finds out at which ones that is no use.
    pub(crate) fn knowing_firsts(self) -> Machine {
        let firsts =
            std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(|byte| self.may_begin_with(byte)));
        Machine { firsts: Some(Box::new(firsts)), ..self }
    }

    fn may_begin_with(&self, byte: u8) -> bool {
        let mut cache = self.caches.get();
        BEFORE.iter().any(|before| {
            let bytes = [before, &[byte][..]].concat();
            let input = Input::new(&bytes).range(before.len()..).anchored(Anchored::Yes);
            let start = self.dfa.start_state_forward(&mut cache, &input).ok();
            let next = start.and_then(|start| self.dfa.next_state(&mut cache, start, byte).ok());
            next.is_none_or(|next| !next.is_dead())
        })
    }

    /// Runs from `start`, over at most `longest` bytes. What stands before `start` is seen by `\b` and `^`. A match that could
    /// go on past `longest` is taken as it is there.
    pub(crate) fn run(&self, bytes: &[u8], start: usize, longest: usize, last: bool) -> Run {
        let begins = |firsts: &[bool; 256]| bytes.get(start).is_none_or(|byte| firsts[usize::from(*byte)]);
        if !self.firsts.as_deref().is_none_or(begins) {
            return Run::Never;
        }
        // The automaton gives up in two cases only: it was told to after so many new beginnings, and it was not; or it meets
        // a byte it was told to stop at, and there is none.
        self.walk(bytes, start, longest, last).unwrap_or(Run::Never)
    }

    fn walk(&self, bytes: &[u8], start: usize, longest: usize, last: bool) -> Option<Run> {
        let mut cache = self.caches.get();
        let (dfa, cache) = (&self.dfa, &mut *cache);
        let input = Input::new(bytes).range(start..).anchored(Anchored::Yes);
        let mut state = dfa.start_state_forward(cache, &input).ok()?;
        let mut matched = None;
        let cap = start.saturating_add(longest);
        // The automaton tells of a match one byte late.
        for (at, byte) in (start..=cap).zip(&bytes[start..]) {
            state = dfa.next_state(cache, state, *byte).ok()?;
            if state.is_match() {
                matched = Some(at);
            } else if state.is_dead() {
                return Some(closed(matched));
            }
        }
        if bytes.len() > cap {
            return Some(closed(matched));
        }
        if !last {
            let over = state.is_match() && self.is_over(cache, state)?;
            return Some(if over { closed(matched) } else { Run::Open });
        }
        if dfa.next_eoi_state(cache, state).ok()?.is_match() {
            matched = Some(bytes.len());
        }
        Some(closed(matched))
    }

    /// Whether a match cannot become longer, whatever follows.
    fn is_over(&self, cache: &mut Cache, state: LazyStateID) -> Option<bool> {
        let clears = cache.clear_count();
        for unit in self.dfa.byte_classes().representatives(0..=u8::MAX) {
            let Some(byte) = unit.as_u8() else { continue };
            let dead = self.dfa.next_state(cache, state, byte).ok()?.is_dead();
            // A cache that began anew does not know the state any more: then let the next byte tell.
            if !dead || cache.clear_count() > clears {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Where the group of a match stands, that was found at this place.
    pub(crate) fn group(&self, bytes: &[u8], found: Range<usize>, group: usize) -> Option<Range<usize>> {
        let input = Input::new(bytes).range(found).anchored(Anchored::Yes);
        let mut slots: Vec<Option<NonMaxUsize>> = vec![None; 2 * (group + 1)];
        let mut cache = self.capture_caches.get();
        self.captures.search_slots(&mut cache, &input, &mut slots)?;
        let slot = |at: usize| slots.get(at).copied().flatten().map(NonMaxUsize::get);
        Some(slot(2 * group)?..slot(2 * group + 1)?)
    }

    /// Whether it matches where nothing stands.
    pub(crate) fn matches_nothing(&self) -> bool {
        self.captures.get_nfa().has_empty()
    }

    /// How many groups the pattern has, the whole match not counted.
    pub(crate) fn groups(&self) -> usize {
        self.captures.get_nfa().group_info().group_len(regex_automata::PatternID::ZERO).saturating_sub(1)
    }
}

fn closed(matched: Option<usize>) -> Run {
    matched.map_or(Run::Never, Run::Match)
}

/// How patterns are read.
pub(crate) fn reading() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).octal(true)
}

fn nfa(pattern: &str) -> Result<NFA, String> {
    thompson::Compiler::new()
        .syntax(reading())
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA_LIMIT)))
        .build(pattern)
        .map_err(|error| innermost(&error))
}

/// The cause that names the mistake, in one line; libraries wrap it in several.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pattern: &str, text: &str, last: bool) -> Run {
        Machine::new(pattern).unwrap().run(text.as_bytes(), 0, 20, last)
    }

    #[test]
    fn a_run_is_open_for_as_long_as_it_can_match() {
        assert_eq!(run("ab{3}", "abb", false), Run::Open);
        assert_eq!(run("ab{3}", "abb", true), Run::Never);
        assert_eq!(run("ab{3}", "abx", false), Run::Never);
        assert_eq!(run("ab{3}", "abbbx", false), Run::Match(4));
        assert_eq!(run("ab{3}", "abbb", true), Run::Match(4));
        assert_eq!(run("ab{3}\\b", "abbb", false), Run::Open, "the next byte decides");
    }

    #[test]
    fn a_run_has_an_end() {
        let long = "b".repeat(50);
        assert_eq!(run("ab+", &format!("a{long}"), false), Run::Match(20));
        assert_eq!(run("a[bc]+d", &format!("a{long}d"), false), Run::Never);
        assert_eq!(run("ab{19}", &format!("a{}", &long[..19]), true), Run::Match(20));
        assert_eq!(run("ab{20}", &format!("a{}", &long[..20]), true), Run::Never);
    }

    /// Whatever stands before, and wherever it is cut.
    #[test]
    fn knowing_first_bytes_makes_no_difference() {
        let text = b"\n key SK0a9f-\xff pat9z\r\nab_SK1 \tq~Q~x";
        for pattern in [
            "\\bSK[0-9a-f]",
            "(?m)^ab",
            "(?m:^)[a-z]+$",
            "[^a]b?",
            "\\Bk?ey",
            "(?i)PAT[0-9]",
            "\\xff",
            "x|\\s\\w",
        ] {
            let (plain, knowing) =
                (Machine::new(pattern).unwrap(), Machine::new(pattern).unwrap().knowing_firsts());
            assert!(knowing.firsts.as_deref().unwrap().contains(&false) || pattern == "[^a]b?", "{pattern}");
            for (start, end) in (0..=text.len()).flat_map(|end| (0..end).map(move |start| (start, end))) {
                for last in [false, true] {
                    let run = |machine: &Machine| machine.run(&text[..end], start, 20, last);
                    assert_eq!(run(&knowing), run(&plain), "{pattern} from {start} to {end}, {last}");
                }
            }
        }
    }

    #[test]
    fn groups_are_found_inside_of_a_match() {
        let machine = Machine::new("key=\"([a-z]+)\"").unwrap();
        assert_eq!(machine.groups(), 1);
        assert_eq!(machine.run(b"key=\"abc\" ", 0, 100, false), Run::Match(9));
        assert_eq!(machine.group(b"key=\"abc\" ", 0..9, 1), Some(5..8));
    }

    #[test]
    fn a_mistake_is_named() {
        let Err(error) = Machine::new("a(b") else { panic!("no group ends") };
        assert!(error.contains("unclosed group"), "{error}");
    }
}
