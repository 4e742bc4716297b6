//! What a new plan changes, item by item, for people: what is added, removed or other, whether more can leave or less is
//! looked at, and whether a running bottle can take it over.
//!
//! Pure; names secrets, variables' values never. In doubt a change counts as weakening. What this module does not know by name
//! (a key that is newer than it) is compared as it is written, so that nothing changes unseen.
mod budgets;
mod routes;
mod search;
mod upstream;
mod whole;

use crate::plan::{EgressPlan, Plan};
use credentials::TokenRef;
use serde::Serialize;

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else.
    Changed,
}

/// What an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The allowlist, the credentials of its routes included.
    Routes,
    /// Where secrets come from.
    Credentials,
    /// The operator's name table.
    Resolve,
    /// The search for secrets.
    Dlp,
    /// What may be used up.
    Budget,
    /// The next hop and the roots that are trusted.
    Upstream,
    /// Keys of `egress` that are none of these (`unmatched`).
    Egress,
    /// What the agent is, what it sees, and what starts it.
    Bottle,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where.
    pub area: Area,
    /// What happened.
    pub kind: Kind,
    /// The item, for people: `route `github.com /acme/**``.
    pub item: String,
    /// What it is now, or was; `old → new` where it changed.
    pub detail: String,
    /// More can leave, or less is looked at; in doubt.
    pub weakens: bool,
    /// A running bottle cannot take it over: it needs a new start.
    pub restart: bool,
}

/// Everything that `new` changes.
pub fn between(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut changes = egress_between(&old.egress, &new.egress);
    changes.extend(whole::changes(old, new));
    changes
}

/// The same for what a bottle reaches.
pub fn egress_between(old: &EgressPlan, new: &EgressPlan) -> Vec<Change> {
    let mut out = Vec::new();
    let pairs = routes::Pairs::of(old, new);
    routes::changes(&pairs, &mut out);
    upstream::credentials(old, new, &mut out);
    search::changes(&pairs, &mut out);
    budgets::changes(&pairs, &mut out);
    upstream::changes(old, new, &mut out);
    whole::other_keys(old, new, &mut out);
    out
}

impl Change {
    fn new(area: Area, kind: Kind, item: impl Into<String>, detail: impl Into<String>) -> Change {
        Change { area, kind, item: item.into(), detail: detail.into(), weakens: false, restart: false }
    }

    fn weakens(self, weakens: bool) -> Change {
        Change { weakens, ..self }
    }

    fn restart(self, restart: bool) -> Change {
        Change { restart, ..self }
    }
}

/// One change of a value that may be missing on either side; `None` when there is none. `weakens` is asked with both.
fn value<T: PartialEq>(
    area: Area,
    item: &str,
    (old, new): (Option<&T>, Option<&T>),
    show: impl Fn(&T) -> String,
    weakens: impl Fn(Option<&T>, Option<&T>) -> bool,
) -> Option<Change> {
    if old == new {
        return None;
    }
    let weaker = weakens(old, new);
    let (kind, detail) = match (old, new) {
        (None, Some(new)) => (Kind::Added, show(new)),
        (Some(old), None) => (Kind::Removed, show(old)),
        (Some(old), Some(new)) => (Kind::Changed, format!("{} → {}", show(old), show(new))),
        (None, None) => return None,
    };
    Some(Change::new(area, kind, item, detail).weakens(weaker))
}

/// What is in one list and not in the other, in the order of the lists.
fn lists<T: PartialEq>(
    area: Area,
    item: &str,
    (old, new): (&[T], &[T]),
    show: impl Fn(&T) -> String,
    weaker: Kind,
    out: &mut Vec<Change>,
) {
    let gone = old.iter().filter(|one| !new.contains(one)).map(|one| (Kind::Removed, one));
    let come = new.iter().filter(|one| !old.contains(one)).map(|one| (Kind::Added, one));
    out.extend(
        gone.chain(come).map(|(kind, one)| Change::new(area, kind, item, show(one)).weakens(kind == weaker)),
    );
}

/// A token reference, for people. Of a command the program alone: what follows may be anything.
fn source(reference: &TokenRef) -> String {
    match reference {
        TokenRef::Env { name } => format!("variable `{name}`"),
        TokenRef::File { path, json_pointer: None } => format!("file `{}`", path.display()),
        TokenRef::File { path, json_pointer: Some(pointer) } => {
            format!("file `{}` at `{pointer}`", path.display())
        }
        TokenRef::Command { argv, ttl_secs, .. } => {
            let program = argv.first().map_or("", String::as_str);
            let ttl = ttl_secs.map(|secs| format!(", for {secs} s")).unwrap_or_default();
            format!("command `{program}`{ttl}")
        }
    }
}

/// The word of a value in the manifest.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
