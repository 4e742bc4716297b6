//! What was seen of each value.
use super::index::Value;
use super::{Bits, ENOUGH, PIECE};
use std::collections::HashMap;

/// The bits of each value that were covered.
#[derive(Default)]
pub(super) struct Marks {
    values: HashMap<u64, Vec<u64>>,
}

impl Marks {
    /// Whether what is covered now is enough.
    pub(super) fn mark(&mut self, value: &Value, bits: Bits) -> bool {
        let words = self.values.entry(value.id).or_insert_with(|| vec![0; value.bits.div_ceil(64)]);
        for bit in bits.start..bits.end.min(value.bits) {
            words[bit / 64] |= 1 << (bit % 64);
        }
        is_enough(words, value.bits)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds what was covered before.
    pub(super) fn join(&mut self, before: &Marks) {
        for (id, old) in &before.values {
            let words = self.values.entry(*id).or_insert_with(|| vec![0; old.len()]);
            words.iter_mut().zip(old).for_each(|(word, old)| *word |= old);
        }
    }

    /// Only what was covered of this value.
    pub(super) fn of(&self, value: &Value) -> Marks {
        let words = self.values.get(&value.id).map(|words| (value.id, words.clone()));
        Marks { values: words.into_iter().collect() }
    }
}

/// Most of it, and nothing is missing that could not be a piece too small to be known: an address without its password is
/// most of a connection string, and no secret.
fn is_enough(words: &[u64], bits: usize) -> bool {
    let is_set = |bit: usize| words[bit / 64] >> (bit % 64) & 1 == 1;
    let (mut covered, mut gap, mut widest) = (0, 0, 0);
    for bit in 0..bits {
        if is_set(bit) {
            covered += 1;
            gap = 0;
        } else {
            gap += 1;
            widest = widest.max(gap);
        }
    }
    covered * 100 >= bits * ENOUGH && widest < (PIECE * 8).max(bits / 8)
}
