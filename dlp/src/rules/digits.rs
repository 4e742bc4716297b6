//! Places at which numbers of cards and accounts may begin: before the first four digits in a row, and not inside of anything
//! longer.
use crate::blocks::{BLOCK, Between, bits_at, kind};
use crate::masks::Masks;
use std::ops::Range;

/// What stands before the first four digits of an account's number, at most: country, check digits, the bank's letters, blanks.
const LEAD: usize = 10;

kind!(
    /// Those of escapes that spell a letter.
    Signs: |bytes| bytes.is_any(*b"\\%")
);

/// Four digits in a row with none before, wherever they stand from `from` on, but for those that surely are in the middle of a word:
/// at those [`places`] finds nothing.
pub(super) fn rows(text: &[u8], from: usize, masks: &Masks, mut found: impl FnMut(usize)) {
    let first = from / BLOCK * BLOCK;
    let mut before = 0;
    let mut digits = masks.at(first).digits & u64::MAX << (from - first);
    for begin in (first..text.len()).step_by(BLOCK) {
        let next = masks.at(begin + BLOCK).digits;
        let behind = |count: usize| digits >> count | next << (BLOCK - count);
        let mut rows = digits & behind(1) & behind(2) & behind(3) & !(digits << 1 | before >> (BLOCK - 1));
        if rows != 0 {
            rows &= !in_words(text, begin);
        }
        while rows != 0 {
            found(begin + rows.trailing_zeros() as usize);
            rows &= rows - 1;
        }
        (before, digits) = (digits, next);
    }
}

/// Places right behind a small letter that is not spelled by an escape, and with no capitals before that an account's number may
/// begin with. In hexadecimal most are such.
#[inline]
fn in_words(text: &[u8], begin: usize) -> u64 {
    let capitals = bits_at(text, begin, Between::<b'A', b'Z'>);
    if capitals & capitals >> 1 != 0 {
        return 0;
    }
    let small = bits_at(text, begin, Between::<b'a', b'z'>);
    let signs = bits_at(text, begin, Signs);
    small << 1 & !(signs << 2 | signs << 3) & u64::MAX << LEAD
}

/// Those that begin inside of an escape, but not at its first byte, which is no digit, and those behind it that a view may have
/// taken for others: it shows neither the escape nor what stands before it.
pub(super) fn rows_at_escape(text: &[u8], from: usize, escape: Range<usize>, mut found: impl FnMut(usize)) {
    let first = (escape.start + 1).max(from);
    // Every row has one of these places in it.
    for place in (first + ROW - 1..escape.end + LEAD + ROW).step_by(ROW) {
        if text.get(place).is_some_and(u8::is_ascii_digit) {
            (place + 1 - ROW..=place).filter(|row| is_row(text, *row)).for_each(&mut found);
        }
    }
}

/// Whether there may be any of those.
#[inline]
pub(super) fn may_be_rows(masks: &Masks, escape: &Range<usize>) -> bool {
    let digits = masks.from(escape.start, |block| block.digits);
    digits & digits >> 1 & digits >> 2 & digits >> 3 != 0 || escape.len() + LEAD + ROW + ROW > BLOCK
}

/// Whether any of those may be behind this place.
pub(super) fn may_reach(escape: &Range<usize>, from: usize) -> bool {
    escape.end + LEAD >= from
}

/// Bytes of a row.
pub(super) const ROW: usize = 4;

fn is_row(text: &[u8], row: usize) -> bool {
    text.get(row..row + ROW).is_some_and(|row| row.iter().all(u8::is_ascii_digit))
}

/// Places near the end where one may begin whose first four digits are not there yet.
pub(super) fn begun(text: &[u8], from: usize) -> impl Iterator<Item = usize> + '_ {
    (text.len().saturating_sub(LEAD + ROW).max(from)..text.len()).filter(|at| begins(text, *at))
}

/// Places where a number may begin that has this row of digits, perhaps more than once: where the row is the first one it begins
/// there, or with two capitals a few bytes before.
pub(super) fn places(text: &[u8], from: usize, row: usize, mut found: impl FnMut(usize)) {
    if row > 0 && text[row - 1].is_ascii_digit() {
        return;
    }
    if begins(text, row) {
        found(row);
    }
    for at in row.saturating_sub(LEAD).max(from)..row {
        if text[at].is_ascii_uppercase() && text[at + 1].is_ascii_uppercase() && begins(text, at) {
            found(at);
        }
    }
}

/// A digit or a capital, with nothing before it that it would be part of.
fn begins(text: &[u8], at: usize) -> bool {
    let part = at > 0 && matches!(text[at - 1], b'.' | b'-' | b'+' | b'/' | b'#');
    (text[at].is_ascii_digit() || text[at].is_ascii_uppercase()) && !part && super::stands_alone(text, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::Survey;
    use crate::view::Before;
    use proptest::prelude::*;

    fn slowly(text: &[u8], from: usize) -> Vec<usize> {
        let mut all = Vec::new();
        for row in (from..text.len()).filter(|row| is_row(text, *row)) {
            places(text, from, row, |at| all.push(at));
        }
        sorted(all)
    }

    fn sorted(mut all: Vec<usize>) -> Vec<usize> {
        all.sort_unstable();
        all.dedup();
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]
        /// What a look at every place sees, in the bytes and in their view.
        #[test]
        fn every_place_is_found(
            parts in prop::collection::vec(
                prop_oneof!["[0-9]{1,6}", "[a-f0-9]{1,70}", "[A-F0-9]{1,12}", "DE[0-9]{6}", "[ .-]", "\\\\[nrt]", "%[0-9a-f]{2}", "\\\\u00[0-9a-f]{2}", "&#[0-9]{4};"], 0..16),
            from in 0_usize..20,
        ) {
            let text = parts.concat().into_bytes();
            let from = from.min(text.len());
            let mut found = Vec::new();
            rows(&text, from, &Masks::of(&text), |row| places(&text, from, row, |at| found.push(at)));
            prop_assert_eq!(sorted(found), slowly(&text, from));
            let survey = Survey::of(&text, Before::default(), true);
            let Some(view) = survey.view.as_ref().filter(|view| view.is_changed()) else { return Ok(()) };
            let read = view.text(&text);
            let text = crate::find::Text { bytes: &text, from, last: true };
            let read = crate::find::Text { bytes: read, from: view.place(from), last: true };
            let (mut plain, mut viewed) = (Vec::new(), Vec::new());
            super::super::digits_of_both(text, read, (&survey, view), [&mut plain, &mut viewed]);
            prop_assert_eq!(sorted(plain), slowly(text.bytes, from));
            prop_assert_eq!(sorted(viewed), slowly(read.bytes, read.from));
        }
    }
}
