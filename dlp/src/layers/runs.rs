//! Where something encoded may stand.
use super::ascii85;
use crate::blocks::{self, BLOCK, Letters, Runs, run_ends};
use crate::masks::{Block, Masks, Visible};
use std::ops::Range;

/// The shortest run of letters that is decoded: 15 bytes in base64.
const LETTERS_LEAST: usize = 20;
/// So many letters of base64 in a row are no ascii85.
pub(super) const SURELY_LETTERS: usize = 64;
/// A longer run is no single token, and is not read from its end.
pub(super) const REVERSED_MOST: usize = 1024;

/// Runs of letters of base64 (and base32 and base16 too).
pub(super) fn letters(text: &[u8], within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    Runs::<_, LETTERS_LEAST>::new(text, within, Letters)
}

/// Those that are no ascii85.
pub(super) fn many_letters(text: &[u8], within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let within = if within.len() < SURELY_LETTERS { within.end..within.end } else { within };
    Runs::<_, SURELY_LETTERS>::new(text, within, Letters)
}

/// The letters right before this place, if they may be a token of their own.
pub(super) fn letters_before(text: &[u8], end: usize) -> Option<Range<usize>> {
    let count = blocks::ending(&text[..end], end.saturating_sub(REVERSED_MOST + 1), Letters);
    (LETTERS_LEAST..=REVERSED_MOST).contains(&count).then(|| end - count..end)
}

/// The letters from this place on, if they may be a token of their own.
pub(super) fn letters_behind(text: &[u8], start: usize) -> Option<Range<usize>> {
    let most = text.len().min(start + REVERSED_MOST + 1);
    let count = blocks::beginning(&text[start..most], Letters);
    (LETTERS_LEAST..=REVERSED_MOST).contains(&count).then(|| start..start + count)
}

/// Whether there is nothing but letters of base64.
pub(super) fn are_all_letters(text: &[u8], part: Range<usize>) -> bool {
    blocks::are_all(text, part, Letters)
}

#[cfg(test)]
/// Stretches without blanks and control characters, where anything encoded stands.
pub(super) fn visible(text: &[u8], within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    Runs::<_, LETTERS_LEAST>::new(text, within, Visible)
}

/// Of [`visible`], those that hold [`letters`], or a place where ascii85 may begin: what is decoded at all. A run of letters is known
/// where it became long enough, and ascii85 is asked for only where enough is visible in a row.
pub(super) fn promising<'a>(text: &'a [u8], masks: &'a Masks) -> impl Iterator<Item = Range<usize>> + 'a {
    let (mut at, mut done) = (0_usize, 0_usize);
    let mut before = Block::default();
    std::iter::from_fn(move || {
        while at < text.len() {
            // What was given out already ends with something that is not visible, or with the text.
            let here = without(masks.at(at), done.saturating_sub(at));
            if let Some(place) = first_place(before, here, text, at, done) {
                let region = around(text, place..place, done);
                done = region.end;
                let next = done / BLOCK * BLOCK;
                if next > at {
                    (at, before) = (next, Block::default());
                }
                return Some(region);
            }
            (at, before) = (at + BLOCK, here);
        }
        None
    })
}

/// Without its first bytes, so many of them.
#[inline(always)]
fn without(block: Block, first: usize) -> Block {
    let kept = if first < BLOCK { u64::MAX << first } else { 0 };
    Block { letters: block.letters & kept, visible: block.visible & kept, ..block }
}

/// The first place in something that is decoded, of what ends in this block or goes on behind it.
#[inline(always)]
fn first_place(before: Block, here: Block, text: &[u8], at: usize, done: usize) -> Option<usize> {
    // Letters are visible, and most texts have blanks between their words.
    if run_ends(before.visible, here.visible, LETTERS_LEAST) == 0 {
        return None;
    }
    let letters = run_ends(before.letters, here.letters, LETTERS_LEAST);
    let room = run_ends(before.visible, here.visible, ascii85::LEAST);
    if letters | room == 0 {
        return None;
    }
    let first = room.trailing_zeros();
    let long = letters.trailing_zeros();
    // What is visible up to the letters is one stretch with them, whatever else it holds.
    if letters != 0 && (long <= first || (here.visible >> first).trailing_ones() >= long - first) {
        return Some(at + long as usize);
    }
    // Where what is visible became long enough ascii85 has its first groups.
    let last = BLOCK - 1 - room.leading_zeros() as usize;
    let begin = |place: usize| (at + place + 1).saturating_sub(ascii85::LEAST).max(done);
    let fives = fives_in(text, begin(first as usize)..begin(last) + 1);
    (letters != 0).then(|| at + long as usize).into_iter().chain(fives).min()
}

/// The first place of these where ascii85 may begin.
#[inline(never)]
fn fives_in(text: &[u8], places: Range<usize>) -> Option<usize> {
    let mut windows = places.step_by(BLOCK + 1 - ascii85::LEAST);
    windows.find_map(|at| match ascii85::begins(text, at) {
        0 => None,
        begins => Some(at + begins.trailing_zeros() as usize),
    })
}

/// Of [`visible`], those with room for ascii85 that hold a sign of a format that escapes, or that one of these changes touches,
/// which stand left to right.
pub(super) fn beside_signs<'a>(
    text: &'a [u8],
    masks: &'a Masks,
    changes: impl Iterator<Item = Range<usize>> + 'a,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut changes = changes.peekable();
    long_visible(text, masks).filter(move |run| {
        while changes.next_if(|change| change.end < run.start).is_some() {}
        changes.peek().is_some_and(|change| change.start <= run.end)
            || memchr::memchr3(b'%', b'\\', b'&', &text[run.clone()]).is_some()
    })
}

/// Of [`visible`], those with room for ascii85.
fn long_visible<'a>(text: &'a [u8], masks: &'a Masks) -> impl Iterator<Item = Range<usize>> + 'a {
    let (mut at, mut done, mut before) = (0_usize, 0_usize, 0);
    std::iter::from_fn(move || {
        while at < text.len() {
            let here = without(masks.at(at), done.saturating_sub(at)).visible;
            let ends = run_ends(before, here, ascii85::LEAST);
            if ends != 0 {
                let place = at + ends.trailing_zeros() as usize;
                let run = around(text, place..place, done);
                done = run.end;
                before = 0;
                at = (done / BLOCK * BLOCK).max(at);
                return Some(run);
            }
            (at, before) = (at + BLOCK, here);
        }
        None
    })
}

/// These bytes, and everything visible that they touch on either side, but for what stands before `from`.
pub(super) fn around(text: &[u8], bytes: Range<usize>, from: usize) -> Range<usize> {
    let before = blocks::ending(&text[..bytes.start], from, Visible);
    let behind = blocks::beginning(&text[bytes.end..], Visible);
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
            prop_assert_eq!(promising(&text, &Masks::of(&text)).collect::<Vec<_>>(), slowly);
        }
    }
}
