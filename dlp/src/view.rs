//! What a receiver reads where the bytes are escaped: percent, JSON and HTML escapes resolved, invisible characters
//! dropped, look-alikes of ASCII characters (Cyrillic, Greek, full-width, mathematical, tags) taken for what they look like,
//! and for every byte the place it came from.
//!
//! So are single line breaks behind a long run of letters, however they are escaped: MIME, PEM, `base64` and the APIs of
//! code hosts wrap what they encode, and a break may fall into a value.
//!
//! Lenient on purpose: percent signs and digits may be escaped themselves (twice), backslashes doubled, the notations mixed and
//! nested (`%5Cu0041`). Values are brought to the same form before they are sought, so leniency costs no match.
pub(crate) mod alike;
mod cursor;
mod reader;
mod signs;

use crate::alphabets::is_letter;
use crate::masks::Masks;
use reader::Reader;
use signs::Signs;
pub(crate) use signs::is_sign;
use std::ops::Range;

/// So many letters of base64 before a line break make it a wrapped line, of which there is no shorter one. Words are shorter:
/// the end of a line of text is no beginning of anything, and need not wait.
const WRAPPED: usize = 16;

/// An escape and what it stands for. Texts are full of them, so they are small.
struct Token {
    source: usize,
    at: usize,
    /// Bytes of the escape: some hundreds where it is nested as deep as it is read.
    source_len: u32,
    /// Bytes that it stands for: a character has four at most.
    len: u8,
    line_break: Option<u8>,
}

impl Token {
    fn source_end(&self) -> usize {
        self.source + self.source_len as usize
    }
    fn end(&self) -> usize {
        self.at + usize::from(self.len)
    }
}

/// What stands before some bytes, as far as it matters for how a line break at their beginning is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Before {
    /// Letters of base64, counted up to those that make a wrapped line.
    letters: usize,
    /// The sign of a line break right there that was dropped.
    broken: Option<u8>,
}

/// Inside of a wrapped line.
const WITHIN: Before = Before { letters: WRAPPED, broken: None };

impl Before {
    /// After bytes that are read as they are.
    pub(crate) fn after(self, bytes: &[u8]) -> Before {
        let broken = if bytes.is_empty() { self.broken } else { None };
        Before { letters: letters_behind(bytes, self.letters), broken }
    }
}

/// Bytes as read by the receiver.
pub(crate) struct View {
    /// Empty for as long as nothing was more than itself: then they are the source.
    bytes: Vec<u8>,
    /// Source bytes that were read; behind them stands the beginning of an escape.
    pub(crate) read: usize,
    tokens: Vec<Token>,
    before: Before,
}

impl View {
    /// `None` when nothing looks escaped: the receiver reads the bytes as they are.
    pub(crate) fn of(source: &[u8], before: Before, last: bool) -> Option<View> {
        Reader::new(source, before, last).read_all(Signs::of(source), false)
    }

    /// As [`View::of`], with the masks of these bytes.
    pub(crate) fn with(source: &[u8], masks: &Masks, before: Before, last: bool) -> Option<View> {
        Reader::new(source, before, last).read_all(Signs::with(source, masks), false)
    }

    /// Whether a view of these bytes, of which these are the masks, would be changed.
    pub(crate) fn would_change(source: &[u8], masks: &Masks, last: bool) -> bool {
        let view = Reader::new(source, Before::default(), last).read_all(Signs::with(source, masks), true);
        view.is_some_and(|view| view.is_changed())
    }

    /// Its bytes; `source` are those that it is the view of.
    pub(crate) fn text<'a>(&'a self, source: &'a [u8]) -> &'a [u8] {
        if self.is_changed() { &self.bytes } else { &source[..self.read] }
    }

    /// Whether anything was more than itself.
    pub(crate) fn is_changed(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The places where line breaks were dropped.
    pub(crate) fn breaks(&self) -> impl Iterator<Item = usize> + '_ {
        self.tokens.iter().filter(|token| token.line_break.is_some()).map(|token| token.at)
    }

    /// Whether its bytes are others, or fewer.
    pub(crate) fn differs_from(&self, source: &[u8]) -> bool {
        self.is_changed() || self.read < source.len()
    }

    /// Where the byte at this place of the view came from.
    pub(crate) fn source(&self, at: usize) -> usize {
        match self.last_token(|token| token.at <= at) {
            None => at,
            Some(token) if at < token.end() => token.source,
            Some(token) => token.source_end() + (at - token.end()),
        }
    }

    /// Where the source of the byte before this place of the view ends.
    pub(crate) fn source_end(&self, end: usize) -> usize {
        let Some(at) = end.checked_sub(1) else { return 0 };
        match self.last_token(|token| token.at <= at) {
            Some(token) if at < token.end() => token.source_end(),
            _ => self.source(at) + 1,
        }
    }

    /// Where this source byte went.
    pub(crate) fn place(&self, source: usize) -> usize {
        match self.last_token(|token| token.source < source) {
            None => source,
            Some(token) => token.end() + source.saturating_sub(token.source_end()),
        }
    }

    /// Where in the source these bytes of the view stand as they are, one behind the other.
    pub(crate) fn unchanged(&self, range: Range<usize>) -> Option<usize> {
        let before = self.tokens.partition_point(|token| token.at <= range.start);
        let cut = self.tokens.get(before).is_some_and(|next| next.at < range.end);
        let Some(last) = before.checked_sub(1).map(|last| &self.tokens[last]) else {
            return (!cut).then_some(range.start);
        };
        (!cut && range.start >= last.end()).then(|| last.source_end() + (range.start - last.end()))
    }

    /// The source of everything that was more than itself, and what was not read.
    pub(crate) fn changes(&self, source: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let tokens = self.tokens.iter().map(|token| token.source..token.source_end());
        tokens.chain((self.read < source.len()).then_some(self.read..source.len()))
    }

    /// Where in the view everything stands that was more than itself; nothing, where it was dropped.
    pub(crate) fn touched(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.tokens.iter().map(|token| token.at..token.end())
    }

    /// What stands before the byte at this place of the source.
    pub(crate) fn before(&self, source: &[u8], at: usize) -> Before {
        if at == 0 {
            return self.before;
        }
        let token = self.last_token(|token| token.source < at);
        let broken = token.filter(|token| token.source_end() == at).and_then(|token| token.line_break);
        let text = self.text(source);
        let place = self.place(at).min(text.len());
        Before { letters: letters_behind(&text[..place], self.before.letters), broken }
    }

    /// Back to the beginning of the escape that this source byte is part of.
    pub(crate) fn floor(&self, source: usize) -> usize {
        match self.last_token(|token| token.source < source) {
            Some(token) if source < token.source_end() => token.source,
            _ => source,
        }
    }

    fn last_token(&self, before: impl Fn(&Token) -> bool) -> Option<&Token> {
        let count = self.tokens.partition_point(before);
        count.checked_sub(1).map(|last| &self.tokens[last])
    }
}

/// The forms in which a value is sought in views: as it is and with control characters escaped as `\n` (of which a view
/// keeps the letter, or nothing), each inside of wrapped lines and outside.
pub(crate) fn readings(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let texts =
        [value.to_vec(), lettered(value), value.iter().copied().filter(|byte| *byte != b'\\').collect()];
    texts.into_iter().flat_map(|text| [Before::default(), WITHIN].map(|before| reading(&text, before)))
}

fn reading(value: &[u8], before: Before) -> Vec<u8> {
    View::of(value, before, true).map_or_else(|| value.to_vec(), |view| view.text(value).to_vec())
}

fn lettered(value: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\r' => escaped.extend_from_slice(b"\\r"),
            b'\t' => escaped.extend_from_slice(b"\\t"),
            other => escaped.push(*other),
        }
    }
    escaped
}

/// The run of letters at the end of these bytes, which follow so many others; counted as far as it matters.
fn letters_behind(bytes: &[u8], before: usize) -> usize {
    let run = bytes.iter().rev().take(WRAPPED).take_while(|byte| is_letter(**byte)).count();
    if run == bytes.len() { WRAPPED.min(run + before) } else { run }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        String::from_utf8(reading(text.as_bytes(), Before::default())).unwrap()
    }

    #[test]
    fn escapes_of_every_kind_are_read() {
        for text in [
            "%41",
            "%2541",
            "%252541",
            "\\u0041",
            "\\u0041",
            "\\x41",
            "&#65;",
            "&#x41;",
            "%5Cu0041",
            "\\\\u0041",
            "&#x000041;",
            "%26%2365%3b",
            "A\u{200b}",
            "\u{feff}A",
            "\\u00%34%31",
            "\u{ff21}",
            "\u{0410}",
            "%D0%90",
            "\\u0410",
            "&#x391;",
            "\\u200bA",
            "\u{e0041}",
            "%F0%9D%90%80",
        ] {
            assert_eq!(read(text), "A", "{text}");
        }
    }

    #[test]
    fn text_without_escapes_needs_no_view() {
        assert!(View::of(b"plain {\"json\":1};\n}\r\n", Before::default(), false).is_none());
    }

    #[test]
    fn places_lead_back_to_the_source() {
        let view = View::of(b"ab%41cd\\u0042ef", Before::default(), true).unwrap();
        assert_eq!(view.text(b"ab%41cd\\u0042ef"), b"abAcdBef");
        let sources: Vec<usize> = (0..=8).map(|at| view.source(at)).collect();
        assert_eq!(sources, [0, 1, 2, 5, 6, 7, 13, 14, 15]);
        assert_eq!(view.floor(4), 2);
        assert_eq!(view.place(13), 6);
    }

    #[test]
    fn an_unfinished_escape_waits_for_its_rest() {
        for (text, read) in
            [("ab%4", 2), ("ab\\u00", 2), ("ab&#6", 2), ("ab\\", 2), ("ab%25", 2), ("ab\\u", 2)]
        {
            assert_eq!(View::of(text.as_bytes(), Before::default(), false).unwrap().read, read, "{text}");
            assert_eq!(
                View::of(text.as_bytes(), Before::default(), true).unwrap().read,
                text.len(),
                "{text}"
            );
        }
    }

    #[test]
    fn runs_of_invisible_characters_have_an_end() {
        assert_eq!(read(&"\u{200b}".repeat(3)), "");
        assert!(!read(&"\u{200b}".repeat(40)).is_empty());
    }

    #[test]
    fn a_line_break_inside_of_wrapped_lines_is_none() {
        let line = "MIIEvQIBADANBgkq";
        for end in ["\n", "\r\n", "\\n", "\\r\\n", "\\\\n", "%0A", "%0d%0a", "\\u000a", "&#10;", "%5Cn"] {
            assert_eq!(read(&format!("{line}{end}{line}{end}b")), format!("{line}{line}b"), "{end}");
        }
        assert_eq!(read(&format!("{line}\n\nb")), format!("{line}\nb"), "one only");
        assert_eq!(read("words\nb%41"), "words\nbA");
        assert_eq!(read("words\\nb"), "wordsnb");
    }

    #[test]
    fn a_line_break_does_not_wait_for_what_follows() {
        let line = b"MIIEvQIBADANBgkq\n";
        assert_eq!(View::of(line, Before::default(), false).unwrap().read, line.len());
        assert!(View::of(&line[1..], Before::default(), false).is_none());
        assert_eq!(
            View::of(&line[1..], Before { letters: 1, broken: None }, false).unwrap().text(&line[1..]),
            &line[1..16]
        );
        let before = View::of(line, Before::default(), false).unwrap().before(line, line.len());
        assert_eq!(before, Before { letters: WRAPPED, broken: Some(b'\n') });
        assert_eq!(
            View::of(b"\nab%41", before, false).unwrap().text(b"\nab%41"),
            b"\nabA",
            "the second one of two"
        );
    }
}
