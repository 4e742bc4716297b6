//! How one line follows from another.
use crate::{Event, Record};
use sha2::{Digest, Sha256};
use std::io;

/// Version of the schema of a line.
pub(crate) const VERSION: u32 = 1;

/// Where the next line joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Number of the next line.
    pub(crate) seq: u64,
    /// Hash of the line before it.
    pub(crate) prev: String,
}

/// A [`Record`] that is written, of what others hold.
#[derive(serde::Serialize)]
struct Line<'a> {
    v: u32,
    seq: u64,
    time: &'a str,
    bottle: &'a str,
    #[serde(flatten)]
    event: &'a Event,
    prev: &'a str,
}

impl Link {
    /// Of an empty file.
    pub(crate) fn start() -> Link {
        Link { seq: 0, prev: "0".repeat(64) }
    }

    /// After a line that was read; says why it is none.
    pub(crate) fn after(line: &[u8]) -> Result<Link, String> {
        let record: Record =
            serde_json::from_slice(line).map_err(|error| format!("it is no audit line: {error}"))?;
        if record.v != VERSION {
            return Err(format!("it has version {}, this program knows {VERSION}", record.v));
        }
        let seq = record.seq.checked_add(1).ok_or("its number is the last there is")?;
        Ok(Link { seq, prev: hash(line) })
    }

    /// Whether a line that was read joins here; the link after it.
    pub(crate) fn follow(&self, line: &[u8]) -> Result<Link, String> {
        let record: Record =
            serde_json::from_slice(line).map_err(|error| format!("it is no audit line: {error}"))?;
        if record.seq != self.seq {
            return Err(format!(
                "it has number {} where {} belongs: lines were removed, added or moved",
                record.seq, self.seq
            ));
        }
        if record.prev != self.prev {
            return Err("it does not continue the line before, one of the two was changed".to_owned());
        }
        Link::after(line)
    }

    /// Appends the next line and its line feed; moves on.
    pub(crate) fn append(
        &mut self,
        bottle: &str,
        time: jiff::Timestamp,
        event: &Event,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let time = format!("{time:.6}");
        let line = Line { v: VERSION, seq: self.seq, time: &time, bottle, event, prev: &self.prev };
        let begin = out.len();
        let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Ascii);
        serde::Serialize::serialize(&line, &mut serializer).map_err(io::Error::other)?;
        self.prev = hash(out.get(begin..).unwrap_or_default());
        self.seq = self.seq.checked_add(1).ok_or_else(|| io::Error::other("the file is full of lines"))?;
        out.push(b'\n');
        Ok(())
    }
}

pub(crate) fn hash(line: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let digest = Sha256::digest(line);
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// Writes printable ASCII only: whoever prints a line to a terminal prints no control or bidi character of the agent.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Every byte, also behind the first: that is done for many at once.
        if fragment.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        let is_plain = |c: char| c.is_ascii() && !c.is_ascii_control();
        for piece in fragment.split_inclusive(|c| !is_plain(c)) {
            let plain = piece.trim_end_matches(|c| !is_plain(c));
            writer.write_all(plain.as_bytes())?;
            piece.chars().rev().take_while(|c| !is_plain(*c)).try_for_each(|c| write_escape(c, writer))?;
        }
        Ok(())
    }
}

fn write_escape<W: ?Sized + io::Write>(character: char, writer: &mut W) -> io::Result<()> {
    character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))
}
