//! The tables that places are looked up in, and what they are looked up by.
use super::{ANCHOR, ANCHOR_BITS, ANCHORS, BITS, LISTS, Part, TABLE};

pub(super) fn bits_of(blocks: impl Iterator<Item = u32>) -> Box<[u64; TABLE / 64]> {
    let mut bits = Box::new([0_u64; TABLE / 64]);
    for hash in blocks.map(hash) {
        bits[hash / 64] |= 1 << (hash % 64);
    }
    bits
}

pub(super) fn set(bits: &[u64; TABLE / 64], block: u32) -> bool {
    let hash = hash(block);
    bits[hash / 64] >> (hash % 64) & 1 == 1
}

/// The parts list by list, and where each list begins, and the last one ends.
pub(super) fn by_list(parts: &[Part]) -> (Vec<u32>, Vec<Part>) {
    let mut begins = vec![0; LISTS + 1];
    for part in parts {
        begins[part.list() + 1] += 1;
    }
    for list in 0..LISTS {
        begins[list + 1] += begins[list];
    }
    let (mut free, mut sorted) = (begins.clone(), parts.to_vec());
    for part in parts {
        let place: &mut u32 = &mut free[part.list()];
        sorted[*place as usize] = *part;
        *place += 1;
    }
    (begins, sorted)
}

/// A bit for each of these.
pub(super) fn anchors_of(all: impl Iterator<Item = [u8; ANCHOR]>) -> Box<[u64; ANCHORS / 64]> {
    let mut bits = Box::new([0_u64; ANCHORS / 64]);
    for at in all.map(anchor_hash) {
        bits[at as usize / 64 % (ANCHORS / 64)] |= 1 << (at % 64);
    }
    bits
}

#[inline]
pub(super) fn anchor_hash(bytes: [u8; ANCHOR]) -> u32 {
    (u32::from_le_bytes(bytes) | 0x2020_2020).wrapping_mul(0x9E37_79B1) >> (32 - ANCHOR_BITS)
}

#[inline]
pub(super) fn is_set(bits: &[u64; ANCHORS / 64], at: u32) -> bool {
    bits[at as usize / 64 % (ANCHORS / 64)] >> (at % 64) & 1 == 1
}

/// Joins letters of both cases, and a few other bytes with each other; the comparison afterwards is exact.
#[inline]
pub(super) fn fold(block: u32) -> u32 {
    block | 0x2020_2020
}

/// Of the lower three bytes: what the fourth one is multiplied by leaves no trace.
#[inline]
pub(super) fn hash(folded: u32) -> usize {
    (folded.wrapping_mul(0x9E37_7900) >> (32 - BITS)) as usize
}
