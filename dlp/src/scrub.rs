//! Streaming replacement of known values.
use crate::KnownValues;

/// Sans-IO stream scrubber; the same holding back as the scanner.
pub struct Scrubber {
    _values: KnownValues,
}

impl Scrubber {
    /// For one stream.
    pub fn new(values: KnownValues) -> Scrubber {
        Scrubber { _values: values }
    }
    /// Takes a chunk; appends clean bytes to `out`. Gives the number of values replaced.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> u64 {
        let _ = (chunk, out);
        todo!()
    }
    /// The end: gives out what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> u64 {
        let _ = out;
        todo!()
    }
}
