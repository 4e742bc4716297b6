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
        if !goes_on(bytes, high) {
            from = behind_run(bytes, high);
            continue;
        }
        let plain = |width, show: &mut dyn FnMut(Reading)| stretch(bytes, high, width, last, show);
        // What stands behind plain text may be a character that nobody sees, in the wrong byte order: then both are read.
        let through_mixed = mixed(bytes, high, last, show);
        let through_plain = if bytes[high] == 0 { plain(2, show).or_else(|| plain(4, show)) } else { None };
        from = through_mixed.max(through_plain).unwrap_or_else(|| behind_run(bytes, high));
    }
}

/// Behind all bytes that are the same as this one.
fn behind_run(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count()
}

/// Whether there may be characters enough in a row, of any width and order, the first of which has its first high byte here. In two
/// bytes the next one has its own two places on, in four bytes this one has another high byte there; but where zeros are before a
/// character of four bytes, that may be read with the ones behind it.
#[inline]
fn goes_on(bytes: &[u8], high: usize) -> bool {
    let at = |behind: usize| bytes.get(high + behind).copied();
    at(2).is_some_and(|byte| HIGH[usize::from(byte)]) || at(4) == Some(0)
}

/// The second byte from the top, or the upper byte of two, of everything that is read as a character.
static HIGH: [bool; 256] = {
    let mut high = [false; 256];
    let bytes: [usize; 15] =
        [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x22, 0x24, 0xD4, 0xD5, 0xD6, 0xD7, 0xFE, 0xFF];
    let mut at = 0;
    while at < bytes.len() {
        high[bytes[at]] = true;
        at += 1;
    }
    high
};

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
        let open = !last && end >= bytes.len();
        show(Reading { layer: Layer::Wide, bytes: characters, from: 0, open, sure: true, map });
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
        // Of fewer nothing is shown, and nothing is skipped.
        let is_there =
            |index| bytes.get(start + index * self.width..).and_then(|unit| self.character(unit)).is_some();
        if !(0..LEAST).all(is_there) {
            return None;
        }
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
        show(Reading {
            layer: Layer::Wide,
            bytes: text,
            from: 0,
            open,
            sure: true,
            map: Map::Places(places),
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every place, without asking first.
    fn slowly(bytes: &[u8], last: bool, show: &mut dyn FnMut(Reading)) {
        let mut from = 0;
        while let Some(high) = memchr::memchr2(0, FULL_WIDTH, &bytes[from..]).map(|at| from + at) {
            let mixed = mixed(bytes, high, last, show);
            let mut plain = None;
            if bytes[high] == 0 {
                plain = stretch(bytes, high, 2, last, show).or_else(|| stretch(bytes, high, 4, last, show));
            }
            from = mixed.max(plain).unwrap_or_else(|| behind_run(bytes, high));
        }
    }

    fn spelled(text: &str, width: usize, big: bool) -> Vec<u8> {
        let wide = text.chars().flat_map(|one| match width {
            2 => one.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>(),
            _ => u32::from(one).to_be_bytes().to_vec(),
        });
        let bytes: Vec<u8> = wide.collect();
        if big { bytes } else { bytes.chunks(width).flat_map(|unit| unit.iter().rev().copied()).collect() }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]
        /// What is asked first costs no reading.
        #[test]
        fn nothing_is_read_but_what_goes_on(
            parts in prop::collection::vec((
                prop_oneof!["[a-z0-9 ]{0,12}", "[a-z\u{200b}\u{ad}]{6,12}", "[\u{ff41}-\u{ff4a}\u{430}\u{391}\u{17f}\u{2010}\u{24b6}\u{251}]{6,12}", "[\u{1d400}-\u{1d450}\u{1d7ce}\u{e0061}-\u{e0069}a]{6,12}", "\u{200b}{60,70}"],
                prop::sample::select(vec![2_usize, 4]), any::<bool>(),
                prop::collection::vec(prop_oneof![Just(0_u8), Just(0xFF), any::<u8>()], 0..6)), 0..5),
            last: bool,
        ) {
            let bytes: Vec<u8> = parts.iter().flat_map(|(text, width, big, noise)| [spelled(text, *width, *big), noise.clone()].concat()).collect();
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            let told = |reading: Reading| {
                let places: Vec<usize> = (0..=reading.bytes.len()).map(|at| reading.source(at)).collect();
                (reading.bytes, reading.open, places)
            };
            each(&bytes, last, &mut |reading| fast.push(told(reading)));
            slowly(&bytes, last, &mut |reading| slow.push(told(reading)));
            prop_assert_eq!(fast, slow);
        }

        /// Nor does counting first.
        #[test]
        fn few_characters_are_nothing(count in 0_usize..LEAST, width in prop::sample::select(vec![2_usize, 4]), big: bool) {
            let bytes = spelled(&"\u{ff41}".repeat(count), width, big);
            let high = bytes.iter().position(|byte| *byte == FULL_WIDTH).unwrap_or(0);
            prop_assert_eq!(mixed(&bytes, high, true, &mut |_| panic!("too few")), None);
        }
    }

    #[test]
    fn every_character_that_is_read_has_a_high_byte_of_those() {
        for character in '\0'..=char::MAX {
            let unit = u32::from(character).to_be_bytes();
            if (Spelling { width: 4, big: true }).character(&unit).is_some() {
                assert!(HIGH[usize::from(unit[2])], "{character:?}");
                assert_eq!(unit[0], 0);
            }
        }
    }
}
