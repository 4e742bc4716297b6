//! The engine's own scanner over files: what would have been found on its way out.
pub mod har;
mod lines;
pub mod report;

use crate::failure::Failure;
use dlp::{Fingerprint, Hit, Inspector, Sought, Verdict};
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

impl Search {
    /// Looks at a stream, a chunk at a time, and says how far it is after each one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stream(
        &self,
        source: &str,
        mut from: impl Read,
        mut progress: impl FnMut(u64),
    ) -> io::Result<Vec<Found>> {
        let mut inspector = Inspector::new(self.sought.clone());
        let (mut lines, mut found, mut read) = (Lines::default(), Vec::new(), 0);
        let (mut buffer, mut out) = (vec![0; CHUNK], Vec::with_capacity(2 * CHUNK));
        loop {
            let length = from.read(&mut buffer)?;
            lines.see(&buffer[..length]);
            let mut judge = |hit: &Hit| {
                let (line, column) = lines.place(hit.offset);
                found.extend(self.found(source, Place::Bytes { line, column, offset: hit.offset }, hit));
                Verdict::Pass
            };
            out.clear();
            // Nobody says stop, so nothing stops it.
            let _never = match length {
                0 => inspector.finish(&mut out, &mut judge),
                _ => inspector.push(&buffer[..length], &mut out, &mut judge),
            };
            read += length as u64;
            progress(read);
            if length == 0 {
                return Ok(found);
            }
        }
    }

    /// Looks at some whole bytes.
    pub fn whole(&self, source: &str, place: &Place, bytes: &[u8]) -> Vec<Found> {
        let hits = self.sought.find_all(bytes);
        hits.iter().filter_map(|hit| self.found(source, place.clone(), hit)).collect()
    }

    fn found(&self, source: &str, place: Place, hit: &Hit) -> Option<Found> {
        if self.off.contains(&*hit.rule) {
            return None;
        }
        Some(Found {
            source: source.to_owned(),
            place,
            rule: hit.rule.to_string(),
            name: hit.name.to_string(),
            length: hit.length as u64,
            fingerprint: hit.fingerprint.to_string(),
            layer: (&*hit.layer != "plain").then(|| hit.layer.to_string()),
            allowed: self.allowed.contains(&(hit.rule.to_string(), hit.fingerprint)),
        })
    }
}

/// A file that cannot be looked at.
pub fn unreadable(source: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read `{}`: {error}", crate::style::neutral(source)))
}

#[cfg(test)]
mod tests;
