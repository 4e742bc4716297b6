//! What is asked before any group is read: for a block at once.
use super::kinds::{are_of_adobe, are_of_rfc_1924, are_of_zero_mq};
use super::{Alphabet, GROUP, LEAST};
use crate::blocks::{BLOCK, at_least, bits_at, bits_of, long_runs};
use std::ops::Range;

/// Whether there are letters enough of any alphabet in a row: else neither [`super::each`] nor [`super::escaped`] reads anything.
pub(in crate::layers) fn has_room(text: &[u8], region: Range<usize>) -> bool {
    (region.start..(region.end + 1).saturating_sub(LEAST)).step_by(BLOCK + 1 - LEAST).any(|begin| {
        let inside = u64::MAX >> (BLOCK - (region.end - begin).min(BLOCK));
        let has_room = |letters: u64| long_runs(letters & inside, LEAST) != 0;
        has_room(bits_at(text, begin, are_of_adobe))
            || has_room(bits_at(text, begin, are_of_rfc_1924))
            || has_room(bits_at(text, begin, are_of_zero_mq))
    })
}

impl Alphabet {
    /// Where the last two bytes of a group may be ASCII, in this block: of its number no more is needed than the last sixteen bits, and
    /// so the compiler can do many places at once. What other bytes give means nothing.
    pub(super) fn end_in_ascii(&self, text: &[u8], begin: usize) -> u64 {
        let mut values = [0_u16; BLOCK + GROUP - 1];
        for (value, letter) in values.iter_mut().zip(&text[begin..]) {
            *value = u16::from(self.values[usize::from(*letter)]);
        }
        let mut both = [0_u8; BLOCK];
        for (at, both) in both.iter_mut().enumerate() {
            let next = |number: u16, behind: usize| number.wrapping_mul(85).wrapping_add(values[at + behind]);
            let number = next(next(next(next(values[at], 1), 2), 3), 4);
            let [last, before] = number.to_le_bytes();
            *both = last | before;
        }
        !bits_of(&both, |bytes| at_least(bytes, 0x80))
    }
}
