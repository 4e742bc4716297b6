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
    let mut text = Vec::new();
    canonical(&value, &mut text);
    Sha256::digest(&text).iter().take(8).fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// Keys in order, no blanks.
fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                out.push(if i == 0 { b'{' } else { b',' });
                plain(key, out);
                out.push(b':');
                canonical(value, out);
            }
            out.extend_from_slice(if entries.is_empty() { b"{}" } else { b"}" });
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push(if i == 0 { b'[' } else { b',' });
                canonical(item, out);
            }
            out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
        }
        other => plain(other, out),
    }
}

fn plain<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Texts, numbers, truth values and nothing: memory takes them all.
    let _cannot_fail = serde_json::to_writer(out, value);
}
