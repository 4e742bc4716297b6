//! Files as a receiver of bodies would read them: for who looks at them before they are sent.
use crate::body::Pipeline;
use crate::coding::{Coding, Decode, Room};
use bytes::Bytes;

/// Decodes what shows by its first bytes that it is in a coding (gzip, zstd), as the engine does with bodies that declare none.
/// Memory: a piece, and what the coding itself asks for (8 MiB at most).
pub struct Unpacking {
    name: &'static str,
    pipeline: Pipeline,
}

/// The bytes are not in that coding, or not to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl Unpacking {
    /// Bytes that [`Unpacking::of`] needs.
    pub const SNIFFED: usize = Coding::SNIFFED;

    /// For bytes that begin so; `None` when they show no coding.
    pub fn of(start: &[u8]) -> Option<Unpacking> {
        let coding = Coding::sniff(start)?;
        let mut pipeline = Pipeline::default();
        pipeline.then(Decode::new(coding, &Room::new(1)));
        Some(Unpacking { name: coding.name(), pipeline })
    }

    /// What the coding is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The next bytes, those of the beginning first; `each` gets what they say, in pieces.
    ///
    /// # Errors
    /// When they are not in this coding after all.
    pub fn push(&mut self, chunk: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Damaged> {
        self.pipeline.feed(Bytes::copy_from_slice(chunk));
        while let Some(piece) = self.pipeline.next().map_err(|_| Damaged)? {
            each(&piece);
        }
        Ok(())
    }

    /// The end.
    ///
    /// # Errors
    /// When the coding is not at its own.
    pub fn finish(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Damaged> {
        while let Some(piece) = self.pipeline.finish().map_err(|_| Damaged)? {
            each(&piece);
        }
        Ok(())
    }
}
