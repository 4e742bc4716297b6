//! The words of all rules, sought at once.
//!
//! Of every word four bytes are chosen that are rare in texts. At each place three bytes are looked up in a table that stays in the
//! processor's near memory: whether any four begin with them, or end with them. Where they do the one at a place and the other at
//! the next, the words are compared whole. There is no jumping and no chain of states, so the looks do not wait for each other.

mod chosen;
mod tables;

use crate::view::is_sign;
use chosen::{block_of, goes_on};
use std::ops::Range;
use tables::{begin_of, fold, hash, hashes, heads_of, list_of, set, table_of};

/// Bytes that are hashed at once.
const BLOCK: usize = 3;
/// Bytes chosen of a word.
const ANCHOR: usize = BLOCK + 1;
/// Of the table: a byte for each hash, 32 KiB.
const TABLE: usize = 1 << 15;
/// Four chosen bytes begin so.
const BEGINS: u8 = 1;
/// It is a word of three bytes.
const SHORT: u8 = 2;
/// By so many bits higher stands what the bytes one further on must be: four chosen bytes end so, or nothing is asked.
const NEXT: u32 = 4;
const ENDS: u8 = BEGINS << NEXT;
const ANYTHING: u8 = SHORT << NEXT;
/// Places that are looked at at once.
const LOOKS: usize = 16;
/// Bytes of which something is hashed there.
const LOOKED_AT: usize = LOOKS + BLOCK;
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
    /// What may stand at a place, and what is asked of the next one, by the hash of three bytes.
    table: Box<[u8; TABLE]>,
    /// The words of three bytes behind which anything may stand.
    bare: Vec<bool>,
    /// Where the parts of a list begin; they end where those of the next one begin.
    begins: Vec<u32>,
    parts: Vec<Part>,
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
            parts.extend(block_of(word).map(part));
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
        while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<LOOKED_AT>) {
            let here = hashes(bytes).map(|hash| self.table[usize::from(hash)]);
            // Of the last one it is not asked what follows.
            let pairs = here.iter().zip(&here[1..]);
            if pairs.fold(here[LOOKS - 1], |any, (here, next)| any | here & next >> NEXT) & (BEGINS | SHORT)
                != 0
            {
                self.look_at_all(text, from, at, &here, &mut found);
            }
            at += LOOKS;
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
        here: &[u8; LOOKS],
        found: &mut impl FnMut(WordAt),
    ) {
        let next = here[1..].iter().copied().chain([u8::MAX]);
        for (place, (here, next)) in (at..).zip(here.iter().zip(next)) {
            if here & next >> NEXT != 0 {
                self.look(text, from, place, found);
            }
        }
    }

    #[inline]
    fn is_known(&self, block: u32) -> bool {
        self.table[usize::from(hash(block))] & (BEGINS | SHORT) != 0
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
