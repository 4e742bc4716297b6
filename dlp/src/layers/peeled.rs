//! Where nearly everything is escaped by one format, that format's escapes alone.
//!
//! A view reads all formats at once, as lenient as any receiver, and so takes for a sign what one format spells as a mere
//! letter: in `\%00u%00` it drops the backslash, which is half of a character of UTF-16, and part of an escape beneath.
use super::Layer;
use super::escapes::Format;
use super::reading::{Map, Reading};
use std::ops::Range;
use std::sync::Arc;

/// Escapes that nearly everything is made of, and what may stand between two of them, in bytes.
const LEAST: usize = 8;
const GAP: usize = 6;
/// What stands around them belongs to them too, as far as there are no blanks.
const AROUND: usize = 16;
/// Percent escapes of percent escapes of percent escapes.
const PERCENT_DEPTH: usize = 3;

const FORMATS: [Format; 4] = [Format::Json, Format::Percent, Format::Html, Format::Invisible];

/// Bytes, and where each came from, with the end of the last one.
struct Peeled {
    bytes: Vec<u8>,
    places: Arc<[usize]>,
}

/// Every reading of these bytes that a view may miss something of.
pub(super) fn each(source: &[u8], last: bool, show: &mut dyn FnMut(Reading)) {
    for format in FORMATS {
        regions(format, source, |region| {
            let open = !last && region.end == source.len();
            let mut read = Peeled::of(format, &source[region.clone()], region.start, open);
            for _ in 0..if format == Format::Percent { PERCENT_DEPTH } else { 1 } {
                let Some(one) = read else { return };
                read = one.again(format, open);
                if holds_signs(&one.bytes) {
                    show(one.reading(open));
                }
            }
        });
    }
}

impl Peeled {
    fn of(format: Format, source: &[u8], start: usize, open: bool) -> Option<Peeled> {
        let bytes = format.unescaped(source, open)?;
        Some(Peeled { bytes, places: format.places(source, start, open) })
    }

    /// What is escaped once more.
    fn again(&self, format: Format, open: bool) -> Option<Peeled> {
        let inner = Peeled::of(format, &self.bytes, 0, open)?;
        let places = inner.places.iter().filter_map(|at| self.places.get(*at)).copied().collect();
        Some(Peeled { places, ..inner })
    }

    fn reading(self, open: bool) -> Reading {
        let ranges = self.places.windows(2).map(|pair| pair[0]..pair[1]).collect();
        Reading { layer: Layer::Escaped, bytes: self.bytes, open, map: Map::Places(ranges) }
    }
}

/// Anything that a view would take for more than itself. Without it the view has read the same.
fn holds_signs(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'\\' | b'&' | b'%' | b'\n' | b'\r' | 0x80..))
}

fn regions(format: Format, source: &[u8], mut show: impl FnMut(Range<usize>)) {
    let mut escapes = format.escapes(source).peekable();
    while let Some(first) = escapes.next() {
        let (mut end, mut count) = (first.end, 1);
        while let Some(next) = escapes.next_if(|next| next.start <= end + GAP) {
            (end, count) = (next.end, count + 1);
        }
        if count >= LEAST {
            let before = source[..first.start].iter().rev().take(AROUND).take_while(|byte| is_part(**byte));
            let behind = source[end..].iter().take(AROUND).take_while(|byte| is_part(**byte));
            show(first.start - before.count()..end + behind.count());
        }
    }
}

fn is_part(byte: u8) -> bool {
    byte > b' '
}
