//! What is asked before any group is read: for a block at once.
use super::kinds::{
    FirstsOfAdobe, FirstsOfRfc1924, FirstsOfZeroMq, OfAdobe, OfRfc1924, OfZeroMq, OfZeroMqInHtml,
};
use super::{Alphabet, GROUP, LEAST};
use crate::blocks::{BLOCK, Kind, Simd, Whole, bits_at, dispatch, first_bits, level, long_runs};
use std::ops::Range;

/// Whether there are letters enough of any alphabet in a row: else neither [`super::each`] nor [`super::escaped`] reads anything.
pub(in crate::layers) fn has_room(text: &[u8], region: Range<usize>) -> bool {
    (region.start..(region.end + 1).saturating_sub(LEAST)).step_by(BLOCK + 1 - LEAST).any(|begin| {
        let inside = u64::MAX >> (BLOCK - (region.end - begin).min(BLOCK));
        let has_room = |letters: u64| long_runs(letters & inside, LEAST) != 0;
        has_room(bits_at(text, begin, OfAdobe))
            || has_room(bits_at(text, begin, OfRfc1924))
            || has_room(bits_at(text, begin, OfZeroMqInHtml))
    })
}

/// Where in the block that these bytes begin with groups enough of an alphabet may begin: by the first letters of groups, then by all
/// letters. One place for each alphabet.
#[inline]
pub(super) fn by_letters(text: &[u8]) -> [u64; 3] {
    let Some(block) = text.first_chunk() else {
        let inside = first_bits(text.len());
        return [
            of_alphabet(text, inside, FirstsOfAdobe, OfAdobe),
            of_alphabet(text, inside, FirstsOfRfc1924, OfRfc1924),
            of_alphabet(text, inside, FirstsOfZeroMq, OfZeroMq),
        ];
    };
    dispatch!(level(), simd => of_all(Whole::of(simd, block)))
}

#[inline(always)]
fn of_all<S: Simd>(bytes: Whole<S>) -> [u64; 3] {
    [
        of_one(bytes, FirstsOfAdobe, OfAdobe),
        of_one(bytes, FirstsOfRfc1924, OfRfc1924),
        of_one(bytes, FirstsOfZeroMq, OfZeroMq),
    ]
}

/// The same for one alphabet, as far as the groups stand whole in `inside`.
#[inline(always)]
pub(super) fn of_alphabet(text: &[u8], inside: u64, firsts: impl Kind, letters: impl Kind) -> u64 {
    let starts = in_each_group(bits_at(text, 0, firsts) & inside);
    if starts == 0 { 0 } else { starts & long_runs(bits_at(text, 0, letters) & inside, LEAST) }
}

#[inline(always)]
fn of_one<S: Simd>(bytes: Whole<S>, firsts: impl Kind, letters: impl Kind) -> u64 {
    let starts = in_each_group(firsts.those(bytes).bits());
    if starts == 0 { 0 } else { starts & long_runs(letters.those(bytes).bits(), LEAST) }
}

/// Where as many groups in a row as are looked at have one of these bits each.
#[inline(always)]
pub(super) fn in_each_group(bits: u64) -> u64 {
    bits & bits >> GROUP & bits >> (2 * GROUP) & bits >> (3 * GROUP) & bits >> (4 * GROUP)
}

impl Alphabet {
    /// Where the last two bytes of a group may be ASCII, in this block: of its number no more is needed than the last sixteen bits, and
    /// so the compiler can do many places at once. What other bytes give means nothing.
    pub(super) fn end_in_ascii(&self, text: &[u8], begin: usize) -> u64 {
        let mut values = [0_u16; BLOCK + GROUP - 1];
        for (value, letter) in values.iter_mut().zip(&text[begin..]) {
            *value = u16::from(self.values[usize::from(*letter)]);
        }
        dispatch!(level(), simd => end_in_ascii(simd, &values))
    }
}

#[inline(always)]
fn end_in_ascii<S: Simd>(simd: S, values: &[u16; BLOCK + GROUP - 1]) -> u64 {
    let mut both = [0_u8; BLOCK];
    for at in 0..BLOCK {
        let mut number = values[at];
        for behind in 1..GROUP {
            number = number.wrapping_mul(85).wrapping_add(values[at + behind]);
        }
        let [last, before] = number.to_le_bytes();
        both[at] = last | before;
    }
    !Whole::of(simd, &both).at_least(0x80).bits()
}
