//! One stream of compressed data, unfolded piece by piece.
use super::{Piece, RATIO, UNFOLDED};
use crate::hit::Hit;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};

/// Bytes that come out at once.
const OUT: usize = 16 * 1024;
/// 8 MiB, as RFC 9659 has it and all but the `--ultra` levels of the tool keep to; with [`super::AT_ONCE`] of them a stream has
/// 64 MiB at most.
const ZSTD_WINDOW: u32 = 23;

/// A format of compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gzip,
    Zlib,
    Zstd,
    /// One file of an archive.
    Zip,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Gzip => "gzip",
            Kind::Zlib => "zlib",
            Kind::Zstd => "zstd",
            Kind::Zip => "zip",
        }
    }

    fn decoder(self) -> Box<dyn DecodeV2 + Send> {
        match self {
            Kind::Gzip => Box::new(GzipDecoder::new()),
            Kind::Zlib => Box::new(ZlibDecoder::new()),
            Kind::Zip => Box::new(DeflateDecoder::new()),
            Kind::Zstd => Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(ZSTD_WINDOW)])),
        }
    }
}

pub(super) struct Unfold {
    decoder: Box<dyn DecodeV2 + Send>,
    /// What stands before the data of a file in a zip archive.
    head: Option<Head>,
    read: u64,
    unfolded: u64,
}

/// Sees what was unfolded.
type Show<'a> = dyn FnMut(&[u8]) -> Result<(), Box<Hit>> + 'a;

impl Unfold {
    pub(super) fn new(kind: Kind) -> Unfold {
        let head = (kind == Kind::Zip).then(Head::default);
        Unfold { decoder: kind.decoder(), head, read: 0, unfolded: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8], show: &mut Show<'_>) -> Result<Piece, Box<Hit>> {
        let mut at = 0;
        if let Some(head) = &mut self.head {
            match head.push(piece) {
                Read::More => return Ok(Piece::Going),
                Read::Other => return Ok(Piece::Ended(0)),
                Read::Whole(used) => at = used,
            }
            self.head = None;
        }
        self.unfold(piece, at, show)
    }

    fn unfold(&mut self, piece: &[u8], mut at: usize, show: &mut Show<'_>) -> Result<Piece, Box<Hit>> {
        let mut buffer = vec![0; OUT];
        let mut full = false;
        // With nothing to read decoders are asked only for what did not fit.
        while at < piece.len() || full {
            let mut from = PartialBuffer::new(&piece[at..]);
            let mut to = WriteBuffer::new_initialized(&mut buffer);
            let decoded = self.decoder.decode(&mut from, &mut to);
            let (used, written) = (from.written_len(), to.written_len());
            at += used;
            self.read += used as u64;
            self.unfolded += written as u64;
            show(&buffer[..written])?;
            match decoded {
                Err(error) if error.to_string().contains("too much memory") => {
                    return Ok(Piece::TooMuch("compressed data that needs much memory to be unfolded"));
                }
                Err(_) | Ok(true) => return Ok(Piece::Ended(at)),
                Ok(false) if self.unfolded > UNFOLDED + RATIO * self.read => {
                    return Ok(Piece::TooMuch("compressed data that unfolds to too much"));
                }
                Ok(false) if written == 0 && used == 0 => return Ok(Piece::Ended(at)),
                Ok(false) => full = written == OUT,
            }
        }
        Ok(Piece::Going)
    }
}

/// The head of a file in a zip archive (APPNOTE 4.3.7).
#[derive(Default)]
struct Head {
    bytes: Vec<u8>,
}

/// What was read of a head.
enum Read {
    More,
    /// What follows is not deflated.
    Other,
    /// It ended so many bytes on.
    Whole(usize),
}

impl Head {
    const FIXED: usize = 30;

    fn push(&mut self, piece: &[u8]) -> Read {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(piece);
        let number = |at: usize| Some(u16::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?));
        let head = (|| Some((number(6)?, number(8)?, number(26)?, number(28)?)))();
        let Some((flags, method, name, extra)) = head else { return Read::More };
        if method != 8 || flags & 1 != 0 {
            return Read::Other;
        }
        let length = Head::FIXED + usize::from(name) + usize::from(extra);
        if self.bytes.len() < length { Read::More } else { Read::Whole(length - before) }
    }
}
