//! A stream at one depth, and what it holds in a coding at the next.
use super::lines::Lines;
use super::{Listener, Place, Search};
use dlp::{Collector, Fingerprint, Fragments, Hit, Inspector, Unfolding, Verdict};
use egress::Unpacking;

/// Codings in codings that are read: as many as the engine reads where none is declared.
const DEEPEST: usize = 2;

/// Looks at bytes as they come.
pub(super) struct Depth<'a> {
    search: &'a Search,
    source: &'a str,
    /// The codings around it, the outermost first.
    codings: Vec<&'static str>,
    inspector: Inspector,
    pieces: Pieces,
    lines: Lines,
    inside: Inside<'a>,
    out: Vec<u8>,
}

enum Inside<'a> {
    /// The first bytes have not shown it yet.
    Unsettled(Vec<u8>),
    Plain,
    Coded(Box<(Unpacking, Depth<'a>)>),
}

impl<'a> Depth<'a> {
    pub(super) fn new(search: &'a Search, source: &'a str) -> Depth<'a> {
        Depth::within(search, source, Vec::new())
    }

    fn within(search: &'a Search, source: &'a str, codings: Vec<&'static str>) -> Depth<'a> {
        // What a file is in is unfolded here, as it is said of a request's body; what stands inside of it by its inspector.
        let unfolding = if codings.len() < DEEPEST { Unfolding::Inside } else { Unfolding::Everything };
        Depth {
            search,
            source,
            codings,
            inspector: Inspector::beside(search.sought.clone(), unfolding),
            pieces: Pieces::new(&search.pieces),
            lines: Lines::default(),
            inside: Inside::Unsettled(Vec::new()),
            out: Vec::new(),
        }
    }

    /// The next bytes, of which there are some.
    pub(super) fn push(&mut self, chunk: &[u8], listener: &mut dyn Listener) {
        self.look(chunk, false, listener);
        let chunk = match &mut self.inside {
            Inside::Plain => return,
            Inside::Coded(_) => chunk.to_vec(),
            Inside::Unsettled(start) => {
                start.extend_from_slice(chunk);
                if start.len() < Unpacking::SNIFFED {
                    return;
                }
                let start = std::mem::take(start);
                self.settle(&start);
                start
            }
        };
        let Inside::Coded(coded) = &mut self.inside else { return };
        let (unpacking, inner) = &mut **coded;
        let unpacked = unpacking.push(&chunk, &mut |piece| inner.push(piece, listener));
        if unpacked.is_err() {
            // What it was until then was looked at; what it is besides was looked at as it stands.
            inner.finish(listener);
            self.inside = Inside::Plain;
        }
    }

    /// The end.
    pub(super) fn finish(&mut self, listener: &mut dyn Listener) {
        self.look(&[], true, listener);
        if let Inside::Coded(coded) = &mut self.inside {
            let (unpacking, inner) = &mut **coded;
            let _cut_short = unpacking.finish(&mut |piece| inner.push(piece, listener));
            inner.finish(listener);
        }
        for (place, hit) in self.pieces.put_together() {
            self.search.tell(self.source, place, &self.codings, &hit, listener);
        }
    }

    fn settle(&mut self, start: &[u8]) {
        let unpacking = Unpacking::of(start).filter(|_| self.codings.len() < DEEPEST);
        self.inside = unpacking.map_or(Inside::Plain, |unpacking| {
            let codings = [&self.codings[..], &[unpacking.name()]].concat();
            Inside::Coded(Box::new((unpacking, Depth::within(self.search, self.source, codings))))
        });
    }

    fn look(&mut self, chunk: &[u8], last: bool, listener: &mut dyn Listener) {
        let Depth { search, source, codings, inspector, pieces, lines, out, .. } = self;
        lines.see(chunk);
        pieces.see(chunk, last, lines);
        let mut judge = |hit: &Hit| {
            pieces.whole(hit);
            search.tell(source, place(lines, hit), codings, hit, listener);
            Verdict::Pass
        };
        out.clear();
        // Nobody says stop, so nothing stops it.
        let _never = match last {
            true => inspector.finish(out, &mut judge),
            false => inspector.push(chunk, out, &mut judge),
        };
    }
}

fn place(lines: &Lines, hit: &Hit) -> Place {
    let (line, column) = lines.place(hit.offset);
    Place::Bytes { line, column, offset: hit.offset }
}

/// Values that are remembered as whole ones.
const WHOLE: usize = 1024;

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

    fn see(&mut self, chunk: &[u8], last: bool, lines: &Lines) {
        let hit = if last { self.flow.finish() } else { self.flow.push(chunk) };
        let new = hit.filter(|hit| self.found.iter().all(|(_, other)| other.fingerprint != hit.fingerprint));
        self.found.extend(new.map(|hit| (place(lines, &hit), hit)));
    }

    fn whole(&mut self, hit: &Hit) {
        if !self.whole.contains(&hit.fingerprint) && self.whole.len() < WHOLE {
            self.whole.push(hit.fingerprint);
        }
    }

    fn put_together(&mut self) -> Vec<(Place, Hit)> {
        let found = std::mem::take(&mut self.found);
        found.into_iter().filter(|(_, hit)| !self.whole.contains(&hit.fingerprint)).collect()
    }
}
