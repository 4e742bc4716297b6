//! UTF-16 and UTF-32: characters with one zero or three in between, in either order.
use super::Layer;
use super::reading::{Map, Reading};

/// Characters in a row: a name inside of an archive or a table is shorter, and there is nothing to hide in it.
const LEAST: usize = 8;

/// Every reading of these bytes.
pub(super) fn each(bytes: &[u8], last: bool, show: &mut dyn FnMut(Reading)) {
    let mut from = 0;
    while let Some(zero) = memchr::memchr(0, &bytes[from..]).map(|at| from + at) {
        from = stretch(bytes, zero, 2, last, show)
            .or_else(|| stretch(bytes, zero, 4, last, show))
            .unwrap_or_else(|| zero + bytes[zero..].iter().take_while(|byte| **byte == 0).count());
    }
}

/// The stretch of characters of this width whose first zero is here; gives its end.
fn stretch(
    bytes: &[u8],
    zero: usize,
    width: usize,
    last: bool,
    show: &mut dyn FnMut(Reading),
) -> Option<usize> {
    // Little endian begins with the character, big endian with the zeros before it.
    let start = match zero.checked_sub(1).filter(|before| is_text(bytes[*before])) {
        Some(before) => before,
        None => zero + width - 1,
    };
    let unit = |at: usize| {
        let text = bytes.get(at).is_some_and(|byte| is_text(*byte));
        let zeros = bytes.iter().skip(at + 1).take(width - 1).all(|byte| *byte == 0);
        text && zeros
    };
    let count = (0..).take_while(|index| unit(start + index * width)).count();
    if count < LEAST {
        return None;
    }
    // Big endian read as little endian: behind the last character no zeros follow.
    let whole = count + usize::from(bytes.get(start + count * width).is_some_and(|byte| is_text(*byte)));
    let characters = bytes[start..].iter().step_by(width).take(whole).copied().collect();
    let end = start + count * width;
    let map = Map::Wide { start, width };
    show(Reading { layer: Layer::Wide, bytes: characters, open: !last && end >= bytes.len(), map });
    Some(end.min(bytes.len()))
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}
