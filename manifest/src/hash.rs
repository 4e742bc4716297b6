//! Which policy it was, in a few letters: for the audit and for people who compare.
use crate::plan::EgressPlan;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// How the next hop is reached and where secrets come from: neither judges.
const NOT_JUDGING: [&str; 3] = ["slots", "upstream_roots", "upstream_proxy"];

/// The beginning (16 hexadecimal digits) of a SHA-256 of what judges: routes with their order, the name table, the search,
/// budgets, and which route carries which credential where. The same for the same policy, whatever the manifest looks
/// like that it came from; never made from a secret.
pub fn policy_hash(egress: &EgressPlan) -> String {
    // A plan is numbers, texts and lists: it can be written as JSON.
    let mut value = serde_json::to_value(egress).unwrap_or_default();
    if let Value::Object(entries) = &mut value {
        NOT_JUDGING.iter().for_each(|key| drop(entries.remove(*key)));
    }
    let mut text = String::new();
    canonical(&value, &mut text);
    Sha256::digest(text).iter().take(8).fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// Keys in order, no blanks.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                let lead = if i == 0 { '{' } else { ',' };
                let _ = write!(out, "{lead}{}:", Value::String(key.clone()));
                canonical(value, out);
            }
            out.push_str(if entries.is_empty() { "{}" } else { "}" });
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                canonical(item, out);
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}
