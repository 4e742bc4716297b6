//! base64, base32 and base16: letters of a few bits each.
//!
//! A run is decoded from every place where several groups in a row are ASCII. For base64 this is seen for all four
//! alignments at once, many letters at a time: the upper bits of the three bytes of a group are single bits of its first
//! three letters.
mod base64;
mod gate;

use super::Layer;
use super::reading::{Map, Reading, Spelled};
use crate::alphabets::{self, values};
use crate::blocks::{self, Between, Kind, Runs, bits_at, kind};
use base64::in_base64;
use gate::{WORD_MOST, may_be_text};
use std::ops::Range;

/// Letters that stand for bits.
pub(super) struct Code {
    layer: Layer,
    /// Bits of a letter.
    pub(super) bits: usize,
    /// Letters of a group.
    group: usize,
    /// Groups in a row that must be text.
    groups_least: usize,
    /// Groups of other bytes that do not end a stretch.
    gap: usize,
    values: [u8; 256],
    alphabets: [&'static [u8]; 2],
    /// Letters of the second alphabet alone.
    second: [bool; 256],
}

/// Of printable characters in a row, for a stretch to be worth a look.
const PRINTABLE_LEAST: usize = 8;

static BASE64: Code = Code {
    layer: Layer::Base64,
    bits: 6,
    group: 4,
    groups_least: 3,
    gap: 4,
    values: values(alphabets::BASE64),
    alphabets: alphabets::BASE64,
    second: table(b"-_"),
};

static BASE32: Code = Code {
    layer: Layer::Base32,
    bits: 5,
    group: 8,
    groups_least: 2,
    gap: 2,
    values: values(alphabets::BASE32),
    alphabets: alphabets::BASE32,
    second: table(b"abcdefghijklmnopqrstuvwxyz"),
};

static BASE16: Code = Code {
    layer: Layer::Base16,
    bits: 4,
    group: 2,
    groups_least: 8,
    gap: 3,
    values: values(alphabets::BASE16),
    alphabets: alphabets::BASE16,
    second: table(b"ABCDEF"),
};

/// Of base32 and base16 in a row.
const LEAST: usize = 24;
/// Letters that are looked at to tell alphabets apart.
const SPELLED: usize = 256;
/// Groups in a row that are text by chance.
const BY_CHANCE: usize = 3;
/// Letters that a single value takes at most.
const VALUE_MOST: usize = 8192;
/// Letters of a stretch for which there is room at once: most are short.
const FIRST_ROOM: usize = 256;

const fn table(letters: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < letters.len() {
        table[letters[at] as usize] = true;
        at += 1;
    }
    table
}

/// Every reading of a run of letters. `open`: more letters may follow.
pub(super) fn each(text: &[u8], run: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    if run.len() > WORD_MOST || may_be_text(text, &run) {
        each_within(text, run, open, show);
    }
}

fn each_within(text: &[u8], run: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    let letters = &text[run.clone()];
    let mut base64 = Stretches::new(&BASE64, letters, run.start, open);
    in_base64(letters, |at| base64.from(at, show));
    parts(&BASE32, text, &run, (Upper, Between::<b'A', b'P'>), open, show);
    parts(&BASE32, text, &run, (Lower, Between::<b'a', b'p'>), open, show);
    parts(&BASE16, text, &run, (Digits, Between::<b'0', b'7'>), open, show);
}

kind!(
    /// What base32 is made of, in one case.
    Upper: |bytes| bytes.between(b'A', b'Z') | bytes.between(b'2', b'7')
);
kind!(
    /// And in the other one.
    Lower: |bytes| bytes.between(b'a', b'z') | bytes.between(b'2', b'7')
);
kind!(
    /// What base16 is made of, in any case.
    Digits: |bytes| bytes.between(b'0', b'9') | bytes.with(0x20).between(b'a', b'f')
);

/// Every reading of the parts of a run that this code's letters are in a row: those, and the ones that groups of text begin with.
fn parts(
    code: &'static Code,
    text: &[u8],
    run: &Range<usize>,
    (letters, firsts): (impl Kind, impl Kind),
    open: bool,
    show: &mut dyn FnMut(Reading),
) {
    for part in Runs::<_, LEAST>::new(text, run.clone(), letters) {
        let open = open && part.end == run.end;
        let mut stretches = Stretches::new(code, &text[part.clone()], part.start, open);
        code.likely(text, &part, firsts, |at| stretches.from(at - part.start, show));
    }
}

/// Letters that are told apart by bits.
const BITS: usize = blocks::BLOCK;

impl Code {
    /// Where several groups in a row begin like text, by their first letters: for a block at once.
    #[inline(always)]
    fn likely(&self, text: &[u8], part: &Range<usize>, firsts: impl Kind, mut show: impl FnMut(usize)) {
        let whole = self.group * self.groups_least;
        for begin in part.clone().step_by(BITS - whole) {
            let first = bits_at(text, begin, firsts);
            let mut starts =
                (1..self.groups_least).fold(first, |all, group| all & first >> (group * self.group));
            // As many as have all of their groups in the part, up to the next block.
            let places = (part.end + 1).saturating_sub(begin + whole).min(BITS - whole);
            starts &= !(u64::MAX << places);
            while starts != 0 {
                show(begin + starts.trailing_zeros() as usize);
                starts &= starts - 1;
            }
        }
    }

    /// Bytes of a group.
    pub(super) fn group_bytes(&self) -> usize {
        self.group * self.bits / 8
    }

    fn begins(&self, letters: &[u8], at: usize) -> bool {
        (0..self.groups_least).all(|group| self.is_text(letters, at + group * self.group))
    }

    /// Whether there is a whole group here, of text alone.
    fn is_text(&self, letters: &[u8], at: usize) -> bool {
        let Some(group) = letters.get(at..at + self.group) else { return false };
        let bits = group.iter().fold(0, |bits, letter| bits << self.bits | u64::from(self.value(*letter)));
        bits & 0x80_8080_8080 == 0
            && bits.to_be_bytes()[8 - self.group_bytes()..].iter().all(|byte| is_text(*byte))
    }

    fn value(&self, letter: u8) -> u8 {
        self.values[usize::from(letter)]
    }

    /// Up to the last group of text and the one behind it, in which a value may end.
    fn text(&self, letters: &[u8]) -> Text {
        match self.bits {
            6 => self.text_of::<4, 3>(letters),
            5 => self.text_of::<8, 5>(letters),
            _ => self.text_of::<2, 1>(letters),
        }
    }

    fn text_of<const LETTERS: usize, const BYTES: usize>(&self, letters: &[u8]) -> Text {
        let (groups, rest) = letters.as_chunks::<LETTERS>();
        let mut bytes = Vec::with_capacity(letters.len().min(FIRST_ROOM) * self.bits / 8 + BYTES);
        let (mut since, mut seen) = (0, 0);
        for group in groups {
            let bits = self.bits_of(group);
            bytes.extend_from_slice(&bits.to_be_bytes()[8 - BYTES..]);
            seen += LETTERS;
            since = if self.is_text_group(bits) { 0 } else { since + 1 };
            if since > self.gap {
                break;
            }
        }
        if seen == groups.len() * LETTERS && since <= 1 {
            bytes.extend(self.decode(rest));
        }
        bytes.truncate(bytes.len() - BYTES * since.saturating_sub(1));
        Text { bytes, seen }
    }

    /// For base64 the highest bits are enough; the others need more to tell text from noise.
    #[inline]
    fn is_text_group(&self, bits: u64) -> bool {
        let ascii = bits & 0x80_8080_8080 == 0;
        ascii
            && (self.bits == 6
                || bits.to_be_bytes()[8 - self.group_bytes()..].iter().all(|byte| is_text(*byte)))
    }

    fn decode(&self, letters: &[u8]) -> Vec<u8> {
        let whole = letters.len() / self.group * self.group;
        let (groups, rest) = letters.split_at(whole);
        let mut bytes = match self.bits {
            6 => self.decode_groups::<4, 3>(groups),
            5 => self.decode_groups::<8, 5>(groups),
            _ => self.decode_groups::<2, 1>(groups),
        };
        let spare = rest.len() * self.bits % 8;
        let last = (self.bits_of(rest) >> spare).to_be_bytes();
        bytes.extend_from_slice(&last[8 - rest.len() * self.bits / 8..]);
        bytes
    }

    fn decode_groups<const LETTERS: usize, const BYTES: usize>(&self, groups: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; groups.len() / LETTERS * BYTES];
        let (groups, _) = groups.as_chunks::<LETTERS>();
        let (places, _) = bytes.as_chunks_mut::<BYTES>();
        for (place, group) in places.iter_mut().zip(groups) {
            let bits = self.bits_of(group).to_be_bytes();
            place.copy_from_slice(&bits[8 - BYTES..]);
        }
        bytes
    }

    #[inline]
    fn bits_of(&self, letters: &[u8]) -> u64 {
        letters.iter().fold(0, |bits, letter| bits << self.bits | u64::from(self.value(*letter)))
    }

    /// The bits of the bytes, the last letter filled with zeros.
    pub(super) fn encode(&self, bytes: &[u8], spelled: Spelled) -> Vec<u8> {
        let alphabet = self.alphabets[usize::from(spelled == Spelled::Second)];
        let letter = |index: usize| {
            let bit = |at: usize| {
                let byte = bytes.get(at / 8).copied().unwrap_or(0);
                usize::from(byte >> (7 - at % 8) & 1)
            };
            let value = (0..self.bits).fold(0, |value, at| value << 1 | bit(index * self.bits + at));
            alphabet[value]
        };
        (0..(bytes.len() * 8).div_ceil(self.bits)).map(letter).collect()
    }

    fn spelled(&self, letters: &[u8]) -> Spelled {
        let second = letters.iter().take(SPELLED).any(|letter| self.second[usize::from(*letter)]);
        if second { Spelled::Second } else { Spelled::First }
    }
}

/// The stretches of one run that are text, in each alignment.
struct Stretches<'a> {
    code: &'static Code,
    letters: &'a [u8],
    start: usize,
    open: bool,
    /// How far each alignment was decoded.
    done: [usize; 8],
}

impl<'a> Stretches<'a> {
    fn new(code: &'static Code, letters: &'a [u8], start: usize, open: bool) -> Stretches<'a> {
        Stretches { code, letters, start, open, done: [0; 8] }
    }

    /// The stretch that begins here, unless it was shown.
    fn from(&mut self, at: usize, show: &mut dyn FnMut(Reading)) {
        let group = self.code.group;
        if at < self.done[at % group] || !self.code.begins(self.letters, at) {
            return;
        }
        let text = self.code.text(&self.letters[at..]);
        let seen = at + text.seen;
        self.done[at % group] = seen;
        if !worth_a_look(&text.bytes) {
            return;
        }
        let open = self.open && self.letters.len() - seen < group;
        // A value may begin in the group before. What that decodes to may also be nothing at all, and its last letter no part of
        // the text; and so may the first groups be, up to a sign that stands before the code.
        let before = at.checked_sub(group).map(|begin| (begin, self.code.decode(&self.letters[begin..at])));
        if before.as_ref().is_some_and(|(_, before)| ends_a_word(before)) {
            self.read_from(at, show);
        }
        for begin in (1..=BY_CHANCE).map(|number| at + number * group) {
            if self.letters.get(begin - 1).is_some_and(|letter| b"/+-_".contains(letter)) {
                self.read_from(begin, show);
            }
        }
        match before {
            Some((begin, before)) => show(self.reading(begin, [before, text.bytes].concat(), open)),
            None => show(self.reading(at, text.bytes, open)),
        }
    }

    /// As much as a value that begins right here can take.
    fn read_from(&self, begin: usize, show: &mut dyn FnMut(Reading)) {
        let rest = &self.letters[begin..];
        let part = &rest[..rest.len().min(VALUE_MOST)];
        let text = self.code.text(part);
        let open = self.open && part.len() == rest.len() && part.len() - text.seen < self.code.group;
        show(self.reading(begin, text.bytes, open));
    }

    fn reading(&self, begin: usize, bytes: Vec<u8>, open: bool) -> Reading {
        let spelled = self.code.spelled(&self.letters[begin..]);
        let map = Map::Bits { start: self.start + begin, code: self.code, spelled };
        Reading { layer: self.code.layer, bytes, from: 0, open, sure: true, map }
    }
}

/// What letters stand for, as long as there is text in it.
struct Text {
    bytes: Vec<u8>,
    /// Letters that were looked at.
    seen: usize,
}

/// Text, or what has zeros between its characters.
pub(super) fn worth_a_look(bytes: &[u8]) -> bool {
    let mut run = 0;
    bytes.iter().any(|byte| {
        match byte {
            0 => {}
            byte if is_text(*byte) => run += 1,
            _ => run = 0,
        }
        run >= PRINTABLE_LEAST
    })
}

/// A word that begins right behind these bytes would be part of another.
pub(super) fn ends_a_word(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Characters, or the zeros between wide ones.
fn is_text(byte: u8) -> bool {
    matches!(byte, 0 | b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        /// What a look at every place sees.
        #[test]
        fn groups_of_text_begin_where_they_do(letters in "[0-9a-f]{0,40}[0-7a-p]{0,200}[a-p2-7]{0,90}", start in 0_usize..9, short in 0_usize..9) {
            let text = letters.as_bytes();
            let part = start.min(text.len())..text.len().saturating_sub(short).max(start.min(text.len()));
            let (mut of_32, mut of_16) = (Vec::new(), Vec::new());
            BASE32.likely(text, &part, Between::<b'a', b'p'>, |at| of_32.push(at));
            BASE16.likely(text, &part, Between::<b'0', b'7'>, |at| of_16.push(at));
            for (code, first, last, fast) in [(&BASE32, b'a', b'p', of_32), (&BASE16, b'0', b'7', of_16)] {
                let begins = |at: &usize| (0..code.groups_least).all(|group| (first..=last).contains(&text[at + group * code.group]));
                let ends = (part.end + 1).saturating_sub(code.group * code.groups_least);
                prop_assert_eq!(fast, (part.start..ends).filter(begins).collect::<Vec<_>>());
            }
        }
    }
}
