//! Quoted-printable (RFC 2045): `=41` for a byte, and an equals sign at the end of a line that goes on.
use super::Layer;
use super::reading::{Map, Reading};
use crate::blocks::{BLOCK, Bits, bits_at, kind};
use crate::masks::Masks;
use std::ops::Range;

/// Escapes that belong together stand at most so many bytes apart: a line of mail has 76.
const NEAR: usize = 80;

/// What stands before them tells whether something begins there: in the middle of a word nothing does.
const CONTEXT: usize = 16;

/// Every reading of these bytes, of which these are the masks.
///
/// One escape alone is none yet that is sure, nor is an equals sign that the bytes end with: whether they are read so is told by
/// what follows. Until then they are read for what must wait, or of a value that goes on behind them a part would be out.
pub(super) fn each(bytes: &[u8], masks: &Masks, last: bool, show: &mut dyn FnMut(Reading)) {
    let mut escapes = Vec::new();
    each_sign(bytes, masks, |at| escapes.extend(escape(bytes, at)));
    let mut begun = if last { None } else { begun(bytes) };
    let mut escapes = escapes.into_iter().peekable();
    while let Some(first) = escapes.next() {
        let (begin, mut end) = (first.start, first.end);
        let mut sure = first.sure;
        while let Some(next) = escapes.next_if(|next| next.start <= end + NEAR) {
            end = next.end;
            sure = true;
        }
        let near = begun.take_if(|begun| *begun <= end + NEAR);
        let open = !last && (bytes.len() <= end + NEAR || near.is_some());
        if sure || open {
            let part = begin.saturating_sub(NEAR)..bytes.len().min(end + NEAR);
            show(decoded(bytes, part.start..near.unwrap_or(part.end), open, sure));
        }
    }
    if let Some(begun) = begun {
        show(decoded(bytes, begun.saturating_sub(NEAR)..begun, true, false));
    }
}

/// Equals signs with something behind that may be the rest of an escape. What stands behind most of them in programs is told for a
/// whole block.
fn each_sign(bytes: &[u8], masks: &Masks, mut show: impl FnMut(usize)) {
    for (number, block) in masks.blocks().iter().enumerate() {
        if block.equals == 0 {
            continue;
        }
        let begin = number * BLOCK;
        for at in Bits(block.equals & !bits_at(bytes, begin + 1, Common)) {
            if bytes.get(begin + at + 1).is_some_and(|next| goes_on(*next)) {
                show(begin + at);
            }
        }
    }
}

kind!(
    /// Blanks, quotes, and the second sign of a comparison.
    Common: |bytes| bytes.is_any(*b" =>\"")
);

/// Hexadecimal digits, line breaks, and the signs of what escapes those.
#[inline(always)]
fn goes_on(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'\n' | b'\r' | b'\\' | b'%')
}

struct Escape {
    start: usize,
    end: usize,
    /// Nothing else looks so.
    sure: bool,
    byte: Option<u8>,
}

fn escape(bytes: &[u8], start: usize) -> Option<Escape> {
    let of = |length: usize, sure, byte| Some(Escape { start, end: start + length, sure, byte });
    match *bytes.get(start + 1..)? {
        [b'\n', ..] => of(2, true, None),
        [b'\r', b'\n', ..] => of(3, true, None),
        // The same line breaks, as JSON and forms escape them.
        [b'\\', b'n', ..] => of(3, true, None),
        [b'\\', b'r', b'\\', b'n', ..] => of(5, true, None),
        [b'%', b'0', b'A' | b'a', ..] => of(4, true, None),
        [b'%', b'0', b'D' | b'd', b'%', b'0', b'A' | b'a', ..] => of(7, true, None),
        [b'3', b'D', ..] => of(3, true, Some(b'=')),
        [high, low, ..] => of(3, false, Some(digit(high)? << 4 | digit(low)?)),
        _ => None,
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Bytes of the longest escape: `=%0D%0A`.
const LONGEST: usize = 7;

/// Where an escape begins that does not end here.
fn begun(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().saturating_sub(LONGEST - 1)..bytes.len();
    tail.into_iter().find(|at| bytes[*at] == b'=' && may_become_one(&bytes[*at + 1..]))
}

/// Of what stands behind an equals sign, where nothing is behind it yet.
fn may_become_one(behind: &[u8]) -> bool {
    match behind {
        [] | [b'\r' | b'\\' | b'%'] | [b'\\', b'r'] | [b'\\', b'r', b'\\'] | [b'%', b'0'] => true,
        [b'%', b'0', b'D' | b'd'] | [b'%', b'0', b'D' | b'd', b'%'] => true,
        [b'%', b'0', b'D' | b'd', b'%', b'0'] => true,
        [digit] => digit.is_ascii_hexdigit(),
        _ => false,
    }
}

fn decoded(bytes: &[u8], part: Range<usize>, open: bool, sure: bool) -> Reading {
    let room = CONTEXT + part.len();
    let (mut text, mut places, mut from) = (Vec::with_capacity(room), Vec::with_capacity(room), 0);
    let mut at = part.start.saturating_sub(CONTEXT);
    while at < part.end {
        if at <= part.start {
            from = text.len();
        }
        let escaped = if bytes[at] == b'=' { escape(bytes, at) } else { None };
        let (byte, end) = match escaped {
            Some(escape) => (escape.byte, escape.end),
            None => (Some(bytes[at]), at + 1),
        };
        if let Some(byte) = byte {
            text.push(byte);
            places.push(at..end);
        }
        at = end;
    }
    Reading { layer: Layer::Quoted, bytes: text, from, open, sure, map: Map::Places(places) }
}
