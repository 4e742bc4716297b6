//! The words of all rules, sought at once.
//!
//! Of every word four bytes are chosen that are rare in texts. Where three of them stand at one of two neighbouring places,
//! one of the two is even: so every other place is looked at, and each look is one byte of a table that stays in the
//! processor's near memory. What that lets through is compared whole. There is no jumping and no chain of states,
//! so the looks do not wait for each other.

mod chosen;

use crate::view::is_sign;
use chosen::{blocks, goes_on, rarest};
use std::ops::Range;
use wide::u16x8;

/// Bytes that are hashed at once.
const BLOCK: usize = 3;
/// Bytes chosen of a word.
const ANCHOR: usize = BLOCK + 1;
/// Of the table: a byte for each hash, 64 KiB.
const TABLE: usize = 1 << 16;
/// At even places.
const LONG: u8 = 1;
/// At odd ones, for no even place has all of such a word.
const SHORT: u8 = 2;
/// Of the second table, which tells whether all four bytes stand there: 8 KiB.
const ANCHOR_BITS: u32 = 16;
const ANCHORS: usize = 1 << ANCHOR_BITS;
/// Places that are looked at at once, of each kind.
const LOOKS: usize = 8;
/// Bytes of which something is hashed there.
const LOOKED_AT: usize = 2 * LOOKS + 4;
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    list: usize,
    block: u32,
    word: u16,
    offset: u16,
}

pub(crate) struct Words {
    words: Vec<Vec<u8>>,
    longest: usize,
    /// What may stand at a place, by the hash of three bytes: a part of a word ([`LONG`]), or one of three bytes ([`SHORT`]).
    table: Box<[u8; TABLE]>,
    /// The words of three bytes behind which anything may stand.
    bare: Vec<bool>,
    /// Where the parts of a list begin; they end where those of the next one begin.
    begins: Vec<u32>,
    parts: Vec<Part>,
    /// The four bytes chosen of each longer word.
    anchors: Box<[u64; ANCHORS / 64]>,
    /// The words of three bytes.
    short: Box<[u64; ANCHORS / 64]>,
    /// The first blocks of words.
    heads: Box<[bool; TABLE]>,
    /// First bytes of words, both cases.
    firsts: [bool; 256],
    /// Where words hold this sign of escapes, but as their first bytes.
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
        let mut parts = Vec::new();
        for (number, word) in (0_u16..).zip(&words) {
            let part = |(block, offset)| Part { list: list_of(block), block, word: number, offset };
            parts.extend(blocks(word).into_iter().map(part));
        }
        parts.sort_unstable();
        let mut firsts = [false; 256];
        for first in words.iter().filter_map(|word| word.first()) {
            firsts[usize::from(*first)] = true;
            firsts[usize::from(first.to_ascii_uppercase())] = true;
        }
        Words {
            table: table_of(&words, &parts),
            bare: words.iter().map(|word| bare(word)).collect(),
            anchors: anchors_of(&words),
            short: short_of(&words),
            heads: heads_of(&words),
            begins: (0..=LISTS).map(|list| begin_of(&parts, list)).collect(),
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
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<{ LOOKED_AT }>) {
            let (even, odd) = (hashes::<0>(bytes), hashes::<1>(bytes));
            let any = |hashes: &[u16; LOOKS]| {
                hashes.iter().fold(0, |any, hash| any | self.table[usize::from(*hash)])
            };
            if any(&even) & LONG | any(&odd) & SHORT != 0 {
                self.look_at_all(text, from, at, (&even, &odd), &mut found);
            }
            at += 2 * LOOKS;
        }
        for place in at..text.len().saturating_sub(BLOCK - 1) {
            self.look(text, from, place, &mut found);
        }
    }

    #[inline(never)]
    fn look_at_all(
        &self,
        text: &[u8],
        from: usize,
        at: usize,
        (even, odd): (&[u16; LOOKS], &[u16; LOOKS]),
        found: &mut impl FnMut(WordAt),
    ) {
        for (place, (even, odd)) in (at..).step_by(2).zip(even.iter().zip(odd)) {
            if self.table[usize::from(*even)] & LONG != 0 && self.may_stand(text, place) {
                self.look(text, from, place, found);
            }
            if self.table[usize::from(*odd)] & SHORT != 0 {
                self.look(text, from, place + 1, found);
            }
        }
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
    fn is_known(&self, block: u32) -> bool {
        self.table[usize::from(hash(block))] & LONG != 0
    }

    fn look(&self, text: &[u8], from: usize, at: usize, found: &mut impl FnMut(WordAt)) {
        let Some(block) = text.get(at..).and_then(block_at).filter(|block| self.is_known(*block)) else {
            return;
        };
        let list = list_of(block);
        let range = self.begins[list] as usize..self.begins[list + 1] as usize;
        for part in self.parts[range].iter().filter(|part| part.block == block) {
            let Some(start) = at.checked_sub(usize::from(part.offset)).filter(|start| *start >= from) else {
                continue;
            };
            let word = usize::from(part.word);
            if begins_with(&text[start..], &self.words[word]) && self.may_end(text, start, word) {
                found(WordAt { start, word });
            }
        }
    }

    /// Most words of three bytes count only where something stands behind that values are made of.
    #[inline]
    fn may_end(&self, text: &[u8], start: usize, word: usize) -> bool {
        self.words[word].len() > BLOCK
            || self.bare[word]
            || text.get(start + BLOCK).is_none_or(|next| goes_on(*next))
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
    let of = |byte: u8| {
        let inner = |word: &Vec<u8>| (1..word.len()).filter(|at| word[*at] == byte).collect::<Vec<_>>();
        let signs = words.iter().map(inner).enumerate();
        signs.flat_map(|(word, places)| places.into_iter().map(move |offset| Sign { offset, word })).collect()
    };
    (0..=u8::MAX).map(|byte| if is_sign(byte) { of(byte) } else { Vec::new() }).collect()
}

fn table_of(words: &[Vec<u8>], parts: &[Part]) -> Box<[u8; TABLE]> {
    let mut table = Box::new([0; TABLE]);
    for part in parts {
        let short = words[usize::from(part.word)].len() == BLOCK;
        table[usize::from(hash(part.block))] |= if short { LONG | SHORT } else { LONG };
    }
    table
}

fn heads_of(words: &[Vec<u8>]) -> Box<[bool; TABLE]> {
    let mut heads = Box::new([false; TABLE]);
    let blocks = words.iter().filter_map(|word| block_at(word));
    blocks.for_each(|block| heads[usize::from(hash(block))] = true);
    heads
}

fn set(heads: &[bool; TABLE], block: u32) -> bool {
    heads[usize::from(hash(block))]
}

fn list_of(block: u32) -> usize {
    usize::from(hash(block)) % LISTS
}

fn begin_of(parts: &[Part], list: usize) -> u32 {
    u32::try_from(parts.partition_point(|part| part.list < list)).unwrap_or(u32::MAX)
}

fn anchors_of(words: &[Vec<u8>]) -> Box<[u64; ANCHORS / 64]> {
    let mut bits = Box::new([0_u64; ANCHORS / 64]);
    for word in words.iter().filter(|word| word.len() > BLOCK) {
        let four = word[rarest(word)..].first_chunk();
        four.into_iter().for_each(|four| put(&mut bits, anchor_hash(*four)));
    }
    bits
}

fn short_of(words: &[Vec<u8>]) -> Box<[u64; ANCHORS / 64]> {
    let mut bits = Box::new([0_u64; ANCHORS / 64]);
    for word in words {
        if let [a, b, c] = *word.as_slice() {
            put(&mut bits, anchor_hash([a, b, c, 0]));
        }
    }
    bits
}

#[inline]
fn anchor_hash(bytes: [u8; ANCHOR]) -> u32 {
    (u32::from_le_bytes(bytes) | 0x2020_2020).wrapping_mul(0x9E37_79B1) >> (32 - ANCHOR_BITS)
}

#[inline]
fn is_set(bits: &[u64; ANCHORS / 64], at: u32) -> bool {
    bits[at as usize / 64 % (ANCHORS / 64)] >> (at % 64) & 1 == 1
}

fn put(bits: &mut [u64; ANCHORS / 64], at: u32) {
    bits[at as usize / 64 % (ANCHORS / 64)] |= 1 << (at % 64);
}

/// Joins letters of both cases, and a few other bytes with each other; the comparison afterwards is exact.
#[inline]
fn fold(block: u32) -> u32 {
    block | 0x2020_2020
}

/// Of the lower three bytes, which are folded.
#[inline]
fn hash(folded: u32) -> u16 {
    let [a, b, c, _] = folded.to_le_bytes();
    hash_of(u16::from_le_bytes([a, b]), u16::from(c))
}

fn hash_of(first: u16, third: u16) -> u16 {
    let mixed = first.wrapping_mul(FIRST).wrapping_add(third.wrapping_mul(THIRD));
    mixed ^ mixed >> 7
}

/// Odd, and far from each other.
const FIRST: u16 = 0x9E37;
const THIRD: u16 = 0x6A5B;

/// Of the blocks at every other place from there on: as sixteen bits of each, so that all are made at once.
#[inline(always)]
fn hashes<const BEGIN: usize>(bytes: &[u8; LOOKED_AT]) -> [u16; LOOKS] {
    let pairs = |from: usize| {
        u16x8::new(std::array::from_fn(|look| {
            u16::from_le_bytes([bytes[from + 2 * look], bytes[from + 2 * look + 1]])
        }))
    };
    let first = pairs(BEGIN) | u16x8::splat(0x2020);
    let third = pairs(BEGIN + 2) & u16x8::splat(0xFF) | u16x8::splat(0x20);
    let mixed = first * u16x8::splat(FIRST) + third * u16x8::splat(THIRD);
    (mixed ^ mixed >> 7_u16).to_array()
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
