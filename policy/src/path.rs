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
use serde::{Deserialize, Serialize};

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

/// A pattern over normal paths; see the [module](self) for what each sign covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    text: Box<str>,
    /// What stands between the `**`; one block when there is none.
    blocks: Vec<Vec<Glob>>,
    /// Whether it ends in `**`, and so covers anything below the last block.
    open_end: bool,
}

/// A segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Glob {
    /// No `*` in it.
    Literal(Box<str>),
    /// `*`.
    Any,
    /// Text around and between `*`: the first is a prefix, the last a suffix.
    Parts(Vec<Box<str>>),
}

/// Bounds of a pattern: with them the cost of matching is at most segments of the path × segments of the pattern.
const MAX_PATTERN: usize = 1024;
const MAX_PATTERN_SEGMENTS: usize = 64;

impl PathPattern {
    /// Parses a pattern; it must begin with `/`. Literal text is brought to the normal form, so it may be written as
    /// people write it (`/grüße` is `/gr%C3%BC%C3%9Fe`); a literal `*` is written `%2A`.
    /// # Errors
    /// A clause that says what is wrong.
    pub fn parse(text: &str) -> Result<PathPattern, String> {
        if text.len() > MAX_PATTERN || text.split('/').count() > MAX_PATTERN_SEGMENTS {
            return Err(format!(
                "a path pattern has at most {MAX_PATTERN} bytes and {MAX_PATTERN_SEGMENTS} segments"
            ));
        }
        let rest = text.strip_prefix('/').ok_or("a path pattern begins with `/`")?;
        check_pattern(rest)?;
        let (rest, open_end) = cut_open_end(rest);
        let blocks = rest.map_or_else(|| Ok(vec![Vec::new()]), parse_blocks)?;
        Ok(PathPattern { text: text.into(), blocks, open_end })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole path is covered.
    pub fn matches(&self, path: &NormalPath) -> bool {
        PathPattern::any_matches(std::slice::from_ref(self), path)
    }

    /// Whether the whole path is covered by one of these.
    pub(crate) fn any_matches(patterns: &[PathPattern], path: &NormalPath) -> bool {
        let Some(rest) = path.as_str().strip_prefix('/') else { return false };
        let segments: Vec<&str> = rest.split('/').collect();
        patterns.iter().any(|pattern| pattern.match_segments(&segments))
    }

    fn match_segments(&self, segments: &[&str]) -> bool {
        let Some((first, later)) = self.blocks.split_first() else { return false };
        let Some(rest) = strip_block(segments, first) else { return false };
        if self.open_end {
            return skip_blocks(rest, later).is_some_and(|rest| !rest.is_empty());
        }
        let Some((last, middle)) = later.split_last() else { return rest.is_empty() };
        skip_blocks(rest, middle).is_some_and(|rest| ends_with_block(rest, last))
    }
}

/// What can never be covered is a mistake of the writer, who must hear of it.
fn check_pattern(rest: &str) -> Result<(), String> {
    if rest.contains("//") || rest.starts_with('/') {
        return Err("a path pattern has no empty segments but a last one".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("a path pattern covers the path alone: `?` and `#` do not belong in it (a `?` of the path is `%3F`)"
            .to_owned());
    }
    Ok(())
}

/// Cuts a last `**`; nothing is left of `**` alone.
fn cut_open_end(rest: &str) -> (Option<&str>, bool) {
    match rest.strip_suffix("/**") {
        Some(before) => (Some(before), true),
        None if rest == "**" => (None, true),
        None => (Some(rest), false),
    }
}

fn parse_blocks(rest: &str) -> Result<Vec<Vec<Glob>>, String> {
    let segments: Vec<&str> = rest.split('/').collect();
    segments
        .split(|segment| *segment == "**")
        .map(|block| block.iter().copied().map(parse_glob).collect())
        .collect()
}

fn parse_glob(segment: &str) -> Result<Glob, String> {
    if segment.contains("**") {
        return Err("`**` is a whole segment: `/acme/**`".to_owned());
    }
    if segment == "*" {
        return Ok(Glob::Any);
    }
    let mut parts = segment.split('*').map(literal).collect::<Result<Vec<_>, String>>()?;
    check_whole(segment)?;
    match parts.len() {
        1 => Ok(Glob::Literal(parts.swap_remove(0))),
        _ => Ok(Glob::Parts(parts)),
    }
}

/// The parts must be harmless together too: `.*.` covers `..`, which no path has, and so covers nothing of use, but
/// `.` beside `*` is common (`*.json`, `.*`). Only a segment without `*` is judged as one.
fn check_whole(segment: &str) -> Result<(), String> {
    if segment.contains('*') {
        Ok(())
    } else {
        push_segment(&escape_unicode(segment), &mut String::new()).map_err(of_pattern)
    }
}

fn literal(text: &str) -> Result<Box<str>, String> {
    let mut normal = String::with_capacity(text.len());
    push_characters(&escape_unicode(text), &mut normal).map_err(of_pattern)?;
    Ok(normal.into())
}

fn of_pattern(why: &'static str) -> String {
    why.replacen("the path has", "a path pattern cannot have", 1)
}

/// Percent-encodes what people may write raw in a manifest: blanks and non-ASCII characters.
fn escape_unicode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' | 0x80.. => push_triplet(byte, &mut out),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// What follows the block, when the segments begin with it.
fn strip_block<'a, 's>(segments: &'a [&'s str], block: &[Glob]) -> Option<&'a [&'s str]> {
    let (head, rest) = segments.split_at_checked(block.len())?;
    head.iter().zip(block).all(|(segment, glob)| glob.matches(segment)).then_some(rest)
}

/// Skips plain segments up to each block in turn, leftmost first, and gives what follows the last. Taking the leftmost
/// is enough: whatever a later place would allow, the earlier one leaves more room for.
fn skip_blocks<'a, 's>(segments: &'a [&'s str], blocks: &[Vec<Glob>]) -> Option<&'a [&'s str]> {
    blocks.iter().try_fold(segments, |rest, block| skip_to(rest, block))
}

fn skip_to<'a, 's>(mut segments: &'a [&'s str], block: &[Glob]) -> Option<&'a [&'s str]> {
    loop {
        if let Some(rest) = strip_block(segments, block) {
            return Some(rest);
        }
        let (first, rest) = segments.split_first()?;
        is_plain(first).then_some(())?;
        segments = rest;
    }
}

fn ends_with_block(segments: &[&str], block: &[Glob]) -> bool {
    let Some(at) = segments.len().checked_sub(block.len()) else { return false };
    let Some((skipped, tail)) = segments.split_at_checked(at) else { return false };
    skipped.iter().all(|segment| is_plain(segment)) && strip_block(tail, block).is_some()
}

impl Glob {
    fn matches(&self, segment: &str) -> bool {
        match self {
            Glob::Literal(text) => &**text == segment,
            Glob::Any => is_plain(segment),
            Glob::Parts(parts) => match_parts(parts, segment),
        }
    }
}

/// Prefix and suffix are cut off, the parts between are found from the left: linear, and without going back.
fn match_parts(parts: &[Box<str>], segment: &str) -> bool {
    let [prefix, middle @ .., suffix] = parts else { return false };
    let inner = segment.strip_prefix(&**prefix).and_then(|rest| rest.strip_suffix(&**suffix));
    inner.is_some_and(|inner| match_middle(middle, inner))
}

fn match_middle(parts: &[Box<str>], mut inner: &str) -> bool {
    for part in parts {
        let Some((skipped, rest)) = inner.split_once(&**part) else { return false };
        if !may_stand_for(skipped) {
            return false;
        }
        inner = rest;
    }
    may_stand_for(inner)
}

/// Whether a `*` beside other text may stand for this. It never stands for a part of a triplet: `/a*2F` is no way to
/// cover `/a%2F`.
fn may_stand_for(text: &str) -> bool {
    let cuts_triplet = text.bytes().rev().take(2).any(|byte| byte == b'%');
    !cuts_triplet && !is_odd(text)
}

/// What a wildcard that is not the last `**` may stand for: a segment that every origin reads as this one.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty() && !is_odd(segment)
}

/// Holds a path parameter, or an encoded sign that splits or ends a path where it is decoded too early.
fn is_odd(text: &str) -> bool {
    let may_be = text.bytes().any(|byte| matches!(byte, b';' | b'%'));
    may_be && (text.contains(';') || ["%2F", "%3B", "%3F", "%23"].iter().any(|sign| text.contains(sign)))
}

impl TryFrom<String> for PathPattern {
    type Error = String;
    fn try_from(text: String) -> Result<PathPattern, String> {
        PathPattern::parse(&text)
    }
}
impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> String {
        pattern.text.into()
    }
}
