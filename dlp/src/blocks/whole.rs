//! A block at once, in registers as wide as the processor's.
//!
//! Whatever looks at blocks is compiled for each width that processors have, and asks which one this is.
use super::{BLOCK, PART};
use fearless_simd::{Bytes, Level, Select, SimdBase, SimdCombine, SimdMask, mask8x64, u8x16, u8x64, u32x16};
pub(crate) use fearless_simd::{Simd, dispatch};
use std::sync::LazyLock;

static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// What this processor has.
#[inline(always)]
pub(crate) fn level() -> Level {
    *LEVEL
}

/// Which bytes of a block are of a kind.
///
/// Not a closure: a closure would be compiled for every processor, wherever it is called.
pub(crate) trait Kind: Copy {
    /// Those that are.
    fn those<S: Simd>(self, bytes: Whole<S>) -> Those<S>;
}

/// Names a kind of bytes: `kind!(pub(crate) Blanks: |bytes| bytes.is(b' '))`.
macro_rules! kind {
    ($(#[$about:meta])* $seen:vis $name:ident: |$bytes:ident| $those:expr) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        $seen struct $name;

        impl $crate::blocks::Kind for $name {
            #[inline(always)]
            fn those<S: $crate::blocks::Simd>(
                self,
                $bytes: $crate::blocks::Whole<S>,
            ) -> $crate::blocks::Those<S> {
                $those
            }
        }
    };
}
pub(crate) use kind;

/// Between two bytes, those included.
#[derive(Clone, Copy)]
pub(crate) struct Between<const FIRST: u8, const LAST: u8>;

impl<const FIRST: u8, const LAST: u8> Kind for Between<FIRST, LAST> {
    #[inline(always)]
    fn those<S: Simd>(self, bytes: Whole<S>) -> Those<S> {
        bytes.between(FIRST, LAST)
    }
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
        let mut any = self.is(bytes[0]);
        for byte in &bytes[1..] {
            any = any | self.is(*byte);
        }
        any
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

    /// As many of this byte.
    #[inline(always)]
    pub(crate) fn set_to(self, byte: u8) -> Whole<S> {
        Whole(u8x64::splat(self.0.simd, byte))
    }

    /// So much more each, from the beginning again behind the last one.
    #[inline(always)]
    pub(crate) fn plus(self, more: u8) -> Whole<S> {
        Whole(self.0 + more)
    }

    /// Those that have this bit.
    #[inline(always)]
    pub(crate) fn have(self, bit: u8) -> Those<S> {
        Those((self.0 & bit).simd_eq(bit))
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
    /// These bytes where they are, and nothing elsewhere.
    #[inline(always)]
    pub(crate) fn of(self, bytes: Whole<S>) -> Whole<S> {
        Whole(self.0.select(bytes.0, u8x64::splat(bytes.0.simd, 0)))
    }

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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every width that this processor has.
    pub(crate) fn levels() -> Vec<Level> {
        let all = Level::new();
        let narrower =
            [Some(Level::baseline()), all.as_sse4_2().map(Level::Sse4_2), all.as_avx2().map(Level::Avx2)];
        narrower.into_iter().flatten().chain([all]).collect()
    }

    #[inline(always)]
    fn told<S: Simd>(simd: S, block: &[u8; BLOCK], (first, last): (u8, u8), table: &[u8; PART]) -> Vec<u64> {
        let bytes = Whole::of(simd, block);
        let table = Whole::table(simd, table);
        vec![
            bytes.is(first).bits(),
            bytes.is_any([first, last]).bits(),
            bytes.between(first, last).bits(),
            bytes.at_least(first).bits(),
            bytes.with(first).is(last).bits(),
            bytes.plus(first).is(last).bits(),
            bytes.have(first).bits(),
            (!bytes.is(first)).bits(),
            (bytes.at_least(first) & !bytes.is(last)).bits(),
            bytes.at_least(first).of(bytes).is(last).bits(),
            bytes.low_in(table).at_least(first).bits(),
            bytes.high_in(table).at_least(first).bits(),
            (bytes.low_in(table) & bytes.high_in(table) | bytes.set_to(first)).is(last).bits(),
        ]
    }

    fn slowly(block: &[u8; BLOCK], (first, last): (u8, u8), table: &[u8; PART]) -> Vec<u64> {
        let bits = |kind: &dyn Fn(u8) -> bool| {
            block.iter().enumerate().fold(0, |bits, (at, byte)| bits | u64::from(kind(*byte)) << at)
        };
        let low = |byte: u8| table[usize::from(byte & 15)];
        let high = |byte: u8| table[usize::from(byte >> 4)];
        vec![
            bits(&|byte| byte == first),
            bits(&|byte| byte == first || byte == last),
            bits(&|byte| (first..=last).contains(&byte)),
            bits(&|byte| byte >= first),
            bits(&|byte| byte | first == last),
            bits(&|byte| byte.wrapping_add(first) == last),
            bits(&|byte| byte & first == first),
            bits(&|byte| byte != first),
            bits(&|byte| byte >= first && byte != last),
            bits(&|byte| if byte >= first { byte == last } else { last == 0 }),
            bits(&|byte| low(byte) >= first),
            bits(&|byte| high(byte) >= first),
            bits(&|byte| low(byte) & high(byte) | first == last),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_width_tells_the_same(
            block in prop::collection::vec(any::<u8>(), BLOCK), one in any::<u8>(), other in any::<u8>(),
            table in prop::collection::vec(any::<u8>(), PART), factor: u32,
        ) {
            let (block, table) = (block.first_chunk().unwrap(), table.first_chunk().unwrap());
            let range = (one.min(other), one.max(other));
            for level in levels() {
                prop_assert_eq!(dispatch!(level, simd => told(simd, block, range, table)), slowly(block, range, table), "{:?}", level);
                let hashed = dispatch!(level, simd => Whole::of(simd, block).hashed(factor, 18));
                let (fours, _) = block.as_chunks::<4>();
                let slowly = fours.iter().map(|four| (u32::from_le_bytes(*four) | 0x2020_2020).wrapping_mul(factor) >> 14);
                prop_assert_eq!(hashed.to_vec(), slowly.collect::<Vec<_>>(), "{:?}", level);
            }
        }
    }
}
