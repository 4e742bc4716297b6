//! One escape at a time.
use super::alike;

/// `%252541` is still an `A`: once as it is, twice more as an escape of an escape.
const PERCENT_DEPTH: usize = 3;
/// JSON inside JSON inside JSON inside JSON; of a longer run of backslashes one is kept.
const BACKSLASH_RUN: usize = 16;
/// Of more invisible characters in a row something is kept: what a stream holds back must have an end.
const INVISIBLE_RUN: usize = 16;
/// `&#x0010ffff;`
const ENTITY_NAME: usize = 10;

/// The escape is not whole yet.
pub(super) struct Open;

/// Up to four bytes.
pub(super) struct Meaning {
    bytes: [u8; 4],
    len: usize,
}

impl Meaning {
    const NOTHING: Meaning = Meaning { bytes: [0; 4], len: 0 };

    fn byte(byte: u8) -> Meaning {
        Meaning { bytes: [byte, 0, 0, 0], len: 1 }
    }

    /// A backslash that was spelled in some way means as little as a plain one, and so does what nobody sees.
    fn character(character: char) -> Meaning {
        if character == '\\' || alike::is_invisible(character) {
            return Meaning::NOTHING;
        }
        if let Some(byte) = alike::look_alike(character) {
            return Meaning::byte(byte);
        }
        let mut bytes = [0; 4];
        let len = character.encode_utf8(&mut bytes).len();
        Meaning { bytes, len }
    }
    /// Nothing, but a line break.
    fn dropped(sign: u8) -> Meaning {
        Meaning { bytes: [sign, 0, 0, 0], len: 0 }
    }
    pub(super) fn line_break(&self) -> Option<u8> {
        let [sign, ..] = self.bytes;
        (self.len == 0 && is_break(sign)).then_some(sign)
    }
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Reads units: bytes, or percent escapes of bytes. At the end of the last bytes an unfinished escape is plain text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) source: &'a [u8],
    pub(super) at: usize,
    pub(super) last: bool,
}

impl Cursor<'_> {
    /// `joins`: whether this line break is to be dropped.
    pub(super) fn token(&mut self, joins: impl Fn(u8) -> bool) -> Result<Meaning, Open> {
        let Some(first) = self.unit()? else { return Ok(Meaning::NOTHING) };
        let meaning = match first {
            b'\\' => self.backslash(&joins),
            b'&' => self.entity(),
            lead if lead >= alike::FIRST_LEAD => self.beyond_ascii(lead),
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
        let mut name = [0; ENTITY_NAME];
        let mut length = 0;
        while length < ENTITY_NAME {
            match self.unit()? {
                Some(b';') => match entity_named(&name[..length]) {
                    Some(character) => return Ok(Meaning::character(character)),
                    None => break,
                },
                Some(byte) if is_in_name(byte) => name[length] = byte,
                _ => break,
            }
            length += 1;
        }
        *self = begin;
        Ok(Meaning::byte(b'&'))
    }

    /// A character that is not ASCII: nobody sees it, or it looks like one that is.
    fn beyond_ascii(&mut self, lead: u8) -> Result<Meaning, Open> {
        let begin = *self;
        if matches!(lead, 0xE2 | 0xEF | 0xC2) {
            let meaning = self.invisible(lead)?;
            if *meaning.as_bytes() != [lead] {
                return Ok(meaning);
            }
        }
        match self.look_alike(lead)? {
            Some(byte) => Ok(Meaning::byte(byte)),
            None => {
                *self = begin;
                Ok(Meaning::byte(lead))
            }
        }
    }

    fn look_alike(&mut self, lead: u8) -> Result<Option<u8>, Open> {
        let mut bytes = [lead, 0, 0, 0];
        let length = alike::length(lead);
        for (slot, place) in bytes.iter_mut().enumerate().take(length).skip(1) {
            let mut ahead = *self;
            let Some(next) = ahead.unit()?.filter(|byte| byte & 0xC0 == 0x80) else { return Ok(None) };
            *place = next;
            if slot == 1 && !alike::may_be(lead, next) {
                return Ok(None);
            }
            *self = ahead;
        }
        let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
        Ok(text.chars().next().and_then(alike::look_alike))
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
        Ok(Meaning { bytes: [0xC2, 0xAD, 0, 0], len: 2 })
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

fn is_in_name(byte: u8) -> bool {
    byte == b'#' || byte.is_ascii_alphanumeric()
}

/// Whether these bytes, behind an ampersand, may be the rest of an entity: a name and its end, or the beginning of that; and what
/// is escaped may be anything.
pub(super) fn may_be_entity(rest: &[u8]) -> bool {
    // Most ampersands are no entity's, and most of those have no end of one behind them.
    if let Some(near) = rest.first_chunk::<{ ENTITY_NAME + 1 }>()
        && !near.iter().fold(false, |any, byte| any | matches!(byte, b';' | b'%'))
    {
        return false;
    }
    let name = rest.iter().take(ENTITY_NAME).take_while(|byte| is_in_name(**byte)).count();
    match rest.get(name) {
        None | Some(b'%') => true,
        Some(b';') => name > 0 && name < ENTITY_NAME,
        _ => false,
    }
}

pub(super) fn is_break(byte: u8) -> bool {
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
