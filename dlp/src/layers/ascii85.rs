//! Five letters for four bytes: the alphabets of Adobe and btoa, of RFC 1924 (git, Python's b85) and of ZeroMQ.
//!
//! The first letter of a group of text is one of thirty; where five groups in a row begin so, they are decoded.
use super::Layer;
use super::bits::worth_a_look;
use super::reading::{Map, Reading};
use super::runs;
use std::ops::Range;

pub(super) struct Alphabet {
    letters: [u8; 85],
    values: [u8; 256],
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
    let mut values = [NO_LETTER; 256];
    let mut at = 0;
    while at < 85 {
        values[letters[at] as usize] = at as u8;
        at += 1;
    }
    Alphabet { letters: *letters, values }
}

/// Every reading of a text. `open`: more may follow its end.
pub(super) fn each(text: &[u8], open: bool, show: &mut dyn FnMut(Reading)) {
    let mut rest = 0;
    for run in runs::letters(text).filter(|run| run.len() >= runs::SURELY_LETTERS) {
        between(text, rest..run.start, false, show);
        rest = run.end;
    }
    between(text, rest..text.len(), open, show);
}

/// The part between long runs of letters of base64, which all of these alphabets have, and no code of them keeps to.
fn between(text: &[u8], part: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    let letters = &text[part.clone()];
    if letters.len() < GROUP * GROUPS_LEAST {
        return;
    }
    let stretches = |alphabet| Stretches { alphabet, letters, start: part.start, open, done: [0; GROUP] };
    let [adobe, rfc, zeromq] = &ALPHABETS;
    let mut of = stretches(adobe);
    begins(letters, |letter| within(letter, b'+', b'I'), |at| of.from(at, show));
    let mut of = stretches(rfc);
    let first = |letter| within(letter, b'A', b'Z') | within(letter, b'a', b'e');
    begins(letters, first, |at| of.from(at, show));
    let mut of = stretches(zeromq);
    let first = |letter| within(letter, b'a', b'z') | within(letter, b'A', b'E');
    begins(letters, first, |at| of.from(at, show));
}

fn within(letter: u8, first: u8, last: u8) -> bool {
    letter.wrapping_sub(first) <= last - first
}

/// Strings end so, in JSON, XML and forms.
const ENDS: &[u8] = b"\"'<&";

const BLOCK: usize = 128;

/// Where several groups in a row begin like text, which is with values 10 to 40: a blank to the last ASCII character.
fn begins(letters: &[u8], first: impl Fn(u8) -> bool, mut show: impl FnMut(usize)) {
    let (mut other, mut all) = ([1_u8; BLOCK + GROUP * GROUPS_LEAST], [0_u8; BLOCK]);
    for begin in (0..letters.len()).step_by(BLOCK) {
        let part = &letters[begin..letters.len().min(begin + BLOCK + GROUP * GROUPS_LEAST)];
        for (other, letter) in other.iter_mut().zip(part) {
            *other = u8::from(!first(*letter));
        }
        other[part.len()..].fill(1);
        for (at, all) in all.iter_mut().enumerate() {
            *all = other[at] | other[at + 5] | other[at + 10] | other[at + 15] | other[at + 20];
        }
        memchr::memchr_iter(0, &all).for_each(|at| show(begin + at));
    }
}

impl Alphabet {
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

    /// The group behind the text, in which a value may end: a whole one, or the short last one. What ends a string in
    /// many formats may be a letter too: then it is read every way.
    fn behind(&self, end: usize) -> Vec<Vec<u8>> {
        let next = &self.letters[end..self.letters.len().min(end + GROUP)];
        let known = next.iter().take_while(|letter| self.alphabet.values[usize::from(**letter)] != NO_LETTER);
        let count = known.clone().count();
        let ends = known.enumerate().filter(|(_, letter)| ENDS.contains(letter)).map(|(at, _)| at);
        let part = |count: usize| match self.group(end) {
            Some(group) if count == GROUP => group.to_vec(),
            _ => self.alphabet.rest(&next[..count.min(GROUP - 1)]),
        };
        ends.chain([count]).map(part).collect()
    }
}
