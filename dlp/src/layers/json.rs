//! The escapes of JSON alone, each by its rule: what signs mean elsewhere stays as it is.
use std::sync::Arc;

/// Without backslashes there is nothing to do. The second part: where each byte came from, and the end, counted from `start`.
pub(super) fn unescaped(source: &[u8], start: usize) -> Option<(Vec<u8>, Arc<[usize]>)> {
    memchr::memchr(b'\\', source)?;
    let (mut text, mut places) = (Vec::with_capacity(source.len()), Vec::with_capacity(source.len() + 1));
    let mut at = 0;
    while at < source.len() {
        let (byte, length) = token(&source[at..]);
        text.push(byte);
        places.push(start + at);
        at += length;
    }
    places.push(start + at);
    Some((text, places.into()))
}

/// The next byte, and the bytes that spell it. What needs several bytes is no letter of any code, nor is a zero.
fn token(source: &[u8]) -> (u8, usize) {
    match *source {
        [b'\\', sign @ (b'"' | b'\\' | b'/'), ..] => (sign, 2),
        [b'\\', b'u', b'0', b'0', high, low, ..] => match (digit(high), digit(low)) {
            (Some(high), Some(low)) => (high << 4 | low, 6),
            _ => (b'\\', 1),
        },
        [b'\\', _, ..] => (0, 2),
        [byte, ..] => (byte, 1),
        [] => (0, 1),
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// As a string of JSON spells it.
pub(super) fn escaped(text: &[u8]) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(text.len());
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            spelled.push(b'\\');
        }
        spelled.push(*byte);
    }
    spelled
}
