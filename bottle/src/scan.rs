//! The engine's own scanner over files: what would have been found on its way out.
mod depth;
mod entries;
pub mod har;
mod lines;
pub mod report;
pub mod walk;

use crate::failure::Failure;
use depth::Depth;
use dlp::{Fingerprint, Fragments, Hit, Sought};
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
        let mut depth = Depth::new(self, source);
        let (mut buffer, mut read) = (vec![0; CHUNK], 0);
        loop {
            let length = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            match length {
                0 => depth.finish(listener),
                _ => depth.push(&buffer[..length], listener),
            }
            read += length as u64;
            listener.read(read);
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Looks at some whole bytes.
    pub fn whole(&self, source: &str, place: &Place, bytes: &[u8], listener: &mut dyn Listener) {
        for hit in self.sought.find_all(bytes) {
            self.tell(source, place.clone(), &[], &hit, listener);
        }
    }

    /// `codings` are those around the bytes, the outermost first.
    fn tell(&self, source: &str, place: Place, codings: &[&str], hit: &Hit, listener: &mut dyn Listener) {
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
            layer: layers(codings, hit),
            allowed: self.allowed.contains(&(hit.rule.to_string(), hit.fingerprint)),
        });
    }
}

/// How it had to be read, the outermost layer first; `None`: as it stands there.
fn layers(codings: &[&str], hit: &Hit) -> Option<String> {
    let own = Some(&*hit.layer).filter(|layer| *layer != "plain");
    let all: Vec<&str> = codings.iter().copied().chain(own).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// A file that cannot be looked at.
pub fn unreadable(source: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read `{}`: {error}", crate::style::neutral(source)))
}

#[cfg(test)]
mod tests;
