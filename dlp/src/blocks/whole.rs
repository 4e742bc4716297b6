//! A block at once, in registers as wide as the processor's.
//!
//! What looks at all of a text is compiled for each width that processors have, and asks once which one this is. The rest of this
//! crate, which looks at a few bytes here and there, has sixteen at once, as every processor can.
use super::{BLOCK, PART};
use fearless_simd::{Bytes, Level, SimdBase, SimdCombine, SimdMask, mask8x64, u8x16, u8x64, u32x16};
pub(crate) use fearless_simd::{Simd, dispatch};
use std::sync::LazyLock;

static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// What this processor has.
#[inline(always)]
pub(crate) fn level() -> Level {
    *LEVEL
}

/// The bytes of a block.
#[derive(Clone, Copy)]
pub(crate) struct Whole<S: Simd>(u8x64<S>);

/// Those of them that are of a kind.
#[derive(Clone, Copy)]
pub(crate) struct Those<S: Simd>(mask8x64<S>);

impl<S: Simd> Whole<S> {
    #[inline(always)]
    pub(crate) fn of(simd: S, block: &[u8; BLOCK]) -> Whole<S> {
        Whole(u8x64::load_array_ref(simd, block))
    }

    /// The block that these bytes begin with; zeros, where they are fewer.
    #[inline(always)]
    pub(crate) fn of_first(simd: S, bytes: &[u8]) -> Whole<S> {
        match bytes.first_chunk() {
            Some(block) => Whole::of(simd, block),
            None => Whole::of(simd, &[0; BLOCK]),
        }
    }

    /// This byte.
    #[inline(always)]
    pub(crate) fn is(self, byte: u8) -> Those<S> {
        Those(self.0.simd_eq(byte))
    }

    /// Any of these bytes, of which there is one at least.
    #[inline(always)]
    pub(crate) fn is_any<const BYTES: usize>(self, bytes: [u8; BYTES]) -> Those<S> {
        bytes[1..].iter().fold(self.is(bytes[0]), |any, byte| any | self.is(*byte))
    }

    /// Between two bytes, those included.
    #[inline(always)]
    pub(crate) fn between(self, first: u8, last: u8) -> Those<S> {
        Those((self.0 - first).simd_le(last - first))
    }

    #[inline(always)]
    pub(crate) fn at_least(self, first: u8) -> Those<S> {
        Those(self.0.simd_ge(first))
    }

    /// Of each four bytes, folded to one case as the first few bits of their product with a number: so many bits.
    #[inline(always)]
    pub(crate) fn hashed(self, factor: u32, bits: u32) -> [u32; BLOCK / 4] {
        let fours = u32x16::from_bytes((self.0 | 0x20).to_bytes());
        ((fours * factor) >> (u32::BITS - bits)).into()
    }

    /// What stands in a table for the lower half of each.
    #[inline(always)]
    pub(crate) fn low_in(self, table: Whole<S>) -> Whole<S> {
        Whole(table.0.swizzle_dyn_within_blocks(self.0 & 0x0F))
    }

    /// What stands in a table for the upper half of each.
    #[inline(always)]
    pub(crate) fn high_in(self, table: Whole<S>) -> Whole<S> {
        Whole(table.0.swizzle_dyn_within_blocks(self.0 >> 4))
    }

    /// A table for [`Whole::low_in`] and [`Whole::high_in`].
    #[inline(always)]
    pub(crate) fn table(simd: S, table: &[u8; PART]) -> Whole<S> {
        let part = u8x16::load_array_ref(simd, table);
        let half = part.combine(part);
        Whole(half.combine(half))
    }

    /// With these bits set in each.
    #[inline(always)]
    pub(crate) fn with(self, bits: u8) -> Whole<S> {
        Whole(self.0 | bits)
    }
}

impl<S: Simd> std::ops::BitOr for Whole<S> {
    type Output = Whole<S>;

    #[inline(always)]
    fn bitor(self, other: Whole<S>) -> Whole<S> {
        Whole(self.0 | other.0)
    }
}

impl<S: Simd> std::ops::BitAnd for Whole<S> {
    type Output = Whole<S>;

    #[inline(always)]
    fn bitand(self, other: Whole<S>) -> Whole<S> {
        Whole(self.0 & other.0)
    }
}

impl<S: Simd> Those<S> {
    /// One bit for each: the lowest for the first one.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0.to_bitmask()
    }
}

impl<S: Simd> std::ops::BitOr for Those<S> {
    type Output = Those<S>;

    #[inline(always)]
    fn bitor(self, other: Those<S>) -> Those<S> {
        Those(self.0 | other.0)
    }
}

impl<S: Simd> std::ops::BitAnd for Those<S> {
    type Output = Those<S>;

    #[inline(always)]
    fn bitand(self, other: Those<S>) -> Those<S> {
        Those(self.0 & other.0)
    }
}

impl<S: Simd> std::ops::Not for Those<S> {
    type Output = Those<S>;

    #[inline(always)]
    fn not(self) -> Those<S> {
        Those(!self.0)
    }
}
