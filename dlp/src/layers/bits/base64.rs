//! Groups of base64 that are text, in all alignments at once.
use crate::blocks::{dispatch, level};

const BLOCK: usize = 128;
/// Of the letters behind a block, those that are looked at: three groups.
const AHEAD: usize = 12;

/// Where three groups in a row are ASCII. Written so that many letters are done at once: the compiler sees every length.
pub(super) fn in_base64(letters: &[u8], mut show: impl FnMut(usize)) {
    let mut part = [0_u8; BLOCK + AHEAD];
    let mut begin = 0;
    while begin + AHEAD <= letters.len() {
        let rest = &letters[begin..];
        let count = rest.len().min(BLOCK + AHEAD);
        match rest.first_chunk::<{ BLOCK + AHEAD }>() {
            Some(whole) => part = *whole,
            None => part[..count].copy_from_slice(&rest[..count]),
        }
        let three = dispatch!(level(), _ => high_bits(&part));
        for at in memchr::memchr_iter(0, &three).take_while(|at| at + AHEAD <= count) {
            show(begin + at);
        }
        begin += BLOCK;
    }
}

/// For each letter zero if three groups from there on are ASCII.
#[inline(always)]
fn high_bits(letters: &[u8; BLOCK + AHEAD]) -> [u8; BLOCK] {
    let mut values = [0_u8; BLOCK + AHEAD];
    for (value, letter) in values.iter_mut().zip(letters) {
        *value = value_of(*letter);
    }
    let mut high = [0_u8; BLOCK + AHEAD - 4];
    for (at, high) in high.iter_mut().enumerate() {
        *high = values[at] & 0x20 | (values[at + 1] & 0x08) << 2 | (values[at + 2] & 0x02) << 4;
    }
    let mut three = [0_u8; BLOCK];
    for (at, three) in three.iter_mut().enumerate() {
        *three = high[at] | high[at + 4] | high[at + 8];
    }
    three
}

/// Without a branch, so that many are done at once.
#[inline(always)]
fn value_of(letter: u8) -> u8 {
    let upper = letter.wrapping_sub(b'A');
    let lower = letter.wrapping_sub(b'a' - 26);
    let digit = letter.wrapping_add(4);
    let sign = if letter == b'/' || letter == b'_' { 63 } else { 62 };
    let value = if letter >= b'0' { digit } else { sign };
    let value = if letter >= b'A' { upper } else { value };
    let value = if letter >= b'a' { lower } else { value };
    if letter == b'_' { sign } else { value }
}
