//! Places at which numbers of cards and accounts may begin: before the first four digits in a row, and not inside of anything
//! longer.

/// What stands before the first four digits of an account's number, at most: country, check digits, the bank's letters, blanks.
const LEAD: usize = 10;
const ROW: usize = 4;
const BLOCK: usize = 32;

/// Every such place from `from` on, perhaps more than once.
pub(super) fn find(text: &[u8], from: usize, mut found: impl FnMut(usize)) {
    let mut at = from;
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<{ BLOCK + ROW - 1 }>()) {
        let digits = digits_of(block);
        if has_row(&digits) {
            let is_row = |place: &usize| digits[*place..*place + ROW] == [1; ROW];
            (0..BLOCK).filter(is_row).for_each(|place| look(text, from, at + place, &mut found));
        }
        at += BLOCK;
    }
    let is_row = |row: &usize| text[*row..*row + ROW].iter().all(u8::is_ascii_digit);
    (at..(text.len() + 1).saturating_sub(ROW))
        .filter(is_row)
        .for_each(|row| look(text, from, row, &mut found));
}

/// Places near the end where one may begin whose first four digits are not there yet.
pub(super) fn begun(text: &[u8], from: usize) -> impl Iterator<Item = usize> + '_ {
    (text.len().saturating_sub(LEAD + ROW).max(from)..text.len()).filter(|at| begins(text, *at))
}

/// One where a digit stands. This and the next are written so that compilers make a few wide instructions of them.
fn digits_of(block: &[u8; BLOCK + ROW - 1]) -> [u8; BLOCK + ROW - 1] {
    let mut digits = [0; BLOCK + ROW - 1];
    for (digit, byte) in digits.iter_mut().zip(block) {
        *digit = u8::from(byte.wrapping_sub(b'0') < 10);
    }
    digits
}

fn has_row(digits: &[u8; BLOCK + ROW - 1]) -> bool {
    let mut any = 0;
    for at in 0..BLOCK {
        any |= digits[at] & digits[at + 1] & digits[at + 2] & digits[at + 3];
    }
    any != 0
}

/// Where a row of digits is the first one: it begins there, or with two capitals a few bytes before.
fn look(text: &[u8], from: usize, row: usize, found: &mut impl FnMut(usize)) {
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
