//! The rest of a plan, compared as it is written: all of it needs a new start.
use super::{Area, Change, Kind};
use crate::plan::{EgressPlan, Plan};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys of `egress` and of its `dlp` that are compared by name.
const KNOWN: [&str; 8] =
    ["policy", "bindings", "slots", "dlp", "upstream_roots", "upstream_proxy", "budget", "route_budgets"];
const KNOWN_DLP: [&str; 9] =
    ["action", "routes", "secrets", "rules", "rule_files", "own_rules", "allow", "canaries", "entropy"];

/// What of the bottle itself is other.
pub(super) fn changes(old: &Plan, new: &Plan) -> Vec<Change> {
    let (old, new) = (leaves(old), leaves(new));
    let gone =
        old.iter().filter(|(key, _)| !new.contains_key(*key)).map(|(key, was)| one(key, Some(was), None));
    let rest = new
        .iter()
        .filter(|(key, is)| old.get(*key) != Some(is))
        .map(|(key, is)| one(key, old.get(key), Some(is)));
    gone.chain(rest).collect()
}

/// `agent.env.A` → value. Lists of texts and of things with a path are sets; so is every list whose order means nothing.
fn leaves(plan: &Plan) -> BTreeMap<String, Value> {
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    if let Value::Object(entries) = &mut value {
        entries.remove("egress");
    }
    let mut found = BTreeMap::new();
    gather(String::new(), value, &mut found);
    found
}

fn gather(name: String, value: Value, found: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(entries) if name != "sandbox.mounts" => {
            entries.into_iter().for_each(|(key, value)| gather(below(&key), value, found));
        }
        Value::Array(items) if name != "agent.command" => {
            for item in items {
                found.insert(below(&mark(&item)), item);
            }
        }
        Value::Null => {}
        other => {
            found.insert(name, other);
        }
    }
}

/// What tells an entry of a list from others: where a mount leads, which port is open.
fn mark(item: &Value) -> String {
    match item {
        Value::String(text) => format!("`{text}`"),
        Value::Object(entries) => match entries.get("at").or_else(|| entries.get("host")) {
            Some(Value::String(text)) => format!("`{text}`"),
            Some(other) => other.to_string(),
            None => item.to_string(),
        },
        other => other.to_string(),
    }
}

fn one(key: &str, old: Option<&Value>, new: Option<&Value>) -> Change {
    let kind = match (old, new) {
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
        _ => Kind::Changed,
    };
    Change::new(Area::Bottle, kind, key.trim_start_matches("sandbox."), detail(key, old, new))
        .weakens(weakens(key, kind))
        .restart(true)
}

/// Values, but not where a person may have put a secret all the same.
fn detail(key: &str, old: Option<&Value>, new: Option<&Value>) -> String {
    if key.starts_with("agent.env") || key.contains("build.args") {
        return "its value is not shown".to_owned();
    }
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (old, new) {
        (Some(old), Some(new)) => format!("{} → {}", shown(old), shown(new)),
        (one, other) => other.or(one).map(shown).unwrap_or_default(),
    }
}

/// The agent sees or may write more of this machine, or is cut off otherwise.
fn weakens(key: &str, kind: Kind) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    match kind {
        Kind::Added => starts(&[
            "sandbox.mounts",
            "sandbox.unprotect",
            "sandbox.ports",
            "agent.pass_env",
            "docker.network",
            "docker.outward",
        ]),
        Kind::Removed => starts(&["sandbox.protect"]),
        Kind::Changed => starts(&[
            "sandbox.mounts",
            "sandbox.workspace",
            "sandbox.ports",
            "docker.network",
            "docker.outward",
            "backend",
        ]),
    }
}

/// Keys of `egress` that are newer than this module.
pub(super) fn other_keys(old: &EgressPlan, new: &EgressPlan, out: &mut Vec<Change>) {
    let value = |egress: &EgressPlan| serde_json::to_value(egress).unwrap_or_default();
    let (old, new) = (value(old), value(new));
    unknown("", (&old, &new), &KNOWN, out);
    let known: Vec<&str> = KNOWN_DLP.iter().copied().chain(["prompt_injection"]).collect();
    unknown("dlp.", (&old["dlp"], &new["dlp"]), &known, out);
}

fn unknown(of: &str, (old, new): (&Value, &Value), known: &[&str], out: &mut Vec<Change>) {
    let keys = |value: &Value| {
        value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    let mut names: Vec<String> =
        keys(old).into_iter().chain(keys(new)).filter(|key| !known.contains(&key.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let both = (
            old.get(&name).filter(|value| !value.is_null()),
            new.get(&name).filter(|value| !value.is_null()),
        );
        let closed = |value: Option<&Value>| value.is_none_or(|value| value == "deny");
        let item = format!("`{of}{name}`");
        out.extend(super::value(Area::Egress, &item, both, super::word, |_, new| !closed(new)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(old: &Value, new: &Value) -> Vec<String> {
        let mut out = Vec::new();
        unknown("", (old, new), &["known"], &mut out);
        out.iter()
            .map(|change| {
                format!("{}{}: {}", if change.weakens { "!" } else { "" }, change.item, change.detail)
            })
            .collect()
    }

    /// Nothing changes unseen: what is newer than this module is compared as it is written.
    #[test]
    fn keys_that_nobody_knows_are_compared() {
        assert!(told(&json!({ "known": 1, "same": [1] }), &json!({ "known": 2, "same": [1] })).is_empty());
        assert_eq!(
            told(&json!({ "unmatched": "deny" }), &json!({ "unmatched": "ask" })),
            ["!`unmatched`: deny → ask"]
        );
        assert_eq!(
            told(&json!({ "unmatched": "ask" }), &json!({ "unmatched": "deny" })),
            ["`unmatched`: ask → deny"]
        );
        assert_eq!(told(&json!({}), &json!({ "new": { "a": 1 } })), ["!`new`: {\"a\":1}"]);
        assert_eq!(told(&json!({ "new": true }), &json!({ "new": null })), ["`new`: true"]);
    }
}
