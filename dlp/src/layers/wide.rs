//! UTF-16 and UTF-32, in either order.
//!
//! Plain ones have one zero or three between the characters. What is mixed with characters that nobody sees, or made of others
//! that look like ASCII ones, is read character by character.
use super::Layer;
use super::reading::{Map, Reading};
use crate::view::alike;

/// Characters in a row: a name inside of an archive or a table is shorter, and there is nothing to hide in it.
const LEAST: usize = 8;
const MUCH: usize = 64;
/// Every character that looks like an ASCII one in full width has it.
const FULL_WIDTH: u8 = 0xFF;

/// Every reading of these bytes.
pub(super) fn each(bytes: &[u8], last: bool, show: &mut dyn FnMut(Reading)) {
    let mut from = 0;
    while let Some(high) = memchr::memchr2(0, FULL_WIDTH, &bytes[from..]).map(|at| from + at) {
        let plain = |width, show: &mut dyn FnMut(Reading)| stretch(bytes, high, width, last, show);
        // What stands behind plain text may be a character that nobody sees, in the wrong byte order: then both are read.
        let through_mixed = mixed(bytes, high, last, show);
        let through_plain = if bytes[high] == 0 { plain(2, show).or_else(|| plain(4, show)) } else { None };
        from = through_mixed
            .max(through_plain)
            .unwrap_or_else(|| high + bytes[high..].iter().take_while(|byte| **byte == bytes[high]).count());
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
    let end = start + count * width;
    let mut read = |begin: usize, count: usize| {
        let characters = bytes[begin..].iter().step_by(width).take(count).copied().collect();
        let map = Map::Wide { start: begin, width };
        show(Reading { layer: Layer::Wide, bytes: characters, open: !last && end >= bytes.len(), map });
    };
    read(start, whole);
    if start < zero && whole > count {
        // Then what stands before the first zero may be something else, such as a length.
        read(start + width, whole - 1);
    }
    Some(end.min(bytes.len()))
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// How characters are spelled.
#[derive(Clone, Copy)]
struct Spelling {
    width: usize,
    big: bool,
}

/// What one character is read as.
enum Read {
    Ascii(u8),
    Like(u8),
    Nothing,
}

/// As [`stretch`], where not all of it is ASCII: the first high byte of a character is here.
fn mixed(bytes: &[u8], high: usize, last: bool, show: &mut dyn FnMut(Reading)) -> Option<usize> {
    let wide = [2, 4].into_iter().flat_map(|width| [false, true].map(|big| Spelling { width, big }));
    wide.filter_map(|spelling| {
        let start = if spelling.big { high } else { high.checked_sub(1)? };
        spelling.stretch(bytes, start, last, show)
    })
    .max()
}

impl Spelling {
    fn stretch(self, bytes: &[u8], start: usize, last: bool, show: &mut dyn FnMut(Reading)) -> Option<usize> {
        let (mut text, mut places, mut mixed) = (Vec::new(), Vec::new(), false);
        let mut at = start;
        while let Some(read) = self.character(bytes.get(at..)?) {
            let next = at + self.width;
            match read {
                Read::Nothing => mixed = true,
                Read::Ascii(byte) | Read::Like(byte) => {
                    mixed |= matches!(read, Read::Like(_));
                    text.push(byte);
                    places.push(at..next);
                }
            }
            at = next;
        }
        if !mixed || text.len() < LEAST {
            // Much of nothing is not looked at again from each of its characters.
            return (mixed && at > start + MUCH * self.width).then_some(at);
        }
        let open = !last && at + self.width > bytes.len();
        show(Reading { layer: Layer::Wide, bytes: text, open, map: Map::Places(places) });
        Some(at)
    }

    fn character(self, bytes: &[u8]) -> Option<Read> {
        let unit = bytes.get(..self.width)?;
        let shifted = |code: u32, byte: &u8| code << 8 | u32::from(*byte);
        let code = if self.big { unit.iter().fold(0, shifted) } else { unit.iter().rev().fold(0, shifted) };
        let character = char::from_u32(code)?;
        match u8::try_from(character) {
            Ok(byte) if is_text(byte) => return Some(Read::Ascii(byte)),
            _ if alike::is_invisible(character) => return Some(Read::Nothing),
            _ => {}
        }
        alike::look_alike(character).map(Read::Like)
    }
}
