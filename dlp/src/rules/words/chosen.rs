//! Which bytes of a word are looked for: those that are rare in texts.
use super::{ANCHOR, BLOCK};

/// What may follow a word of three bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// What values are made of; everything would let half of all texts through.
    OfValues,
    Anything,
}

impl Next {
    /// One of those of both.
    pub(super) const SOME: u8 = b'a';

    pub(super) fn bytes(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |byte| self == Next::Anything || goes_on(*byte))
    }
}

/// Places of a word that are thought of.
const CHOICE: usize = 6;

/// The four bytes of a word that may be sought, with each how far from its beginning they stand: the rarest ones first. A word of
/// three bytes is sought with what follows.
pub(super) fn anchors(word: &[u8], bare: bool) -> Vec<(usize, Vec<u8>, Option<Next>)> {
    if word.len() < ANCHOR {
        let next = if bare { Next::Anything } else { Next::OfValues };
        return vec![(0, word.to_vec(), Some(next))];
    }
    let commonness = |at: &usize| {
        let bytes: f32 = word[*at..*at + ANCHOR].iter().map(|byte| commonness(*byte)).sum();
        let blocks = [*at, *at + 1].map(|at| u8::from(is_common(&word[at..at + BLOCK])));
        bytes + 200.0 * f32::from(blocks.iter().sum::<u8>())
    };
    let mut places: Vec<usize> = (0..=word.len() - ANCHOR).collect();
    places.sort_by(|one, other| commonness(one).total_cmp(&commonness(other)));
    places.into_iter().take(CHOICE).map(|at| (at, word[at..at + ANCHOR].to_vec(), None)).collect()
}

/// Asked for every place of every word at the start of a bottle.
fn is_common(block: &[u8]) -> bool {
    let letters = block.iter().all(u8::is_ascii_lowercase);
    let place = block.first_chunk().filter(|_| letters).map(place);
    place.is_some_and(|at| COMMON_PLACES[at / 64] >> (at % 64) & 1 == 1)
}

/// A bit for each three small letters.
static COMMON_PLACES: [u64; 1 << 15 >> 6] = {
    let mut bits = [0; 1 << 15 >> 6];
    let mut number = 0;
    while number < COMMON.len() {
        let at = place(COMMON[number]);
        bits[at / 64] |= 1 << (at % 64);
        number += 1;
    }
    bits
};

const fn place(letters: &[u8; BLOCK]) -> usize {
    (letters[0] as usize & 31) << 10 | (letters[1] as usize & 31) << 5 | letters[2] as usize & 31
}

/// What values are made of.
pub(super) fn goes_on(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.~+/".contains(&byte)
}

/// Three letters that words of English and of programs are full of.
const COMMON: [&[u8; BLOCK]; 72] = [
    b"the", b"and", b"ing", b"ion", b"tio", b"ent", b"for", b"ate", b"ter", b"hat", b"tha", b"ere", b"con",
    b"res", b"ver", b"all", b"ons", b"nce", b"men", b"ith", b"ted", b"ers", b"pro", b"thi", b"wit", b"are",
    b"ess", b"not", b"ive", b"was", b"ect", b"rea", b"com", b"per", b"int", b"est", b"sta", b"cti", b"ica",
    b"ist", b"ear", b"ain", b"one", b"our", b"rat", b"str", b"sel", b"elf", b"tri", b"rin", b"fun", b"unc",
    b"ret", b"urn", b"let", b"use", b"pub", b"lin", b"lue", b"val", b"nam", b"ame", b"pat", b"ath", b"key",
    b"err", b"ror", b"end", b"ack", b"ver", b"tra", b"ult",
];

/// How often a byte stands in English, code and JSON, roughly, in thousandths.
pub(super) fn commonness(byte: u8) -> f32 {
    match byte {
        b' ' | b'e' => 100.0,
        b't' | b'a' | b'o' | b'n' | b'i' | b's' | b'r' => 65.0,
        b'h' | b'd' | b'l' | b'c' | b'u' => 35.0,
        b'm' | b'f' | b'p' | b'g' | b'"' | b':' | b',' | b'-' | b'.' | b'/' | b'0' | b'1' => 22.0,
        b'w' | b'y' | b'b' | b'v' | b'k' | b'_' | b'=' => 12.0,
        b'2'..=b'9' => 8.0,
        _ => 4.0,
    }
}
