//! Many strings sought at once, in any case, with the news of what may still become a match.
//!
//! A Wu–Manber search: three folded bytes at the end of a window say how far the window may jump. The clean path looks
//! at every sixth byte or fewer, whatever the number of patterns, where an automaton would walk them all. The patterns lie
//! sorted, so that the same look-up tells whole matches and beginnings of matches apart.
use zeroize::Zeroizing;

/// Bytes that are hashed at once.
const BLOCK: usize = 3;
/// A longer window jumps further but fills the table; past this nothing is gained.
const WINDOW_MAX: usize = 24;
const TABLE: usize = 1 << 16;

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
    shifts: Box<[u8; TABLE]>,
    heads: Box<[bool; TABLE]>,
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
            shifts: filled_with(0),
            heads: filled_with(false),
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
        let mut end = from + self.window;
        while end <= text.len() {
            let shift = self.shifts[block_hash(text, end - BLOCK)];
            if shift > 0 {
                end += usize::from(shift);
                continue;
            }
            if let Some(sight) = self.sight_behind_head(text, end - self.window, last) {
                return Some(sight);
            }
            end += 1;
        }
        None
    }

    fn sight_behind_head(&self, text: &[u8], start: usize, last: bool) -> Option<Sight> {
        if self.heads[block_hash(text, start)] { self.sight_at(text, start, last) } else { None }
    }

    /// Where less than a window is left no pattern fits, but one may begin.
    fn next_in_tail(&self, text: &[u8], from: usize, last: bool) -> Option<Sight> {
        if last {
            return None;
        }
        let tail = (text.len() + 1).saturating_sub(self.window).max(from);
        (tail..text.len())
            .filter(|&start| self.firsts[usize::from(fold(text[start]))])
            .find_map(|start| self.sight_at(text, start, last))
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
        let farthest = u8::try_from(self.window + 1 - BLOCK).unwrap_or(u8::MAX);
        self.shifts.fill(farthest);
        for entry in &self.entries {
            self.firsts[usize::from(entry.text[0])] = true;
            self.heads[block_hash(&entry.text, 0)] = true;
            for at in 0..=self.window - BLOCK {
                let shift = &mut self.shifts[block_hash(&entry.text, at)];
                *shift = (*shift).min(u8::try_from(self.window - BLOCK - at).unwrap_or(0));
            }
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

fn filled_with<T: Copy>(value: T) -> Box<[T; TABLE]> {
    match vec![value; TABLE].into_boxed_slice().try_into() {
        Ok(table) => table,
        Err(_) => unreachable!("a vector of the table's length is the table"),
    }
}

/// Folding by `| 0x20` also joins a few other bytes; the comparison afterwards is exact.
fn block_hash(text: &[u8], at: usize) -> usize {
    let Some(&[a, b, c]) = text.get(at..at + BLOCK).and_then(|block| block.first_chunk()) else {
        return 0;
    };
    let block = u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020;
    (block.wrapping_mul(0x9E37_79B1) >> 16) as usize
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

    fn matcher(patterns: &[&str]) -> Matcher {
        let numbered = (0..).zip(patterns);
        Matcher::new(numbered.map(|(id, text)| (text.as_bytes().to_vec(), id)).collect())
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
