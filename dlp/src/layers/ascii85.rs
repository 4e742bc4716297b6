//! Five letters for four bytes: the alphabets of Adobe and btoa, of RFC 1924 (git, Python's b85) and of ZeroMQ.
//!
//! Where five groups in a row are text, they are decoded.
mod kinds;
mod room;
#[cfg(test)]
mod tests;

use super::Layer;
use super::bits::{ends_a_word, worth_a_look};
use super::escapes::Format;
use super::reading::{Map, Reading};
use crate::alphabets::NONE;
use crate::blocks::{BLOCK, Kind, Runs, first_bits};
use kinds::{FirstsOfAdobe, FirstsOfRfc1924, FirstsOfZeroMq, OfAdobe, OfRfc1924, OfZeroMq, OfZeroMqInHtml};
pub(super) use room::has_room;
use std::ops::Range;

pub(super) struct Alphabet {
    whose: Whose,
    letters: [u8; 85],
    values: [u8; 256],
    known: [bool; 256],
}

#[derive(Clone, Copy)]
enum Whose {
    Adobe,
    Rfc1924,
    ZeroMq,
}

const GROUP: usize = 5;
const GROUPS_LEAST: usize = 5;
/// Groups of other bytes that do not end a stretch.
const GAP: usize = 3;
static ALPHABETS: [Alphabet; 3] = [
    alphabet(Whose::Adobe, &adobe()),
    alphabet(
        Whose::Rfc1924,
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
    ),
    alphabet(
        Whose::ZeroMq,
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
    ),
];

const fn adobe() -> [u8; 85] {
    let mut letters = [0; 85];
    let mut value = 0_u8;
    while value < 85 {
        letters[value as usize] = b'!' + value;
        value += 1;
    }
    letters
}

const fn alphabet(whose: Whose, letters: &[u8; 85]) -> Alphabet {
    let (mut values, mut known) = ([NONE; 256], [false; 256]);
    let mut value = 0_u8;
    while value < 85 {
        let letter = letters[value as usize] as usize;
        values[letter] = value;
        known[letter] = true;
        value += 1;
    }
    Alphabet { whose, letters: *letters, values, known }
}

/// Every reading of a stretch without blanks and without long runs of letters of base64, which all of these alphabets have, and
/// no code of theirs keeps to. `open`: more may follow its end.
pub(super) fn each(text: &[u8], region: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    for alphabet in ALPHABETS.iter().filter(|alphabet| alphabet.may_begin(text, region.clone())) {
        alphabet.each_run(text, region.clone(), |run| {
            let likely = alphabet.likely(&text[run.clone()]);
            if !likely.is_empty() {
                let open = open && run.end == region.end;
                alphabet.part(text, run, &likely, open, show);
            }
        });
    }
}

#[cfg(test)]
pub(super) fn may_begin_in(letters: &[u8]) -> bool {
    ALPHABETS.iter().any(|alphabet| alphabet.may_begin(letters, 0..letters.len()))
}

/// Where enough groups in a row may be text, in this block.
#[inline]
pub(super) fn begins(text: &[u8], at: usize) -> u64 {
    let [adobe, rfc_1924, zero_mq] = &ALPHABETS;
    let [one, two, three] = room::by_letters(&text[at..]);
    adobe.of_these(text, at, one) | rfc_1924.of_these(text, at, two) | zero_mq.of_these(text, at, three)
}

/// As [`each`], where letters are escaped by the rule of one format alone. Its sign must be a letter too.
pub(super) fn escaped(text: &[u8], region: Range<usize>, open: bool, show: &mut dyn FnMut(Reading)) {
    if region.len() < LEAST {
        return;
    }
    let seen = |sign: u8| memchr::memchr(sign, &text[region.clone()]).is_some();
    let seen = [b'\\', b'%', b'&'].map(|sign| (sign, seen(sign)));
    for alphabet in &ALPHABETS {
        let is_used = |format: &Format| {
            seen.iter()
                .any(|(sign, seen)| *seen && format.begins_with(*sign) && alphabet.known[usize::from(*sign)])
        };
        let formats: Vec<Format> = Format::ALL.into_iter().filter(is_used).collect();
        if !formats.is_empty() {
            alphabet.each_escaped_run(text, region.clone(), |run| {
                let open = open && run.end == region.end;
                formats
                    .iter()
                    .for_each(|format| alphabet.escaped_run(text, run.clone(), *format, open, show));
            });
        }
    }
}

/// Letters that are looked at, at least.
pub(super) const LEAST: usize = GROUP * GROUPS_LEAST;
/// Groups in a row that are text by chance.
const BY_CHANCE: usize = 3;

/// What may stand around a code.
fn is_sign(letter: u8) -> bool {
    !letter.is_ascii_alphanumeric()
}

/// The values of first letters of groups of text, up to the last ASCII character.
const FIRSTS: std::ops::RangeInclusive<u8> = 0..=40;

impl Alphabet {
    /// Whether enough groups in a row are text anywhere in this part.
    fn may_begin(&self, text: &[u8], part: Range<usize>) -> bool {
        match self.whose {
            Whose::Adobe => self.may_begin_by(text, part, (FirstsOfAdobe, OfAdobe)),
            Whose::Rfc1924 => self.may_begin_by(text, part, (FirstsOfRfc1924, OfRfc1924)),
            Whose::ZeroMq => self.may_begin_by(text, part, (FirstsOfZeroMq, OfZeroMq)),
        }
    }

    #[inline(always)]
    fn may_begin_by(&self, text: &[u8], part: Range<usize>, kinds: (impl Kind, impl Kind)) -> bool {
        let mut places = (part.start..(part.end + 1).saturating_sub(LEAST)).step_by(BLOCK + 1 - LEAST);
        places.any(|begin| {
            let (firsts, letters) = kinds;
            let starts = room::of_alphabet(&text[begin..], first_bits(part.end - begin), firsts, letters);
            self.of_these(text, begin, starts) != 0
        })
    }

    /// Of these places in a block, which have the letters of enough groups in a row, those where the groups are text: the first one at
    /// least.
    #[inline]
    fn of_these(&self, text: &[u8], begin: usize, mut starts: u64) -> u64 {
        if starts == 0 {
            return 0;
        }
        starts &= room::in_each_group(self.end_in_ascii(text, begin));
        while starts != 0 {
            let at = begin + starts.trailing_zeros() as usize;
            let (groups, _) = text[at..at + LEAST].as_chunks::<GROUP>();
            if groups.iter().all(|group| self.is_text(group)) {
                break;
            }
            starts &= starts - 1;
        }
        starts
    }

    /// Runs of letters that are long enough.
    fn each_run(&self, text: &[u8], region: Range<usize>, show: impl FnMut(Range<usize>)) {
        match self.whose {
            Whose::Adobe => Runs::<_, LEAST>::new(text, region, OfAdobe).for_each(show),
            Whose::Rfc1924 => Runs::<_, LEAST>::new(text, region, OfRfc1924).for_each(show),
            Whose::ZeroMq => Runs::<_, LEAST>::new(text, region, OfZeroMq).for_each(show),
        }
    }

    /// As they may be escaped.
    fn each_escaped_run(&self, text: &[u8], region: Range<usize>, show: impl FnMut(Range<usize>)) {
        match self.whose {
            Whose::ZeroMq => Runs::<_, LEAST>::new(text, region, OfZeroMqInHtml).for_each(show),
            _ => self.each_run(text, region, show),
        }
    }

    fn escaped_run(
        &'static self,
        text: &[u8],
        run: Range<usize>,
        format: Format,
        open: bool,
        show: &mut dyn FnMut(Reading),
    ) {
        let Some(letters) = format
            .unescaped(&text[run.clone()], open)
            .filter(|letters| self.may_begin(letters, 0..letters.len()))
        else {
            return;
        };
        let likely = self.likely(&letters);
        let places = format.places(&text[run.clone()], run.start, open);
        self.part(&letters, 0..letters.len(), &likely, open, &mut |mut reading| {
            reading.through(&places);
            show(reading);
        });
    }

    /// `likely`: as [`Alphabet::likely`] gave them.
    fn part(
        &'static self,
        text: &[u8],
        part: Range<usize>,
        likely: &[usize],
        open: bool,
        show: &mut dyn FnMut(Reading),
    ) {
        let letters = &text[part.clone()];
        let mut of = Stretches { alphabet: self, letters, start: part.start, open, done: [0; GROUP] };
        likely.iter().for_each(|at| of.from(*at, show));
    }

    /// Where enough groups in a row are text, left to right. They are looked at from the last one on: most are none, and everything
    /// before that is skipped.
    fn likely(&self, letters: &[u8]) -> Vec<usize> {
        let mut all = Vec::new();
        for phase in 0..GROUP {
            let mut at = phase;
            while let Some(groups) = letters.get(at..at + LEAST) {
                let (groups, _) = groups.as_chunks::<GROUP>();
                match groups.iter().rposition(|group| !self.is_text(group)) {
                    Some(other) => at += (other + 1) * GROUP,
                    None => {
                        all.extend(FIRSTS.contains(&self.values[usize::from(letters[at])]).then_some(at));
                        at += GROUP;
                    }
                }
            }
        }
        all.sort_unstable();
        all
    }

    /// Most groups are none by their first letter.
    #[inline]
    fn is_text(&self, group: &[u8; GROUP]) -> bool {
        let first = self.values[usize::from(group[0])];
        first <= *FIRSTS.end() + 1 && is_ascii(self.group(group))
    }

    /// A whole group, if it is one.
    fn group(&self, letters: &[u8]) -> Option<[u8; 4]> {
        let group = letters.get(..GROUP)?;
        let mut number = 0_u64;
        for letter in group {
            let value = self.values[usize::from(*letter)];
            if value == NONE {
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
        if !worth_a_look(&self.decoded(at, text_end)) {
            return;
        }
        let open = self.open && self.letters.len() - seen < GROUP;
        for begin in self.begins(at) {
            for (end, behind) in self.ends(begin, text_end) {
                let bytes = [self.decoded(begin, end), behind].concat();
                show(self.reading(begin, bytes, open));
            }
        }
    }

    fn decoded(&self, begin: usize, end: usize) -> Vec<u8> {
        (begin..end).step_by(GROUP).map_while(|at| self.group(at)).flatten().collect()
    }

    /// Where a code may begin. What stands before it are letters too, and may decode to text by chance: so it is read from the
    /// group before, from here, and from behind every sign in the next groups.
    fn begins(&self, at: usize) -> Vec<usize> {
        let before = at.checked_sub(GROUP).filter(|begin| self.group(*begin).is_some());
        let joined = before.and_then(|begin| self.group(begin)).is_none_or(|group| ends_a_word(&group));
        let signs = (1..=BY_CHANCE).map(|group| at + group * GROUP);
        let signs = signs.filter(|begin| self.letters.get(begin - 1).is_some_and(|sign| is_sign(*sign)));
        before.into_iter().chain(joined.then_some(at)).chain(signs).collect()
    }

    /// Where it may end: the last whole group of text, and what fewer letters behind it stand for. Of the last groups each may
    /// be such fewer letters, before a sign.
    fn ends(&self, begin: usize, text_end: usize) -> Vec<(usize, Vec<u8>)> {
        let mut ends: Vec<_> = self.behind(text_end).into_iter().map(|bytes| (text_end, bytes)).collect();
        let last = (1..=BY_CHANCE).filter_map(|group| text_end.checked_sub(group * GROUP));
        for end in last.filter(|end| *end > begin) {
            for count in (2..GROUP).filter(|count| is_sign(self.letters[end + count])) {
                ends.push((end, self.alphabet.rest(&self.letters[end..end + count])));
            }
        }
        ends
    }

    fn reading(&self, begin: usize, bytes: Vec<u8>, open: bool) -> Reading {
        let map = Map::Fives { start: self.start + begin, alphabet: self.alphabet, places: None };
        Reading { layer: Layer::Base85, bytes, from: 0, open, sure: true, map }
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
