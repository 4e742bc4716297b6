//! Streaming search.
use crate::KnownValues;
use crate::stream::Stream;
use std::sync::Arc;

/// A known value was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHit {
    /// Name of the value.
    pub name: Arc<str>,
    /// Offset of its first byte in the stream.
    pub offset: u64,
}

/// Sans-IO stream scanner: gives back what is surely clean, holds back only what may begin a match.
pub struct Scanner {
    stream: Stream,
    hit: Option<KnownHit>,
}

impl Scanner {
    /// For one stream.
    pub fn new(values: KnownValues) -> Scanner {
        Scanner { stream: Stream::new(values), hit: None }
    }

    /// From the next chunk on these values are sought: as [`crate::Scrubber::renew`].
    pub fn renew(&mut self, values: KnownValues) {
        self.stream.values = values;
    }

    /// Takes a chunk; appends to `out` the bytes that may be forwarded.
    /// # Errors
    /// The hit; nothing of the value was given out whole. Once hit, a stream stays hit.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), KnownHit> {
        self.advance(chunk, false, out)
    }

    /// The end: gives out what was held back.
    /// # Errors
    /// As [`Scanner::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), KnownHit> {
        self.advance(&[], true, out)
    }

    fn advance(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), KnownHit> {
        if let Some(hit) = &self.hit {
            return Err(hit.clone());
        }
        self.hit = self.stream.advance(chunk, last, |look| match look.sweep.finds.first() {
            Some(find) => {
                out.extend_from_slice(&look.bytes[..find.start]);
                Some(look.values.hit(*find, look.base))
            }
            None => {
                out.extend_from_slice(&look.bytes[..look.sweep.hold]);
                None
            }
        });
        self.hit.clone().map_or(Ok(()), Err)
    }
}
