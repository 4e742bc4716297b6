//! The letters that codes are spelled in, and their values.

/// No letter at all.
pub(crate) const NONE: u8 = 0xFF;

/// base64 and base64url (RFC 4648, sections 4 and 5).
pub(crate) const BASE64: [&[u8]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];
/// base32 in either case (section 6).
pub(crate) const BASE32: [&[u8]; 2] =
    [b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz234567"];
/// base16 in either case (section 8).
pub(crate) const BASE16: [&[u8]; 2] = [b"0123456789abcdef", b"0123456789ABCDEF"];

/// A value for each letter of either alphabet.
pub(crate) const fn values(alphabets: [&[u8]; 2]) -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut which = 0;
    while which < 2 {
        let mut value = 0_u8;
        while (value as usize) < alphabets[which].len() {
            values[alphabets[which][value as usize] as usize] = value;
            value += 1;
        }
        which += 1;
    }
    values
}

/// Of base64 or base64url, and so of base32 and base16 too.
pub(crate) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
