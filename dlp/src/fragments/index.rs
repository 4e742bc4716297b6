//! Every six bytes of every form of every value.
use super::{Bits, PIECE, SHORTEST};
use crate::forms::{self, Aligned};
use crate::{Fingerprint, FingerprintKey, KnownValue};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes that are looked up at once.
const GRAM: usize = 6;
/// Looking at every third place, a piece of eight bytes has one for six of them.
pub(super) const STEP: usize = PIECE - GRAM + 1;
/// Places that are looked at at once, and the bytes from the first one to the one behind the last.
const AT_ONCE: usize = 8;
const STEPS: usize = AT_ONCE * STEP;
/// Bytes of a long value that are sought.
const LONGEST: usize = 1024;
const WORDS_BITS: u32 = 12;
const WORDS: usize = 1 << WORDS_BITS;

pub(super) struct Index {
    values: Vec<Value>,
    forms: Vec<Form>,
    filter: Box<[u64; WORDS]>,
    /// Sorted: which six bytes, folded, stand where.
    grams: Vec<Gram>,
}

/// A value, without its bytes.
pub(super) struct Value {
    pub(super) name: Arc<str>,
    pub(super) fingerprint: Fingerprint,
    /// The same for the same bytes, in this process.
    pub(super) id: u64,
    pub(super) bits: usize,
}

/// One spelling of a value.
struct Form {
    value: usize,
    text: Zeroizing<Vec<u8>>,
    /// Bits of a letter.
    bits: usize,
    /// The bit of the value at which the first letter begins.
    first: usize,
    reversed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    folded: u64,
    form: u32,
    place: u32,
}

/// A part of a form that stands in some bytes.
pub(super) struct Piece {
    value: usize,
    pub(super) bits: Bits,
    /// Where it stands.
    pub(super) source: Range<usize>,
    /// All of the form.
    pub(super) is_whole: bool,
    /// The bytes end with it, and the form goes on.
    pub(super) is_open: bool,
}

impl Index {
    pub(super) fn new(values: &[KnownValue<'_>], key: &FingerprintKey) -> Index {
        let mut index =
            Index { values: Vec::new(), forms: Vec::new(), filter: Box::new([0; WORDS]), grams: Vec::new() };
        for value in values.iter().filter(|value| value.value.len() >= SHORTEST) {
            index.add(value, key);
        }
        index.grams.sort_unstable();
        index.grams.dedup();
        index
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn value(&self, piece: &Piece) -> &Value {
        &self.values[piece.value]
    }

    fn add(&mut self, known: &KnownValue<'_>, key: &FingerprintKey) {
        let bytes = &known.value[..known.value.len().min(LONGEST)];
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let (name, fingerprint) = (known.name.clone(), key.fingerprint(known.value));
        self.values.push(Value { name, fingerprint, id: hasher.finish(), bits: bytes.len() * 8 });
        self.add_form(bytes, 8, 0, false);
        self.add_form(&bytes.iter().rev().copied().collect::<Vec<_>>(), 8, 0, true);
        if bytes.contains(&b'\\') {
            let plain: Vec<u8> = bytes.iter().filter(|byte| **byte != b'\\').copied().collect();
            self.add_form(&plain, 8, 0, false);
        }
        for Aligned { text, bits, first } in forms::aligned(bytes) {
            self.add_form(&text, bits, first, false);
        }
    }

    fn add_form(&mut self, text: &[u8], bits: usize, first: usize, reversed: bool) {
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let Ok(form) = u32::try_from(self.forms.len()) else { return };
        let known = self.forms.iter().any(|form| form.value + 1 == self.values.len() && form.text == text);
        if known {
            return;
        }
        for (place, gram) in (0..).zip(text.windows(GRAM)) {
            let folded = folded(gram);
            let (word, bits) = slot(folded);
            self.filter[word] |= bits;
            self.grams.push(Gram { folded, form, place });
        }
        self.forms.push(Form { value: self.values.len() - 1, text, bits, first, reversed });
    }

    /// Every piece in these bytes that holds a gram at any three places in a row of these; one may be told twice. Gives the place to
    /// go on at.
    pub(super) fn pieces(&self, bytes: &[u8], places: Range<usize>, show: &mut dyn FnMut(Piece)) -> usize {
        let end = places.end.min((bytes.len() + 1).saturating_sub(GRAM));
        let mut at = places.start;
        while at < end {
            if at + STEPS <= end && !self.may_be_within(bytes, at) {
                at += STEPS;
                continue;
            }
            let last = end.min(at + STEPS);
            while at < last {
                let next = if self.may_be(folded_at(bytes, at)) { self.at(bytes, at, show) } else { at };
                at = (at + STEP).max(next);
            }
        }
        at
    }

    /// Whether anything may be at one of the next places. Asked for several at once, as there are fewer branches; where bytes are too
    /// few it is not known.
    #[inline]
    fn may_be_within(&self, bytes: &[u8], at: usize) -> bool {
        // Two bytes more than a gram are loaded at once.
        let Some(near) = bytes.get(at..).and_then(<[u8]>::first_chunk::<{ STEPS + PIECE }>) else {
            return true;
        };
        let mut any = false;
        for step in 0..AT_ONCE {
            // Each has all of them; a closure that fills an array is not always written out in place.
            any |= near[step * STEP..].first_chunk().is_none_or(|eight| self.may_be(folded_word(*eight)));
        }
        any
    }

    /// Two bits of one word tell: so there is one look at memory, and few grams that are none.
    #[inline]
    fn may_be(&self, folded: u64) -> bool {
        let (word, bits) = slot(folded);
        self.filter[word] & bits == bits
    }

    /// The pieces around this place; gives where to look next.
    #[cold]
    fn at(&self, bytes: &[u8], at: usize, show: &mut dyn FnMut(Piece)) -> usize {
        let folded = folded(&bytes[at..at + GRAM]);
        let begin = self.grams.partition_point(|gram| gram.folded < folded);
        let mut next = at;
        for gram in self.grams[begin..].iter().take_while(|gram| gram.folded == folded) {
            if let Some(piece) = self.forms[gram.form as usize].piece(bytes, at, gram.place as usize) {
                next = next.max((piece.source.end + 1).saturating_sub(PIECE));
                show(piece);
            }
        }
        next
    }
}

impl Form {
    /// As much as agrees around a place of the bytes and a place of the form.
    fn piece(&self, bytes: &[u8], at: usize, place: usize) -> Option<Piece> {
        let same = |(a, b): &(&u8, &u8)| a.eq_ignore_ascii_case(b);
        let (text_before, text_behind) = self.text.split_at(place);
        let (before, behind) = bytes.split_at(at);
        let back = before.iter().rev().zip(text_before.iter().rev()).take_while(same).count();
        let on = behind.iter().zip(text_behind).take_while(same).count();
        let (source, part) = (at - back..at + on, place - back..place + on);
        (part.len() >= PIECE).then(|| Piece {
            value: self.value,
            bits: self.bits(&part),
            is_whole: part == (0..self.text.len()),
            is_open: source.end == bytes.len(),
            source,
        })
    }

    fn bits(&self, part: &Range<usize>) -> Bits {
        let part = if self.reversed {
            self.text.len() - part.end..self.text.len() - part.start
        } else {
            part.clone()
        };
        self.first + part.start * self.bits..self.first + part.end * self.bits
    }
}

/// Joins letters of both cases, and a few other bytes with each other; the comparison afterwards is exact.
fn folded(gram: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight[..GRAM].copy_from_slice(&gram[..GRAM]);
    folded_word(eight)
}

/// The gram at this place, of which all bytes are there.
#[inline]
fn folded_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => folded_word(*eight),
        None => folded(&bytes[at..at + GRAM]),
    }
}

#[inline]
fn folded_word(eight: [u8; 8]) -> u64 {
    (u64::from_le_bytes(eight) | 0x2020_2020_2020) & 0xFFFF_FFFF_FFFF
}

/// Its word in the filter, and its bits there.
#[inline]
fn slot(folded: u64) -> (usize, u64) {
    let hash = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let word = usize::try_from(hash >> (64 - WORDS_BITS)).unwrap_or(0);
    (word % WORDS, 1 << (hash >> 46 & 63) | 1 << (hash >> 40 & 63))
}
