//! What a receiver reads where the bytes are escaped: percent, JSON and HTML escapes resolved, invisible characters
//! dropped, and for every byte the place it came from.
//!
//! So are single line breaks behind a long run of letters, however they are escaped: MIME, PEM, `base64` and the APIs of
//! code hosts wrap what they encode, and a break may fall into a value.
//!
//! Lenient on purpose: percent signs and digits may be escaped themselves (twice), backslashes doubled, the notations mixed and
//! nested (`%5Cu0041`). Values are brought to the same form before they are sought, so leniency costs no match.

/// `%252541` is still an `A`: once as it is, twice more as an escape of an escape.
const PERCENT_DEPTH: usize = 3;
/// JSON inside JSON inside JSON inside JSON; of a longer run of backslashes one is kept.
const BACKSLASH_RUN: usize = 16;
/// Of more invisible characters in a row something is kept: what a stream holds back must have an end.
const INVISIBLE_RUN: usize = 16;
/// So many letters of base64 before a line break make it a wrapped line, of which there is no shorter one. Words are shorter:
/// the end of a line of text is no beginning of anything, and need not wait.
const WRAPPED: usize = 16;
/// `&#x0010ffff;`
const ENTITY_NAME: usize = 10;

/// Bytes that can begin an escape, an invisible character or a line break.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let special = [b'%', b'\\', b'&', b'\n', b'\r', 0xE2, 0xEF, 0xC2];
    let mut at = 0;
    while at < special.len() {
        table[special[at] as usize] = true;
        at += 1;
    }
    table
};

/// An escape and what it stands for.
struct Token {
    source: usize,
    source_end: usize,
    at: usize,
    end: usize,
    line_break: Option<u8>,
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
    pub(crate) bytes: Vec<u8>,
    /// Source bytes that were read; behind them stands the beginning of an escape.
    pub(crate) read: usize,
    tokens: Vec<Token>,
    before: Before,
    /// The sign of the line break that was dropped right before.
    broken: Option<u8>,
}

impl View {
    /// `None` when nothing is escaped: the receiver reads the bytes as they are.
    pub(crate) fn of(source: &[u8], before: Before, last: bool) -> Option<View> {
        let first = first_special(source, before.letters)?;
        let bytes = Vec::with_capacity(source.len());
        let mut view = View { bytes, read: 0, tokens: Vec::new(), before, broken: before.broken };
        view.copy(source, first);
        while view.read < source.len() && view.step(source, last) {}
        Some(view)
    }

    /// Where the byte at this place of the view came from.
    pub(crate) fn source(&self, at: usize) -> usize {
        match self.last_token(|token| token.at <= at) {
            None => at,
            Some(token) if at < token.end => token.source,
            Some(token) => token.source_end + (at - token.end),
        }
    }

    /// Where the source of the byte before this place of the view ends.
    pub(crate) fn source_end(&self, end: usize) -> usize {
        let Some(at) = end.checked_sub(1) else { return 0 };
        match self.last_token(|token| token.at <= at) {
            Some(token) if at < token.end => token.source_end,
            _ => self.source(at) + 1,
        }
    }

    /// Where this source byte went.
    pub(crate) fn place(&self, source: usize) -> usize {
        match self.last_token(|token| token.source < source) {
            None => source,
            Some(token) => token.end + source.saturating_sub(token.source_end),
        }
    }

    /// What stands before this source byte.
    pub(crate) fn before(&self, source: usize) -> Before {
        if source == 0 {
            return self.before;
        }
        let token = self.last_token(|token| token.source < source);
        let broken = token.filter(|token| token.source_end == source).and_then(|token| token.line_break);
        let place = self.place(source).min(self.bytes.len());
        Before { letters: letters_behind(&self.bytes[..place], self.before.letters), broken }
    }

    /// Back to the beginning of the escape that this source byte is part of.
    pub(crate) fn floor(&self, source: usize) -> usize {
        match self.last_token(|token| token.source < source) {
            Some(token) if source < token.source_end => token.source,
            _ => source,
        }
    }

    fn last_token(&self, before: impl Fn(&Token) -> bool) -> Option<&Token> {
        let count = self.tokens.partition_point(before);
        count.checked_sub(1).map(|last| &self.tokens[last])
    }

    /// One escape and the plain bytes behind it; false when the escape is not whole yet.
    fn step(&mut self, source: &[u8], last: bool) -> bool {
        let mut cursor = Cursor { source, at: self.read, last };
        let Ok(meaning) = cursor.token(|sign| self.joins(sign)) else { return false };
        self.broken = meaning.line_break();
        let at = self.bytes.len();
        self.bytes.extend_from_slice(meaning.as_bytes());
        let token = Token {
            source: self.read,
            source_end: cursor.at,
            at,
            end: self.bytes.len(),
            line_break: self.broken,
        };
        if token.source_end - token.source != token.end - token.at {
            self.tokens.push(token);
        }
        self.read = cursor.at;
        let plain_end = next_special(source, self.read).unwrap_or(source.len());
        self.copy(source, plain_end);
        true
    }

    fn copy(&mut self, source: &[u8], end: usize) {
        if end > self.read {
            self.bytes.extend_from_slice(&source[self.read..end]);
            self.broken = None;
        }
        self.read = end;
    }

    /// Whether a line break joins two lines of something wrapped. One only: behind two there is something new, and in
    /// streams of events the second one is the end.
    fn joins(&self, sign: u8) -> bool {
        let single = self.broken.is_none_or(|before| (before, sign) == (b'\r', b'\n'));
        single && letters_behind(&self.bytes, self.before.letters) >= WRAPPED
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
    View::of(value, before, true).map_or_else(|| value.to_vec(), |view| view.bytes)
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

/// Most bytes hold no escape at all, and this is quick to see.
fn first_special(source: &[u8], letters: usize) -> Option<usize> {
    let escape = memchr::memchr3(b'%', b'\\', b'&', source);
    let before = &source[..escape.unwrap_or(source.len())];
    let special = memchr::memchr3(0xE2, 0xEF, 0xC2, before).or(escape);
    let before = &source[..special.unwrap_or(source.len())];
    let wrapped = |at: &usize| letters_behind(&before[..*at], letters) >= WRAPPED;
    memchr::memchr2_iter(b'\n', b'\r', before).find(wrapped).or(special)
}

/// The run of letters at the end of these bytes, which follow so many others; counted as far as it matters.
fn letters_behind(bytes: &[u8], before: usize) -> usize {
    let run = bytes.iter().rev().take(WRAPPED).take_while(|byte| is_letter(**byte)).count();
    if run == bytes.len() { WRAPPED.min(run + before) } else { run }
}

/// What lines of base64, base64url, base32 and hex are made of.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn next_special(source: &[u8], from: usize) -> Option<usize> {
    let found = source[from..].iter().position(|byte| SPECIAL[usize::from(*byte)])?;
    Some(from + found)
}

/// The escape is not whole yet.
struct Open;

/// Up to four bytes.
struct Meaning {
    bytes: [u8; 4],
    len: usize,
}

impl Meaning {
    const NOTHING: Meaning = Meaning { bytes: [0; 4], len: 0 };

    fn byte(byte: u8) -> Meaning {
        Meaning { bytes: [byte, 0, 0, 0], len: 1 }
    }
    /// A backslash that was spelled in some way means as little as a plain one.
    fn character(character: char) -> Meaning {
        if character == '\\' {
            return Meaning::NOTHING;
        }
        let mut bytes = [0; 4];
        let len = character.encode_utf8(&mut bytes).len();
        Meaning { bytes, len }
    }
    /// Nothing, but a line break.
    fn dropped(sign: u8) -> Meaning {
        Meaning { bytes: [sign, 0, 0, 0], len: 0 }
    }
    fn line_break(&self) -> Option<u8> {
        let [sign, ..] = self.bytes;
        (self.len == 0 && is_break(sign)).then_some(sign)
    }
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Reads units: bytes, or percent escapes of bytes. At the end of the last bytes an unfinished escape is plain text.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    source: &'a [u8],
    at: usize,
    last: bool,
}

impl Cursor<'_> {
    /// `joins`: whether this line break is to be dropped.
    fn token(&mut self, joins: impl Fn(u8) -> bool) -> Result<Meaning, Open> {
        let Some(first) = self.unit()? else { return Ok(Meaning::NOTHING) };
        let meaning = match first {
            b'\\' => self.backslash(&joins),
            b'&' => self.entity(),
            0xE2 | 0xEF | 0xC2 => self.invisible(first),
            _ => Ok(Meaning::byte(first)),
        }?;
        Ok(match *meaning.as_bytes() {
            [sign] if is_break(sign) && joins(sign) => Meaning::dropped(sign),
            _ => meaning,
        })
    }

    /// The next byte that is meant; `None` at the end.
    fn unit(&mut self) -> Result<Option<u8>, Open> {
        self.unit_within(PERCENT_DEPTH)
    }

    fn unit_within(&mut self, depth: usize) -> Result<Option<u8>, Open> {
        let Some(&byte) = self.source.get(self.at) else {
            return if self.last { Ok(None) } else { Err(Open) };
        };
        self.at += 1;
        if byte == b'%' && depth > 0 { self.percent(depth).map(Some) } else { Ok(Some(byte)) }
    }

    /// Behind a percent sign: what it stands for, and what that stands for.
    fn percent(&mut self, depth: usize) -> Result<u8, Open> {
        for _ in 0..PERCENT_DEPTH {
            let mut ahead = *self;
            let Some(byte) = ahead.two_hex(depth - 1)? else { break };
            *self = ahead;
            if byte != b'%' {
                return Ok(byte);
            }
        }
        Ok(b'%')
    }

    /// Two digits, which may be escaped themselves.
    fn two_hex(&mut self, depth: usize) -> Result<Option<u8>, Open> {
        let Some(high) = self.unit_within(depth)?.and_then(hex_digit) else { return Ok(None) };
        let Some(low) = self.unit_within(depth)?.and_then(hex_digit) else { return Ok(None) };
        Ok(u8::try_from(high * 16 + low).ok())
    }

    /// Behind a backslash. Alone it means nothing here: whoever unescapes drops it, and so does [`normal`].
    fn backslash(&mut self, joins: impl Fn(u8) -> bool) -> Result<Meaning, Open> {
        if !self.backslashes()? {
            return Ok(Meaning::byte(b'\\'));
        }
        let run = *self;
        let character = match self.unit()? {
            Some(b'n') if joins(b'\n') => return Ok(Meaning::dropped(b'\n')),
            Some(b'r') if joins(b'\r') => return Ok(Meaning::dropped(b'\r')),
            Some(b'u') => self.utf16()?,
            Some(b'x') => self.hex(2)?.and_then(char::from_u32),
            _ => None,
        };
        if character.is_none() {
            *self = run;
        }
        Ok(character.map_or(Meaning::NOTHING, Meaning::character))
    }

    /// The rest of a run of backslashes; false when it is too long to be one.
    fn backslashes(&mut self) -> Result<bool, Open> {
        for _ in 0..BACKSLASH_RUN {
            let mut ahead = *self;
            if ahead.unit()? != Some(b'\\') {
                return Ok(true);
            }
            *self = ahead;
        }
        Ok(false)
    }

    /// Four digits, or two such escapes for one character.
    fn utf16(&mut self) -> Result<Option<char>, Open> {
        let Some(high) = self.hex(4)? else { return Ok(None) };
        if !(0xD800..0xDC00).contains(&high) {
            return Ok(char::from_u32(high));
        }
        if self.unit()? != Some(b'\\') {
            return Ok(None);
        }
        if !self.backslashes()? || self.unit()? != Some(b'u') {
            return Ok(None);
        }
        let low = self.hex(4)?.filter(|low| (0xDC00..0xE000).contains(low));
        Ok(low.and_then(|low| char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))))
    }

    fn hex(&mut self, digits: usize) -> Result<Option<u32>, Open> {
        let mut code = 0;
        for _ in 0..digits {
            let Some(digit) = self.unit()?.and_then(hex_digit) else { return Ok(None) };
            code = code * 16 + digit;
        }
        Ok(Some(code))
    }

    /// Behind an ampersand.
    fn entity(&mut self) -> Result<Meaning, Open> {
        let begin = *self;
        let mut name = Vec::with_capacity(ENTITY_NAME);
        while name.len() < ENTITY_NAME {
            match self.unit()? {
                Some(b';') => match entity_named(&name) {
                    Some(character) => return Ok(Meaning::character(character)),
                    None => break,
                },
                Some(byte) if byte == b'#' || byte.is_ascii_alphanumeric() => name.push(byte),
                _ => break,
            }
        }
        *self = begin;
        Ok(Meaning::byte(b'&'))
    }

    /// A run of characters that nobody sees; the lead byte of the first one is read already.
    fn invisible(&mut self, lead: u8) -> Result<Meaning, Open> {
        for count in 0..INVISIBLE_RUN {
            let mut ahead = *self;
            let seen = if count == 0 { ahead.invisible_rest(lead)? } else { ahead.invisible_next() };
            match (seen, count) {
                (true, _) => *self = ahead,
                (false, 0) => return Ok(Meaning::byte(lead)),
                (false, _) => return Ok(Meaning::NOTHING),
            }
        }
        Ok(Meaning::character('\u{ad}'))
    }

    /// An unfinished one is no part of this run; it is read again as the next token.
    fn invisible_next(&mut self) -> bool {
        match self.unit() {
            Ok(Some(lead)) => self.invisible_rest(lead).unwrap_or(false),
            _ => false,
        }
    }

    /// Zero-width space, joiners and marks, directions, word joiner and invisible operators, variation selectors, byte order
    /// mark, soft hyphen.
    fn invisible_rest(&mut self, lead: u8) -> Result<bool, Open> {
        let second = if matches!(lead, 0xE2 | 0xEF | 0xC2) { self.unit()? } else { None };
        Ok(match (lead, second) {
            (0xC2, Some(0xAD)) => true,
            (0xE2, Some(0x80)) => matches!(self.unit()?, Some(0x8B..=0x8F | 0xAA..=0xAE)),
            (0xE2, Some(0x81)) => matches!(self.unit()?, Some(0xA0..=0xA9)),
            (0xEF, Some(0xB8)) => matches!(self.unit()?, Some(0x80..=0x8F)),
            (0xEF, Some(0xBB)) => self.unit()? == Some(0xBF),
            _ => false,
        })
    }
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn hex_digit(byte: u8) -> Option<u32> {
    (byte as char).to_digit(16)
}

fn entity_named(name: &[u8]) -> Option<char> {
    let code = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => code(digits, 16),
        [b'#', digits @ ..] => code(digits, 10),
        _ => None,
    }
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
        assert_eq!(view.bytes, b"abAcdBef");
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
            View::of(&line[1..], Before { letters: 1, broken: None }, false).unwrap().bytes,
            line[1..16]
        );
        let before = View::of(line, Before::default(), false).unwrap().before(line.len());
        assert_eq!(before, Before { letters: WRAPPED, broken: Some(b'\n') });
        assert_eq!(View::of(b"\nab%41", before, false).unwrap().bytes, b"\nabA", "the second one of two");
    }
}
