//! Where nearly everything is escaped by one format, that format's escapes alone.
//!
//! A view reads all formats at once, as lenient as any receiver, and so takes for a sign what one format spells as a mere
//! letter: in `\%00u%00` it drops the backslash, which is half of a character of UTF-16, and part of an escape beneath.
use super::Layer;
use super::escapes::Format;
use super::reading::{Map, Reading};
use crate::blocks::{BLOCK, Bits, bits_at, kind};
use crate::masks::Masks;
use std::ops::Range;
use std::sync::Arc;

/// Escapes that nearly everything is made of, and what may stand between two of them, in bytes.
const LEAST: usize = 8;
const GAP: usize = 6;
/// What stands around them belongs to them too, as far as there are no blanks.
const AROUND: usize = 16;
/// Percent escapes of percent escapes of percent escapes.
const PERCENT_DEPTH: usize = 3;

const FORMATS: [Format; 4] = [Format::Json, Format::Percent, Format::Html, Format::Alike];

/// Bytes, and where each came from, with the end of the last one.
struct Peeled {
    bytes: Vec<u8>,
    places: Arc<[usize]>,
}

/// Every reading of these bytes that a view may miss something of; `masks` are theirs.
pub(super) fn each(source: &[u8], masks: &Masks, last: bool, show: &mut dyn FnMut(Reading)) {
    clusters(source, masks, &mut |cluster| each_in(source, &cluster, last, show));
}

fn each_in(source: &[u8], cluster: &Range<usize>, last: bool, show: &mut dyn FnMut(Reading)) {
    for format in FORMATS {
        regions(format, source, cluster, |region| {
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
        Reading {
            layer: Layer::Escaped,
            bytes: self.bytes,
            from: 0,
            open,
            sure: true,
            map: Map::Places(ranges),
        }
    }
}

/// Anything that a view would take for more than itself. Without it the view has read the same.
fn holds_signs(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'\\' | b'&' | b'%' | b'\n' | b'\r' | 0x80..))
}

/// The longest escape: `&#x41;` and its like.
const ESCAPE: usize = 7;

/// From one sign to the next one that belongs to the same row of escapes, in bytes at most.
const NEXT: usize = ESCAPE + GAP;

/// Where so many escapes of one format may stand so near each other: escapes begin with signs, so there are at least as many of those,
/// and no two of them further apart than [`NEXT`]. From the first sign of a cluster to behind the last one. No escape goes on into
/// it, for it would begin with a sign that belongs to it.
fn clusters(source: &[u8], masks: &Masks, show: &mut dyn FnMut(Range<usize>)) {
    let (mut before, mut part): ([Count; 2], Option<Range<usize>>) = Default::default();
    for (number, block) in masks.blocks().iter().enumerate() {
        let begin = number * BLOCK;
        let here = Count { begin, most: block.signs.count_ones(), exactly: None };
        let mut three = [before[0], before[1], here];
        // The first so many signs of a cluster lie in three blocks, and of its later blocks, but for the last one, each has a few.
        let enough = three.iter().map(|count| count.most).sum::<u32>() >= LEAST_SIGNS
            && three.iter_mut().map(|count| count.exactly(source)).sum::<u32>() >= LEAST_SIGNS;
        if enough {
            let start = part.as_ref().map_or(begin.saturating_sub(2 * BLOCK), |part| part.start);
            part = Some(start..begin + BLOCK);
        } else if let Some(part) = part.take() {
            clusters_in(source, part.start..part.end + BLOCK, show);
        }
        before = [three[1], three[2]];
    }
    if let Some(part) = part {
        clusters_in(source, part, show);
    }
}

/// Signs of a block. The masks have more than those that count, which are counted once, if it matters.
#[derive(Clone, Copy, Default)]
struct Count {
    begin: usize,
    most: u32,
    exactly: Option<u32>,
}

impl Count {
    fn exactly(&mut self, source: &[u8]) -> u32 {
        let (begin, most) = (self.begin, self.most);
        let count = || if most == 0 { 0 } else { signs_at(source, begin).count_ones() };
        *self.exactly.get_or_insert_with(count)
    }
}

const LEAST_SIGNS: u32 = 8;
const _: () = assert!(LEAST == 8 && (LEAST - 1) * NEXT < 2 * BLOCK && (BLOCK / NEXT) * 2 >= LEAST);

fn clusters_in(source: &[u8], part: Range<usize>, show: &mut dyn FnMut(Range<usize>)) {
    let (mut first, mut last, mut count) = (0, 0, 0);
    let begins = part.step_by(BLOCK);
    for at in begins.flat_map(|begin| Bits(signs_at(source, begin)).map(move |at| begin + at)) {
        if count > 0 && at - last > NEXT {
            if count >= LEAST {
                show(first..last + 1);
            }
            count = 0;
        }
        if count == 0 {
            first = at;
        }
        (last, count) = (at, count + 1);
    }
    if count >= LEAST {
        show(first..last + 1);
    }
}

/// Signs in this block. What JSON escapes in every text does not count, so of backslashes only those that something else follows.
#[inline(always)]
fn signs_at(source: &[u8], begin: usize) -> u64 {
    let others = bits_at(source, begin, Others);
    let mut backslashes = bits_at(source, begin, Backslashes);
    if backslashes != 0 {
        backslashes &= bits_at(source, begin + 1, Behind);
    }
    others | backslashes
}

kind!(Others: |bytes| bytes.is_any([b'%', b'&', 0xE2, 0xEF]));
kind!(Backslashes: |bytes| bytes.is(b'\\'));
kind!(
    /// What stands behind a backslash that counts.
    Behind: |bytes| bytes.is_any(*b"\\ux")
);

fn regions(format: Format, source: &[u8], within: &Range<usize>, mut show: impl FnMut(Range<usize>)) {
    let mut escapes = format.escapes(source, within.clone()).peekable();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]
        /// What a look at every escape of the text sees.
        #[test]
        fn regions_are_those_that_a_slow_look_finds(
            parts in prop::collection::vec(
                prop_oneof!["(\\\\u00[0-9a-f]{2}.{0,2}){1,9}", "(%[0-9a-f]{2}[a-z]{0,7}){1,9}", "(&#x?[0-9]{2};[a-z]{0,7}){1,9}", "[\\\\%&\"nux]{0,9}", "(\u{200b}[a-z]{0,7}){1,9}", "(\u{ff1d}[a-z]{0,7}){1,9}", "[ -~]{0,30}"], 0..6),
        ) {
            let text = parts.concat().into_bytes();
            for format in FORMATS {
                let (mut fast, mut slow) = (Vec::new(), Vec::new());
                clusters(&text, &Masks::of(&text), &mut |cluster| regions(format, &text, &cluster, |region| fast.push(region)));
                regions(format, &text, &(0..text.len()), |region| slow.push(region));
                prop_assert_eq!(fast, slow, "{:?}", format);
            }
        }
    }
}
