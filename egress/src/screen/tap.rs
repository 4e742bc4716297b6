//! Looks at what one decoder gives and the next one takes: what stands between two codings is there for whoever decodes them.
use super::Scan;
use crate::body::Stage;
use bytes::Bytes;
use policy::Denial;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far the looks at one body are, each at its own depth.
#[derive(Default)]
pub(super) struct Taps(Vec<Arc<Tap>>);

/// One of them.
#[derive(Default)]
pub(super) struct Tap {
    /// Bytes that passed.
    seen: AtomicU64,
    /// Bytes of those that are known to be clean.
    clean: AtomicU64,
}

impl Tap {
    /// Nothing more comes: what was open stays so.
    pub(super) fn let_go(&self) {
        self.clean.store(u64::MAX, Ordering::Relaxed);
    }
    fn is_past(&self, mark: u64) -> bool {
        self.clean.load(Ordering::Relaxed) >= mark
    }
}

impl Taps {
    /// One more, at the place where it is put.
    pub(super) fn add(&mut self) -> Arc<Tap> {
        let tap = Arc::<Tap>::default();
        self.0.push(Arc::clone(&tap));
        tap
    }
    /// How far all of them are now.
    pub(super) fn mark(&self) -> Vec<u64> {
        self.0.iter().map(|tap| tap.seen.load(Ordering::Relaxed)).collect()
    }
    /// Whether everything before this mark is clean, at every depth.
    pub(super) fn are_past(&self, mark: &[u64]) -> bool {
        self.0.iter().zip(mark).all(|(tap, mark)| tap.is_past(*mark))
    }
}

/// Scans what passes and holds nothing back: the coded bytes wait for it.
pub(super) struct Tapped {
    scan: Scan,
    tap: Arc<Tap>,
}

impl Tapped {
    pub(super) fn new(scan: Scan, tap: Arc<Tap>) -> Tapped {
        Tapped { scan, tap }
    }
}

impl Stage for Tapped {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let chunk = std::mem::take(input);
        self.tap.seen.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let clean = self.scan.look(&chunk, false)?;
        self.tap.clean.fetch_add(clean, Ordering::Relaxed);
        out.extend_from_slice(&chunk);
        Ok(false)
    }
    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.scan.look(&[], true)?;
        self.tap.let_go();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_past_when_every_depth_is_clean_up_to_it() {
        let mut taps = Taps::default();
        let (outer, inner) = (taps.add(), taps.add());
        assert!(taps.are_past(&taps.mark()), "nothing passed yet");
        outer.seen.store(10, Ordering::Relaxed);
        inner.seen.store(20, Ordering::Relaxed);
        let mark = taps.mark();
        outer.clean.store(12, Ordering::Relaxed);
        inner.clean.store(19, Ordering::Relaxed);
        assert!(!taps.are_past(&mark), "one that is further makes up for none that is not");
        inner.let_go();
        assert!(taps.are_past(&mark));
    }
}
