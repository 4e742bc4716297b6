//! Patterns over paths: how they are read, and what they cover.
use super::{NormalPath, push_characters, push_segment, push_triplet};
use serde::{Deserialize, Serialize};

/// A pattern over normal paths; see the [module](super) for what each sign covers.
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
