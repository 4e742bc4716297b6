//! Values that must not pass, compiled into one automaton.
use std::sync::Arc;

/// A value to find and the name it is reported under. The bytes are zeroed on drop by their owner; this crate keeps its
/// own copies only inside [`KnownValues`].
pub struct KnownValue<'a> {
    /// Slot or reference (`EGRESS_TOKEN_0`, `placeholder of EGRESS_TOKEN_0`, `.env:DB_PASSWORD`).
    pub name: Arc<str>,
    /// What replaces it when scrubbed or redacted (its placeholder, or `[redacted:NAME]`).
    pub replacement: Arc<str>,
    /// The value; shorter than 8 bytes is not sought (it would match everywhere), and the builder says so.
    pub value: &'a [u8],
}

/// All spellings of all values in one automaton. Cheap to clone; has no Debug of its bytes.
#[derive(Clone)]
pub struct KnownValues {}

impl KnownValues {
    /// Compiles; also gives the names of values too short to seek.
    pub fn new(values: &[KnownValue<'_>]) -> (KnownValues, Vec<Arc<str>>) {
        let _ = values;
        todo!()
    }
    /// Nothing to seek: scanners and scrubbers pass everything through untouched.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// The first value found in these whole bytes, in any spelling (headers, paths, queries, messages).
    pub fn find(&self, bytes: &[u8]) -> Option<crate::Hit> {
        let _ = bytes;
        todo!()
    }
    /// Replaces every value in whole bytes; `None` when there was none.
    pub fn scrub(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let _ = bytes;
        todo!()
    }
    /// The longest spelling in bytes: what a stream may have to hold back.
    pub fn longest(&self) -> usize {
        todo!()
    }
}
