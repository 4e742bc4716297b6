//! The one body type that both legs speak.
use bytes::Bytes;

/// What may go wrong in the middle of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A streaming body with trailers.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;
