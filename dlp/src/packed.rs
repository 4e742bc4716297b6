//! What is compressed somewhere inside of what is sent: archives in parts of a body, and compressed data in base64 or hex, which
//! is how tools put it into JSON, forms and URLs.
//!
//! It is noticed by its first bytes, or by the letters that spell them, and unfolded as it passes: letters to bytes, bytes to
//! what they unfold to, each looked at by an [`Inspector`] of its own, [`DEPTH`] deep. What waits in there makes the letters or
//! bytes wait that it came from. Nothing can be put in its place, so a finding can only be passed or stopped.
//!
//! Whatever only looks like compressed data breaks off, and is what it is. What unfolds to too much, or is too many at once, is a
//! hit of the rule [`UNREADABLE`].

mod letters;
mod signs;
mod unfold;

use crate::alphabets::is_letter;
use crate::find::Text;
use crate::hit::{Fingerprint, Hit, Verdict};
use crate::{Inspector, Sought};
use letters::Letters;
pub(crate) use signs::begins_in;
use signs::{LONGEST_SIGN, SEARCH};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use unfold::{Kind, Unfold};

/// The rule of what cannot be looked at.
pub const UNREADABLE: &str = "unreadable";

/// Codes and compressions inside of one another: an archive in base64 in an archive in base64.
pub const DEPTH: usize = 4;

/// Streams of compressed data that are followed at once, at all depths together: one within the other, or within what looks like
/// them. Ordinary data has two for each depth, letters and what they spell; whoever wants more wants our memory.
const AT_ONCE: usize = 8;

/// What a stream may unfold to: so much, and so many times what it takes itself. A deflate stream of zeros has 1000 times.
const UNFOLDED: u64 = 64 << 20;
const RATIO: u64 = 64;

/// Bytes that are unfolded before it is noted what waits.
const PIECE: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It stands there as it is.
    Plain(Kind),
    /// Letters that stand for it.
    Base64,
    /// The same, where a run of letters begins; elsewhere the letters are too few to mean anything.
    Base64Begin,
    Hex,
}

/// What of compressed data a stream's inspector unfolds itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unfolding {
    /// All of it.
    #[default]
    Everything,
    /// What does not begin with the stream's first byte: that somebody else decodes.
    Inside,
    /// Nothing: somebody else decodes all of the stream.
    Nothing,
}

/// All of it in one stream.
pub(crate) struct Packed {
    unfolding: Unfolding,
    depth: usize,
    /// How many are open, at every depth.
    seats: Arc<AtomicUsize>,
    open: Vec<Member>,
    /// Nothing came yet, and what comes was spelled in letters: zlib may begin right there.
    may_be_zlib: bool,
    /// Where the last one ended.
    ended: Option<u64>,
}

/// One of them.
struct Member {
    /// Where it begins in the stream.
    begin: u64,
    /// Up to here nothing that came out of it waits.
    settled: u64,
    layer: Arc<str>,
    source: Source,
    inside: Inspector,
    _seat: Seat,
}

/// One of those that may be open.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(all: &Arc<AtomicUsize>) -> Option<Seat> {
        let free = |taken: usize| (taken < AT_ONCE).then_some(taken + 1);
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok().map(|_| Seat(Arc::clone(all)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Source {
    Letters(Letters),
    Data(Box<Unfold>),
}

/// Letters that spell compressed data do so within so many bytes, and go on with more of it: what stands between the files of
/// an archive is shorter.
const SURELY: u64 = 64;
const BETWEEN: u64 = 2048;

/// What became of a member.
enum Fed {
    Going,
    /// It ended so many bytes on.
    Ended(usize),
    Stopped(Box<Hit>),
}

impl Packed {
    pub(crate) fn new(unfolding: Unfolding) -> Packed {
        Packed {
            unfolding,
            depth: 0,
            seats: Arc::default(),
            open: Vec::new(),
            may_be_zlib: false,
            ended: None,
        }
    }

    fn inside(&self, letters: bool) -> Packed {
        Packed {
            unfolding: Unfolding::Everything,
            depth: self.depth + 1,
            seats: Arc::clone(&self.seats),
            open: Vec::new(),
            may_be_zlib: letters,
            ended: None,
        }
    }

    /// Takes what is new in these bytes, from `text.from` on; what stands before was seen. `base`: the place of the first byte.
    /// # Errors
    /// The hit at which the judge said stop.
    pub(crate) fn push(
        &mut self,
        text: Text<'_>,
        base: u64,
        sought: &Sought,
        judge: &mut Judge<'_>,
    ) -> Result<(), Box<Hit>> {
        let new = &text.bytes[text.from..];
        let mut still = Vec::new();
        let mut ends = Vec::new();
        for mut member in std::mem::take(&mut self.open) {
            match member.feed(new, base + text.from as u64, text.last, judge) {
                Fed::Going => still.push(member),
                Fed::Ended(at) => ends.push(text.from + at),
                Fed::Stopped(hit) => return Err(hit),
            }
        }
        if self.depth < DEPTH && self.unfolding != Unfolding::Nothing {
            for (begin, way) in self.begins(text, base) {
                // What was over before this chunk's end was followed just as well.
                let overlapping = ends.iter().filter(|end| **end > begin).count();
                let Some(seat) = Seat::take(&self.seats).filter(|_| overlapping < AT_ONCE) else {
                    let name = "more compressed data in one another than is looked at";
                    unreadable(base + begin as u64, name, judge)?;
                    continue;
                };
                let mut member = self.member(way, base + begin as u64, sought, seat);
                match member.feed(&text.bytes[begin..], base + begin as u64, text.last, judge) {
                    Fed::Going => still.push(member),
                    Fed::Ended(at) => ends.push(begin + at),
                    Fed::Stopped(hit) => return Err(hit),
                }
            }
        }
        self.may_be_zlib &= text.bytes.len() < 2;
        self.open = still;
        let ended = ends.iter().max().map(|end| base + *end as u64);
        self.ended = self.ended.max(ended);
        Ok(())
    }

    /// Whether there is anything to unfold at this place, or was shortly before.
    pub(crate) fn is_live(&self, place: u64) -> bool {
        !self.open.is_empty() || self.ended.is_some_and(|ended| place <= ended + BETWEEN)
    }

    /// From the next bytes on this is sought.
    pub(crate) fn renew(&mut self, sought: &Sought) {
        self.open.iter_mut().for_each(|member| member.inside.renew(sought.clone()));
    }

    /// From here on bytes of the stream wait for what follows.
    pub(crate) fn hold(&self) -> Option<u64> {
        self.open.iter().filter(|member| member.inside.waiting() > 0).map(|member| member.settled).min()
    }

    fn begins(&self, text: Text<'_>, base: u64) -> Vec<(usize, Way)> {
        let mut all = Vec::new();
        if self.may_be_zlib && is_zlib(text.bytes) {
            all.push((0, Way::Plain(Kind::Zlib)));
        }
        let from = text.from.saturating_sub(LONGEST_SIGN - 1);
        SEARCH.each(&text.bytes[from..], |sign, found| {
            let (begin, end, way) = (from + found.start, from + found.end, sign.way);
            let inside = begin.checked_sub(1).is_some_and(|before| is_letter(text.bytes[before]));
            let first = base == 0 && begin == 0 && matches!(way, Way::Plain(_));
            let others = first && self.unfolding == Unfolding::Inside;
            if end > text.from && !(way == Way::Base64Begin && inside) && !others {
                all.push((way.begin(text.bytes, begin), way));
            }
            false
        });
        all
    }

    fn member(&self, way: Way, begin: u64, sought: &Sought, seat: Seat) -> Member {
        let (source, layer) = match way {
            Way::Plain(kind) => (Source::Data(Box::new(Unfold::new(kind))), kind.word()),
            Way::Base64 | Way::Base64Begin => (Source::Letters(Letters::base64()), "base64"),
            Way::Hex => (Source::Letters(Letters::hex()), "base16"),
        };
        let letters = matches!(source, Source::Letters(_));
        let inside = Inspector::inside(sought.clone(), self.inside(letters));
        Member { begin, settled: begin, layer: layer.into(), source, inside, _seat: seat }
    }
}

impl Way {
    /// Where the run of whole groups begins that a sign stands in: gzip in the second alignment has one letter before its sign.
    fn begin(self, bytes: &[u8], sign: usize) -> usize {
        match self {
            Way::Base64 if matches!(bytes[sign], b'f' | b'+' | b'-') => {
                let letters = if bytes[sign] == b'f' { 3 } else { 2 };
                sign.saturating_sub(letters)
            }
            _ => sign,
        }
    }
}

fn is_zlib(bytes: &[u8]) -> bool {
    matches!(*bytes, [0x78, flags, ..] if (0x7800 + u16::from(flags)).is_multiple_of(31))
}

/// What a piece gave.
enum Piece {
    Going,
    Ended(usize),
    TooMuch(&'static str),
}

/// Whoever decides.
type Judge<'a> = dyn FnMut(&Hit) -> Verdict + 'a;

impl Member {
    fn feed(&mut self, bytes: &[u8], place: u64, last: bool, judge: &mut Judge<'_>) -> Fed {
        let mut at = 0;
        for piece in bytes.chunks(PIECE) {
            match self.feed_piece(piece, judge) {
                Err(hit) => return Fed::Stopped(hit),
                Ok(Piece::Ended(used)) => return self.end(at + used, judge),
                Ok(Piece::TooMuch(why)) => {
                    let told = unreadable(self.begin, why, judge);
                    return told.map_or_else(Fed::Stopped, |()| Fed::Ended(bytes.len()));
                }
                Ok(Piece::Going) => {}
            }
            at += piece.len();
            if self.inside.waiting() == 0 {
                self.settled = place + at as u64;
            }
        }
        if last { self.end(at, judge) } else { Fed::Going }
    }

    fn feed_piece(&mut self, piece: &[u8], judge: &mut Judge<'_>) -> Result<Piece, Box<Hit>> {
        let (begin, layer, inside) = (self.begin, &self.layer, &mut self.inside);
        let mut show = |bytes: &[u8]| {
            let mut out = Vec::with_capacity(bytes.len());
            let pushed = inside.push(bytes, &mut out, &mut |hit| judged(begin, layer, hit, judge));
            pushed.map_err(|hit| Box::new(told(begin, layer, &hit)))
        };
        match &mut self.source {
            Source::Letters(letters) => {
                let mut bytes = Vec::with_capacity(piece.len());
                let end = letters.push(piece, &mut bytes);
                show(&bytes)?;
                let nothing = letters.given() > SURELY && !inside.unfolds(letters.given());
                Ok(end.or(nothing.then_some(piece.len())).map_or(Piece::Going, Piece::Ended))
            }
            Source::Data(data) => data.push(piece, &mut show),
        }
    }

    fn end(&mut self, at: usize, judge: &mut Judge<'_>) -> Fed {
        let (begin, layer) = (self.begin, &self.layer);
        match self.inside.finish(&mut Vec::new(), &mut |hit| judged(begin, layer, hit, judge)) {
            Ok(()) => Fed::Ended(at),
            Err(hit) => Fed::Stopped(Box::new(told(begin, layer, &hit))),
        }
    }
}

/// What cannot be replaced can only be stopped.
fn judged(begin: u64, layer: &str, hit: &Hit, judge: &mut Judge<'_>) -> Verdict {
    match judge(&told(begin, layer, hit)) {
        Verdict::Redact => Verdict::Stop,
        other => other,
    }
}

/// A hit inside, as it is told outside.
fn told(begin: u64, layer: &str, hit: &Hit) -> Hit {
    let layer = if &*hit.layer == "plain" { layer.to_owned() } else { format!("{layer} {}", hit.layer) };
    Hit { offset: begin, layer: layer.into(), packed: true, ..hit.clone() }
}

fn unreadable(begin: u64, name: &str, judge: &mut Judge<'_>) -> Result<(), Box<Hit>> {
    let hit = Hit {
        rule: UNREADABLE.into(),
        name: name.into(),
        offset: begin,
        length: 0,
        fingerprint: Fingerprint::default(),
        layer: "plain".into(),
        packed: true,
    };
    if judge(&hit) == Verdict::Pass { Ok(()) } else { Err(Box::new(hit)) }
}
