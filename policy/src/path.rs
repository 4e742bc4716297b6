//! Paths in normal form, and the patterns of the manifest over them.
//!
//! # What a path means here
//! A path is a list of segments between `/`. Policy and origin must read the same list, so what some origins would
//! read as another one is **refused, never repaired**:
//! - dot segments, in every spelling: `..`, `%2e%2E`, `..;x`, `..%3B`, `..%3F`, between encoded slashes (`a%2F..`), with blanks
//!   (`..%20`), in full-width or compatibility signs that some origins normalise (`%EF%BC%8E%EF%BC%8E`, `%E2%80%A5`), and
//!   segments of more dots;
//! - `\` raw or encoded; control characters and NUL, raw or encoded; blanks and non-ASCII characters written raw;
//! - a `%` that begins no triplet, and one that is encoded and begins another once decoded (a second encoding);
//! - percent-encoded bytes that are no UTF-8 (overlong forms of `/` and `.` hide there).
//!
//! Everything else has a normal form with the same decoded bytes: triplets of unreserved characters and of `@` are
//! decoded, other triplets get upper-case digits, and characters that RFC 3986 does not let stand in a path (and `*`,
//! which patterns need) are encoded. The form on the wire stays as the client wrote it.
//!
//! # What a pattern covers
//! `/acme/v1` covers itself only. `*` stands for one or more characters of one segment where it is the whole segment,
//! else for any number (`v*` covers `v` and `v2`). `**` is always a whole segment. In the middle it stands for any
//! number of segments, none too: `/a/**/b` covers `/a/b` and `/a/x/y/b`. At the end it stands for at least one, which
//! may be empty: `/acme/**` covers `/acme/`, `/acme/x` and all below, but not `/acme`. Nothing ignores case.
//!
//! Some segments are kept although origins differ about them, because ordinary clients send them: an empty one (`//`,
//! from joined URLs), and those with `;` (path parameters) or with an encoded `/`, `;`, `?` or `#` (`/@scope%2fname`
//! of npm). Where a route allows every path there is nothing to disagree about. Where it has patterns, such a segment
//! is covered by a `**` at the end, or by a pattern that writes it (`/@acme%2F*`), and by no other wildcard: so a path
//! that a pattern covers is covered in every reading of it.
mod pattern;

pub use pattern::PathPattern;

/// A path that policy and origin read alike; see the [module](self) for what is refused and what is normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NormalPath(Box<str>);

impl NormalPath {
    /// Checks a raw path as it stood on the wire. The wire form is kept for sending; see [`crate::Request::target`].
    /// # Errors
    /// A clause that says what is ambiguous.
    pub fn parse(raw: &str) -> Result<NormalPath, &'static str> {
        let rest = raw.strip_prefix('/').ok_or("the path does not begin with `/`")?;
        let mut normal = String::with_capacity(raw.len());
        for segment in rest.split('/') {
            normal.push('/');
            push_segment(segment, &mut normal)?;
        }
        Ok(NormalPath(normal.into()))
    }

    /// The target of `OPTIONS *`, which is no path: no pattern covers it.
    pub(crate) fn asterisk() -> NormalPath {
        NormalPath("*".into())
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends the normal form of one raw segment.
fn push_segment(raw: &str, normal: &mut String) -> Result<(), &'static str> {
    // Most are as they should be, and then nothing is decoded, normalised or split: only the dots are left to be asked.
    if raw.bytes().all(is_itself) && !raw.bytes().all(|byte| byte == b'.') {
        normal.push_str(raw);
        return Ok(());
    }
    let decoded = push_characters(raw, normal)?;
    let decoded = String::from_utf8(decoded).map_err(|_| "the path has encoded bytes that are no UTF-8")?;
    // Encoded slashes: an origin that decodes first sees several segments, and each must be harmless. Other signs of the
    // same compatibility class (Unicode NFKC, Windows' best fit): so does one that normalises.
    let plain: String = decoded.chars().map(compatible).collect();
    if plain.split('/').any(is_dot_segment) {
        return Err("the path has a dot segment");
    }
    Ok(())
}

/// Appends the normal characters; gives the decoded bytes.
fn push_characters(raw: &str, normal: &mut String) -> Result<Vec<u8>, &'static str> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, encoded, after)) = next_byte(rest)? {
        push_byte(byte, encoded, normal);
        decoded.push(byte);
        rest = after;
    }
    // Looked for in what was decoded, because the digits of the second encoding may be encoded too: `%25%32%65`.
    if decoded.windows(3).any(is_triplet) {
        return Err("the path is percent-encoded twice");
    }
    Ok(decoded)
}

fn is_triplet(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The next decoded byte, whether it was encoded, and what follows.
type Step<'a> = (u8, bool, &'a [u8]);

fn next_byte(rest: &[u8]) -> Result<Option<Step<'_>>, &'static str> {
    match rest {
        [] => Ok(None),
        [b'%', high, low, after @ ..] => Ok(Some((encoded_byte(*high, *low)?, true, after))),
        [b'%', ..] => Err(BAD_TRIPLET),
        [byte, after @ ..] => Ok(Some((raw_byte(*byte)?, false, after))),
    }
}

const BAD_TRIPLET: &str = "the path has a `%` without two hexadecimal digits after it";

fn encoded_byte(high: u8, low: u8) -> Result<u8, &'static str> {
    let byte = triplet(high, low).ok_or(BAD_TRIPLET)?;
    match byte {
        0x00..=0x1f | 0x7f => Err("the path has an encoded control character"),
        b'\\' => Err("the path has an encoded backslash"),
        _ => Ok(byte),
    }
}

fn triplet(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (char::from(high).to_digit(16)?, char::from(low).to_digit(16)?);
    u8::try_from((high << 4) | low).ok()
}

fn raw_byte(byte: u8) -> Result<u8, &'static str> {
    match byte {
        b'\\' => Err("the path has a backslash"),
        b'?' | b'#' => Err("the path has a raw `?` or `#`"),
        0x21..=0x7e => Ok(byte),
        0x80.. => Err("the path has non-ASCII characters that are not percent-encoded"),
        _ => Err("the path has a blank or a control character"),
    }
}

fn push_byte(byte: u8, encoded: bool, normal: &mut String) {
    if stands_plain(byte, encoded) {
        normal.push(char::from(byte));
    } else {
        push_triplet(byte, normal);
    }
}

fn push_triplet(byte: u8, normal: &mut String) {
    normal.push('%');
    for digit in [byte >> 4, byte & 0xf] {
        normal.extend(char::from_digit(u32::from(digit), 16).map(|d| d.to_ascii_uppercase()));
    }
}

/// Unreserved characters and `@` are plain however they were written (npm sends `/@scope` and `/%40scope`). The other
/// characters of a path segment stay as they were: some origins tell `+` from `%2B`. The rest is always encoded.
fn stands_plain(byte: u8, encoded: bool) -> bool {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => true,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';' | b'=' | b':' => !encoded,
        _ => false,
    }
}

/// Stands plain where it was written plain, and means nothing but itself.
fn is_itself(byte: u8) -> bool {
    stands_plain(byte, false) && byte != b';'
}

/// The ASCII sign that a character becomes where text is normalised for compatibility, as far as it splits or climbs. One
/// dot stands for the two and three of U+2025 and U+2026: any number of them counts.
fn compatible(character: char) -> char {
    match character {
        '\u{ff0e}' | '\u{fe52}' | '\u{2024}'..='\u{2026}' => '.',
        '\u{ff0f}' | '\u{ff3c}' | '\u{fe68}' => '/',
        '\u{ff1b}' | '\u{fe54}' => ';',
        '\u{ff1f}' | '\u{fe56}' => '?',
        '\u{ff03}' | '\u{fe5f}' => '#',
        other => other,
    }
}

/// Whether some origin reads a decoded segment as `.` or `..`: path parameters are cut, so is what follows an early
/// decoded `?` or `#`, blanks around it are trimmed, and any number of dots counts (old Windows climbs by `...`).
fn is_dot_segment(decoded: &str) -> bool {
    let name = decoded.split([';', '?', '#']).next().unwrap_or(decoded).trim();
    !name.is_empty() && name.bytes().all(|b| b == b'.')
}
