//! Whether a pattern stands anywhere in a text, for patterns that seldom do.
//!
//! An automaton waits at every byte for the state that the byte before led to, and the processor with it. Here several parts of the
//! text are walked in turns, so that one waits while the others go on. Parts overlap by as much as a match has at most.
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// Parts that are walked at once.
const LANES: usize = 4;

type Make = Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>;

/// One pattern.
pub struct Lanes {
    dfa: DFA,
    caches: Pool<Cache, Make>,
    longest: usize,
}

impl Lanes {
    /// Of a pattern about bytes, in any case of its letters. `longest`: bytes that a match has at most; longer ones may be missed.
    /// # Errors
    /// What is wrong with the pattern.
    pub fn new(pattern: &str, longest: usize) -> Result<Lanes, String> {
        let syntax = syntax::Config::new().case_insensitive(true).unicode(false).utf8(false);
        let dfa = DFA::builder()
            .syntax(syntax)
            .thompson(thompson::Config::new().utf8(false))
            .build(pattern)
            .map_err(|error| error.to_string())?;
        let for_cache = dfa.clone();
        let make: Make = Box::new(move || for_cache.create_cache());
        Ok(Lanes { dfa, caches: Pool::new(make), longest })
    }

    /// False: nothing matches. True: something does, or it is not known.
    pub fn may_match(&self, text: &[u8]) -> bool {
        let mut cache = self.caches.get();
        let part = text.len() / LANES;
        if part <= self.longest {
            return self.walk(&mut cache, text).unwrap_or(true);
        }
        self.walk_all(&mut cache, text, part).unwrap_or(true)
    }

    /// From one end to the other; `None` when the automaton gave up.
    fn walk(&self, cache: &mut Cache, text: &[u8]) -> Option<bool> {
        let state = self.start(cache, text, 0)?;
        self.walk_on(cache, state, text, 0..text.len())
    }

    /// All parts side by side, as far as the shortest goes, and then the rest of each.
    fn walk_all(&self, cache: &mut Cache, text: &[u8], part: usize) -> Option<bool> {
        let clears = cache.clear_count();
        let mut states = [LazyStateID::default(); LANES];
        for (lane, state) in states.iter_mut().enumerate() {
            *state = self.start(cache, text, lane * part)?;
        }
        let (parts, _) = text.split_at(part * LANES);
        let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| &parts[lane * part..(lane + 1) * part]);
        for at in 0..part {
            let next: [LazyStateID; LANES] = std::array::from_fn(|lane| {
                self.dfa.next_state_untagged(cache, states[lane], lanes[lane][at])
            });
            if next.iter().fold(false, |any, state| any | state.is_tagged()) {
                for (state, lane) in states.iter_mut().zip(lanes) {
                    *state = self.dfa.next_state(cache, *state, lane[at]).ok()?;
                    if state.is_match() {
                        return Some(true);
                    }
                    // Then the others are states of a memory that is gone; a tagged one is none to go on from so.
                    if cache.clear_count() != clears || state.is_tagged() {
                        return None;
                    }
                }
            } else {
                states = next;
            }
        }
        // The automaton tells of a match one byte late.
        let more = self.longest + 1;
        for (lane, state) in states.into_iter().enumerate() {
            let begin = (lane + 1) * part;
            let end = if lane + 1 == LANES { text.len() } else { text.len().min(begin + more) };
            if cache.clear_count() != clears || self.walk_on(cache, state, text, begin..end)? {
                return (cache.clear_count() == clears).then_some(true);
            }
        }
        Some(false)
    }

    fn start(&self, cache: &mut Cache, text: &[u8], at: usize) -> Option<LazyStateID> {
        let input = Input::new(text).range(at..).anchored(Anchored::No);
        let state = self.dfa.start_state_forward(cache, &input).ok()?;
        (!state.is_tagged()).then_some(state)
    }

    fn walk_on(
        &self,
        cache: &mut Cache,
        mut state: LazyStateID,
        text: &[u8],
        part: std::ops::Range<usize>,
    ) -> Option<bool> {
        let ends = part.end == text.len();
        for byte in &text[part] {
            // Most states are plain ones, known already, and lead to such: nothing is asked of them.
            if !state.is_tagged() {
                let next = self.dfa.next_state_untagged(cache, state, *byte);
                if !next.is_tagged() {
                    state = next;
                    continue;
                }
            }
            state = self.dfa.next_state(cache, state, *byte).ok()?;
            if state.is_match() {
                return Some(true);
            }
        }
        if ends { Some(self.dfa.next_eoi_state(cache, state).ok()?.is_match()) } else { Some(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATTERN: &str = r"\b(?:ignore|forget)\s+(?:all\s+)?rules\b|ab$";

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]
        /// A match in whatever part, across two of them, and at the end.
        #[test]
        fn it_is_told_wherever_something_stands(
            parts in prop::collection::vec(prop_oneof!["[a-z .\\n]{0,60}", "(?i)(ignore|forget)[ \\n]{1,3}(all )?rules", "ignore rule", "[aA]b"], 0..10),
        ) {
            let text = parts.concat().into_bytes();
            let slow = regex_automata::meta::Regex::builder()
                .syntax(syntax::Config::new().case_insensitive(true).unicode(false).utf8(false))
                .build(PATTERN).unwrap();
            let lanes = Lanes::new(PATTERN, 24).unwrap();
            prop_assert_eq!(lanes.may_match(&text), slow.is_match(&text));
        }
    }
}
