//! The tables that places are looked up in, and what they are looked up by.
use super::{ANYTHING, BEGINS, BLOCK, ENDS, LISTS, LOOKED_AT, LOOKS, Part, SHORT, TABLE, block_at};
use wide::u16x8;

/// `parts`: where the bytes stand that were chosen of each word.
pub(super) fn table_of(words: &[Vec<u8>], parts: &[Part]) -> Box<[u8; TABLE]> {
    let mut table = Box::new([ANYTHING; TABLE]);
    for part in parts {
        let word = &words[usize::from(part.word)];
        let short = word.len() == BLOCK;
        table[usize::from(hash(part.block))] |= if short { SHORT } else { BEGINS };
        if let Some(last) = word.get(usize::from(part.offset) + 1..).and_then(block_at).filter(|_| !short) {
            table[usize::from(hash(last))] |= ENDS;
        }
    }
    table
}

pub(super) fn heads_of(words: &[Vec<u8>]) -> Box<[bool; TABLE]> {
    let mut heads = Box::new([false; TABLE]);
    let blocks = words.iter().filter_map(|word| block_at(word));
    blocks.for_each(|block| heads[usize::from(hash(block))] = true);
    heads
}

pub(super) fn set(heads: &[bool; TABLE], block: u32) -> bool {
    heads[usize::from(hash(block))]
}

pub(super) fn list_of(block: u32) -> usize {
    usize::from(hash(block)) % LISTS
}

pub(super) fn begin_of(parts: &[Part], list: usize) -> u32 {
    u32::try_from(parts.partition_point(|part| part.list < list)).unwrap_or(u32::MAX)
}

/// Joins letters of both cases, and a few other bytes with each other; the comparison afterwards is exact.
#[inline]
pub(super) fn fold(block: u32) -> u32 {
    block | 0x2020_2020
}

/// Of the lower three bytes, which are folded.
#[inline]
pub(super) fn hash(folded: u32) -> u16 {
    let [a, b, c, _] = folded.to_le_bytes();
    hash_of(u16::from_le_bytes([a, b]), u16::from(c))
}

fn hash_of(first: u16, third: u16) -> u16 {
    let mixed = first.wrapping_mul(FIRST).wrapping_add(third.wrapping_mul(THIRD));
    (mixed ^ mixed >> 7) & HASHED
}

/// Odd, and far from each other.
const FIRST: u16 = 0x9E37;
const THIRD: u16 = 0x6A5B;
/// As many as the table has.
const HASHED: u16 = 0x7FFF;
const _: () = assert!(HASHED as usize + 1 == TABLE);

/// Of the blocks at so many places in a row: as sixteen bits of each, so that eight are made at once.
#[inline(always)]
pub(super) fn hashes(bytes: &[u8; LOOKED_AT]) -> [u16; LOOKS] {
    let (even, odd) = (every_other::<0>(bytes), every_other::<1>(bytes));
    std::array::from_fn(|look| if look % 2 == 0 { even[look / 2] } else { odd[look / 2] })
}

#[inline(always)]
fn every_other<const BEGIN: usize>(bytes: &[u8; LOOKED_AT]) -> [u16; LOOKS / 2] {
    let first = u16x8::new(std::array::from_fn(|look| {
        u16::from_le_bytes([bytes[BEGIN + 2 * look], bytes[BEGIN + 2 * look + 1]])
    }));
    let third = u16x8::new(std::array::from_fn(|look| u16::from(bytes[BEGIN + 2 * look + 2])));
    let (first, third) = (first | u16x8::splat(0x2020), third | u16x8::splat(0x20));
    let mixed = first * u16x8::splat(FIRST) + third * u16x8::splat(THIRD);
    ((mixed ^ mixed >> 7_u16) & u16x8::splat(HASHED)).to_array()
}
