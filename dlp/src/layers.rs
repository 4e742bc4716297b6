//! What a receiver reads where bytes are encoded: each code undone, and for every byte the place it came from.
//!
//! | layer | how it is noticed |
//! |---|---|
//! | base64, base64url (any alignment, padded or not, wrapped or not) | 20 letters in a row that decode to text somewhere |
//! | base32 (either case, padded or not) | 24 letters in a row, likewise |
//! | base16 | 24 digits in a row, likewise |
//! | ascii85 (Adobe's, btoa's), base85 of RFC 1924 and of ZeroMQ | 25 letters in a row that decode to text |
//! | quoted-printable | two escapes near each other, one escaped `=`, or a soft line break |
//! | UTF-16 and UTF-32, both byte orders | 8 characters in a row that are ASCII, look like it, or are not seen at all |
//! | reversed | 20 to 1024 letters of base64 in a row, read from their end |
//! | escapes under escapes | what is unescaped has escapes again |
//! | escapes of one format | eight of them near each other: what the others would take for signs is as it is |
//!
//! Under each layer stand the escapes that `view` reads (percent, JSON, HTML, invisible and look-alike characters), and layers
//! stand in layers, [`DEPTH`] deep. The alignment of a run is never assumed: a run is decoded from each place where three
//! groups in a row are ASCII, which random letters are once in some hundred places, so that images and archives cost next
//! to nothing.
//!
//! Nothing is kept from call to call. Whoever streams hands over the last [`CONTEXT`] bytes that went out once more, before
//! those that wait: a run that began in them is seen again, and what it holds open is mapped to the bytes that wait.
//!
//! Not read here: compression inside of a code (see `packed`), codes with separators of their own, ciphers.

mod ascii85;
mod bits;
pub(crate) mod escapes;
mod peeled;
mod quoted;
mod reading;
mod runs;
#[cfg(test)]
mod tests;
mod wide;

use crate::find::Text;
use crate::masks::Masks;
use crate::survey::Survey;
use crate::view::View;
use reading::Reading;
use std::fmt;
use std::ops::Range;

/// Layers within layers that are read.
pub const DEPTH: usize = 3;

/// Bytes that went out already and are looked at again, in bytes: more than a run at the deepest depth takes to be noticed.
pub(crate) const CONTEXT: usize = 1024;

/// Of a replacement that must not shift what follows: tried with so many more bytes.
const FILLS: usize = 15;
const FILL: u8 = b'.';

/// A way to read encoded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// base64 or base64url.
    Base64,
    /// base32, in either case.
    Base32,
    /// Hexadecimal digits.
    Base16,
    /// ascii85 or base85.
    Base85,
    /// Quoted-printable.
    Quoted,
    /// UTF-16 or UTF-32.
    Wide,
    /// From the end.
    Reversed,
    /// Percent, JSON or HTML escapes, under others.
    Escaped,
}

impl Layer {
    fn word(self) -> &'static str {
        match self {
            Layer::Base64 => "base64",
            Layer::Base32 => "base32",
            Layer::Base16 => "base16",
            Layer::Base85 => "base85",
            Layer::Quoted => "quoted-printable",
            Layer::Wide => "wide",
            Layer::Reversed => "reversed",
            Layer::Escaped => "escaped",
        }
    }
}

/// The layers through which something was read, the outermost first; none for what stands there as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Layers {
    list: [Option<Layer>; DEPTH],
}

impl Layers {
    /// Whether nothing had to be decoded.
    pub fn is_empty(&self) -> bool {
        self.list[0].is_none()
    }

    fn depth(self) -> usize {
        self.list.iter().flatten().count()
    }

    fn with(mut self, layer: Layer) -> Layers {
        if let Some(slot) = self.list.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(layer);
        }
        self
    }

    pub(crate) fn last(self) -> Option<Layer> {
        self.list.iter().flatten().last().copied()
    }
}

/// `base64`, or `base64 base16` for digits inside of base64.
impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, layer) in self.list.iter().flatten().enumerate() {
            let between = if at == 0 { "" } else { " " };
            write!(f, "{between}{}", layer.word())?;
        }
        Ok(())
    }
}

/// What a search saw in the bytes of one reading.
pub(crate) struct Sight<T> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) what: T,
    /// What is to stand there instead.
    pub(crate) replacement: Vec<u8>,
}

/// A search: the bytes of a reading, how it was come by, where to put what is seen.
pub(crate) type Seek<'a, T> = dyn FnMut(Text<'_>, Layers, &mut Vec<Sight<T>>) -> Searched + 'a;

/// What else a search tells.
pub(crate) struct Searched {
    /// Where something may have begun, or the end.
    pub(crate) hold: usize,
    /// Of the bytes; what is read from its end needs none.
    pub(crate) survey: Option<Survey>,
}

/// Something that stands in a layer, in places of the source.
pub(crate) struct Found<T> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) what: T,
    pub(crate) layers: Layers,
    /// Otherwise what follows tells whether it stands there.
    pub(crate) sure: bool,
    /// What may stand there instead, in the code of the layers; the first one is the best, and the last one always fits.
    replacements: Vec<Replacement>,
}

#[derive(Clone)]
struct Replacement {
    start: usize,
    end: usize,
    bytes: Vec<u8>,
}

impl<T> Found<T> {
    /// Where what is put in its place begins and ends, and the bytes of it. Alignment may take a few letters around it.
    pub(crate) fn replacement(&self) -> (Range<usize>, &[u8]) {
        match self.replacements.first() {
            Some(best) => (best.start..best.end, &best.bytes),
            None => (self.start..self.end, b""),
        }
    }
}

/// What all layers of some bytes gave.
pub(crate) struct Seen<T> {
    /// In no order; one thing may be found by several readings.
    pub(crate) finds: Vec<Found<T>>,
    /// Where something may have begun, or the end.
    pub(crate) hold: usize,
}

/// Looks through every layer of these bytes, which `survey` is of. `last`: nothing follows them.
pub(crate) fn look<T>(bytes: &[u8], survey: Option<&Survey>, last: bool, seek: &mut Seek<'_, T>) -> Seen<T> {
    look_within(bytes, survey, last, Layers::default(), seek)
}

fn look_within<T>(
    bytes: &[u8],
    survey: Option<&Survey>,
    last: bool,
    layers: Layers,
    seek: &mut Seek<'_, T>,
) -> Seen<T> {
    let mut looker = Looker { layers, seek, seen: Seen { finds: Vec::new(), hold: bytes.len() } };
    let plain = Outer { view: None, source: bytes };
    let Some(survey) = survey.filter(|_| layers.last() != Some(Layer::Reversed)) else {
        // It is one run of letters.
        bits::each(bytes, 0..bytes.len(), false, &mut |reading| looker.read(&reading, &plain));
        return looker.seen;
    };
    looker.lines(bytes, &survey.masks, last, &plain);
    match &survey.view {
        None => looker.text(bytes, &survey.masks, last, &plain),
        Some(view) => looker.unescaped(survey, view, last, &plain),
    }
    looker.seen
}

struct Looker<'l, 's, T> {
    layers: Layers,
    seek: &'l mut Seek<'s, T>,
    seen: Seen<T>,
}

impl<T> Looker<'_, '_, T> {
    /// What goes across blanks and zeros.
    fn lines(&mut self, text: &[u8], masks: &Masks, last: bool, outer: &Outer<'_>) {
        wide::each(text, last, &mut |reading| self.read(&reading, outer));
        quoted::each(text, masks, last, &mut |reading| self.read(&reading, outer));
    }

    /// As the receiver unescapes it, and what is escaped once more.
    fn unescaped(&mut self, survey: &Survey, view: &View, last: bool, plain: &Outer<'_>) {
        let masks = survey.read();
        let outer = Outer { view: Some(view), source: plain.source };
        let text = view.text(plain.source);
        if view.is_changed() {
            self.lines(text, masks, last, &outer);
            if View::would_change(text, masks, last) {
                self.read(&reading::escaped(text, !last), &outer);
            }
            self.with_signs(survey, view, last, plain);
            peeled::each(plain.source, &survey.masks, last, &mut |reading| self.read(&reading, plain));
            self.reversed_beside_breaks(view, text, &outer);
        }
        self.text(text, masks, last, &outer);
    }

    /// Stretches without blanks, decoded in every way.
    fn text(&mut self, text: &[u8], masks: &Masks, last: bool, outer: &Outer<'_>) {
        for region in runs::promising(text, masks) {
            let open = !last && region.end == text.len();
            let mut rest = region.start;
            for run in runs::letters(text, region.clone()) {
                let open = open && run.end == text.len();
                bits::each(text, run.clone(), open, &mut |reading| self.read(&reading, outer));
                if run.len() <= runs::REVERSED_MOST {
                    self.read(&reading::reversed(text, run.clone()), outer);
                }
                if run.len() >= runs::SURELY_LETTERS {
                    ascii85::each(text, rest..run.start, false, &mut |reading| self.read(&reading, outer));
                    rest = run.end;
                }
            }
            ascii85::each(text, rest..region.end, open, &mut |reading| self.read(&reading, outer));
        }
    }

    /// A break that was dropped may be the end of what stands there: the line before the first one and the one behind the last
    /// one are read from their ends too.
    fn reversed_beside_breaks(&mut self, view: &View, text: &[u8], outer: &Outer<'_>) {
        let mut breaks = view.breaks().peekable();
        while let Some(first) = breaks.next() {
            let mut last = first;
            while let Some(next) = breaks.next_if(|next| runs::are_all_letters(text, last..*next)) {
                last = next;
            }
            let runs = [runs::letters_before(text, first), runs::letters_behind(text, last)];
            for run in runs.into_iter().flatten() {
                self.read(&reading::reversed(text, run), outer);
            }
        }
    }

    /// Some letters of ascii85 are signs of escapes elsewhere: it is read without the view too, and as one format
    /// alone escapes it. A stretch that stands in the view as it is, without any such sign, is read there.
    fn with_signs(&mut self, survey: &Survey, view: &View, last: bool, outer: &Outer<'_>) {
        let bytes = outer.source;
        for region in runs::beside_signs(bytes, &survey.masks, view.changes(bytes)) {
            let open = !last && region.end == bytes.len();
            let mut rest = region.start;
            for run in runs::many_letters(bytes, region.clone()) {
                self.ascii85(bytes, rest..run.start, false, outer);
                rest = run.end;
            }
            self.ascii85(bytes, rest..region.end, open, outer);
        }
    }

    fn ascii85(&mut self, bytes: &[u8], part: Range<usize>, open: bool, outer: &Outer<'_>) {
        if !ascii85::has_room(bytes, part.clone()) {
            return;
        }
        ascii85::each(bytes, part.clone(), open, &mut |reading| self.read(&reading, outer));
        ascii85::escaped(bytes, part, open, &mut |reading| self.read(&reading, outer));
    }

    fn read(&mut self, reading: &Reading, outer: &Outer<'_>) {
        let layers = self.layers.with(reading.layer);
        let mut sights = Vec::new();
        let Searched { mut hold, survey } = (self.seek)(reading.text(), layers, &mut sights);
        for sight in sights {
            let found = self::found(sight, layers, reading.sure);
            self.seen.finds.push(outer.lift(reading.lift(found)));
        }
        if layers.depth() < DEPTH {
            let deeper = look_within(&reading.bytes, survey.as_ref(), !reading.open, layers, self.seek);
            hold = hold.min(deeper.hold);
            for mut found in deeper.finds {
                found.sure &= reading.sure;
                self.seen.finds.push(outer.lift(reading.lift(found)));
            }
        }
        if reading.open && hold < reading.bytes.len() {
            self.seen.hold = self.seen.hold.min(outer.source(reading.source(hold)));
        }
    }
}

/// In places of the innermost reading, with every replacement that may turn out to fit.
fn found<T>(sight: Sight<T>, layers: Layers, sure: bool) -> Found<T> {
    let Sight { start, end, what, replacement } = sight;
    let replacements = (0..=FILLS).map(|fill| {
        let mut bytes = replacement.clone();
        bytes.resize(bytes.len() + fill, FILL);
        Replacement { start, end, bytes }
    });
    Found { start, end, what, layers, sure, replacements: replacements.collect() }
}

impl Reading {
    /// From places of the reading to places of what was decoded.
    fn lift<T>(&self, mut found: Found<T>) -> Found<T> {
        let plain = found.replacements.first().map(|first| first.bytes.clone()).unwrap_or_default();
        let fits = found.replacements.iter().filter_map(|replacement| self.encode(replacement));
        found.replacements = fits.collect();
        let sources = self.sources(found.start..found.end);
        (found.start, found.end) = (sources.start, sources.end);
        if found.replacements.is_empty() {
            let whole = Replacement { start: found.start, end: found.end, bytes: plain };
            found.replacements.push(whole);
        }
        found
    }

    fn encode(&self, replacement: &Replacement) -> Option<Replacement> {
        let (range, bytes) = self.rewrite(replacement.start..replacement.end, &replacement.bytes)?;
        Some(Replacement { start: range.start, end: range.end, bytes })
    }
}

/// What a text is the view of.
struct Outer<'a> {
    view: Option<&'a View>,
    source: &'a [u8],
}

impl Outer<'_> {
    fn source(&self, at: usize) -> usize {
        self.view.map_or(at, |view| view.floor(view.source(at)))
    }

    fn source_end(&self, end: usize) -> usize {
        self.view.map_or(end, |view| view.source_end(end))
    }

    fn lift<T>(&self, mut found: Found<T>) -> Found<T> {
        found.start = self.source(found.start);
        found.end = self.source_end(found.end);
        for replacement in &mut found.replacements {
            replacement.start = self.source(replacement.start);
            replacement.end = self.source_end(replacement.end);
            self.escape(replacement);
        }
        found
    }

    /// As it was spelled there.
    fn escape(&self, replacement: &mut Replacement) {
        let replaced = self.source.get(replacement.start..replacement.end).unwrap_or_default();
        if self.view.is_some() {
            replacement.bytes = escapes::like(replaced, &replacement.bytes);
        }
    }
}
