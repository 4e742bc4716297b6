//! Content codings: what is read to be scanned or scrubbed.
use crate::body::{PIECE, Stage};
use bytes::{Buf, Bytes};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{BrotliDecoder, DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use http::{HeaderMap, header};
use policy::{Denial, DenialCode};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Codings on one body at most: more are a bomb, not a message.
const NESTED: usize = 3;

/// 8 MiB: what RFC 9659 lets a zstd body need. The library's own bound is 16 times that.
const ZSTD_WINDOW: u32 = 23;

/// Places for the decoders that take much memory, of one engine.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(places: usize) -> Room {
        Room(Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))))
    }
    /// None is left, or nearly: it is time to ask for something smaller.
    pub(crate) fn is_scarce(&self) -> bool {
        self.0.available_permits() < 8
    }
    fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// A content coding that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// As they are written in headers.
const NAMES: [(&str, Coding); 5] = [
    ("gzip", Coding::Gzip),
    ("x-gzip", Coding::Gzip),
    ("deflate", Coding::Deflate),
    ("br", Coding::Brotli),
    ("zstd", Coding::Zstd),
];

impl Coding {
    /// Bytes that [`Coding::sniff`] needs.
    pub(crate) const SNIFFED: usize = 4;

    pub(crate) fn parse(name: &str) -> Option<Coding> {
        let named = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, coding)| *coding)
    }
    /// What a body without `content-encoding` shows itself to be (a receiver may look as we do). Zlib's two bytes are not
    /// asked for: whatever shows nothing is tried as deflate, with or without them.
    pub(crate) fn sniff(start: &[u8]) -> Option<Coding> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Coding::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Coding::Zstd),
            _ => None,
        }
    }
}

/// The codings of a message, outermost last as in the header; `Err` is the name of one that is not understood.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, String> {
    let mut found = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let text = value.to_str().map_err(|_| "not text".to_owned())?;
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
        {
            found.push(Coding::parse(name).ok_or_else(|| name.chars().take(32).collect::<String>())?);
        }
    }
    if found.len() > NESTED { Err("too many at once".to_owned()) } else { Ok(found) }
}

/// A body that is a row of messages, and the coding that those have which say that they are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) coding: Option<Coding>,
}

/// Whether a body is a row of messages; `Err` is the name of a coding that is not understood.
pub(crate) fn envelope(headers: &HeaderMap) -> Result<Option<Envelope>, String> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split([';', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    // In its text form each chunk is base64, which is seen through as it stands.
    let text = kind.starts_with("application/grpc-web-text");
    let rows = kind.starts_with("application/grpc") || kind.starts_with("application/connect+");
    let coding = match message_coding(headers) {
        Some(name) => Some(Coding::parse(name.trim()).ok_or(name)?),
        None => None,
    };
    Ok((rows && !text || coding.is_some()).then_some(Envelope { coding }))
}

/// The coding of gRPC's or Connect's single messages, when one is named.
pub(crate) fn message_coding(headers: &HeaderMap) -> Option<String> {
    let names = ["grpc-encoding", "connect-content-encoding"];
    let mut named = headers.iter().filter(|(name, coding)| {
        names.contains(&name.as_str()) && !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")
    });
    named.next().map(|(_, coding)| String::from_utf8_lossy(coding.as_bytes()).chars().take(32).collect())
}

/// A decoder as a stage: fails on anything that is not exactly its coding.
pub(crate) struct Decode {
    coding: Coding,
    decoder: Option<Box<dyn DecodeV2 + Send>>,
    room: Room,
    place: Option<OwnedSemaphorePermit>,
    start: Vec<u8>,
    ended: bool,
    any: bool,
}

impl Decode {
    pub(crate) fn new(coding: Coding, room: &Room) -> Decode {
        let room = room.clone();
        Decode { coding, decoder: None, room, place: None, start: Vec::new(), ended: false, any: false }
    }

    /// `deflate` means zlib, and some mean the bare stream: the first two bytes tell. False: they are not there yet.
    fn begin(&mut self, input: &mut Bytes) -> Result<bool, Box<Denial>> {
        if self.decoder.is_some() {
            return Ok(true);
        }
        self.start.extend(input.split_to(input.len().min(2 - self.start.len())));
        if self.start.len() < 2 {
            return Ok(false);
        }
        *input = Bytes::from([&self.start[..], input].concat());
        self.take_place()?;
        self.decoder = Some(decoder_for(self.coding, &self.start));
        Ok(true)
    }

    fn take_place(&mut self) -> Result<(), Box<Denial>> {
        if self.coding == Coding::Brotli && is_large_window(&self.start) {
            return Err(self.too_large());
        }
        if matches!(self.coding, Coding::Brotli | Coding::Zstd) {
            self.place = Some(self.room.enter().ok_or_else(|| self.no_room())?);
        }
        Ok(())
    }

    fn no_room(&self) -> Box<Denial> {
        let name = self.coding.name();
        let sentence = format!(
            "too many bodies in br and zstd are read at once; wait for one of them to end, or use gzip instead of {name}"
        );
        Box::new(Denial::new(DenialCode::LimitExceeded, sentence))
    }

    fn too_large(&self) -> Box<Denial> {
        let sentence = format!(
            "a body in {} needs more memory to be read than HTTP allows it (RFC 7932, RFC 9659), so it cannot be inspected",
            self.coding.name()
        );
        Box::new(Denial::new(DenialCode::LimitExceeded, sentence))
    }

    fn unreadable(&self) -> Box<Denial> {
        let sentence = format!(
            "a body that says it is {} cannot be read as such, so it cannot be inspected",
            self.coding.name()
        );
        Box::new(Denial::new(DenialCode::Unreadable, sentence))
    }
}

impl Coding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

fn decoder_for(coding: Coding, start: &[u8]) -> Box<dyn DecodeV2 + Send> {
    let zlib = start[0] & 0x0f == 8 && u16::from_be_bytes([start[0], start[1]]).is_multiple_of(31);
    match coding {
        Coding::Gzip => Box::new(GzipDecoder::new()),
        Coding::Deflate if zlib => Box::new(ZlibDecoder::new()),
        Coding::Deflate => Box::new(DeflateDecoder::new()),
        Coding::Brotli => Box::new(BrotliDecoder::new()),
        Coding::Zstd => Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(ZSTD_WINDOW)])),
    }
}

/// The bits that RFC 7932 section 9.1 forbids announce windows of up to 1 GiB, which the decoder would grant.
fn is_large_window(start: &[u8]) -> bool {
    start.first().is_some_and(|first| first & 0x7f == 0x11)
}

/// `ZSTD_error_frameParameter_windowTooLarge`, in the words of the library: its number does not come through.
fn wants_memory(error: &std::io::Error) -> bool {
    error.to_string().contains("too much memory")
}

impl Stage for Decode {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.any |= !input.is_empty();
        if self.ended && !input.is_empty() {
            self.restart()?;
        }
        if !self.begin(input)? {
            return Ok(false);
        }
        let mut buffer = vec![0; PIECE];
        let (used, written, ended) = self.decode(input, &mut buffer)?;
        if used == 0 && written == 0 && !ended && !input.is_empty() {
            return Err(self.unreadable());
        }
        input.advance(used);
        buffer.truncate(written);
        *out = buffer;
        self.ended = ended;
        Ok(!ended && written == PIECE)
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        // An empty body is an empty body in every coding; anything else must have come to its end.
        if self.any && !self.ended { Err(self.unreadable()) } else { Ok(()) }
    }
}

impl Decode {
    fn decode(&mut self, input: &Bytes, buffer: &mut [u8]) -> Result<(usize, usize, bool), Box<Denial>> {
        let Some(decoder) = self.decoder.as_deref_mut() else { return Ok((0, 0, false)) };
        let mut from = PartialBuffer::new(&input[..]);
        let mut to = WriteBuffer::new_initialized(buffer);
        match decoder.decode(&mut from, &mut to) {
            Ok(ended) => Ok((from.written_len(), to.written_len(), ended)),
            Err(error) if wants_memory(&error) => Err(self.too_large()),
            Err(_) => Err(self.unreadable()),
        }
    }

    /// Another member follows (gzip, zstd); nothing may follow in the other codings.
    fn restart(&mut self) -> Result<(), Box<Denial>> {
        let members = matches!(self.coding, Coding::Gzip | Coding::Zstd);
        let restarted =
            members && self.decoder.as_deref_mut().is_some_and(|decoder| decoder.reinit().is_ok());
        self.ended = false;
        if restarted { Ok(()) } else { Err(self.unreadable()) }
    }
}

/// What of an `accept-encoding` we can read ourselves; `identity` when nothing is left.
pub(crate) fn narrowed(accepted: &str, room: &Room) -> String {
    let small = |coding: &Coding| !room.is_scarce() || matches!(coding, Coding::Gzip | Coding::Deflate);
    let known = |item: &&str| {
        let name = item.split(';').next().unwrap_or_default();
        Coding::parse(name.trim()).filter(small).is_some()
    };
    let mut kept = String::with_capacity(accepted.len());
    for item in accepted.split(',').map(str::trim).filter(known) {
        let between = if kept.is_empty() { "" } else { ", " };
        kept.extend([between, item]);
    }
    if kept.is_empty() { "identity".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Pipeline;
    use async_compression::tokio::write as encode;
    use tokio::io::AsyncWriteExt;

    async fn encoded(coding: Coding, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer: Box<dyn tokio::io::AsyncWrite + Unpin> = match coding {
            Coding::Gzip => Box::new(encode::GzipEncoder::new(&mut out)),
            Coding::Deflate => Box::new(encode::ZlibEncoder::new(&mut out)),
            Coding::Brotli => Box::new(encode::BrotliEncoder::new(&mut out)),
            Coding::Zstd => Box::new(encode::ZstdEncoder::new(&mut out)),
        };
        writer.write_all(plain).await.expect("memory takes bytes");
        writer.shutdown().await.expect("memory takes bytes");
        drop(writer);
        out
    }

    fn decode(coding: Coding, bytes: &[u8], chunk: usize) -> Result<Vec<u8>, Box<Denial>> {
        let (mut pipeline, mut all) = (Pipeline::default(), Vec::new());
        pipeline.then(Decode::new(coding, &Room::new(1)));
        for part in bytes.chunks(chunk) {
            pipeline.feed(Bytes::copy_from_slice(part));
            while let Some(piece) = pipeline.next()? {
                assert!(piece.len() <= PIECE, "a bomb comes in pieces");
                all.extend(piece);
            }
        }
        while let Some(piece) = pipeline.finish()? {
            all.extend(piece);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn every_coding_reads_back_however_it_is_cut() {
        let plain: Vec<u8> = b"all work and no play ".repeat(20_000);
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let bytes = encoded(coding, &plain).await;
            for chunk in [1, 7, 4096, usize::MAX >> 1] {
                assert_eq!(
                    decode(coding, &bytes, chunk).expect("it decodes"),
                    plain,
                    "{coding:?} in {chunk}"
                );
            }
            drop(decode(coding, &bytes[..bytes.len() - 3], 4096).expect_err("a cut body is not a whole one"));
            let longer = [&bytes[..], b"trailing"].concat();
            drop(decode(coding, &longer, 4096).expect_err("nothing hides behind the end"));
        }
    }

    #[tokio::test]
    async fn gzip_members_follow_one_another() {
        let two = [encoded(Coding::Gzip, b"one ").await, encoded(Coding::Gzip, b"two").await].concat();
        assert_eq!(decode(Coding::Gzip, &two, 5).expect("it decodes"), b"one two");
    }

    #[test]
    fn what_cannot_be_read_is_not_asked_for() {
        let (room, little) = (Room::new(32), Room::new(1));
        assert_eq!(narrowed("gzip, deflate, br, zstd", &room), "gzip, deflate, br, zstd");
        assert_eq!(narrowed("dcb, gzip;q=0.5, *", &room), "gzip;q=0.5");
        assert_eq!(narrowed("compress", &room), "identity");
        assert_eq!(
            narrowed("gzip, br, zstd", &little),
            "gzip",
            "what takes much is not asked for when it is scarce"
        );
    }
}
