//! Places at which numbers of cards and accounts may begin: before the first four digits in a row, and not inside of anything
//! longer.

/// What stands before the first four digits of an account's number, at most: country, check digits, the bank's letters, blanks.
const LEAD: usize = 10;
const ROW: usize = 4;
const BLOCK: usize = 32;

/// Every such place from `from` on, from left to right, perhaps more than once.
pub(super) fn find(text: &[u8], from: usize, mut found: impl FnMut(usize)) {
    let mut at = from;
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<{ BLOCK + ROW - 1 }>()) {
        if has_row(block) {
            (at..at + BLOCK).for_each(|row| look(text, from, row, &mut found));
        }
        at += BLOCK;
    }
    (at..text.len()).for_each(|row| look(text, from, row, &mut found));
}

/// Places near the end where one may begin whose first four digits are not there yet.
pub(super) fn begun(text: &[u8], from: usize) -> impl Iterator<Item = usize> + '_ {
    (text.len().saturating_sub(LEAD + ROW).max(from)..text.len()).filter(|at| begins(text, *at))
}

/// Written so that compilers make one instruction of each line.
fn has_row(block: &[u8; BLOCK + ROW - 1]) -> bool {
    let digits = block.map(|byte| u8::from(byte.wrapping_sub(b'0') < 10));
    let mut any = 0;
    for at in 0..BLOCK {
        any |= digits[at] & digits[at + 1] & digits[at + 2] & digits[at + 3];
    }
    any != 0
}

fn look(text: &[u8], from: usize, row: usize, found: &mut impl FnMut(usize)) {
    let is_row = text.get(row..row + ROW).is_some_and(|four| four.iter().all(u8::is_ascii_digit));
    if !is_row || (row > 0 && text[row - 1].is_ascii_digit()) {
        return;
    }
    for at in row.saturating_sub(LEAD).max(from)..=row {
        if begins(text, at) {
            found(at);
        }
    }
}

/// A digit or a capital, with nothing before it that it would be part of.
fn begins(text: &[u8], at: usize) -> bool {
    let part = at > 0 && matches!(text[at - 1], b'.' | b'-' | b'+' | b'/' | b'#');
    (text[at].is_ascii_digit() || text[at].is_ascii_uppercase()) && !part && super::stands_alone(text, at)
}
