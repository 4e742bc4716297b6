//! The words of all rules, sought at once.
//!
//! Of every word four bytes are chosen that are rare in texts. Where they may stand is told for sixty-four places at once
//! (`buckets`): of as many there are some seven in ordinary texts. Each of those is one bit of a table that stays in the
//! processor's nearest memory, and what that lets through is compared whole. There is no jumping and no chain of states, so the
//! looks do not wait for each other.

mod buckets;
mod chosen;
mod tables;

use crate::blocks::{BLOCK as WHOLE, Bits, dispatch, level};
use crate::view::is_sign;
use buckets::{Buckets, STRIPE};
use chosen::Next;
use std::ops::Range;
use tables::{anchor_hash, anchors_of, bits_of, by_list, fold, is_set, set};

/// Bytes that beginnings are hashed by.
const BLOCK: usize = 3;
/// Bytes chosen of a word.
const ANCHOR: usize = BLOCK + 1;
/// Of the table of beginnings: 16 KiB.
const BITS: usize = 17;
const TABLE: usize = 1 << BITS;
/// Of the table that tells whether all four bytes stand there: 8 KiB.
const ANCHOR_BITS: u32 = 16;
const ANCHORS: usize = 1 << ANCHOR_BITS;
/// What is let through is looked up in so many lists.
const LISTS: usize = 1 << 10;

/// A word somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WordAt {
    pub(crate) start: usize,
    /// Which word, by its place in the list.
    pub(crate) word: usize,
}

/// The bytes chosen of a word: which word, and how far from its beginning.
#[derive(Clone, Copy)]
struct Part {
    bytes: u32,
    word: u16,
    offset: u16,
    /// The word's first and last byte, folded, and how far the one is from the other: many words have the same bytes chosen.
    ends: [u8; 2],
    length: u16,
}

impl Part {
    fn of(word: &[u8], number: u16, offset: usize) -> Option<Part> {
        let bytes = sought(&word[offset..])?;
        let (offset, length) = (u16::try_from(offset).ok()?, u16::try_from(word.len()).ok()?);
        Some(Part {
            bytes,
            word: number,
            offset,
            ends: [*word.first()? | 0x20, *word.last()? | 0x20],
            length,
        })
    }

    /// Whether the word may stand here, by its ends.
    #[inline(always)]
    fn may_be(&self, text: &[u8], start: usize) -> bool {
        let [first, last] = self.ends;
        let end = start + usize::from(self.length);
        text[start] | 0x20 == first && text.get(end - 1).is_some_and(|byte| byte | 0x20 == last)
    }

    fn list(&self) -> usize {
        list_of(self.bytes)
    }
}

pub(crate) struct Words {
    words: Vec<Vec<u8>>,
    longest: usize,
    buckets: Buckets,
    /// The four bytes chosen of each word; words of three bytes with everything that may follow, and by themselves.
    anchors: Box<[u64; ANCHORS / 64]>,
    /// Where the parts of a list begin; they end where those of the next one begin.
    begins: Vec<u32>,
    parts: Vec<Part>,
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
        let (buckets, offsets) = Buckets::of(&words, &bare);
        let mut parts = Vec::with_capacity(words.len());
        for ((number, word), offset) in (0_u16..).zip(&words).zip(&offsets) {
            parts.extend(Part::of(word, number, *offset));
        }
        let (begins, parts) = by_list(&parts);
        let mut firsts = [false; 256];
        for first in words.iter().filter_map(|word| word.first()) {
            firsts[usize::from(*first)] = true;
            firsts[usize::from(first.to_ascii_uppercase())] = true;
        }
        let anchors = words.iter().zip(&offsets).flat_map(|(word, at)| spelled(&word[*at..], bare(word)));
        Words {
            buckets,
            anchors: anchors_of(anchors),
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
        let mut begin = from;
        while begin + BLOCK <= text.len() {
            let mut blocks = [0; STRIPE];
            let rest = &text[begin..];
            let few = rest.len().div_ceil(WHOLE).min(STRIPE);
            dispatch!(level(), simd => self.buckets.fill(simd, rest, &mut blocks[..few]));
            for (number, block) in blocks[..few].iter().enumerate() {
                for at in Bits(*block) {
                    self.look(text, from, begin + number * WHOLE + at, &mut found);
                }
            }
            begin += STRIPE * WHOLE;
        }
    }

    /// What of these bytes on was chosen of a word.
    #[inline(always)]
    fn look(&self, text: &[u8], from: usize, at: usize, found: &mut impl FnMut(WordAt)) {
        let rest = &text[at..];
        let four = rest.first_chunk();
        if four.is_some_and(|four| !is_set(&self.anchors, anchor_hash(*four))) {
            return;
        }
        if let Some(four) = four {
            self.look_for(fold(u32::from_le_bytes(*four)), (text, from, at), found);
        }
        if let Some(three) = block_at(rest).filter(|three| self.is_short(*three)) {
            self.look_for(three, (text, from, at), found);
        }
    }

    /// Whether these may be a word of three bytes.
    #[inline(always)]
    fn is_short(&self, three: u32) -> bool {
        is_set(&self.anchors, anchor_hash(three.to_le_bytes()))
    }

    #[inline(never)]
    fn look_for(&self, bytes: u32, (text, from, at): (&[u8], usize, usize), found: &mut impl FnMut(WordAt)) {
        let list = list_of(bytes);
        let range = self.begins[list] as usize..self.begins[list + 1] as usize;
        for part in self.parts[range].iter().filter(|part| part.bytes == bytes) {
            let Some(start) = at.checked_sub(usize::from(part.offset)).filter(|start| *start >= from) else {
                continue;
            };
            let word = usize::from(part.word);
            if part.may_be(text, start) && begins_with(&text[start..], &self.words[word]) {
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

/// What a word is looked up by that the bytes chosen of it begin: those, or a word of three bytes.
fn sought(chosen: &[u8]) -> Option<u32> {
    let four = chosen.first_chunk().map(|four| fold(u32::from_le_bytes(*four)));
    four.or_else(|| block_at(chosen))
}

/// Every four bytes of a text that may be the ones chosen of a word, and a word of three bytes as [`block_at`] has it.
fn spelled(chosen: &[u8], bare: bool) -> impl Iterator<Item = [u8; ANCHOR]> {
    let four = chosen.first_chunk::<ANCHOR>().copied();
    let three = chosen.first_chunk::<BLOCK>().filter(|_| four.is_none()).copied();
    let next = if bare { Next::Anything } else { Next::OfValues };
    let longer =
        three.into_iter().flat_map(move |[a, b, c]| next.bytes().chain([0]).map(move |next| [a, b, c, next]));
    four.into_iter().chain(longer)
}

fn list_of(bytes: u32) -> usize {
    (bytes.wrapping_mul(0x9E37_79B1) >> 16) as usize % LISTS
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
    use super::chosen::goes_on;
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

    /// As many as there are, so that every bucket has some.
    #[test]
    fn every_built_in_word_is_found_at_every_place() {
        let rules = crate::RuleSet::built_in();
        let words = rules.words();
        for (number, word) in words.words.iter().enumerate() {
            for before in 0..2 * WHOLE {
                let text = [&vec![b'.'; before], &word[..], b"x.."].concat();
                let mut found = false;
                words.find(&text, 0, |at| found |= at == WordAt { start: before, word: number });
                assert!(found, "{} behind {before} bytes", word.escape_ascii());
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
