//! Finds a placeholder however it is escaped, and puts the value there in the same notation.
use crate::{Placeholder, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How text is escaped where a placeholder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Not at all; where the placeholder is percent-encoded nevertheless (a cookie, an address in a header), the value is.
    Plain,
    /// Percent: addresses and forms.
    Percent,
    /// JSON strings.
    Json,
}

/// A placeholder to find and the value to put there.
pub(crate) struct Swap {
    notation: Notation,
    placeholder: Placeholder,
    secret: Secret,
    /// The value in the notation's escapes (percent for plain text).
    escaped: Zeroizing<Vec<u8>>,
}

/// What a look at one place gave.
enum Look {
    Whole { end: usize, escaped: bool },
    Begun,
    Nothing,
}

/// One character of the notation.
enum Unit {
    Byte {
        byte: u8,
        len: usize,
    },
    /// Something that no placeholder contains.
    Other {
        len: usize,
    },
    Unfinished,
}

impl Swap {
    pub(crate) fn new(notation: Notation, placeholder: &Placeholder, secret: &Secret) -> Swap {
        let value = secret.dangerous_expose();
        let escaped = match notation {
            Notation::Json => json_escaped(value),
            Notation::Plain | Notation::Percent => percent_escaped(value),
        };
        Swap { notation, placeholder: placeholder.clone(), secret: secret.clone(), escaped }
    }

    /// The whole text with every placeholder swapped; `None` when there is none.
    pub(crate) fn whole(&self, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(Vec::with_capacity(text.len() + 4 * self.escaped.len()));
        let (_, count) = self.run(text, true, &mut out);
        (count > 0).then_some(out)
    }

    /// Swaps up to where a placeholder may have begun (to the end, when these bytes are the last). Gives the bytes done
    /// and the number of swaps.
    pub(crate) fn run(&self, text: &[u8], last: bool, out: &mut Vec<u8>) -> (usize, u64) {
        let (mut done, mut at, mut count) = (0, 0, 0);
        while let Some(found) = self.next_candidate(text, at) {
            at = match self.look(text, found) {
                Look::Whole { end, escaped } => {
                    out.extend_from_slice(&text[done..found]);
                    out.extend_from_slice(self.value(escaped));
                    (done, count) = (end, count + 1);
                    end
                }
                Look::Begun if !last => {
                    out.extend_from_slice(&text[done..found]);
                    return (found, count);
                }
                Look::Begun | Look::Nothing => found + self.skip(text, found),
            };
        }
        out.extend_from_slice(&text[done..]);
        (text.len(), count)
    }

    fn value(&self, escaped: bool) -> &[u8] {
        if self.notation == Notation::Plain && !escaped {
            self.secret.dangerous_expose()
        } else {
            &self.escaped
        }
    }

    /// Where a placeholder may begin: at its first character, or at an escape.
    fn next_candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        let first = self.placeholder.as_str().as_bytes().first().copied()?;
        let lead = self.lead();
        let found = text.get(from..)?.iter().position(|byte| *byte == first || *byte == lead)?;
        Some(from + found)
    }

    fn lead(&self) -> u8 {
        if self.notation == Notation::Json { b'\\' } else { b'%' }
    }

    fn look(&self, text: &[u8], begin: usize) -> Look {
        let (mut at, mut escaped) = (begin, false);
        for wanted in self.placeholder.as_str().bytes() {
            match self.unit(text, at) {
                Unit::Byte { byte, len } if byte == wanted => {
                    at += len;
                    escaped |= len > 1;
                }
                Unit::Unfinished => return Look::Begun,
                Unit::Byte { .. } | Unit::Other { .. } => return Look::Nothing,
            }
        }
        Look::Whole { end: at, escaped }
    }

    /// The length of the character here: the rest of an escape is no beginning of a placeholder.
    fn skip(&self, text: &[u8], at: usize) -> usize {
        match self.unit(text, at) {
            Unit::Byte { len, .. } | Unit::Other { len } => len,
            Unit::Unfinished => 1,
        }
    }

    fn unit(&self, text: &[u8], at: usize) -> Unit {
        match text.get(at) {
            None => Unit::Unfinished,
            Some(byte) if *byte != self.lead() => Unit::Byte { byte: *byte, len: 1 },
            Some(_) if self.notation == Notation::Json => json_unit(&text[at..]),
            Some(_) => percent_unit(&text[at..]),
        }
    }
}

fn percent_unit(text: &[u8]) -> Unit {
    match hex(text, 1..3) {
        Hex::Code(code) => Unit::Byte { byte: u8::try_from(code).unwrap_or(0), len: 3 },
        Hex::None => Unit::Other { len: 1 },
        Hex::Unfinished => Unit::Unfinished,
    }
}

fn json_unit(text: &[u8]) -> Unit {
    match text.get(1) {
        None => Unit::Unfinished,
        Some(b'/') => Unit::Byte { byte: b'/', len: 2 },
        Some(b'u') => match hex(text, 2..6) {
            Hex::Code(code) => {
                u8::try_from(code).map_or(Unit::Other { len: 6 }, |byte| Unit::Byte { byte, len: 6 })
            }
            Hex::None => Unit::Other { len: 2 },
            Hex::Unfinished => Unit::Unfinished,
        },
        Some(_) => Unit::Other { len: 2 },
    }
}

enum Hex {
    Code(u32),
    None,
    Unfinished,
}

fn hex(text: &[u8], range: std::ops::Range<usize>) -> Hex {
    let mut code = 0;
    for at in range {
        match text.get(at).map(|digit| char::from(*digit).to_digit(16)) {
            Some(Some(digit)) => code = code * 16 + digit,
            Some(None) => return Hex::None,
            None => return Hex::Unfinished,
        }
    }
    Hex::Code(code)
}

pub(crate) fn percent_escaped(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(3 * value.len()));
    percent_encode(value, RESERVED).for_each(|part| out.extend_from_slice(part.as_bytes()));
    out
}

fn json_escaped(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(6 * value.len()));
    for byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out
}
