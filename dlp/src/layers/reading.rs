//! A decoded stretch, and the way back.
use super::Layer;
use super::ascii85::Alphabet;
use super::bits::Code;
use crate::find::Text;
use std::ops::Range;
use std::sync::Arc;

/// Decoded bytes.
pub(super) struct Reading {
    pub(super) layer: Layer,
    pub(super) bytes: Vec<u8>,
    /// What stands before is there to be looked back at.
    pub(super) from: usize,
    /// More of it may follow.
    pub(super) open: bool,
    /// Otherwise what follows tells whether it is read so: until then what stands in it waits.
    pub(super) sure: bool,
    pub(super) map: Map,
}

/// How places of a reading lead back.
pub(super) enum Map {
    /// Letters of so many bits each.
    Bits { start: usize, code: &'static Code, spelled: Spelled },
    /// Five letters for four bytes.
    Fives { start: usize, alphabet: &'static Alphabet, places: Option<Arc<[usize]>> },
    /// So many bytes for each.
    Wide { start: usize, width: usize },
    /// The source of each byte.
    Places(Vec<Range<usize>>),
    /// From its end.
    Reversed { end: usize },
    /// Each for itself.
    Same,
}

/// Which of several equal alphabets was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelled {
    First,
    Second,
}

impl Reading {
    /// As it is searched.
    pub(super) fn text(&self) -> Text<'_> {
        Text { bytes: &self.bytes, from: self.from, last: !self.open }
    }

    /// Where the source of this byte begins.
    pub(super) fn source(&self, at: usize) -> usize {
        match &self.map {
            Map::Bits { start, code, .. } => start + at * 8 / code.bits,
            Map::Fives { start, places, .. } => place(places.as_deref(), start + at / 4 * 5),
            Map::Wide { start, width } => start + at * width,
            Map::Places(places) => match places.get(at) {
                Some(place) => place.start,
                None => places.last().map_or(0, |place| place.end),
            },
            Map::Reversed { end } => end.saturating_sub(at + 1),
            Map::Same => at,
        }
    }

    /// Where the source of the bytes before `end` ends.
    pub(super) fn source_end(&self, end: usize) -> usize {
        match &self.map {
            Map::Bits { start, code, .. } => start + (end * 8).div_ceil(code.bits),
            Map::Fives { start, places, .. } => {
                // Of the last group as many letters as its first bytes need: more may not be there yet.
                let rest = if end.is_multiple_of(4) { 0 } else { end % 4 + 1 };
                place(places.as_deref(), start + end / 4 * 5 + rest)
            }
            // Without the zeros behind the last character, which in one of the two orders are the next one's.
            Map::Wide { start, width } => start + end.saturating_sub(1) * width + 1,
            Map::Places(places) => {
                end.checked_sub(1).and_then(|last| places.get(last)).map_or(0, |place| place.end)
            }
            Map::Reversed { end: last } => last.saturating_sub(end.saturating_sub(1)),
            Map::Same => end,
        }
    }

    /// What was decoded was unescaped before: each of its places with where it came from.
    pub(super) fn through(&mut self, json: &Arc<[usize]>) {
        if let Map::Fives { places, .. } = &mut self.map {
            *places = Some(json.clone());
        }
    }

    /// The source of some bytes of the reading.
    pub(super) fn sources(&self, range: Range<usize>) -> Range<usize> {
        match &self.map {
            Map::Reversed { end } => end.saturating_sub(range.end)..end.saturating_sub(range.start),
            _ => self.source(range.start)..self.source_end(range.end),
        }
    }

    /// Which bytes of the source give way to which, so that the rest still decodes; `None` when the alignment of what
    /// follows would change.
    pub(super) fn rewrite(&self, range: Range<usize>, with: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
        match &self.map {
            Map::Bits { code, spelled, .. } => {
                let (whole, bytes) = self.grouped(range, with, code.group_bytes())?;
                Some((self.sources(whole), code.encode(&bytes, *spelled)))
            }
            Map::Fives { alphabet, .. } => {
                let (whole, bytes) = self.grouped(range, with, 4)?;
                let letters = alphabet.encode(&bytes);
                // Some letters would end the string that it stands in.
                let harmless = !letters.iter().any(|letter| b"\"'\\<&%".contains(letter));
                harmless.then(|| (self.sources(whole), letters))
            }
            Map::Wide { width, .. } => {
                let zeros = vec![0; width - 1];
                let mut wide: Vec<u8> =
                    with.iter().flat_map(|byte| [&[*byte], zeros.as_slice()].concat()).collect();
                wide.truncate(wide.len().saturating_sub(width - 1));
                Some((self.sources(range), wide))
            }
            Map::Places(_) | Map::Reversed { .. } | Map::Same => Some((self.sources(range), with.to_vec())),
        }
    }

    /// Whole groups around a range, and what they are to hold.
    fn grouped(&self, range: Range<usize>, with: &[u8], group: usize) -> Option<(Range<usize>, Vec<u8>)> {
        let first = range.start - range.start % group;
        let end = range.end.next_multiple_of(group).min(self.bytes.len());
        let bytes = [&self.bytes[first..range.start], with, &self.bytes[range.end..end]].concat();
        (bytes.len() % group == (end - first) % group).then_some((first..end, bytes))
    }
}

fn place(places: Option<&[usize]>, at: usize) -> usize {
    places.map_or(at, |places| places.get(at).or(places.last()).copied().unwrap_or(at))
}

/// What is to be unescaped once more.
pub(super) fn escaped(text: &[u8], open: bool) -> Reading {
    Reading { layer: Layer::Escaped, bytes: text.to_vec(), from: 0, open, sure: true, map: Map::Same }
}

/// A run of letters read from its end.
pub(super) fn reversed(text: &[u8], run: Range<usize>) -> Reading {
    Reading {
        layer: Layer::Reversed,
        bytes: text[run.clone()].iter().rev().copied().collect(),
        from: 0,
        open: false,
        sure: true,
        map: Map::Reversed { end: run.end },
    }
}
