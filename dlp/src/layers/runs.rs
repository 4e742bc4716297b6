//! Where something encoded may stand: found by looking at every tenth byte or fewer.
use std::ops::Range;

/// The shortest run of letters that is decoded: 15 bytes in base64.
const LETTERS_LEAST: usize = 20;
/// So many letters of base64 in a row are no ascii85.
pub(super) const SURELY_LETTERS: usize = 64;
/// A longer run is no single token, and is not read from its end.
pub(super) const REVERSED_MOST: usize = 1024;

const LETTERS: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        table[at] = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
        at += 1;
    }
    table
};

/// Everything but blanks and control characters.
const VISIBLE: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0x21;
    while at < 256 {
        table[at] = at != 0x7F;
        at += 1;
    }
    table
};

/// The next run of at least so many of these bytes.
fn next_run(bytes: &[u8], from: usize, least: usize, table: &[bool; 256]) -> Option<Range<usize>> {
    let is = |byte: &u8| table[usize::from(*byte)];
    let mut start = from;
    while let Some(window) = bytes.get(start..start + least) {
        match window.iter().rposition(|byte| !is(byte)) {
            Some(other) => start += other + 1,
            None => {
                let rest = &bytes[start + least..];
                let more = rest.iter().position(|byte| !is(byte)).unwrap_or(rest.len());
                return Some(start..start + least + more);
            }
        }
    }
    None
}

/// Runs of letters of base64 (of which base32 and base16 are made too) from this place on.
pub(super) fn letters(text: &[u8], from: usize) -> impl Iterator<Item = Range<usize>> {
    all(text, from, LETTERS_LEAST, &LETTERS)
}

/// Stretches without blanks, where anything encoded stands.
pub(super) fn visible(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    all(text, 0, LETTERS_LEAST, &VISIBLE)
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
        let run = next_run(text, from, least, table)?;
        from = run.end;
        Some(run)
    })
}
