//! The spellings of a value.
//!
//! Each is sought in any case of its letters, so that upper-cased, lower-cased and mixed spellings need no entry:
//!
//! | spelling | how |
//! |---|---|
//! | plain, any case | as it is |
//! | percent-encoded (minimal, full, mixed, escaped up to three times), `+` for spaces | read through `view` |
//! | JSON and JavaScript escapes (`\/`, `\uXXXX`, `\xXX`, doubled backslashes) | read through `view` |
//! | HTML escapes (named, decimal, hexadecimal) | read through `view` |
//! | invisible characters in between (zero-width, soft hyphen, byte order mark) | read through `view` |
//! | look-alikes (Cyrillic, Greek, full-width, mathematical, tags) | read through `view` |
//! | reversed | own entry |
//! | base64 and base64url, any alignment, padded or not | the characters that no neighbour can change, three each |
//! | base64 of base64, of hex, of UTF-16 | the same, twice |
//! | base32, any alignment | five entries |
//! | hex, plain or with blanks or colons between | own entries |
//! | decimal byte lists | own entries |
//! | UTF-16 and UTF-32, both byte orders | own entries |
//!
//! Every row from the second to the sixth combines with every row below it: what `view` reads is sought in all spellings.
//! What is encoded otherwise or deeper is decoded first (`layers`), values cut in pieces and sent apart are put together
//! (`fragments`). Not sought: other alphabets (base58), ciphers.

use crate::alphabets;

const BASE64: &[u8] = alphabets::BASE64[0];
const BASE64URL: &[u8] = alphabets::BASE64[1];
const BASE32: &[u8] = alphabets::BASE32[0];
const HEX: &[u8] = alphabets::BASE16[0];
const HEX_UPPER: &[u8] = alphabets::BASE16[1];

/// Stands around a replacement inside base64: with whatever bits of its neighbours it still decodes to printable text.
const FILL: u8 = b'.';

/// One spelling and what it gives way to.
pub(crate) struct Spelling {
    pub(crate) text: Vec<u8>,
    pub(crate) replacement: Vec<u8>,
}

/// Every entry for a value.
pub(crate) fn spellings(value: &[u8], replacement: &[u8]) -> Vec<Spelling> {
    let mut all = Spellings { value, replacement, list: Vec::new() };
    all.whole_forms();
    all.hex_forms();
    all.wide_forms();
    all.aligned_forms();
    all.nested_forms();
    all.list
}

struct Spellings<'a> {
    value: &'a [u8],
    replacement: &'a [u8],
    list: Vec<Spelling>,
}

impl Spellings<'_> {
    /// The same spelling of the value and of its replacement.
    fn both(&mut self, spell: impl Fn(&[u8]) -> Vec<u8>) {
        let spelling = Spelling { text: spell(self.value), replacement: spell(self.replacement) };
        self.list.push(spelling);
    }

    /// A spelling in which the replacement cannot stand: it stands as it is.
    fn plain(&mut self, text: Vec<u8>) {
        self.list.push(Spelling { text, replacement: self.replacement.to_vec() });
    }

    fn whole_forms(&mut self) {
        self.plain(self.value.to_vec());
        self.plain(self.value.iter().rev().copied().collect());
        if self.value.contains(&b' ') {
            self.plain(self.value.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect());
        }
    }

    fn hex_forms(&mut self) {
        self.both(hex);
        for separator in [" ", ":"] {
            self.both(|bytes| listed(bytes, separator, |byte| format!("{byte:02x}")));
        }
        for separator in [",", ", ", " "] {
            self.both(|bytes| listed(bytes, separator, |byte| byte.to_string()));
        }
    }

    /// Without the zeros at either end, little and big endian look the same for ASCII.
    fn wide_forms(&mut self) {
        self.both(|bytes| trim_zeros(&utf16(bytes, u16::to_le_bytes)));
        self.both(|bytes| trim_zeros(&utf16(bytes, u16::to_be_bytes)));
        self.both(|bytes| trim_zeros(&utf32(bytes)));
    }

    fn aligned_forms(&mut self) {
        for alphabet in [BASE64, BASE64URL] {
            self.aligned(alphabet, 6, 3);
        }
        self.aligned(BASE32, 5, 5);
    }

    fn aligned(&mut self, alphabet: &[u8], bits: usize, group: usize) {
        let filled = filled(self.replacement, self.value.len(), group);
        for offset in 0..group {
            let text = aligned_part(self.value, offset, alphabet, bits);
            let replacement = aligned_part(&filled, offset, alphabet, bits);
            self.list.push(Spelling { text, replacement });
        }
    }

    fn nested_forms(&mut self) {
        let hexes = [HEX, HEX_UPPER].map(|alphabet| packed(self.value, alphabet, 4));
        let wides = [utf16(self.value, u16::to_le_bytes), utf16(self.value, u16::to_be_bytes)];
        let inner = [BASE64, BASE64URL].into_iter().flat_map(|alphabet| base64_parts(self.value, alphabet));
        for once in inner.collect::<Vec<_>>().into_iter().chain(hexes).chain(wides) {
            for twice in [BASE64, BASE64URL].into_iter().flat_map(|alphabet| base64_parts(&once, alphabet)) {
                self.plain(twice);
            }
        }
    }
}

/// A spelling with as many letters as stand for the value alone.
pub(crate) struct Aligned {
    pub(crate) text: Vec<u8>,
    /// Bits of a letter.
    pub(crate) bits: usize,
    /// The bit of the value at which the first letter begins.
    pub(crate) first: usize,
}

/// base64, base64url, base32 and hex, in every alignment.
pub(crate) fn aligned(value: &[u8]) -> impl Iterator<Item = Aligned> {
    [(BASE64, 6_usize, 3_usize), (BASE64URL, 6, 3), (BASE32, 5, 5), (HEX, 4, 1)].into_iter().flat_map(
        move |(alphabet, bits, group)| {
            (0..group).map(move |offset: usize| {
                let first = (offset * 8).div_ceil(bits) * bits - offset * 8;
                Aligned { text: aligned_part(value, offset, alphabet, bits), bits, first }
            })
        },
    )
}

fn base64_parts(bytes: &[u8], alphabet: &'static [u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..3).map(move |offset| aligned_part(bytes, offset, alphabet, 6))
}

/// The characters that stand for these bytes alone when `offset` bytes come before them and anything behind.
fn aligned_part(bytes: &[u8], offset: usize, alphabet: &[u8], bits: usize) -> Vec<u8> {
    let mut shifted = vec![0; offset];
    shifted.extend_from_slice(bytes);
    let first = (offset * 8).div_ceil(bits);
    let end = shifted.len() * 8 / bits;
    packed(&shifted, alphabet, bits)[first..end].to_vec()
}

/// The bits of the bytes in groups of `bits`, the last one filled with zeros.
fn packed(bytes: &[u8], alphabet: &[u8], bits: usize) -> Vec<u8> {
    let count = (bytes.len() * 8).div_ceil(bits);
    (0..count).map(|index| alphabet[bits_at(bytes, index * bits, bits)]).collect()
}

fn bits_at(bytes: &[u8], at: usize, bits: usize) -> usize {
    let byte = |index: usize| usize::from(bytes.get(index).copied().unwrap_or(0));
    let pair = byte(at / 8) << 8 | byte(at / 8 + 1);
    pair >> (16 - bits - at % 8) & ((1 << bits) - 1)
}

/// Filled so that what follows keeps its alignment.
fn filled(replacement: &[u8], value_len: usize, group: usize) -> Vec<u8> {
    let mut filled = vec![FILL];
    filled.extend_from_slice(replacement);
    filled.push(FILL);
    while filled.len() % group != value_len % group {
        filled.push(FILL);
    }
    filled
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    packed(bytes, HEX, 4)
}

fn listed(bytes: &[u8], separator: &str, spell: impl Fn(&u8) -> String) -> Vec<u8> {
    bytes.iter().map(spell).collect::<Vec<_>>().join(separator).into_bytes()
}

fn utf16(bytes: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    characters(bytes).encode_utf16().flat_map(order).collect()
}

fn utf32(bytes: &[u8]) -> Vec<u8> {
    characters(bytes).chars().flat_map(|character| u32::from(character).to_le_bytes()).collect()
}

/// Bytes that are no UTF-8 count as Latin-1.
fn characters(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.iter().map(|byte| *byte as char).collect())
}

fn trim_zeros(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes[first..end.max(first)].to_vec()
}
