//! What is sent and answered: the same bytes in every process, so that each side can compare what it gets with what was meant.
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A conversation with a model, as JSON: prose, code, digests and identifiers.
    Text,
    /// Bytes that look random, as packed files do.
    Binary,
}

impl Kind {
    /// The media type that it is sent with.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Kind::Text => "application/json",
            Kind::Binary => "application/octet-stream",
        }
    }

    /// How it is called in paths.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Binary => "binary",
        }
    }

    /// The kind of that word.
    pub(crate) fn of(word: &str) -> Option<Kind> {
        [Kind::Text, Kind::Binary].into_iter().find(|kind| kind.word() == word)
    }
}

/// A body of this kind and length; the same one at every call and in every process. Made once.
pub(crate) fn body(kind: Kind, length: usize) -> Bytes {
    static MADE: OnceLock<Mutex<HashMap<(Kind, usize), Bytes>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    made.entry((kind, length))
        .or_insert_with(|| match kind {
            Kind::Text => text(length),
            Kind::Binary => binary(length),
        })
        .clone()
}

/// Marsaglia's xorshift64: not random, only without a pattern.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}

fn binary(length: usize) -> Bytes {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&numbers.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

const OPEN: &str = "{\"model\":\"some-model\",\"messages\":[";
const CLOSE: &str = "]}";

fn text(length: usize) -> Bytes {
    let mut numbers = Numbers(7);
    let mut text = String::with_capacity(length + 1024);
    text.push_str(OPEN);
    while text.len() + CLOSE.len() < length {
        let turn = turn(&mut numbers);
        let room = length - text.len() - CLOSE.len();
        if turn.len() + 1 < room {
            text.push_str(&turn);
            text.push(',');
        } else {
            text.push_str(&last(room));
        }
    }
    text.push_str(CLOSE);
    text.truncate(length);
    text.into_bytes().into()
}

/// One turn of the conversation, about 700 bytes.
fn turn(numbers: &mut Numbers) -> String {
    const WORDS: &str = "a request goes out when the table says so and its answer is read as it comes with nothing kept \
                         that was not asked for while the next one waits for its place in the line";
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut prose = String::new();
    for _ in 0..60 {
        prose.push_str(words[numbers.below(words.len())]);
        prose.push(' ');
    }
    let (commit, line, id) = (numbers.next(), numbers.below(400), numbers.next() >> 16);
    format!(
        "{{\"role\":\"user\",\"content\":\"{prose}\\n\\n```rust\\nfn sum_{line}(parts: &[Part]) -> u64 {{\\n    \
         parts.iter().map(|part| part.length).sum()\\n}}\\n```\\nSeen at {commit:016x}, request \
         6ba7b810-9dad-11d1-80b4-{id:012x}, line {line}.\"}}"
    )
}

/// A string literal of exactly `room` bytes, or spaces where none fits.
fn last(room: usize) -> String {
    if room < 2 {
        " ".repeat(room)
    } else {
        format!("\"{}\"", "and so on, ".repeat(room)[..room - 2].trim_end_matches('"').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_json_of_exactly_that_length() {
        for length in [1024, 100 * 1024, 1 << 20, 1500, 2049] {
            let body = body(Kind::Text, length);
            assert_eq!(body.len(), length);
            serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_else(|e| panic!("{length}: {e}"));
        }
    }

    #[test]
    fn a_shorter_binary_is_the_beginning_of_a_longer_one() {
        let (short, long) = (body(Kind::Binary, 1000), body(Kind::Binary, 5000));
        assert_eq!(short[..], long[..1000]);
        assert_ne!(long[..1000], long[1000..2000]);
    }
}
