//! Letters of base64 or hex, one after the other, as formats wrap and escape them.

use crate::alphabets::{self, NONE, values};

static BASE64: [u8; 256] = values(alphabets::BASE64);
static HEX: [u8; 256] = values(alphabets::BASE16);

/// Reads letters to bytes. Line breaks between them, also those that JSON and forms escape, are nothing.
pub(super) struct Letters {
    values: &'static [u8; 256],
    bits_each: u32,
    bits: u32,
    count: u32,
    escape: Escape,
    given: u64,
}

/// An escape that has begun.
#[derive(Clone, Copy)]
enum Escape {
    None,
    Backslash,
    Percent,
    PercentOf(u8),
}

impl Letters {
    pub(super) fn base64() -> Letters {
        Letters::of(&BASE64, 6)
    }

    pub(super) fn hex() -> Letters {
        Letters::of(&HEX, 4)
    }

    fn of(values: &'static [u8; 256], bits_each: u32) -> Letters {
        Letters { values, bits_each, bits: 0, count: 0, escape: Escape::None, given: 0 }
    }

    /// Bytes that were read.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// Appends what these letters spell; `Some` where something else stands.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let before = out.len();
        let end = text.iter().position(|byte| !self.take(*byte, out));
        self.given += (out.len() - before) as u64;
        end
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match std::mem::replace(&mut self.escape, Escape::None) {
            Escape::None => match byte {
                b'\r' | b'\n' => true,
                b'\\' => self.begin(Escape::Backslash),
                b'%' => self.begin(Escape::Percent),
                letter => self.letter(letter, out),
            },
            Escape::Backslash => match byte {
                b'n' | b'r' => true,
                b'/' => self.letter(byte, out),
                _ => false,
            },
            Escape::Percent => self.begin(Escape::PercentOf(byte)),
            Escape::PercentOf(high) => match (high, byte.to_ascii_uppercase()) {
                (b'0', b'A' | b'D') => true,
                (b'2', b'B') => self.letter(b'+', out),
                (b'2', b'F') => self.letter(b'/', out),
                _ => false,
            },
        }
    }

    fn begin(&mut self, escape: Escape) -> bool {
        self.escape = escape;
        true
    }

    fn letter(&mut self, letter: u8, out: &mut Vec<u8>) -> bool {
        let value = self.values[usize::from(letter)];
        if value == NONE {
            return false;
        }
        self.bits = self.bits << self.bits_each | u32::from(value);
        self.count += self.bits_each;
        if self.count >= 8 {
            self.count -= 8;
            let [.., byte] = (self.bits >> self.count).to_be_bytes();
            out.push(byte);
        }
        true
    }
}
