//! Where something encoded may stand: found by looking at every tenth byte or fewer.
use std::ops::Range;

/// The shortest run of letters that is decoded: 15 bytes in base64.
const LETTERS_LEAST: usize = 20;
/// So many letters of base64 in a row are no ascii85.
pub(super) const SURELY_LETTERS: usize = 64;
/// A longer run is no single token, and is not read from its end.
pub(super) const REVERSED_MOST: usize = 1024;

/// Bytes of one kind.
pub(super) struct Class {
    table: [bool; 256],
    /// Whether a block holds nothing else.
    only: fn(&[u8; BLOCK]) -> bool,
}

const BLOCK: usize = 32;

/// What base64 is made of (and base32 and base16 too).
static LETTERS: Class =
    Class { table: LETTER_TABLE, only: |block| block.iter().fold(true, |all, byte| all & is_letter(*byte)) };

/// Everything but blanks and control characters.
static VISIBLE: Class = Class {
    table: VISIBLE_TABLE,
    only: |block| block.iter().fold(true, |all, byte| all & is_visible(*byte)),
};

const LETTER_TABLE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        table[byte as usize] = is_letter(byte);
        byte += 1;
    }
    table
};

const VISIBLE_TABLE: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        table[byte as usize] = is_visible(byte);
        byte += 1;
    }
    table
};

/// Without a branch, so that a block is looked at at once.
const fn is_letter(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte == b'+')
        | (byte == b'/')
        | (byte == b'-')
        | (byte == b'_')
}

const fn is_visible(byte: u8) -> bool {
    (byte > b' ') & (byte != 0x7F)
}

/// The first run of at least so many of these bytes.
fn first_run(bytes: &[u8], from: usize, least: usize, table: &[bool; 256]) -> Option<usize> {
    let mut start = from;
    while let Some(window) = bytes.get(start..start + least) {
        match window.iter().rposition(|byte| !table[usize::from(*byte)]) {
            Some(other) => start += other + 1,
            None => return Some(start),
        }
    }
    None
}

/// Runs of letters from this place on.
pub(super) fn letters(text: &[u8], from: usize) -> impl Iterator<Item = Range<usize>> {
    of(&LETTERS, text, from)
}

/// The letters right before this place, if they may be a token of their own.
pub(super) fn letters_before(text: &[u8], end: usize) -> Option<Range<usize>> {
    let count = text[..end].iter().rev().take(REVERSED_MOST + 1).take_while(|byte| letter(**byte)).count();
    (LETTERS_LEAST..=REVERSED_MOST).contains(&count).then(|| end - count..end)
}

/// The letters from this place on, if they may be a token of their own.
pub(super) fn letters_behind(text: &[u8], start: usize) -> Option<Range<usize>> {
    let count = text[start..].iter().take(REVERSED_MOST + 1).take_while(|byte| letter(**byte)).count();
    (LETTERS_LEAST..=REVERSED_MOST).contains(&count).then(|| start..start + count)
}

/// Whether there is nothing but letters.
pub(super) fn are_letters(text: &[u8]) -> bool {
    text.iter().all(|byte| letter(*byte))
}

fn letter(byte: u8) -> bool {
    LETTER_TABLE[usize::from(byte)]
}

/// Stretches without blanks, where anything encoded stands.
pub(super) fn visible(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    of(&VISIBLE, text, 0)
}

fn of<'a>(
    class: &'static Class,
    text: &'a [u8],
    from: usize,
) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let mut from = from;
    std::iter::from_fn(move || {
        let start = first_run(text, from, LETTERS_LEAST, &class.table)?;
        let (blocks, _) = text[start..].as_chunks();
        let whole = start + blocks.iter().take_while(|block| (class.only)(block)).count() * BLOCK;
        from = whole + text[whole..].iter().take_while(|byte| class.table[usize::from(**byte)]).count();
        Some(start..from)
    })
}

/// All runs of at least so many of these bytes.
pub(super) fn all<'a>(
    text: &'a [u8],
    from: usize,
    least: usize,
    table: &'a [bool; 256],
) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let mut from = from;
    std::iter::from_fn(move || {
        let start = first_run(text, from, least, table)?;
        let behind = text[start + least..].iter().take_while(|byte| table[usize::from(**byte)]).count();
        from = start + least + behind;
        Some(start..from)
    })
}
