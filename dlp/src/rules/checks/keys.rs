//! Signed tokens and keys.
use super::{Evidence, from_base64, holds};

/// Three parts: a header that names an algorithm, claims, and a signature. Neither the token that documentation shows, nor one that
/// says itself that everybody may have it.
pub(crate) fn jwt(evidence: &Evidence<'_>) -> bool {
    let mut parts = evidence.value.split(|byte| *byte == b'.');
    let header = parts.next().and_then(object);
    let claims = parts.next().and_then(object);
    let (Some(header), Some(claims)) = (header, claims) else { return false };
    let shown = holds(&claims, b"1234567890") && holds(&claims, b"John Doe");
    let public = holds(&claims, b"\"role\":\"anon\"");
    holds(&header, b"\"alg\"") && !shown && !public
}

/// Five parts, the first of which names an algorithm and a cipher.
pub(crate) fn jwe(evidence: &Evidence<'_>) -> bool {
    let header = evidence.value.split(|byte| *byte == b'.').next().and_then(object);
    header.is_some_and(|header| holds(&header, b"\"alg\"") && holds(&header, b"\"enc\""))
}

fn object(part: &[u8]) -> Option<Vec<u8>> {
    let text = from_base64(part)?;
    let text = text.trim_ascii();
    (text.starts_with(b"{") && text.ends_with(b"}")).then(|| text.to_vec())
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The checksum of BIP-173, in capitals as age writes it.
pub(crate) fn age(evidence: &Evidence<'_>) -> bool {
    let lower = evidence.value.to_ascii_lowercase();
    let Some(split) = lower.iter().rposition(|byte| *byte == b'1') else { return false };
    let (name, data) = (&lower[..split], &lower[split + 1..]);
    let high = name.iter().map(|byte| byte >> 5);
    let low = name.iter().map(|byte| byte & 31);
    let digits: Option<Vec<u8>> = data.iter().map(|byte| bech32_digit(*byte)).collect();
    let Some(digits) = digits else { return false };
    polymod(high.chain([0]).chain(low).chain(digits)) == 1
}

fn bech32_digit(byte: u8) -> Option<u8> {
    BECH32.iter().position(|digit| *digit == byte).and_then(|at| u8::try_from(at).ok())
}

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x01FF_FFFF) << 5 ^ u32::from(value);
        (0..).zip(GENERATOR).filter(|(bit, _)| top >> bit & 1 == 1).fold(shifted, |sum, (_, part)| sum ^ part)
    })
}
