//! Swaps placeholders for values in bodies and messages as they stream.
use crate::{Placeholder, Secret};

/// How a value is escaped where the placeholder stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON string escaping.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Text as it is (WebSocket text that is no JSON, text/plain).
    Text,
}

impl BodyKind {
    /// From a content type; `None`: bodies of this type are not swapped (a placeholder there is a finding).
    pub fn of(content_type: &str) -> Option<BodyKind> {
        let _ = content_type;
        todo!()
    }
}

/// Sans-IO streaming swap; holds back what may begin a placeholder.
pub struct BodySwapper {
    _placeholder: Placeholder,
    _secret: Secret,
}

impl BodySwapper {
    /// For one body.
    pub fn new(kind: BodyKind, placeholder: Placeholder, secret: Secret) -> BodySwapper {
        let _ = kind;
        BodySwapper { _placeholder: placeholder, _secret: secret }
    }
    /// Takes a chunk, appends to `out`; gives the number of swaps.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> u64 {
        let _ = (chunk, out);
        todo!()
    }
    /// The end.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> u64 {
        let _ = out;
        todo!()
    }
}
