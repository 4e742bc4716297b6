//! Where something encoded may stand.
use super::ascii85;
use crate::blocks::{self, BLOCK, Runs, are_letters, at_most, bits_at, is, long_runs};
use std::ops::Range;
use wide::u8x16;

/// The shortest run of letters that is decoded: 15 bytes in base64.
const LETTERS_LEAST: usize = 20;
/// So many letters of base64 in a row are no ascii85.
pub(super) const SURELY_LETTERS: usize = 64;
/// A longer run is no single token, and is not read from its end.
pub(super) const REVERSED_MOST: usize = 1024;

#[inline(always)]
fn are_visible(bytes: u8x16) -> u8x16 {
    !(at_most(bytes, b' ') | is(bytes, 0x7F))
}

/// Runs of letters of base64 (and base32 and base16 too).
pub(super) fn letters(text: &[u8], within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    Runs::new(text, within, LETTERS_LEAST, are_letters)
}

/// The letters right before this place, if they may be a token of their own.
pub(super) fn letters_before(text: &[u8], end: usize) -> Option<Range<usize>> {
    let count = blocks::ending(&text[..end], end.saturating_sub(REVERSED_MOST + 1), are_letters);
    (LETTERS_LEAST..=REVERSED_MOST).contains(&count).then(|| end - count..end)
}

/// The letters from this place on, if they may be a token of their own.
pub(super) fn letters_behind(text: &[u8], start: usize) -> Option<Range<usize>> {
    let most = text.len().min(start + REVERSED_MOST + 1);
    let count = blocks::beginning(&text[start..most], are_letters);
    (LETTERS_LEAST..=REVERSED_MOST).contains(&count).then(|| start..start + count)
}

/// Whether there is nothing but letters of base64.
pub(super) fn are_all_letters(text: &[u8], part: Range<usize>) -> bool {
    blocks::are_all(text, part, are_letters)
}

/// Stretches without blanks and control characters, where anything encoded stands.
pub(super) fn visible(text: &[u8], within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    Runs::new(text, within, LETTERS_LEAST, are_visible)
}

/// Of [`visible`], those that hold [`letters`], or a place where ascii85 may begin: what is decoded at all. Both are looked for
/// where so much is visible that there is room for them, before anything is asked about a stretch.
pub(super) fn promising(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let (mut at, mut done) = (0, 0);
    std::iter::from_fn(move || {
        while at < text.len() {
            let begins = begin_in(text, at);
            if begins != 0 {
                let begin = at + begins.trailing_zeros() as usize;
                let region = around(text, begin..begin, done);
                (at, done) = (region.end, region.end);
                return Some(region);
            }
            at += BLOCK + 1 - ascii85::LEAST;
        }
        None
    })
}

/// Where anything begins that may be decoded, in this block, as far as all of it stands there.
#[inline(always)]
fn begin_in(text: &[u8], at: usize) -> u64 {
    let room = long_runs(bits_at(text, at, are_visible), LETTERS_LEAST);
    if room == 0 {
        return 0;
    }
    let letters = long_runs(bits_at(text, at, are_letters), LETTERS_LEAST);
    if letters != 0 { letters } else { ascii85::begins(text, at) }
}

/// The signs of all formats that escape.
pub(super) fn signs(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let signs = |bytes| is(bytes, b'%') | is(bytes, b'\\') | is(bytes, b'&');
    blocks::each(text, signs).map(|at| at..at + 1)
}

/// Both, in the order of their beginnings.
pub(super) fn merged(
    one: impl Iterator<Item = Range<usize>>,
    other: impl Iterator<Item = Range<usize>>,
) -> impl Iterator<Item = Range<usize>> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if first.start <= second.start => one.next(),
        (_, Some(_)) => other.next(),
        (_, None) => one.next(),
    })
}

/// These bytes, and everything visible that they touch on either side, but for what stands before `from`.
pub(super) fn around(text: &[u8], bytes: Range<usize>, from: usize) -> Range<usize> {
    let before = blocks::ending(&text[..bytes.start], from, are_visible);
    let behind = blocks::beginning(&text[bytes.end..], are_visible);
    bytes.start - before..bytes.end + behind
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        /// Of all stretches those that a look at each of them would decode something of.
        #[test]
        fn promising_stretches_are_those_that_hold_something(
            parts in prop::collection::vec(
                prop_oneof!["[ \\n]{1,3}", "[a-z.\"]{1,40}", "[!-u]{10,40}", "[a-zA-Z0-9+/]{15,30}", "[0-9a-f:.]{20,70}", "[0-9A-Za-z#$]{24,60}", "é"], 0..14),
        ) {
            let text = parts.concat().into_bytes();
            let holds = |region: &Range<usize>| letters(&text, region.clone()).next().is_some() || ascii85::may_begin_in(&text[region.clone()]);
            let slowly: Vec<Range<usize>> = visible(&text, 0..text.len()).filter(holds).collect();
            prop_assert_eq!(promising(&text).collect::<Vec<_>>(), slowly);
        }
    }
}
