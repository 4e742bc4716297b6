//! Streaming replacement of known values.
use crate::KnownValues;
use crate::stream::{Look, Stream};

/// Sans-IO stream scrubber; the same holding back as the scanner.
pub struct Scrubber {
    stream: Stream,
}

impl Scrubber {
    /// For one stream.
    pub fn new(values: KnownValues) -> Scrubber {
        Scrubber { stream: Stream::new(values) }
    }

    /// From the next chunk on these values are sought: what was rotated in while a long stream runs may come back on it.
    pub fn renew(&mut self, values: KnownValues) {
        self.stream.values = values;
    }

    /// Takes a chunk; appends clean bytes to `out`. Gives the number of values replaced.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> u64 {
        self.stream.advance(chunk, false, |look| put_clean(&look, out))
    }

    /// The last chunk, or all there is: as [`Scrubber::push`] and [`Scrubber::finish`], with one look instead of two.
    pub fn last(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> u64 {
        self.stream.advance(chunk, true, |look| put_clean(&look, out))
    }

    /// The end: gives out what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> u64 {
        self.stream.advance(&[], true, |look| put_clean(&look, out))
    }
}

fn put_clean(look: &Look<'_>, out: &mut Vec<u8>) -> u64 {
    let mut done = 0;
    for find in &look.sweep.finds {
        out.extend_from_slice(&look.bytes[done..find.start]);
        look.values.put_replacement(*find, look.bytes, out);
        done = find.end;
    }
    out.extend_from_slice(&look.bytes[done..look.sweep.hold]);
    look.sweep.finds.len() as u64
}
