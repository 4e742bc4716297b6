//! Reads bytes as their receiver does, and notes what was more than itself.
use super::cursor::Cursor;
use super::signs::Signs;
use super::{Before, Token, View, WRAPPED, alike, letters_behind};
use crate::alphabets::is_letter;
use crate::blocks::BLOCK;

/// Bytes that most copies have at most: what stands between two escapes. So many at once take no longer than one.
const PIECE: usize = BLOCK;

pub(super) struct Reader<'a> {
    source: &'a [u8],
    last: bool,
    before: Before,
    /// The sign of the line break that was dropped right before.
    broken: Option<u8>,
    read: usize,
    tokens: Vec<Token>,
    /// Room for all of the view as soon as anything is more than itself, and how much of it is written.
    bytes: Vec<u8>,
    len: usize,
}

impl Reader<'_> {
    pub(super) fn new(source: &[u8], before: Before, last: bool) -> Reader<'_> {
        let (tokens, bytes) = (Vec::new(), Vec::new());
        Reader { source, last, before, broken: before.broken, read: 0, tokens, bytes, len: 0 }
    }

    /// The view; `None` when nothing may be more than itself. `signs` are those of the bytes. `first_only`: nothing behind the first change is read.
    pub(super) fn read_all(mut self, mut signs: Signs<'_>, first_only: bool) -> Option<View> {
        let mut seen = false;
        while let Some(at) = signs.next(self.read) {
            match self.source[at] {
                b'\\' if self.is_common(at) => {
                    seen = true;
                    self.drop_backslash(at);
                }
                b'\n' | b'\r'
                    if self.is_plain_break(at) || !(seen || self.is_wrapped(&self.source[..at])) => {}
                _ => {
                    seen = true;
                    self.copy(at);
                    if !self.step() {
                        return Some(self.view());
                    }
                }
            }
            if first_only && self.is_changed() {
                return Some(self.view());
            }
        }
        self.copy(self.source.len());
        seen.then(|| self.view())
    }

    fn view(mut self) -> View {
        self.bytes.truncate(self.len);
        View { bytes: self.bytes, read: self.read, tokens: self.tokens, before: self.before }
    }

    fn is_changed(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// What was read so far.
    fn text(&self) -> &[u8] {
        if self.is_changed() { &self.bytes[..self.len] } else { &self.source[..self.read] }
    }

    /// What stands in most texts: a backslash before a plain character, or before the sign of a line break that is no wrapped
    /// line's, as what stands right before is no letter.
    #[inline]
    fn is_common(&self, at: usize) -> bool {
        match self.source.get(at + 1) {
            Some(b'n' | b'r') => at > self.read && !is_letter(self.source[at - 1]),
            Some(b'\\' | b'u' | b'x' | b'%' | 0x80..) | None => false,
            Some(_) => true,
        }
    }

    #[inline]
    fn drop_backslash(&mut self, at: usize) {
        self.begin_change();
        self.append(at);
        self.tokens.push(Token { source: at, at: self.len, source_len: 1, len: 0, line_break: None });
        self.broken = None;
        self.read = at + 1;
    }

    /// A line break behind bytes that are read as they are, and are too few letters to be a wrapped line.
    #[inline]
    fn is_plain_break(&self, at: usize) -> bool {
        let behind = &self.source[self.read..at];
        match behind.last() {
            None => false,
            Some(byte) if !is_letter(*byte) => true,
            Some(_) => {
                let letters = behind.iter().rev().take(WRAPPED).take_while(|byte| is_letter(**byte)).count();
                letters < WRAPPED && letters < behind.len()
            }
        }
    }

    fn is_wrapped(&self, text: &[u8]) -> bool {
        letters_behind(text, self.before.letters) >= WRAPPED
    }

    /// One escape; false when it is not whole yet.
    fn step(&mut self) -> bool {
        if !self.common_step() {
            let mut cursor = Cursor { source: self.source, at: self.read, last: self.last };
            let Ok(meaning) = cursor.token(|sign| self.joins(sign)) else { return false };
            self.put(meaning.as_bytes(), cursor.at, meaning.line_break());
        }
        true
    }

    /// What stands in most texts, read without a cursor: a backslash before one plain character, and a look-alike.
    fn common_step(&mut self) -> bool {
        match self.source[self.read..] {
            [b'\\', b'\\' | b'u' | b'x' | b'%' | 0x80.., ..] | [] => false,
            [b'\\', b'n', ..] if self.joins(b'\n') => false,
            [b'\\', b'r', ..] if self.joins(b'\r') => false,
            [b'\\', _, ..] => {
                self.put(&[], self.read + 1, None);
                true
            }
            [lead, second, ..] => match alike::of_two_bytes(lead, second) {
                Some(byte) => {
                    self.put(&[byte], self.read + 2, None);
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// What was read up to this place of the source.
    fn put(&mut self, meant: &[u8], source_end: usize, line_break: Option<u8>) {
        let changed = source_end - self.read != meant.len();
        let same = self.source[self.read..source_end] == *meant;
        debug_assert!(changed || same, "as long as it was, and the same");
        if changed {
            self.begin_change();
            let source_len = u32::try_from(source_end - self.read).unwrap_or(u32::MAX);
            let len = u8::try_from(meant.len()).unwrap_or(u8::MAX);
            self.tokens.push(Token { source: self.read, at: self.len, source_len, len, line_break });
        }
        if self.is_changed() {
            self.bytes[self.len..self.len + meant.len()].copy_from_slice(meant);
            self.len += meant.len();
        }
        self.broken = line_break;
        self.read = source_end;
    }

    /// From here on the view is not the source. It never has more bytes.
    #[inline]
    fn begin_change(&mut self) {
        if !self.is_changed() {
            self.make_room();
        }
    }

    #[cold]
    fn make_room(&mut self) {
        self.bytes = vec![0; self.source.len() + PIECE];
        self.tokens.reserve(self.source.len() / PIECE + 1);
        self.bytes[..self.read].copy_from_slice(&self.source[..self.read]);
        self.len = self.read;
    }

    /// Bytes that are read as they are, up to this place of the source; the view is not the source any more.
    #[inline]
    fn append(&mut self, end: usize) {
        let count = end - self.read;
        let from = self.source[self.read..].first_chunk::<PIECE>();
        let to = self.bytes[self.len..].first_chunk_mut::<PIECE>();
        match (from, to) {
            (Some(from), Some(to)) if count <= PIECE => *to = *from,
            _ => self.bytes[self.len..self.len + count].copy_from_slice(&self.source[self.read..end]),
        }
        self.len += count;
    }

    #[inline]
    fn copy(&mut self, end: usize) {
        if end > self.read {
            if self.is_changed() {
                self.append(end);
            }
            self.broken = None;
        }
        self.read = end;
    }

    /// Whether a line break joins two lines of something wrapped. One only: behind two there is something new, and in
    /// streams of events the second one is the end.
    fn joins(&self, sign: u8) -> bool {
        let single = self.broken.is_none_or(|before| (before, sign) == (b'\r', b'\n'));
        single && self.is_wrapped(self.text())
    }
}
