//! Values cut in pieces: across query parameters, headers, parts, strings, messages and requests, in any order.
//!
//! Of every value of at least [`SHORTEST`] bytes each six bytes in a row are known, as they are, reversed, and in every alignment
//! of base64, base32 and hex. Bytes are looked up at every third place; a piece of [`PIECE`] bytes or more holds such a place,
//! and marks what it covers of its value, to the bit. When [`ENOUGH`] percent are marked and no long part is missing, the value
//! went out in pieces. What stands there whole is no piece: the [`crate::Inspector`] has judged it.
//!
//! Marks are kept for one exchange in a [`Collector`], and for each host in a [`Memory`] that its owner ages by ticks of its own.
//! Not seen: pieces of less than eight bytes, pieces that are encoded twice, pieces to several hosts.

mod index;
mod marks;
mod memory;
#[cfg(test)]
mod tests;

pub use memory::Memory;

use crate::view::{Before, View};
use crate::{FingerprintKey, Hit, KnownValue};
use index::{Index, Piece, STEP};
use marks::Marks;
use memory::Host;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of the shortest value that is sought in pieces: two pieces of it can be known.
pub const SHORTEST: usize = 16;
/// Bytes of the shortest piece that is known.
pub const PIECE: usize = 8;
/// Percent of a value that must be covered.
pub const ENOUGH: usize = 80;
/// What findings call it.
pub const RULE: &str = "split-secret";

/// Bytes that a [`Flow`] keeps: what went by last, and a piece that may not be over.
const TAIL: usize = 64;
const TAIL_MOST: usize = 2048;

/// Values that are sought in pieces, compiled once. Cheap to clone.
#[derive(Clone)]
pub struct Fragments {
    index: Arc<Index>,
}

impl Fragments {
    /// Compiles. Values shorter than [`SHORTEST`] are not sought; of long ones the first 1024 bytes are. Give no placeholder:
    /// those stand in many requests rightly.
    pub fn new(values: &[KnownValue<'_>], key: &FingerprintKey) -> Fragments {
        Fragments { index: Arc::new(Index::new(values, key)) }
    }

    /// Nothing to seek.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

/// The pieces of one exchange, and with a memory those that went to its host before. Cheap to clone: all clones collect together.
#[derive(Clone)]
pub struct Collector {
    fragments: Fragments,
    own: Arc<Mutex<Marks>>,
    host: Option<Host>,
}

impl Collector {
    /// For an exchange by itself; [`Memory::collector`] makes those that remember.
    pub fn new(fragments: Fragments) -> Collector {
        Collector { fragments, own: Arc::default(), host: None }
    }

    fn to_host(fragments: Fragments, host: Host) -> Collector {
        Collector { fragments, own: Arc::default(), host: Some(host) }
    }

    /// One place as a whole: a target, a header's value, a message. The hit is told once the pieces are enough; its offset and
    /// length are those of the last one.
    pub fn see(&self, whole: &[u8]) -> Option<Hit> {
        self.look(whole, 0, true).hit
    }

    /// For a place that comes in chunks.
    pub fn flow(&self) -> Flow {
        Flow { collector: self.clone(), tail: Vec::new(), seen: 0, base: 0 }
    }

    /// `seen`: so many of the bytes were looked at before, and pieces that end before count already.
    fn look(&self, bytes: &[u8], seen: usize, last: bool) -> Looked {
        let mut looked = Looked { hit: None, waits: bytes.len() };
        if self.fragments.is_empty() {
            return looked;
        }
        let all = self.pieces(bytes, last);
        let inside = |piece: &Piece, whole: &Piece| {
            whole.is_whole && whole.source.start <= piece.source.start && piece.source.end <= whole.source.end
        };
        for piece in all.iter().filter(|piece| piece.source.end >= seen) {
            if piece.is_open && !last && piece.source.len() < TAIL_MOST {
                looked.waits = looked.waits.min(piece.source.start);
            } else if !all.iter().any(|whole| inside(piece, whole)) {
                looked.hit = looked.hit.or_else(|| self.mark(piece));
            }
        }
        looked
    }

    /// As they stand there, and unescaped.
    fn pieces(&self, bytes: &[u8], last: bool) -> Vec<Piece> {
        let index = &self.fragments.index;
        let mut all = Vec::new();
        index.pieces(bytes, 0..bytes.len(), &mut |piece| all.push(piece));
        if let Some(view) = View::of(bytes, Before::default(), last).filter(|view| view.differs_from(bytes)) {
            let text = view.text(bytes);
            let mut at = 0;
            // What an escape neither cuts nor touches stands in the bytes too, and so does what the end does not cut.
            for touched in view.touched().chain(std::iter::once(text.len()..text.len())) {
                let places = at.max(touched.start.saturating_sub(PIECE))..touched.end + STEP;
                at = index.pieces(text, places, &mut |piece| all.push(unescaped(piece, &view, text)));
            }
        }
        all
    }

    fn mark(&self, piece: &Piece) -> Option<Hit> {
        let value = self.fragments.index.value(piece);
        let own = locked(&self.own).mark(value, piece.bits.clone());
        let before = self.host.as_ref().is_some_and(|host| host.mark(value, piece.bits.clone()));
        (own || before).then(|| Hit {
            rule: RULE.into(),
            name: value.name.clone(),
            offset: piece.source.start as u64,
            length: piece.source.len(),
            fingerprint: value.fingerprint,
            layer: "pieces".into(),
            packed: false,
        })
    }
}

/// In places of the bytes that this is the view of.
fn unescaped(mut piece: Piece, view: &View, text: &[u8]) -> Piece {
    piece.is_open |= piece.source.end == text.len();
    piece.source = view.source(piece.source.start)..view.source_end(piece.source.end);
    piece
}

struct Looked {
    hit: Option<Hit>,
    /// From here on a piece may go on.
    waits: usize,
}

/// A place that comes in chunks. Keeps up to 2 KiB.
pub struct Flow {
    collector: Collector,
    tail: Vec<u8>,
    /// Pieces that end before this place of it count already.
    seen: usize,
    /// Place of the tail in the stream.
    base: u64,
}

impl Flow {
    /// The next chunk. Nothing is held back: with the hit at hand the chunk should not go on.
    pub fn push(&mut self, chunk: &[u8]) -> Option<Hit> {
        self.advance(chunk, false)
    }

    /// The end: a piece that stands right there is over.
    pub fn finish(&mut self) -> Option<Hit> {
        self.advance(&[], true)
    }

    fn advance(&mut self, chunk: &[u8], last: bool) -> Option<Hit> {
        if self.collector.fragments.is_empty() {
            return None;
        }
        self.tail.extend_from_slice(chunk);
        let looked = self.collector.look(&self.tail, self.seen, last);
        let hit = looked.hit.map(|hit| Hit { offset: self.base + hit.offset, ..hit });
        let keep = self.tail.len().saturating_sub(TAIL).min(looked.waits);
        // What waits may turn out to be over before the bytes that made it wait.
        self.seen = self.tail.len().min(looked.waits) - keep;
        self.tail.drain(..keep);
        self.base += keep as u64;
        hit
    }
}

/// A part of a value's bits.
type Bits = Range<usize>;

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
