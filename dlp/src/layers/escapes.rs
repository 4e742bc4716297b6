//! The escapes of one format alone, each by its rule: what signs mean elsewhere stays as it is.
use std::sync::Arc;

/// Whose escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Percent,
    /// Percent escapes of percent escapes.
    PercentTwice,
    Html,
}

impl Format {
    pub(super) const ALL: [Format; 4] = [Format::Json, Format::Percent, Format::PercentTwice, Format::Html];
}

impl Format {
    /// Whether this is the sign that its escapes begin with.
    pub(super) fn begins_with(self, sign: u8) -> bool {
        self.sign().first() == Some(&sign)
    }

    /// `None` when nothing is escaped.
    pub(super) fn unescaped(self, source: &[u8]) -> Option<Vec<u8>> {
        let [first, rest @ ..] = self.sign() else { return None };
        memchr::memchr_iter(*first, source).find(|at| source[at + 1..].starts_with(rest))?;
        let mut text = Vec::with_capacity(source.len());
        self.each(source, |_, byte| text.push(byte));
        Some(text)
    }

    /// Where each of these bytes came from, and the end of the last one. Places count from `start`.
    pub(super) fn places(self, source: &[u8], start: usize) -> Arc<[usize]> {
        let mut places = Vec::with_capacity(source.len() + 1);
        self.each(source, |at, _| places.push(start + at));
        places.push(start + source.len());
        places.into()
    }

    fn each(self, source: &[u8], mut show: impl FnMut(usize, u8)) {
        let mut at = 0;
        while at < source.len() {
            let (byte, length) = self.token(&source[at..]);
            show(at, byte);
            at += length;
        }
    }

    fn sign(self) -> &'static [u8] {
        match self {
            Format::Json => b"\\",
            Format::Percent => b"%",
            Format::PercentTwice => b"%25",
            Format::Html => b"&",
        }
    }

    /// The next byte, and how many bytes spell it. What needs several bytes is no letter of any code, nor is a zero.
    fn token(self, source: &[u8]) -> (u8, usize) {
        let plain = (source.first().copied().unwrap_or(0), 1);
        match (self, source) {
            (Format::Json, [b'\\', sign @ (b'"' | b'\\' | b'/'), ..]) => (*sign, 2),
            (Format::Json, [b'\\', b'u', b'0', b'0', high, low, ..]) => {
                hex(*high, *low).map_or(plain, |byte| (byte, 6))
            }
            (Format::Json, [b'\\', _, ..]) => (0, 2),
            (Format::PercentTwice, [b'%', b'2', b'5', high, low, ..]) => {
                hex(*high, *low).map_or(plain, |byte| (byte, 5))
            }
            (Format::Percent | Format::PercentTwice, [b'%', high, low, ..]) => {
                hex(*high, *low).map_or(plain, |byte| (byte, 3))
            }
            (Format::Html, [b'&', name @ ..]) => {
                entity(name).map_or(plain, |(byte, length)| (byte, length + 1))
            }
            _ => plain,
        }
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
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
