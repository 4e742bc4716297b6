//! What was found, for people and for programs.
use super::{Found, Place};
use crate::style::{self, Style, neutral};
use serde_json::{Value, json};

/// What a run looked at.
#[derive(Debug, Default)]
pub struct Totals {
    /// Files, records and standard input.
    pub sources: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// The sum, for people.
pub fn sum(counted: u64, totals: &Totals, style: Style) -> String {
    let (sources, bytes) = (style::count(totals.sources, "source"), style::bytes(totals.bytes));
    let sum = match counted {
        0 => style.green("nothing found"),
        _ => style.yellow(&style::count(counted, "finding")),
    };
    format!("{sum} in {sources}, {bytes}\n")
}

/// One finding, for people.
pub fn line(found: &Found, style: Style) -> String {
    let source = neutral(&found.source);
    let place = match &found.place {
        Place::Bytes { line, column, .. } => format!("{source}:{line}:{column}"),
        Place::Entry { entry, part } => format!("{source}: entry {entry}, {part}"),
    };
    let layer = found.layer.as_ref().map(|layer| format!(", {layer}")).unwrap_or_default();
    let rule = if found.allowed { style.dim(&found.rule) } else { style.bold(&found.rule) };
    let allowed = if found.allowed { ", allowed" } else { "" };
    format!(
        "{place}  {rule}  {}, {}{layer}, fingerprint {}{allowed}\n",
        neutral(&found.name),
        style::count(found.length, "byte"),
        found.fingerprint
    )
}

/// For programs.
pub fn json(found: &[Found], totals: &Totals) -> Value {
    let counted = found.iter().filter(|one| !one.allowed).count();
    json!({ "clean": counted == 0, "findings": found, "sources": totals.sources, "bytes": totals.bytes })
}
