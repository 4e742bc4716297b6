//! Paths in normal form, and the patterns of the manifest over them.
use serde::{Deserialize, Serialize};

/// A path that policy and origin read alike: absolute, no dot segments, no empty segments but a last one, no encoded
/// `/`, `\`, NUL or `%` of a second encoding; percent-encoding only where needed, upper-case hex. What cannot be
/// brought there without changing its meaning is refused, never repaired.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NormalPath(Box<str>);

impl NormalPath {
    /// Checks a raw path as it stood on the wire. The wire form is kept for sending; see [`crate::Request::target`].
    /// # Errors
    /// A clause that says what is ambiguous.
    pub fn parse(raw: &str) -> Result<NormalPath, &'static str> {
        let _ = raw;
        todo!()
    }
    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pattern over normal paths: literal segments, `*` within one segment, `**` for any number of segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(Box<str>);

impl PathPattern {
    /// Parses a pattern; it must begin with `/`.
    /// # Errors
    /// A clause that says what is wrong.
    pub fn parse(text: &str) -> Result<PathPattern, String> {
        let _ = text;
        todo!()
    }
    /// Whether the whole path is covered.
    pub fn matches(&self, path: &NormalPath) -> bool {
        let _ = path;
        todo!()
    }
}
impl TryFrom<String> for PathPattern {
    type Error = String;
    fn try_from(text: String) -> Result<PathPattern, String> {
        PathPattern::parse(&text)
    }
}
impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> String {
        pattern.0.into()
    }
}
