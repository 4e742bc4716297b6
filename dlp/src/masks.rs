//! Which bytes of a text are of which kind, one bit each: found in one pass, for everything that asks.
//!
//! Whatever is decoded, unescaped or tried stands where some of these bits stand together (so many letters in a row, a sign, four
//! digits). Each search says which, looks at the bits of a block at once, and at bytes only where they are so.
use crate::blocks::{
    self, BLOCK, Between, CONTINUES, Kind, Letters, Simd, Whole, bits_of, dispatch, kind, level,
};
use crate::view::alike;

/// Of sixty-four bytes, the lowest bit for the first one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// What base64, base64url, base32 and base16 are made of.
    pub(crate) letters: u64,
    /// No blanks and no control characters.
    pub(crate) visible: u64,
    /// As [`crate::view::is_sign`], but for line breaks, and for bytes beyond ASCII that begin no character: where the byte behind
    /// one is not known yet, it counts.
    pub(crate) signs: u64,
    /// The signs of line breaks.
    pub(crate) breaks: u64,
    pub(crate) digits: u64,
    /// Equals signs.
    pub(crate) equals: u64,
    /// Small letters and what stands between words of a row: blanks, commas, quotes, and backslashes of those that are escaped.
    pub(crate) words: u64,
    /// Beyond ASCII.
    pub(crate) high: u64,
}

kind!(
    /// No blanks and no control characters.
    pub(crate) Visible: |bytes| bytes.at_least(b'!') & !bytes.is(0x7F)
);

kind!(
    /// Those of signs that are ASCII.
    Signs: |bytes| bytes.is_any(*b"%&\\")
);
kind!(Breaks: |bytes| bytes.is_any(*b"\n\r"));
kind!(
    OfWords: |bytes| bytes.between(b'a', b'z') | bytes.between(b'\t', b'\r') | bytes.is_any(*b" ,\"'\\")
);

/// Of a whole text. Behind its end there is nothing of any kind.
pub(crate) struct Masks {
    blocks: Vec<Block>,
}

impl Masks {
    pub(crate) fn of(text: &[u8]) -> Masks {
        let mut blocks = vec![Block::default(); text.len().div_ceil(BLOCK)];
        dispatch!(level(), simd => fill(simd, text, &mut blocks));
        for (number, block) in blocks.iter_mut().enumerate().filter(|(_, block)| block.high != 0) {
            let rest = &text[number * BLOCK..];
            block.signs |=
                rest.first_chunk().map_or_else(|| alike::begin_in(&blocks::open(rest)), alike::begin_in);
        }
        Masks { blocks }
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The block that begins at this place, a multiple of its length.
    #[inline(always)]
    pub(crate) fn at(&self, begin: usize) -> Block {
        self.blocks.get(begin / BLOCK).copied().unwrap_or_default()
    }
}

impl Masks {
    /// Of the sixty-four bytes that begin anywhere.
    #[inline(always)]
    pub(crate) fn from(&self, at: usize, kind: impl Fn(Block) -> u64) -> u64 {
        let inside = at % BLOCK;
        let here = kind(self.at(at - inside)) >> inside;
        // In two steps, as the first block may be all of it.
        here | kind(self.at(at - inside + BLOCK)) << (BLOCK - 1 - inside) << 1
    }
}

/// Without a branch between what is asked of one block, not even one that makes room: what was compared before and is counted behind
/// it would be kept byte by byte.
#[inline(always)]
fn fill<S: Simd>(simd: S, text: &[u8], blocks: &mut [Block]) {
    let (whole, rest) = text.as_chunks::<BLOCK>();
    for (slot, block) in blocks.iter_mut().zip(whole) {
        *slot = Block::of(Whole::of(simd, block));
    }
    if let Some(last) = blocks.get_mut(whole.len()) {
        // Zeros are of no kind.
        *last = Block::of(Whole::of(simd, &blocks::open(rest)));
        last.visible &= !(1 << rest.len());
    }
}

impl Block {
    #[inline(always)]
    fn of<S: Simd>(bytes: Whole<S>) -> Block {
        Block {
            letters: Letters.those(bytes).bits(),
            visible: Visible.those(bytes).bits(),
            signs: Signs.those(bytes).bits(),
            breaks: Breaks.those(bytes).bits(),
            digits: bytes.between(b'0', b'9').bits(),
            equals: bytes.is(b'=').bits(),
            words: OfWords.those(bytes).bits(),
            high: bytes.at_least(CONTINUES).bits(),
        }
    }
}

/// The signs of a block, as it has them, and those of line breaks.
pub(crate) fn signs_of(block: &[u8; BLOCK]) -> (u64, u64) {
    let signs = bits_of(block, Signs);
    let alike = if bits_of(block, Between::<CONTINUES, 0xFF>) == 0 { 0 } else { alike::begin_in(block) };
    (signs | alike, bits_of(block, Breaks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alphabets::is_letter;
    use crate::view::is_sign;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn each_byte_has_its_bits(text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(prop_oneof![0x80_u8..=0xC5, prop::sample::select(&b"\xC2\xC9\xCD\xD4\xD5\xE2\xE3\xEF\xF0\xF3%&\\\n\r "[..])], 0..200),
        ]) {
            let masks = Masks::of(&text);
            for at in 0..256 {
                let block = masks.at(at / BLOCK * BLOCK);
                let bit = |bits: u64| bits >> (at % BLOCK) & 1 == 1;
                let is = |kind: fn(u8) -> bool| text.get(at).is_some_and(|byte| kind(*byte));
                let is_break = |byte| matches!(byte, b'\n' | b'\r');
                prop_assert_eq!(bit(block.letters), is(is_letter));
                prop_assert_eq!(bit(block.visible), is(|byte| byte > b' ' && byte != 0x7F));
                let begins = text.get(at + 1).is_none_or(|next| (0x80..0xC0).contains(next));
                let may_begin = begins || at % BLOCK == BLOCK - 1 || is(|byte| byte.is_ascii());
                prop_assert_eq!(bit(block.signs | block.breaks), is(is_sign) && may_begin);
                prop_assert_eq!(bit(block.breaks), is(is_break));
                prop_assert_eq!(bit(block.digits), is(|byte| byte.is_ascii_digit()));
                prop_assert_eq!(bit(block.equals), is(|byte| byte == b'='));
                prop_assert_eq!(bit(block.words), is(|byte| matches!(byte, b'a'..=b'z' | b'\t'..=b'\r' | b' ' | b',' | b'"' | b'\'' | b'\\')));
                let rest = masks.from(at, |block| block.digits);
                for behind in 0..BLOCK {
                    prop_assert_eq!(rest >> behind & 1 == 1, text.get(at + behind).is_some_and(u8::is_ascii_digit));
                }
            }
        }
    }
}
