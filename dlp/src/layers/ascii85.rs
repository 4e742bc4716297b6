//! Five letters for four bytes: the alphabets of Adobe and btoa, of RFC 1924 (git, Python's b85) and of ZeroMQ.
//!
//! Where five groups in a row are text, they are decoded.
use super::Layer;
use super::bits::worth_a_look;
use super::escapes::Format;
use super::reading::{Map, Reading};
use super::runs;
use std::ops::Range;

pub(super) struct Alphabet {
    letters: [u8; 85],
    values: [u8; 256],
    known: [bool; 256],
}

const NO_LETTER: u8 = 0xFF;
const GROUP: usize = 5;
const GROUPS_LEAST: usize = 5;
/// Groups of other bytes that do not end a stretch.
const GAP: usize = 3;
static ALPHABETS: [Alphabet; 3] = [
    alphabet(&adobe()),
    alphabet(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"),
    alphabet(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"),
];

const fn adobe() -> [u8; 85] {
    let mut letters = [0; 85];
    let mut at = 0;
    while at < 85 {
        letters[at] = b'!' + at as u8;
        at += 1;
    }
    letters
}

const fn alphabet(letters: &[u8; 85]) -> Alphabet {
    let (mut values, mut known) = ([NO_LETTER; 256], [false; 256]);
    let mut at = 0;
    while at < 85 {
        values[letters[at] as usize] = at as u8;
        known[letters[at] as usize] = true;
        at += 1;
    }
    Alphabet { letters: *letters, values, known }
}

/// Every reading of a stretch without blanks and without long runs of letters of base64, which all of these alphabets have, and
/// no code of theirs keeps to. `open`: more may follow its end.
pub(super) fn each(text: &[u8], region: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    for alphabet in &ALPHABETS {
        for run in runs::all(&text[..region.end], region.start, LEAST, &alphabet.known) {
            let open = open && run.end == region.end;
            alphabet.part(text, run, open, show);
        }
    }
}

/// As [`each`], where Adobe's letters are escaped by the rule of one format alone.
pub(super) fn escaped(text: &[u8], region: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    let [adobe, ..] = &ALPHABETS;
    for run in runs::all(&text[..region.end], region.start, LEAST, &adobe.known) {
        let open = open && run.end == region.end;
        for format in [Format::Json, Format::Percent, Format::Html] {
            let Some((letters, places)) = format.unescaped(&text[run.clone()], run.start) else { continue };
            adobe.part(&letters, 0..letters.len(), open, &mut |mut reading| {
                reading.through(&places);
                show(reading);
            });
        }
    }
}

const LEAST: usize = GROUP * GROUPS_LEAST;

/// The values of first letters of groups of text, up to the last ASCII character.
const FIRSTS: std::ops::RangeInclusive<u8> = 0..=40;

impl Alphabet {
    fn part(&'static self, text: &[u8], part: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
        let letters = &text[part.clone()];
        let mut of = Stretches { alphabet: self, letters, start: part.start, open, done: [0; GROUP] };
        for at in 0..(letters.len() + 1).saturating_sub(LEAST) {
            if FIRSTS.contains(&self.values[usize::from(letters[at])]) {
                of.from(at, show);
            }
        }
    }

    /// A whole group, if it is one.
    fn group(&self, letters: &[u8]) -> Option<[u8; 4]> {
        let group = letters.get(..GROUP)?;
        let mut number = 0_u64;
        for letter in group {
            let value = self.values[usize::from(*letter)];
            if value == NO_LETTER {
                return None;
            }
            number = number * 85 + u64::from(value);
        }
        u32::try_from(number).ok().map(u32::to_be_bytes)
    }

    /// What fewer letters than a group stand for at the end.
    fn rest(&self, letters: &[u8]) -> Vec<u8> {
        let mut group = [self.letters[84]; GROUP];
        for (slot, letter) in group.iter_mut().zip(letters) {
            *slot = *letter;
        }
        let bytes = self.group(&group).unwrap_or_default();
        bytes[..letters.len().saturating_sub(1).min(4)].to_vec()
    }

    /// A short last group has one letter more than bytes.
    pub(super) fn encode(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.chunks(4).flat_map(|chunk| self.encode_group(chunk)).collect()
    }

    fn encode_group(&self, chunk: &[u8]) -> Vec<u8> {
        let mut whole = [0; 4];
        whole[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes(whole);
        let letter = |power: u32| self.letters[(number / 85_u32.pow(power) % 85) as usize];
        [4, 3, 2, 1, 0].map(letter)[..=chunk.len()].to_vec()
    }
}

fn is_ascii(group: Option<[u8; 4]>) -> bool {
    group.is_some_and(|bytes| bytes.is_ascii())
}

/// The stretches of one part that are text, in each alignment.
struct Stretches<'a> {
    alphabet: &'static Alphabet,
    letters: &'a [u8],
    start: usize,
    open: bool,
    /// How far each alignment was decoded.
    done: [usize; GROUP],
}

impl Stretches<'_> {
    fn from(&mut self, at: usize, show: &mut dyn FnMut(Reading)) {
        if at < self.done[at % GROUP] || !(0..GROUPS_LEAST).all(|group| self.is_text(at + group * GROUP)) {
            return;
        }
        let (text_end, seen) = self.end(at);
        self.done[at % GROUP] = seen;
        let begin = at.checked_sub(GROUP).filter(|begin| self.group(*begin).is_some()).unwrap_or(at);
        let text: Vec<u8> =
            (begin..text_end).step_by(GROUP).map_while(|at| self.group(at)).flatten().collect();
        if !worth_a_look(&text) {
            return;
        }
        let open = self.open && self.letters.len() - seen < GROUP;
        for behind in self.behind(text_end) {
            let bytes = [text.as_slice(), &behind].concat();
            let map = Map::Fives { start: self.start + begin, alphabet: self.alphabet, places: None };
            show(Reading { layer: Layer::Base85, bytes, open, map });
        }
    }

    fn group(&self, at: usize) -> Option<[u8; 4]> {
        self.alphabet.group(self.letters.get(at..)?)
    }

    fn is_text(&self, at: usize) -> bool {
        is_ascii(self.group(at))
    }

    /// Where the last group of text ends, and how far was looked for one.
    fn end(&self, at: usize) -> (usize, usize) {
        let (mut end, mut seen) = (at + GROUP * GROUPS_LEAST, at);
        while seen <= end + GAP * GROUP
            && let Some(group) = self.group(seen)
        {
            seen += GROUP;
            if group.is_ascii() {
                end = end.max(seen);
            }
        }
        (end, seen)
    }

    /// The group behind the text, in which a value may end: a whole one, or a short last one. What ends a string (a quote, an
    /// ampersand, a slash) may be a letter too, so it is read every way.
    fn behind(&self, end: usize) -> Vec<Vec<u8>> {
        let next = &self.letters[end..self.letters.len().min(end + GROUP)];
        let known = next.iter().take_while(|letter| self.alphabet.known[usize::from(**letter)]).count();
        let short = (2..=known.min(GROUP - 1)).map(|count| self.alphabet.rest(&next[..count]));
        let whole = self.group(end).map(|group| group.to_vec());
        let mut all: Vec<Vec<u8>> = short.chain(whole).collect();
        if all.is_empty() {
            all.push(Vec::new());
        }
        all
    }
}
