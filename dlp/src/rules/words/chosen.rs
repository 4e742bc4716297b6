//! Which bytes of a word are looked for: those that are rare in texts.
use super::{ANCHOR, BLOCK, block_at, fold};

/// The two blocks of the four bytes that were chosen of a word; of a word of three bytes itself, and its end with everything that may
/// follow. With each how far from the word's beginning it stands.
pub(super) fn blocks(word: &[u8], rarest: usize, bare: bool, mut found: impl FnMut(u32, u16)) {
    let [a, b, c] = *word else {
        let block = |at: usize| Some((block_at(word.get(at..)?)?, u16::try_from(at).ok()?));
        return [rarest, rarest + 1].into_iter().filter_map(block).for_each(|(block, at)| found(block, at));
    };
    let block = |bytes: [u8; BLOCK]| fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]));
    found(block([a, b, c]), 0);
    // Of bytes that are folded into one, one.
    let mut seen = [false; 256];
    for next in (0..=u8::MAX).filter(|next| bare || goes_on(*next)) {
        let block = block([b, c, next]);
        if !std::mem::replace(&mut seen[(block >> 16 & 0xff) as usize], true) {
            found(block, 1);
        }
    }
}

/// Where the four bytes of a word stand that are rarest in texts; those of shorter ones stand at its beginning.
pub(super) fn rarest(word: &[u8]) -> usize {
    let places = 0..(word.len() + 1).saturating_sub(ANCHOR);
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
