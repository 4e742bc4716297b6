//! What is looked at besides the shape: checksums, inner structure, how random a value is.
mod keys;
mod money;
mod tokens;

pub(crate) use keys::{age, jwe, jwt};
pub(crate) use money::{card, iban, wif, xprv};
pub(crate) use tokens::{
    basic_auth, bearer_of_x, cloudflare_tunnel, discord, github, grafana, intercom, macaroon,
    not_in_a_signed_request, password, square, url_password,
};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A match, as a check sees it.
pub(crate) struct Evidence<'a> {
    pub(crate) value: &'a [u8],
    /// The whole match.
    pub(crate) whole: &'a [u8],
    /// What stands right before the match, at most [`BEFORE`] bytes.
    pub(crate) before: &'a [u8],
}

/// Bytes before a match that checks may look at.
pub(crate) const BEFORE: usize = 48;

/// Whether a match is a real one.
pub(crate) type Check = fn(&Evidence<'_>) -> bool;

/// Shannon's entropy, in bits for each byte.
pub(crate) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}

/// Digits and letters of both cases, as in everything random of some length, and not only digits and the letters up to `f`.
pub(crate) fn all_sorts(evidence: &Evidence<'_>) -> bool {
    let has = |wanted: fn(&u8) -> bool| evidence.value.iter().any(wanted);
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// Digits and letters, as in everything random of some length; three digits at least, which no word has.
pub(crate) fn letters_and_digits(evidence: &Evidence<'_>) -> bool {
    let count = |wanted: fn(&u8) -> bool| evidence.value.iter().filter(|byte| wanted(byte)).count();
    count(u8::is_ascii_digit) >= 3 && count(u8::is_ascii_alphabetic) >= 3
}

/// Base64 of either alphabet, padded or not, with whatever bits at its end.
pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT).decode(standard).ok()
}

/// Whether these bytes stand somewhere in those.
pub(crate) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

/// As [`holds`], in any case of its letters.
pub(crate) fn holds_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}
