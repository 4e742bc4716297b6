//! Which bytes of a word are looked for: those that are rare in texts.
use super::{ANCHOR, BLOCK, block_at};

/// The two blocks of a word's rarest four bytes; of a word of three bytes itself, and its end with everything that may follow.
pub(super) fn blocks(word: &[u8], bare: bool) -> Vec<(u32, u16)> {
    if word.len() == BLOCK {
        let followed =
            (0..=u8::MAX).filter(|next| bare || goes_on(*next)).map(|next| [word[1], word[2], next]);
        let mut all: Vec<_> = followed.filter_map(|block| Some((block_at(&block)?, 1))).collect();
        all.extend(block_at(word).map(|block| (block, 0)));
        all.sort_unstable();
        all.dedup();
        return all;
    }
    let at = rarest(word);
    let block = |at: usize| Some((block_at(&word[at..])?, u16::try_from(at).ok()?));
    [block(at), block(at + 1)].into_iter().flatten().collect()
}

/// Where the four bytes of a word stand that are rarest in texts.
pub(super) fn rarest(word: &[u8]) -> usize {
    let places = 0..=word.len().saturating_sub(ANCHOR);
    let commonness = |at: usize| {
        let bytes: u32 = word[at..at + ANCHOR].iter().map(|byte| commonness(*byte)).sum();
        let blocks = [at, at + 1].map(|at| u32::from(is_common(&word[at..at + BLOCK])));
        bytes + 200 * blocks.iter().sum::<u32>()
    };
    places.min_by_key(|at| commonness(*at)).unwrap_or(0)
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

/// What may follow a word of three bytes; everything would let half of all texts through.
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
fn commonness(byte: u8) -> u32 {
    match byte {
        b' ' | b'e' => 100,
        b't' | b'a' | b'o' | b'n' | b'i' | b's' | b'r' => 65,
        b'h' | b'd' | b'l' | b'c' | b'u' => 35,
        b'm' | b'f' | b'p' | b'g' | b'"' | b':' | b',' | b'-' | b'.' | b'/' | b'0' | b'1' => 22,
        b'w' | b'y' | b'b' | b'v' | b'k' | b'_' | b'=' => 12,
        b'2'..=b'9' => 8,
        _ => 4,
    }
}
