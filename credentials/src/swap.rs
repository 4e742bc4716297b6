//! Swaps placeholders for values in bodies and messages as they stream.
use crate::spelled::{Notation, Swap};
use crate::{Placeholder, Secret};

/// How a value is escaped where the placeholder stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON string escaping.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Text as it is (WebSocket text that is no JSON, text/plain, the parts of multipart/form-data).
    Text,
}

impl BodyKind {
    /// From a content type; `None`: bodies of this type are not swapped (a placeholder there is a finding).
    pub fn of(content_type: &str) -> Option<BodyKind> {
        let lower = content_type.to_ascii_lowercase();
        let mut parts = lower.split(';').map(str::trim);
        let essence = parts.next()?;
        if !parts.all(spells_ascii_plainly) {
            return None;
        }
        match essence {
            "application/x-www-form-urlencoded" => Some(BodyKind::Form),
            "application/x-ndjson" | "application/jsonl" | "application/json-seq" => Some(BodyKind::Json),
            "application/graphql" | "multipart/form-data" | "multipart/mixed" => Some(BodyKind::Text),
            _ if essence.ends_with("/json") || essence.ends_with("+json") => Some(BodyKind::Json),
            _ if essence.starts_with("text/") => Some(BodyKind::Text),
            _ => None,
        }
    }

    /// Of a message without a content type: JSON when it begins like an object, a list or a string.
    pub fn of_message(message: &[u8]) -> BodyKind {
        match message.trim_ascii_start().first() {
            Some(b'{' | b'[' | b'"') => BodyKind::Json,
            _ => BodyKind::Text,
        }
    }

    fn notation(self) -> Notation {
        match self {
            BodyKind::Json => Notation::Json,
            BodyKind::Form => Notation::Percent,
            BodyKind::Text => Notation::Plain,
        }
    }
}

/// In UTF-16 a placeholder would not be seen and a value could not be put.
fn spells_ascii_plainly(parameter: &str) -> bool {
    match parameter.strip_prefix("charset=") {
        Some(charset) => matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii" | "iso-8859-1"),
        None => true,
    }
}

/// Sans-IO streaming swap; holds back what may begin a placeholder, and nothing else.
pub struct BodySwapper {
    swap: Swap,
    held: Vec<u8>,
}

impl BodySwapper {
    /// For one body.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the swapper keeps them; callers hand over their clones"
    )]
    pub fn new(kind: BodyKind, placeholder: Placeholder, secret: Secret) -> BodySwapper {
        BodySwapper { swap: Swap::new(kind.notation(), &placeholder, &secret), held: Vec::new() }
    }

    /// Takes a chunk, appends to `out`; gives the number of swaps.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> u64 {
        self.advance(chunk, false, out)
    }

    /// The end.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> u64 {
        self.advance(&[], true, out)
    }

    fn advance(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> u64 {
        let held = std::mem::take(&mut self.held);
        let joined;
        let text = if held.is_empty() {
            chunk
        } else {
            joined = [held.as_slice(), chunk].concat();
            joined.as_slice()
        };
        let (done, count) = self.swap.run(text, last, out);
        self.held = text[done..].to_vec();
        count
    }
}
