//! The part that scanner and scrubber share: a stream in chunks, with what must wait for the next one.
use crate::KnownValues;
use crate::known::Sweep;
use crate::view::Before;

/// Bytes that wait, and where they stand in the stream.
pub(crate) struct Stream {
    pub(crate) values: KnownValues,
    held: Vec<u8>,
    /// As the last sweep gave it.
    before: Before,
    /// Offset of the first held byte.
    base: u64,
}

/// The bytes looked at, what was seen in them, and the offset of the first one.
pub(crate) struct Look<'a> {
    pub(crate) values: &'a KnownValues,
    pub(crate) bytes: &'a [u8],
    pub(crate) sweep: Sweep,
    pub(crate) base: u64,
}

impl Stream {
    pub(crate) fn new(values: KnownValues) -> Stream {
        Stream { values, held: Vec::new(), before: Before::default(), base: 0 }
    }

    /// Looks at what was held and the chunk together, shows it, and holds back what may begin a match.
    pub(crate) fn advance<T>(&mut self, chunk: &[u8], last: bool, show: impl FnOnce(Look<'_>) -> T) -> T {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return self.look(chunk, last, show);
        }
        let joined = [held.as_slice(), chunk].concat();
        self.look(&joined, last, show)
    }

    fn look<T>(&mut self, bytes: &[u8], last: bool, show: impl FnOnce(Look<'_>) -> T) -> T {
        let sweep = self.values.sweep(bytes, self.before, last);
        self.before = sweep.before;
        self.held = bytes[sweep.hold..].to_vec();
        let base = self.base;
        self.base += sweep.hold as u64;
        show(Look { values: &self.values, bytes, sweep, base })
    }
}
