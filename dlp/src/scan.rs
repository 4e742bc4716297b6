//! Streaming search.
use crate::KnownValues;
use std::sync::Arc;

/// A value was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Name of the value.
    pub name: Arc<str>,
    /// Offset of its first byte in the stream.
    pub offset: u64,
}

/// Sans-IO stream scanner: gives back what is surely clean, holds back only what may begin a match.
pub struct Scanner {
    _values: KnownValues,
}

impl Scanner {
    /// For one stream.
    pub fn new(values: KnownValues) -> Scanner {
        Scanner { _values: values }
    }
    /// Takes a chunk; appends to `out` the bytes that may be forwarded.
    /// # Errors
    /// The hit; nothing of the value was given out whole.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Hit> {
        let _ = (chunk, out);
        todo!()
    }
    /// The end: gives out what was held back.
    /// # Errors
    /// As [`Scanner::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Hit> {
        let _ = out;
        todo!()
    }
}
