//! The escapes of one format alone, each by its rule: what signs mean elsewhere stays as it is.
use crate::view::alike;
use std::ops::Range;
use std::sync::Arc;

/// Whose escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Percent,
    /// Percent escapes of percent escapes.
    PercentTwice,
    Html,
    /// Characters that nobody sees, between others, and those that look like others.
    Alike,
}

impl Format {
    /// Those that spell letters.
    pub(super) const ALL: [Format; 4] = [Format::Json, Format::Percent, Format::PercentTwice, Format::Html];
}

/// Of an escape of one byte: `&#x0041;`.
const LONGEST: usize = 8;

impl Format {
    /// Whether this is the sign that its escapes begin with.
    pub(super) fn begins_with(self, sign: u8) -> bool {
        match self {
            Format::Json => sign == b'\\',
            Format::Percent | Format::PercentTwice => sign == b'%',
            Format::Html => sign == b'&',
            Format::Alike => false,
        }
    }

    /// `None` when nothing is escaped. `open`: more may follow; what is no whole escape yet at the end is left out.
    pub(super) fn unescaped(self, source: &[u8], open: bool) -> Option<Vec<u8>> {
        self.next_sign(source, 0)?;
        let source = self.whole_of(source, open);
        let mut text = Vec::with_capacity(source.len());
        let mut at = 0;
        // What stands between two signs is copied at once.
        while let Some(sign) = self.next_begin(source, at) {
            text.extend_from_slice(&source[at..sign]);
            let (byte, length) = self.token(&source[sign..]);
            text.extend(byte);
            at = sign + length;
        }
        text.extend_from_slice(source.get(at..).unwrap_or_default());
        Some(text)
    }

    /// Where each of these bytes came from, and the end of the last one. Places count from `start`.
    pub(super) fn places(self, source: &[u8], start: usize, open: bool) -> Arc<[usize]> {
        let source = self.whole_of(source, open);
        let mut places = Vec::with_capacity(source.len() + 1);
        self.each(source, |at, _| places.push(start + at));
        places.push(start + source.len());
        places.into()
    }

    fn each(self, source: &[u8], mut show: impl FnMut(usize, u8)) {
        let mut at = 0;
        while at < source.len() {
            let (byte, length) = self.token(&source[at..]);
            if let Some(byte) = byte {
                show(at, byte);
            }
            at += length;
        }
    }

    fn whole_of(self, source: &[u8], open: bool) -> &[u8] {
        if open { &source[..self.whole(source)] } else { source }
    }

    /// Where something is escaped that need not be: quotes and line breaks are, in every text. Those that begin in this part, at
    /// whose beginning no escape goes on.
    pub(super) fn escapes(
        self,
        source: &[u8],
        part: Range<usize>,
    ) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut from = part.start;
        std::iter::from_fn(move || {
            loop {
                let at = self.next_sign(&source[..part.end], from)?;
                let (byte, length) = self.token(&source[at..]);
                from = at + length;
                let common = self == Format::Json && length == 2 && byte != Some(b'\\');
                if length > 1 && !common {
                    return Some(at..from);
                }
            }
        })
    }

    /// Where an escape begins that does not end here.
    fn whole(self, source: &[u8]) -> usize {
        let tail = source.len().saturating_sub(LONGEST - 1);
        let begins = (tail..source.len()).find(|at| self.is_begun(&source[*at..]));
        begins.unwrap_or(source.len())
    }

    fn is_begun(self, rest: &[u8]) -> bool {
        match (self, rest) {
            (Format::Json, [b'\\', b'u', digits @ ..]) => digits.len() < 4,
            (Format::Json, [b'\\', b'x', digits @ ..]) => digits.len() < 2,
            (Format::Json, [b'\\']) => true,
            (Format::Percent, [b'%', digits @ ..]) => digits.len() < 2,
            (Format::PercentTwice, [b'%', digits @ ..]) => digits.len() < 4,
            (Format::Html, [b'&', name @ ..]) => !name.contains(&b';'),
            (Format::Alike, [0xE2 | 0xEF, more @ ..]) => more.len() < 2,
            _ => false,
        }
    }

    /// As [`Format::next_sign`], of escapes that are read beside those that the format is known by.
    fn next_begin(self, source: &[u8], from: usize) -> Option<usize> {
        let format = if self == Format::PercentTwice { Format::Percent } else { self };
        format.next_sign(source, from)
    }

    fn next_sign(self, source: &[u8], from: usize) -> Option<usize> {
        let rest = source.get(from..)?;
        let at = match self {
            Format::Json => memchr::memchr(b'\\', rest),
            Format::Percent => memchr::memchr(b'%', rest),
            Format::PercentTwice => memchr::memmem::find(rest, b"%25"),
            Format::Html => memchr::memchr(b'&', rest),
            Format::Alike => memchr::memchr2(0xE2, 0xEF, rest),
        };
        at.map(|at| from + at)
    }

    /// The next byte, if it stands for one, and how many bytes spell it. What needs several bytes is no letter of any code: it
    /// is read as a zero.
    fn token(self, source: &[u8]) -> (Option<u8>, usize) {
        let plain = (source.first().copied(), 1);
        let byte = |byte, length| (Some(byte), length);
        match (self, source) {
            (Format::Json, [b'\\', sign @ (b'"' | b'\\' | b'/'), ..]) => byte(*sign, 2),
            (Format::Json, [b'\\', b'u', b'0', b'0', high, low, ..])
            | (Format::Json, [b'\\', b'x', high, low, ..]) => {
                hex(*high, *low).map_or(plain, |value| byte(value, if source[1] == b'u' { 6 } else { 4 }))
            }
            (Format::Json, [b'\\', b'n', ..]) => byte(b'\n', 2),
            (Format::Json, [b'\\', b'r', ..]) => byte(b'\r', 2),
            (Format::Json, [b'\\', b't', ..]) => byte(b'\t', 2),
            (Format::Json, [b'\\', _, ..]) => byte(0, 2),
            (Format::PercentTwice, [b'%', b'2', b'5', high, low, ..]) => {
                hex(*high, *low).map_or(plain, |value| byte(value, 5))
            }
            (Format::Percent | Format::PercentTwice, [b'%', high, low, ..]) => {
                hex(*high, *low).map_or(plain, |value| byte(value, 3))
            }
            (Format::Html, [b'&', name @ ..]) => {
                entity(name).map_or(plain, |(value, length)| byte(value, length + 1))
            }
            (Format::Alike, [0xE2 | 0xEF, ..]) => seen(source).map_or(plain, |byte| (byte, 3)),
            _ => plain,
        }
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// What a character of three bytes is taken for that is another one.
fn seen(source: &[u8]) -> Option<Option<u8>> {
    let character = std::str::from_utf8(source.get(..3)?).ok()?.chars().next()?;
    if alike::is_invisible(character) { Some(None) } else { alike::look_alike(character).map(Some) }
}

/// Behind an ampersand.
fn entity(name: &[u8]) -> Option<(u8, usize)> {
    let end = name.iter().take(6).position(|byte| *byte == b';')?;
    let byte = match &name[..end] {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    };
    Some((byte, end + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// Bytes as they are to be spelled in place of some that were escaped. In JSON bytes stand for characters of Latin-1.
pub(crate) fn like(replaced: &[u8], bytes: &[u8]) -> Vec<u8> {
    if replaced.contains(&b'%') {
        let escaped = percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC);
        return escaped.collect::<String>().into_bytes();
    }
    if !replaced.contains(&b'\\') {
        return bytes.to_vec();
    }
    let spell = |byte: &u8| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        0..b' ' | 0x7F => format!("\\u{byte:04x}").into_bytes(),
        other => vec![*other],
    };
    bytes.iter().flat_map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]
        /// What a look at every byte reads.
        #[test]
        fn what_stands_between_escapes_is_read_as_it_is(
            parts in prop::collection::vec(
                prop_oneof!["\\\\(u00|x)?[0-9a-f]{0,3}", "%(25)?[0-9a-f]{0,2}", "&(amp;|#x4|#65;)?", "[\\\\%&\"nux]{0,3}", "[ \u{200b}\u{feff}\u{ff1d}\u{2010}\u{2190}]", "[ -~]{0,30}"], 0..12),
            open: bool,
        ) {
            let text = parts.concat().into_bytes();
            for format in [Format::Json, Format::Percent, Format::PercentTwice, Format::Html, Format::Alike] {
                let mut slowly = Vec::new();
                format.each(format.whole_of(&text, open), |_, byte| slowly.push(byte));
                let slowly = format.next_sign(&text, 0).map(|_| slowly);
                prop_assert_eq!(format.unescaped(&text, open), slowly, "{:?}", format);
            }
        }
    }
}
