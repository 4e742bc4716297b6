//! Places at which numbers of cards and accounts may begin: before the first four digits in a row, and not inside of anything
//! longer.
use crate::blocks::{BLOCK, between, bits_at};
use std::ops::Range;

/// What stands before the first four digits of an account's number, at most: country, check digits, the bank's letters, blanks.
const LEAD: usize = 10;

/// Four digits in a row, wherever they stand from `from` on.
pub(super) fn rows(text: &[u8], from: usize, mut found: impl FnMut(usize)) {
    for begin in (from..text.len()).step_by(BLOCK + 1 - ROW) {
        let digits = bits_at(text, begin, |bytes| between(bytes, b'0', b'9'));
        let mut rows = digits & digits >> 1 & digits >> 2 & digits >> 3;
        while rows != 0 {
            found(begin + rows.trailing_zeros() as usize);
            rows &= rows - 1;
        }
    }
}

/// Those that begin inside of an escape, but not at its first byte, which is no digit.
pub(super) fn rows_in_escape(text: &[u8], from: usize, escape: Range<usize>, found: impl FnMut(usize)) {
    ((escape.start + 1).max(from)..escape.end).filter(|row| is_row(text, *row)).for_each(found);
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
