//! Writing into a manifest: routes are added to its text, and every other byte stays as its author put it.
//!
//! Pure text in, text out. What comes out was read again and means the old plan plus these routes, or there is an error
//! and nothing to write. Existing entries are never widened: a grant is an entry of its own that can be taken out again.
mod check;
mod flow;
mod insert;
mod item;
mod text;

use crate::host::Host;
use crate::lower::{Place, load};
use crate::node::{self, Node, Value};
use crate::problem::{Problems, Span};
use policy::Proposal;

/// A route to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// What it lets through.
    pub proposal: Proposal,
    /// What people call it; `None`: as made from host and paths.
    pub name: Option<String>,
    /// Lines above it, without `#`: `allowed 2026-11-27 14:03: the tests need it`. They are neutralised.
    pub comments: Vec<String>,
}

impl Addition {
    /// Without name and comments.
    pub fn of(proposal: Proposal) -> Addition {
        Addition { proposal, name: None, comments: Vec::new() }
    }
}

/// Why nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct EditError {
    /// Lower case, no full stop.
    pub what: String,
    /// The way out.
    pub help: String,
}

impl EditError {
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> EditError {
        EditError { what: what.into(), help: help.into() }
    }
}

/// The text with routes added after the user's last one, in the style in which the list is written.
///
/// # Errors
/// When the manifest is wrong already, when it is written in a way that cannot be added to, and when the new one would
/// mean anything but the old plan and these routes (a preset's route that would not be reached any more, for example).
pub fn add_routes(
    text: &str,
    additions: &[Addition],
    place: Place<'_>,
    host: &dyn Host,
) -> Result<String, EditError> {
    let before = load(text, place, host).map_err(|problems| wrong_before(&problems))?;
    let mut new = text.to_owned();
    for addition in additions {
        new = add(&new, addition)?;
    }
    let after = load(&new, place, host).map_err(|problems| wrong_after(&problems))?;
    check::only_added(&before.plan, &after.plan, additions)?;
    Ok(new)
}

fn wrong_before(problems: &Problems) -> EditError {
    let first = problems.list.iter().find(|problem| problem.is_error());
    let why = first.map_or("", |problem| &problem.message);
    EditError::new(
        format!("the manifest is wrong as it is, so nothing is added to it: {why}"),
        "`bottle check` shows every mistake in it",
    )
}

fn wrong_after(problems: &Problems) -> EditError {
    let first = problems.list.iter().find(|problem| problem.is_error());
    let why = first.map_or("", |problem| &problem.message);
    let hint = first.and_then(|problem| problem.hint.clone());
    EditError::new(
        format!("the route cannot be added: {why}"),
        hint.unwrap_or_else(|| "write the route by hand".to_owned()),
    )
}

/// One route: of the ways to write it, the first that reads as it was meant.
fn add(text: &str, addition: &Addition) -> Result<String, EditError> {
    let tree = node::parse(text, 0).map_err(|problem| by_hand(&problem.message))?;
    let wanted =
        with_route(&tree, addition).ok_or_else(|| by_hand("`egress` or `routes` is something else"))?;
    let reads = |new: &String| node::parse(new, 0).is_ok_and(|read| same(&read.value, &wanted));
    let ways = insert::ways(text, &tree, addition)?;
    ways.into_iter().find(reads).ok_or_else(|| by_hand("it is written in an unusual way"))
}

/// For a shape that is not understood.
pub(crate) fn by_hand(why: &str) -> EditError {
    EditError::new(
        format!("no route can be added to this manifest: {why}"),
        "add the route by hand, under `egress.routes`",
    )
}

/// The tree as it is to be.
fn with_route(tree: &Node, addition: &Addition) -> Option<Value> {
    let mut root = map(tree)?.to_vec();
    let nothing = || bare(Value::Map(Vec::new()));
    let egress = take(&mut root, "egress", nothing);
    let Value::Map(egress) = egress else { return None };
    let routes = take(egress, "routes", || bare(Value::List(Vec::new())));
    let Value::List(routes) = routes else { return None };
    routes.push(bare(item::value(addition)));
    Some(Value::Map(root))
}

fn take<'a>(
    entries: &'a mut Vec<(node::Key, Node)>,
    name: &str,
    missing: impl FnOnce() -> Node,
) -> &'a mut Value {
    let at = entries.iter().position(|(key, _)| key.text == name).unwrap_or_else(|| {
        entries.push((node::Key { span: Span::default(), text: name.to_owned() }, missing()));
        entries.len() - 1
    });
    &mut entries[at].1.value
}

fn bare(value: Value) -> Node {
    Node { span: Span::default(), value }
}

fn map(node: &Node) -> Option<&[(node::Key, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

/// Whether two trees say the same; where things stand and the order of keys do not count.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(&a.value, &b.value))
        }
        (Value::Map(one), Value::Map(other)) => {
            let has =
                |key: &str, value: &Value| other.iter().any(|(k, v)| k.text == key && same(value, &v.value));
            one.len() == other.len() && one.iter().all(|(key, value)| has(&key.text, &value.value))
        }
        (one, other) => one == other,
    }
}
