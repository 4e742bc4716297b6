//! The engine's own scanner over files: what would have been found on its way out.
mod entries;
pub mod har;
mod lines;
pub mod report;
pub mod walk;

use crate::failure::Failure;
use dlp::{Collector, Fingerprint, Fragments, Hit, Inspector, Sought, Verdict};
use lines::Lines;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Read};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// What is looked for, and what of it does not count.
pub struct Search {
    /// Values and rules.
    pub sought: Sought,
    /// The values again, in pieces.
    pub pieces: Fragments,
    /// Rules that the manifest switches off.
    pub off: BTreeSet<String>,
    /// Rule and fingerprint of values that the manifest lets pass.
    pub allowed: BTreeSet<(String, Fingerprint)>,
}

/// Something that was found; never its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The file, `-` for standard input.
    pub source: String,
    /// Where in it.
    #[serde(flatten)]
    pub place: Place,
    /// What found it.
    pub rule: String,
    /// Of the secret, or of its kind.
    pub name: String,
    /// Bytes that it takes.
    pub length: u64,
    /// For an allowance in the manifest.
    pub fingerprint: String,
    /// How it had to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The manifest lets it pass.
    pub allowed: bool,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// Of text and bytes.
    Bytes {
        /// From 1.
        line: u64,
        /// From 1, in bytes.
        column: u64,
        /// From 0, in bytes.
        offset: u64,
    },
    /// Of a record of HTTP.
    Entry {
        /// From 1.
        entry: usize,
        /// `POST api.example.com, request header cookie`.
        part: String,
    },
}

/// Who hears of it as it goes on: nothing is kept that was told.
pub trait Listener {
    /// So many bytes of this source were read.
    fn read(&mut self, so_far: u64);
    /// Something was found.
    fn found(&mut self, found: Found);
}

impl Search {
    /// Looks at a stream, a chunk at a time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stream(&self, source: &str, mut from: impl Read, listener: &mut dyn Listener) -> io::Result<()> {
        let mut inspector = Inspector::new(self.sought.clone());
        let mut pieces = Pieces::new(&self.pieces);
        let (mut lines, mut read) = (Lines::default(), 0);
        let (mut buffer, mut out) = (vec![0; CHUNK], Vec::with_capacity(2 * CHUNK));
        loop {
            let length = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let chunk = &buffer[..length];
            lines.see(chunk);
            pieces.see(chunk, &lines);
            let mut judge = |hit: &Hit| {
                pieces.whole(hit);
                self.tell(source, bytes(&lines, hit), hit, listener);
                Verdict::Pass
            };
            out.clear();
            // Nobody says stop, so nothing stops it.
            let _never = match length {
                0 => inspector.finish(&mut out, &mut judge),
                _ => inspector.push(chunk, &mut out, &mut judge),
            };
            read += length as u64;
            listener.read(read);
            if length == 0 {
                pieces.put_together().for_each(|(place, hit)| self.tell(source, place, &hit, listener));
                return Ok(());
            }
        }
    }

    /// Looks at some whole bytes.
    pub fn whole(&self, source: &str, place: &Place, bytes: &[u8], listener: &mut dyn Listener) {
        for hit in self.sought.find_all(bytes) {
            self.tell(source, place.clone(), &hit, listener);
        }
    }

    fn tell(&self, source: &str, place: Place, hit: &Hit, listener: &mut dyn Listener) {
        if self.off.contains(&*hit.rule) {
            return;
        }
        listener.found(Found {
            source: source.to_owned(),
            place,
            rule: hit.rule.to_string(),
            name: hit.name.to_string(),
            length: hit.length as u64,
            fingerprint: hit.fingerprint.to_string(),
            layer: (&*hit.layer != "plain").then(|| hit.layer.to_string()),
            allowed: self.allowed.contains(&(hit.rule.to_string(), hit.fingerprint)),
        });
    }
}

fn bytes(lines: &Lines, hit: &Hit) -> Place {
    let (line, column) = lines.place(hit.offset);
    Place::Bytes { line, column, offset: hit.offset }
}

/// The pieces of values in a stream. A value that stands there whole is told as such, and not once more.
struct Pieces {
    flow: dlp::fragments::Flow,
    found: Vec<(Place, Hit)>,
    whole: Vec<Fingerprint>,
}

impl Pieces {
    fn new(fragments: &Fragments) -> Pieces {
        let flow = Collector::new(fragments.clone()).flow();
        Pieces { flow, found: Vec::new(), whole: Vec::new() }
    }

    /// The next bytes; none are the end.
    fn see(&mut self, chunk: &[u8], lines: &Lines) {
        let hit = if chunk.is_empty() { self.flow.finish() } else { self.flow.push(chunk) };
        let new = hit.filter(|hit| self.found.iter().all(|(_, other)| other.fingerprint != hit.fingerprint));
        self.found.extend(new.map(|hit| (bytes(lines, &hit), hit)));
    }

    fn whole(&mut self, hit: &Hit) {
        if !self.whole.contains(&hit.fingerprint) && self.whole.len() < 1024 {
            self.whole.push(hit.fingerprint);
        }
    }

    fn put_together(self) -> impl Iterator<Item = (Place, Hit)> {
        let Pieces { found, whole, .. } = self;
        found.into_iter().filter(move |(_, hit)| !whole.contains(&hit.fingerprint))
    }
}

/// A file that cannot be looked at.
pub fn unreadable(source: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read `{}`: {error}", crate::style::neutral(source)))
}

#[cfg(test)]
mod tests;
