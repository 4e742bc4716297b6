//! Where something may be that a view changes: found for sixty-four bytes at once.
use super::alike;
use super::cursor::{is_break, may_be_entity};
use crate::alphabets::is_letter;
use crate::blocks::{self, BLOCK, Bits, Letters, bits_at};
use crate::masks::{Masks, signs_of};

/// The bytes that may be more than themselves: what surely is not, by the byte behind it or what stands before it, needs no look.
pub(super) struct Signs<'a> {
    source: &'a [u8],
    /// Whatever is known of the bytes already.
    masks: Option<&'a Masks>,
    /// The block that is looked at.
    begin: usize,
    /// What is left of its signs, but for line breaks behind too few letters.
    bits: u64,
    breaks: u64,
    /// Those of base64, as soon as they were asked for.
    letters: Option<u64>,
    /// As told last.
    read: usize,
}

impl Signs<'_> {
    /// Of all of these bytes.
    pub(super) fn of(source: &[u8]) -> Signs<'_> {
        Signs::new(source, None)
    }

    /// Of these bytes, by their masks.
    pub(super) fn with<'a>(source: &'a [u8], masks: &'a Masks) -> Signs<'a> {
        Signs::new(source, Some(masks))
    }

    fn new<'a>(source: &'a [u8], masks: Option<&'a Masks>) -> Signs<'a> {
        let mut signs = Signs { source, masks, begin: 0, bits: 0, breaks: 0, letters: None, read: 0 };
        signs.load(0);
        signs
    }

    fn load(&mut self, begin: usize) {
        self.begin = begin;
        (self.bits, self.breaks, self.letters) = match self.masks.map(|masks| masks.at(begin)) {
            Some(block) => (block.signs, block.breaks, Some(block.letters)),
            None => {
                let (signs, breaks) = signs_at(self.source, begin);
                (signs, breaks, None)
            }
        };
        if self.may_be_behind_letters() {
            self.bits |= self.breaks & self.behind_wrapped();
        }
    }

    /// Whether any line break may stand right behind a letter. Where letters are not known yet, each is asked: few lines of programs
    /// end in one.
    #[inline(always)]
    fn may_be_behind_letters(&self) -> bool {
        if self.breaks == 0 {
            return false;
        }
        let behind_letter = |at: usize| {
            let before = (self.begin + at).checked_sub(1);
            before.is_none_or(|before| is_letter(self.source[before]))
        };
        self.letters.is_some() || Bits(self.breaks).any(behind_letter)
    }

    fn letters(&mut self) -> u64 {
        let (source, begin) = (self.source, self.begin);
        *self.letters.get_or_insert_with(|| bits_at(source, begin, Letters))
    }

    /// Behind so many letters that they may be a wrapped line, or behind letters that the block begins with.
    fn behind_wrapped(&mut self) -> u64 {
        let letters = self.letters();
        let first = letters & !letters.wrapping_add(1);
        let many = [1, 2, 4, 8].into_iter().fold(letters, |run, more| run & run << more);
        let before = self.begin.checked_sub(1).is_none_or(|before| is_letter(self.source[before]));
        (first | many) << 1 | u64::from(before)
    }

    /// The next one behind what was read. Letters right behind an escape may go on what is spelled by it.
    #[inline]
    pub(super) fn next(&mut self, read: usize) -> Option<usize> {
        if read > self.read {
            self.read = read;
            if read >= self.begin + BLOCK {
                self.load(read - read % BLOCK);
            }
            let inside = read.saturating_sub(self.begin) % BLOCK;
            self.bits &= u64::MAX << inside;
            if self.breaks >> inside != 0 {
                let run = inside + (self.letters() >> inside).trailing_ones() as usize;
                self.bits |= if run < BLOCK { self.breaks & 1 << run } else { 0 };
            }
        }
        while self.begin < self.source.len() {
            while self.bits != 0 {
                let at = self.begin + self.bits.trailing_zeros() as usize;
                self.bits &= self.bits - 1;
                if may_be_special(self.source, at) {
                    return Some(at);
                }
            }
            self.load(self.next_block());
        }
        None
    }

    /// The next block that has any sign, or a line break right behind a letter: of those whose masks are known.
    #[inline(always)]
    fn next_block(&self) -> usize {
        let next = self.begin + BLOCK;
        let Some(masks) = self.masks else { return next };
        let (mut number, mut before) = (next / BLOCK, masks.at(self.begin).letters);
        while let Some(block) = masks.blocks().get(number) {
            let behind_letters = block.letters << 1 | before >> (BLOCK - 1);
            if block.signs | block.breaks & behind_letters != 0 {
                break;
            }
            (number, before) = (number + 1, block.letters);
        }
        number * BLOCK
    }
}

/// Whether it can begin an escape, a line break, or a character that nobody sees or that looks like another. Nothing else begins
/// what a view changes.
pub(crate) fn is_sign(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | b'\n' | b'\r') || alike::is_lead(byte)
}

/// The signs of the block that begins here, as [`Masks`] have them: those of line breaks by themselves.
#[inline(always)]
fn signs_at(source: &[u8], begin: usize) -> (u64, u64) {
    let rest = source.get(begin..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => signs_of(block),
        None => signs_of(&blocks::open(rest)),
    }
}

#[inline]
fn may_be_special(source: &[u8], at: usize) -> bool {
    let Some(next) = source.get(at + 1) else {
        return is_sign(source[at]);
    };
    match source[at] {
        // No format escapes a zero: behind it goes on a character of more than one byte.
        b'\\' => *next != 0,
        b'\n' | b'\r' => at.checked_sub(1).is_none_or(|before| may_be_wrapped(source[before])),
        b'%' => next.is_ascii_hexdigit() || *next == b'%',
        b'&' => may_be_entity(&source[at + 1..]),
        lead => alike::may_be(lead, *next),
    }
}

/// What may stand before a line break that is dropped: a letter, spelled in any way, or the other sign.
fn may_be_wrapped(byte: u8) -> bool {
    is_letter(byte) || matches!(byte, b';' | b'\\') || is_break(byte) || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Before, View};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn signs_are_those_of_the_masks(
            text in prop::collection::vec(prop_oneof![any::<u8>(), 0x80_u8..=0xC5, prop::sample::select(&b"\xC2\xCE\xE2\xEF\xF0\xF3%&\\\n\r"[..])], 0..200),
        ) {
            let masks = Masks::of(&text);
            for begin in (0..256).step_by(BLOCK) {
                let block = masks.at(begin);
                prop_assert_eq!(signs_at(&text, begin), (block.signs, block.breaks));
            }
        }
    }

    /// In its own block or in the next one, where nothing else is.
    #[test]
    fn a_break_behind_a_wrapped_line_is_seen_wherever_blocks_begin() {
        let (line, rest) = ("MIIEvQIBADANBgkq", "MIIEvQ .");
        for before in 0..3 * BLOCK {
            let text = format!("{}{line}\n{rest}{}", " ".repeat(before), " ".repeat(BLOCK)).into_bytes();
            let view = View::with(&text, &Masks::of(&text), Before::default(), true).unwrap();
            let breaks: Vec<usize> = view.breaks().collect();
            assert_eq!(breaks, [before + line.len()], "behind {before} bytes");
        }
    }
}
