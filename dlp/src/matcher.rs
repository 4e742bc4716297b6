//! Many strings sought at once, in any case, with the news of what may still become a match.
//!
//! Of every pattern the first few blocks of four bytes are in a table of bits. Wherever a pattern stands, one of so many
//! neighbouring places has one of these blocks: so one place in every few is looked at, whatever the number of patterns, and no
//! look waits for the one before, as the steps of an automaton or jumps would. The patterns lie sorted, so that the same look-up
//! tells whole matches and beginnings of matches apart.
use crate::blocks::{BLOCK as WHOLE, Simd, Whole, dispatch, level};
use zeroize::Zeroizing;

/// Bytes that a beginning is hashed by.
const BLOCK: usize = 3;
/// Bytes that are looked at at once.
const LOOK: usize = 4;
/// A longer window tells no more beginnings apart.
const WINDOW_MAX: usize = 24;
/// Looks further apart save nothing any more, and fill the table.
const STEP_MAX: usize = 8;
/// Of looks: 32 KiB, which stay in the processor's nearest memory.
const LOOK_BITS: u32 = 18;
const LOOKS: usize = 1 << (LOOK_BITS - 6);
/// Of beginnings: 8 KiB.
const HEAD_BITS: u32 = 16;
const HEADS: usize = 1 << (HEAD_BITS - 6);
const FACTOR: u32 = 0x9E37_79B1;

/// One pattern, already folded to lower case.
struct Entry {
    text: Zeroizing<Vec<u8>>,
    id: u32,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Its first byte.
    pub(crate) start: usize,
    /// The longest whole match there: pattern and end.
    pub(crate) found: Option<(u32, usize)>,
    /// The bytes end before a (longer) match could.
    pub(crate) open: bool,
}

pub(crate) struct Matcher {
    entries: Vec<Entry>,
    window: usize,
    /// Looks are so many bytes apart.
    step: usize,
    looks: Box<[u64; LOOKS]>,
    heads: Box<[u64; HEADS]>,
    firsts: [bool; 256],
}

impl Matcher {
    /// Compiles; of equal patterns the first one counts.
    pub(crate) fn new(patterns: Vec<(Vec<u8>, u32)>) -> Matcher {
        let entries = sorted(patterns);
        let shortest = entries.iter().map(|entry| entry.text.len()).min().unwrap_or(BLOCK);
        let mut matcher = Matcher {
            entries,
            window: shortest.min(WINDOW_MAX),
            step: (shortest + 1).saturating_sub(LOOK).clamp(1, STEP_MAX),
            looks: Box::new([0; LOOKS]),
            heads: Box::new([0; HEADS]),
            firsts: [false; 256],
        };
        matcher.fill_tables();
        matcher
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The longest pattern.
    pub(crate) fn longest(&self) -> usize {
        self.entries.iter().map(|entry| entry.text.len()).max().unwrap_or(0)
    }

    /// The leftmost place at or after `from` where a pattern stands or, unless these bytes are the `last`, may have begun.
    pub(crate) fn next(&self, text: &[u8], from: usize, last: bool) -> Option<Sight> {
        if self.is_empty() {
            return None;
        }
        self.next_in_windows(text, from, last).or_else(|| self.next_in_tail(text, from, last))
    }

    fn next_in_windows(&self, text: &[u8], from: usize, last: bool) -> Option<Sight> {
        let ends = (text.len() + 1).saturating_sub(self.window);
        if self.window < LOOK {
            return (from..ends).find_map(|start| self.sight_behind_head(text, start, last));
        }
        // A pattern that begins `step - 1` bytes before a look has its last block there.
        let mut at = from + self.step - 1;
        while let Some(place) = self.next_look(text, at).filter(|place| place + 1 < ends + self.step) {
            let starts = (place + 1 - self.step).max(from)..(place + 1).min(ends);
            if let Some(sight) =
                starts.into_iter().find_map(|start| self.sight_behind_head(text, start, last))
            {
                return Some(sight);
            }
            at = place + self.step;
        }
        None
    }

    /// The next place, in steps from this one, with a block that is in the table.
    fn next_look(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        if self.step == STEP_MAX {
            at += dispatch!(level(), simd => self.without(simd, &text[at.min(text.len())..]));
        }
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) {
            if is_set(&self.looks, look_hash(*block)) {
                return Some(at);
            }
            at += self.step;
        }
        None
    }

    /// So many bytes have no block in the table, at every eighth place: blocks of texts, up to the first one that has.
    #[inline(always)]
    fn without<S: Simd>(&self, simd: S, text: &[u8]) -> usize {
        let (blocks, _) = text.as_chunks::<WHOLE>();
        let mut at = 0;
        for block in blocks {
            let hashes = Whole::of(simd, block).hashed(FACTOR, LOOK_BITS);
            let [a, _, b, _, c, _, d, _, e, _, f, _, g, _, h, _] = hashes;
            let bit = |hash: u32| self.looks[hash as usize / 64 % LOOKS] >> (hash % 64);
            if (bit(a) | bit(b) | bit(c) | bit(d) | bit(e) | bit(f) | bit(g) | bit(h)) & 1 == 1 {
                break;
            }
            at += WHOLE;
        }
        at
    }

    fn sight_behind_head(&self, text: &[u8], start: usize, last: bool) -> Option<Sight> {
        let may_begin = head_hash(&text[start..]).is_none_or(|hash| is_set(&self.heads, hash));
        if may_begin { self.sight_at(text, start, last) } else { None }
    }

    /// Where less than a window is left no pattern fits, but one may begin.
    fn next_in_tail(&self, text: &[u8], from: usize, last: bool) -> Option<Sight> {
        if last {
            return None;
        }
        let tail = (text.len() + 1).saturating_sub(self.window).max(from);
        (tail..text.len())
            .filter(|&start| self.firsts[usize::from(fold(text[start]))])
            .find_map(|start| self.sight_behind_head(text, start, last))
    }

    fn sight_at(&self, text: &[u8], start: usize, last: bool) -> Option<Sight> {
        let rest = &text[start..];
        let mut sight = Sight { start, found: None, open: false };
        for entry in self.entries_beginning_as(rest) {
            let common = entry.text.len().min(rest.len());
            if !equal_folded(&entry.text[..common], &rest[..common]) {
                continue;
            }
            if entry.text.len() > rest.len() {
                sight.open |= !last;
            } else if sight.found.is_none_or(|(_, end)| start + common > end) {
                sight.found = Some((entry.id, start + common));
            }
        }
        (sight.open || sight.found.is_some()).then_some(sight)
    }

    /// The entries whose first window agrees with these bytes (with all of them where they are fewer).
    fn entries_beginning_as<'a>(&'a self, rest: &[u8]) -> impl Iterator<Item = &'a Entry> {
        let width = self.window.min(rest.len());
        let mut key = [0_u8; WINDOW_MAX];
        for (slot, byte) in key.iter_mut().zip(&rest[..width]) {
            *slot = fold(*byte);
        }
        let begin = self.entries.partition_point(|entry| entry.text[..width] < key[..width]);
        self.entries[begin..].iter().take_while(move |entry| entry.text[..width] == key[..width])
    }

    fn fill_tables(&mut self) {
        for entry in &self.entries {
            self.firsts[usize::from(entry.text[0])] = true;
            head_hash(&entry.text).into_iter().for_each(|hash| set(&mut self.heads, hash));
            let blocks = entry.text.windows(LOOK).take(self.step).filter_map(<[u8]>::first_chunk);
            blocks.for_each(|block| set(&mut self.looks, look_hash(*block)));
        }
    }
}

/// Sorted by text, without doubles; patterns shorter than a block cannot be sought and never come here.
fn sorted(patterns: Vec<(Vec<u8>, u32)>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = patterns
        .into_iter()
        .filter(|(text, _)| text.len() >= BLOCK)
        .map(|(text, id)| Entry { text: Zeroizing::new(text.to_ascii_lowercase()), id })
        .collect();
    entries.sort_by(|a, b| a.text.cmp(&b.text).then(a.id.cmp(&b.id)));
    entries.dedup_by(|b, a| a.text == b.text);
    entries
}

/// Folding by `| 0x20` also joins a few other bytes; the comparison afterwards is exact.
#[inline]
fn look_hash(block: [u8; LOOK]) -> u32 {
    let block = u32::from_le_bytes(block) | 0x2020_2020;
    block.wrapping_mul(FACTOR) >> (32 - LOOK_BITS)
}

/// Of the bytes that a text begins with; `None` when they are too few.
fn head_hash(text: &[u8]) -> Option<u32> {
    let [a, b, c] = *text.first_chunk::<BLOCK>()?;
    let block = u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020;
    Some(block.wrapping_mul(FACTOR) >> (32 - HEAD_BITS))
}

#[inline]
fn is_set<const WORDS: usize>(bits: &[u64; WORDS], at: u32) -> bool {
    bits[at as usize / 64 % WORDS] >> (at % 64) & 1 == 1
}

fn set<const WORDS: usize>(bits: &mut [u64; WORDS], at: u32) {
    bits[at as usize / 64 % WORDS] |= 1 << (at % 64);
}

fn fold(byte: u8) -> u8 {
    byte.to_ascii_lowercase()
}

fn equal_folded(folded: &[u8], text: &[u8]) -> bool {
    folded.iter().zip(text).all(|(a, b)| *a == fold(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        /// What a look at every place sees.
        #[test]
        fn no_pattern_slips_through_between_looks(
            patterns in prop::collection::vec(prop_oneof!["[abAB]{3,5}", "[abAB]{5,16}", "[ab]{24,30}"], 1..8),
            shortest in 0_usize..20, noise in prop::collection::vec("[ abAB]{0,9}", 8), from in 0_usize..9, last in any::<bool>(),
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).filter(|text| text.len() >= shortest).collect();
            let text: String = noise.iter().zip(patterns.iter().cycle().chain([&""])).map(|(noise, pattern)| format!("{noise}{pattern}")).collect();
            let (matcher, text) = (matcher(&patterns), text.as_bytes());
            let mut slow = (from..text.len()).filter_map(|start| matcher.sight_at(text, start, last));
            prop_assert_eq!(matcher.next(text, from, last), slow.next());
        }
    }

    fn matcher(patterns: &[&str]) -> Matcher {
        let numbered = (0..).zip(patterns);
        Matcher::new(numbered.map(|(id, text)| (text.as_bytes().to_vec(), id)).collect())
    }

    /// Nothing else in the text has a block in the table.
    #[test]
    fn a_long_pattern_is_seen_at_every_place() {
        let matcher = matcher(&["0123456789abcdefghijklmn", "zyxwvutsrqponmlkjihgfedcba"]);
        assert_eq!(matcher.step, STEP_MAX);
        for before in 0..3 * WHOLE {
            for (id, pattern) in [(0, "0123456789ABCDEFGHIJKLMN"), (1, "zyxwvutsrqponmlkjihgfedcba")] {
                let text = format!("{}{pattern}{}", ".".repeat(before), ".".repeat(90));
                let found = Some((id, before + pattern.len()));
                assert_eq!(
                    matcher.next(text.as_bytes(), 0, true),
                    Some(Sight { start: before, found, open: false })
                );
            }
        }
    }

    #[test]
    fn leftmost_then_longest() {
        let matcher = matcher(&["abcdefgh", "abcdefghij", "cdefghijkl"]);
        let sight = matcher.next(b"..ABCDEFGHIJKL", 0, true).unwrap();
        assert_eq!(sight, Sight { start: 2, found: Some((1, 12)), open: false });
    }

    #[test]
    fn a_beginning_is_open_until_the_end() {
        let matcher = matcher(&["abcdefgh", "abcdefghij"]);
        let begun = matcher.next(b"xxabc", 0, false).unwrap();
        assert_eq!(begun, Sight { start: 2, found: None, open: true });
        assert_eq!(matcher.next(b"xxabc", 0, true), None);
        let both = matcher.next(b"abcdefghi", 0, false).unwrap();
        assert_eq!(both, Sight { start: 0, found: Some((0, 8)), open: true });
    }

    #[test]
    fn nothing_is_open_after_foreign_bytes() {
        assert_eq!(matcher(&["abcdefgh"]).next(b"abcdefg\n", 0, false), None);
    }
}
