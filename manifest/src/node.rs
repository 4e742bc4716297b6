//! YAML text → a tree in which every node knows its place. The only module that knows the YAML crate.
//!
//! Nothing is interpreted here: a manifest's meaning is checked on the tree, so that all its mistakes can be told at once.
use crate::problem::{Problem, Span};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};
use std::fmt;

/// The largest manifest that is read at all.
pub const LARGEST: usize = 1024 * 1024;
/// A manifest of a hundred routes has about two thousand nodes, and no more of its bytes than [`LARGEST`] could be ten thousand routes.
const MOST_NODES: usize = 300_000;
/// Alias bombs end here.
const MOST_REPLAYED: usize = 100_000;
const DEEPEST: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// A YAML value. Maps keep their order and their duplicates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) span: Span,
    pub(crate) text: String,
}

impl Value {
    /// For people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a group of keys",
        }
    }
}

/// Parses one document; an empty one is an empty map.
pub(crate) fn parse(text: &str, file: usize) -> Result<Node, Problem> {
    if text.len() > LARGEST {
        let size = text.len();
        return Err(Problem::error(
            Span { file, start: 0, end: 0 },
            format!("the manifest is {size} bytes long"),
        )
        .hint(format!("a manifest has at most {LARGEST} bytes")));
    }
    let root: Option<Spanned<Raw>> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| problem(&error, text, file))?;
    let empty = Node { span: Span { file, start: 0, end: 0 }, value: Value::Map(Vec::new()) };
    Ok(match root.map(|raw| raw.node(file)) {
        None | Some(Node { value: Value::Null, .. }) => empty,
        Some(node) => node,
    })
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MOST_NODES,
            max_events: 4 * MOST_NODES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: DEEPEST,
            max_documents: 1,
            max_total_scalar_bytes: LARGEST,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_REPLAYED },
        // Both copies of a key are wanted: the second one is where the mistake is told.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        // `yes` and `on` are words; only `true` and `false` are not.
        strict_booleans: true,
        with_snippet: false,
    }
}

fn problem(error: &serde_saphyr::Error, text: &str, file: usize) -> Problem {
    let error = error.without_snippet();
    let span = error.location().map_or(Span { file, start: 0, end: 0 }, |at| place(at, text, file));
    if matches!(error, serde_saphyr::Error::Budget { .. }) {
        let message = "not readable as YAML: more than a manifest may be";
        return Problem::error(span, message)
            .hint(format!("it is one document with at most {MOST_NODES} entries, {DEEPEST} levels deep"));
    }
    let message = error.to_string();
    let message = message.lines().next().unwrap_or("not YAML").trim_end_matches('.');
    // The crate ends its sentences with the place, which is shown with the line itself.
    let message = message.split(" at line ").next().unwrap_or(message);
    Problem::error(span, format!("not readable as YAML: {message}"))
}

fn place(at: Location, text: &str, file: usize) -> Span {
    if at.span().byte_offset().is_some() {
        return span(at, file);
    }
    let line = usize::try_from(at.line().saturating_sub(1)).unwrap_or(0);
    let start = text.split_inclusive('\n').take(line).map(str::len).sum();
    Span { file, start, end: start }
}

fn span(at: Location, file: usize) -> Span {
    let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let start = number(at.span().byte_offset());
    Span { file, start, end: start + number(at.span().byte_len()) }
}

/// A value as the YAML crate hands it over.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

trait IntoNode {
    fn node(self, file: usize) -> Node;
}

impl IntoNode for Spanned<Raw> {
    fn node(self, file: usize) -> Node {
        let value = match self.value {
            Raw::Null => Value::Null,
            Raw::Bool(b) => Value::Bool(b),
            Raw::Int(i) => Value::Int(i),
            Raw::Float(f) => Value::Float(f),
            Raw::Text(text) => Value::Text(text),
            Raw::List(items) => Value::List(items.into_iter().map(|item| item.node(file)).collect()),
            Raw::Map(entries) => {
                Value::Map(entries.into_iter().map(|(k, v)| (key(k, file), v.node(file))).collect())
            }
        };
        Node { span: span(self.referenced, file), value }
    }
}

fn key(key: Spanned<String>, file: usize) -> Key {
    Key { span: span(key.referenced, file), text: key.value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, b: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(b))
    }
    fn visit_i64<E>(self, i: i64) -> Result<Raw, E> {
        Ok(Raw::Int(i))
    }
    fn visit_u64<E: serde::de::Error>(self, u: u64) -> Result<Raw, E> {
        i64::try_from(u)
            .map(Raw::Int)
            .map_err(|_| E::custom("a number this large means nothing in a manifest"))
    }
    fn visit_f64<E>(self, f: f64) -> Result<Raw, E> {
        Ok(Raw::Float(f))
    }
    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
            within(items.len()).map_err(A::Error::custom)?;
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
            within(entries.len()).map_err(A::Error::custom)?;
        }
        Ok(Raw::Map(entries))
    }
}

fn within(count: usize) -> Result<(), &'static str> {
    if count > MOST_NODES { Err("too many entries") } else { Ok(()) }
}
