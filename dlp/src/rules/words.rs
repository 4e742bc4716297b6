//! The words of all rules, sought at once.
//!
//! Of every word four bytes are chosen that are rare in texts. Where three of them stand at one of two neighbouring places,
//! one of the two is even: so every other place is looked at, and each look is one bit of a table that stays in the
//! processor's nearest memory. What the bit lets through is compared whole. There is no jumping and no chain of states,
//! so the looks do not wait for each other.

mod chosen;
mod tables;

use crate::view::is_sign;
#[cfg(test)]
use chosen::goes_on;
use chosen::{blocks, rarest};
use std::ops::Range;
use tables::{anchor_hash, anchors_of, bits_of, by_list, fold, hash, is_set, set, short_of};

/// Bytes that are hashed at once.
const BLOCK: usize = 3;
/// Bytes chosen of a word.
const ANCHOR: usize = BLOCK + 1;
/// Of the table: 16 KiB.
const BITS: usize = 17;
const TABLE: usize = 1 << BITS;
/// Of the second table, which tells whether all four bytes stand there: 8 KiB.
const ANCHOR_BITS: u32 = 16;
const ANCHORS: usize = 1 << ANCHOR_BITS;
/// Places that are looked at at once: every other one.
const LOOKS: usize = 32;
/// What is let through is looked up in so many lists.
const LISTS: usize = 1 << 12;

/// A word somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WordAt {
    pub(crate) start: usize,
    /// Which word, by its place in the list.
    pub(crate) word: usize,
}

/// A block of a word: which word, and how far from its beginning.
#[derive(Clone, Copy)]
struct Part {
    block: u32,
    word: u16,
    offset: u16,
}

impl Part {
    fn list(&self) -> usize {
        hash(self.block) % LISTS
    }
}

/// What is looked for of a word.
struct Chosen {
    /// Where its four rarest bytes stand.
    rarest: usize,
    /// Whether anything may follow.
    bare: bool,
}

pub(crate) struct Words {
    words: Vec<Vec<u8>>,
    longest: usize,
    bits: Box<[u64; TABLE / 64]>,
    /// Where the parts of a list begin; they end where those of the next one begin.
    begins: Vec<u32>,
    parts: Vec<Part>,
    /// The four bytes chosen of each word; of those of three bytes with everything that may follow.
    anchors: Box<[u64; ANCHORS / 64]>,
    /// The words of three bytes.
    short: Box<[u64; ANCHORS / 64]>,
    /// The first blocks of words.
    heads: Box<[u64; TABLE / 64]>,
    /// First bytes of words, both cases.
    firsts: [bool; 256],
    /// For each byte where words hold it, if it is a sign of escapes, but as their first bytes.
    signs: Vec<Vec<Sign>>,
}

/// A sign inside of a word.
struct Sign {
    offset: usize,
    word: usize,
}

impl Words {
    /// Words in lower case, sorted, each once, of at least three bytes. `bare`: which of those with three may be followed by
    /// anything, not by what values are made of alone; they cost more.
    pub(crate) fn new(words: Vec<Vec<u8>>, bare: impl Fn(&[u8]) -> bool) -> Words {
        let chosen: Vec<Chosen> =
            words.iter().map(|word| Chosen { rarest: rarest(word), bare: bare(word) }).collect();
        let mut parts = Vec::new();
        for ((number, word), Chosen { rarest, bare }) in (0_u16..).zip(&words).zip(&chosen) {
            blocks(word, *rarest, *bare, |block, offset| parts.push(Part { block, word: number, offset }));
        }
        let (begins, parts) = by_list(&parts);
        let mut firsts = [false; 256];
        for first in words.iter().filter_map(|word| word.first()) {
            firsts[usize::from(*first)] = true;
            firsts[usize::from(first.to_ascii_uppercase())] = true;
        }
        Words {
            bits: bits_of(parts.iter().map(|part| part.block)),
            anchors: anchors_of(&words, &chosen),
            short: short_of(&words),
            heads: bits_of(words.iter().filter_map(|word| block_at(word))),
            begins,
            longest: words.iter().map(Vec::len).max().unwrap_or(0),
            signs: signs_in(&words),
            words,
            parts,
            firsts,
        }
    }

    /// Every word in the text, from `from` on, in no order; a word may be told twice.
    pub(crate) fn find(&self, text: &[u8], from: usize, mut found: impl FnMut(WordAt)) {
        if self.words.is_empty() {
            return;
        }
        let mut at = from;
        while let Some(rest) = text.get(at..).filter(|rest| rest.len() >= BLOCK) {
            let mut passed =
                rest.first_chunk().map_or_else(|| self.pass_last(rest), |bytes| self.pass(bytes));
            while passed != 0 {
                let place = at + 2 * passed.trailing_zeros() as usize;
                passed &= passed - 1;
                if self.may_stand(text, place) {
                    self.look(text, from, place, &mut found);
                }
            }
            at += 2 * LOOKS;
        }
        // A word of three bytes at an odd place, the text's last ones, has no even block behind it.
        if let Some(place) = text.len().checked_sub(BLOCK).filter(|place| *place >= from) {
            self.look(text, from, place, &mut found);
        }
    }

    /// One bit for each of the places that are looked at: whether its block is in the table.
    #[inline(always)]
    fn pass(&self, bytes: &[u8; 2 * LOOKS + 2]) -> u32 {
        let mut passed = 0;
        for begin in (0..2 * LOOKS).step_by(8) {
            let Some(bytes) = bytes.get(begin..begin + 10).and_then(<[u8]>::first_chunk::<10>) else {
                continue;
            };
            let look = |at: usize| {
                let four = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
                u32::from(self.bit(fold(four)))
            };
            let four = look(0) | look(2) << 1 | look(4) << 2 | look(6) << 3;
            passed = passed >> 4 | four << (LOOKS - 4);
        }
        passed
    }

    /// The same of the text's last bytes, which are fewer: of the places where a block fits. Heads have little else.
    #[inline(never)]
    fn pass_last(&self, rest: &[u8]) -> u32 {
        let places = (0..(rest.len() + 1).saturating_sub(BLOCK)).step_by(2).take(LOOKS);
        let look = |at: usize| block_at(&rest[at..]).is_some_and(|block| self.bit(block));
        places.enumerate().fold(0, |passed, (number, at)| passed | u32::from(look(at)) << number)
    }

    /// Whether the four bytes that were chosen of a word may stand here, or from one before.
    #[inline]
    fn may_stand(&self, text: &[u8], place: usize) -> bool {
        let around =
            place.checked_sub(1).and_then(|before| text.get(before..)?.first_chunk::<{ ANCHOR + 1 }>());
        around.is_none_or(|[z, a, b, c, d]| {
            self.is_anchor([*z, *a, *b, *c]) | self.is_anchor([*a, *b, *c, *d]) | self.is_short([*a, *b, *c])
        })
    }

    #[inline]
    fn is_anchor(&self, bytes: [u8; ANCHOR]) -> bool {
        is_set(&self.anchors, anchor_hash(bytes))
    }

    /// A word of three bytes.
    #[inline]
    fn is_short(&self, [a, b, c]: [u8; BLOCK]) -> bool {
        is_set(&self.short, anchor_hash([a, b, c, 0]))
    }

    #[inline]
    fn bit(&self, block: u32) -> bool {
        let hash = hash(block);
        self.bits[hash / 64 % (TABLE / 64)] >> (hash % 64) & 1 == 1
    }

    fn look(&self, text: &[u8], from: usize, at: usize, found: &mut impl FnMut(WordAt)) {
        let Some(block) = text.get(at..).and_then(block_at).filter(|block| self.bit(*block)) else {
            return;
        };
        let list = hash(block) % LISTS;
        let range = self.begins[list] as usize..self.begins[list + 1] as usize;
        for part in self.parts[range].iter().filter(|part| part.block == block) {
            let Some(start) = at.checked_sub(usize::from(part.offset)).filter(|start| *start >= from) else {
                continue;
            };
            let word = usize::from(part.word);
            if begins_with(&text[start..], &self.words[word]) {
                found(WordAt { start, word });
            }
        }
    }

    /// Every word from `from` on that begins in these bytes or goes on into them, which are an escape or its beginning: so only
    /// its first byte may stand inside of a word that begins before.
    pub(crate) fn find_at_escape(
        &self,
        text: &[u8],
        from: usize,
        escape: Range<usize>,
        mut found: impl FnMut(WordAt),
    ) {
        let Some(first) = text.get(escape.start) else { return };
        for sign in &self.signs[usize::from(*first)] {
            let Some(start) = escape.start.checked_sub(sign.offset).filter(|start| *start >= from) else {
                continue;
            };
            if begins_with(&text[start..], &self.words[sign.word]) {
                found(WordAt { start, word: sign.word });
            }
        }
        for start in escape.start.max(from)..escape.end {
            self.beginning_at(text, start).for_each(|word| found(WordAt { start, word }));
        }
    }

    /// Every word that stands here.
    fn beginning_at<'a>(&'a self, text: &'a [u8], start: usize) -> impl Iterator<Item = usize> + 'a {
        let rest = &text[start..];
        let head = block_at(rest).filter(|block| set(&self.heads, *block)).and(rest.first_chunk::<BLOCK>());
        let head = head.map(|head| head.map(|byte| byte.to_ascii_lowercase()));
        let begins = move |word: &[u8]| head.is_some_and(|head| word.starts_with(&head));
        let before =
            head.map_or(self.words.len(), |head| self.words.partition_point(|word| word[..] < head[..]));
        let those = self.words[before..].iter().take_while(move |word| begins(word));
        (before..).zip(those).filter(|(_, word)| begins_with(rest, word)).map(|(number, _)| number)
    }

    /// How long a word is.
    pub(crate) fn length(&self, word: usize) -> usize {
        self.words.get(word).map_or(0, Vec::len)
    }

    /// Words of which the text ends with a part: the place, and the word.
    pub(crate) fn begun<'a>(&'a self, text: &'a [u8], from: usize) -> impl Iterator<Item = WordAt> + 'a {
        let tail = (text.len() + 1).saturating_sub(self.longest).max(from);
        let begins = |rest: &[u8]| match block_at(rest) {
            Some(block) => set(&self.heads, block),
            None => self.firsts[usize::from(rest[0])],
        };
        let places = (tail..text.len()).filter(move |start| begins(&text[*start..]));
        places.flat_map(move |start| self.longer_than(&text[start..]).map(move |word| WordAt { start, word }))
    }

    /// Words that begin with these bytes and go on.
    fn longer_than(&self, begin: &[u8]) -> impl Iterator<Item = usize> + '_ {
        let begin = begin.to_ascii_lowercase();
        let first = self.words.partition_point(|word| *word <= begin);
        let those = self.words[first..].iter().take_while(move |word| word.starts_with(&begin));
        (first..).zip(those).map(|(number, _)| number)
    }
}

fn signs_in(words: &[Vec<u8>]) -> Vec<Vec<Sign>> {
    let mut signs: Vec<Vec<Sign>> = (0..=u8::MAX).map(|_| Vec::new()).collect();
    for (word, bytes) in words.iter().enumerate() {
        for (offset, byte) in bytes.iter().enumerate().skip(1).filter(|(_, byte)| is_sign(**byte)) {
            signs[usize::from(*byte)].push(Sign { offset, word });
        }
    }
    signs
}

/// The block that the text begins with.
fn block_at(text: &[u8]) -> Option<u32> {
    let [a, b, c] = *text.first_chunk::<BLOCK>()?;
    Some(fold(u32::from_le_bytes([a, b, c, 0])))
}

fn begins_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: [&str; 8] = ["&abc", "-----begin", "abc", "abcd", "b\\ca", "bcab", "ghp_", "xoxb-"];

    fn slowly(text: &[u8], from: usize) -> Vec<WordAt> {
        let at = |start: usize| {
            let all = WORDS.iter().enumerate().map(move |(word, spelled)| (start, word, spelled));
            all.filter(|(start, _, spelled)| begins_with(&text[*start..], spelled.as_bytes()))
        };
        (from..text.len()).flat_map(at).map(|(start, word, _)| WordAt { start, word }).collect()
    }

    fn words(bare: bool) -> Words {
        Words::new(WORDS.iter().map(|word| word.as_bytes().to_vec()).collect(), |_| bare)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_word_is_found(
            parts in prop::collection::vec(
                prop_oneof![prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned), "[abcABCx_= -]{0,3}"], 0..12),
            from in 0_usize..4, bare: bool,
        ) {
            let text = parts.concat().into_bytes();
            let from = from.min(text.len());
            let mut found = Vec::new();
            words(bare).find(&text, from, |word| found.push(word));
            found.sort_unstable();
            found.dedup();
            // Where nothing follows a word of three bytes that it could go on with, it may be found or not.
            let goes_on = |at: &WordAt| {
                let end = at.start + WORDS[at.word].len();
                bare || end > at.start + BLOCK || text.get(end).is_none_or(|next| goes_on(*next))
            };
            found.retain(goes_on);
            let slowly: Vec<WordAt> = slowly(&text, from).into_iter().filter(goes_on).collect();
            prop_assert_eq!(found, slowly);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        /// A word that an escape cuts is found at the escape, or not at all.
        #[test]
        fn words_at_escapes_are_found(
            parts in prop::collection::vec(
                prop_oneof![prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned), "[abcABCx_-]{0,3}", "[\\\\%&]a?"], 0..8),
            from in 0_usize..4, length in 1_usize..4,
        ) {
            let text = parts.concat().into_bytes();
            let from = from.min(text.len());
            let words = words(false);
            for begin in (0..text.len()).filter(|begin| is_sign(text[*begin])) {
                let escape = begin..text.len().min(begin + length);
                let mut found = Vec::new();
                words.find_at_escape(&text, from, escape.clone(), |word| found.push(word));
                found.sort_unstable();
                let touches = |at: &WordAt| at.start < escape.end && at.start + words.length(at.word) > escape.start;
                prop_assert_eq!(found, slowly(&text, from).into_iter().filter(touches).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_word_that_has_begun_is_told() {
        let words = words(false);
        let begun: Vec<WordAt> = words.begun(b"..GH", 0).collect();
        assert_eq!(begun, [WordAt { start: 2, word: 6 }]);
        assert!(words.begun(b"..ghp_", 0).next().is_none());
    }
}
