//! `docs/manifest.md`: the reference of every key, made from the comments of the types in [`crate::written`].
use crate::presets::{PACKAGES, PRESETS};
use crate::schema::{made, resolve_made};
use serde_json::Value;
use std::fmt::Write as _;

/// The page.
pub fn markdown() -> String {
    let mut page = String::from("# The manifest\n\n");
    page.push_str("<!-- Made from the comments in manifest/src/written.rs; `UPDATE=1 cargo test -p manifest` writes it. -->\n\n");
    paragraph(&mut page, made());
    let mut sections = vec![(String::new(), made())];
    let mut done: Vec<&'static Value> = Vec::new();
    while !sections.is_empty() {
        let (place, section) = sections.remove(0);
        if done.iter().any(|d| std::ptr::eq(*d, section)) {
            continue;
        }
        done.push(section);
        group(&mut page, &place, section, &mut sections);
    }
    presets(&mut page);
    page
}

fn paragraph(page: &mut String, schema: &Value) {
    if let Some(text) = schema.get("description").and_then(Value::as_str) {
        let _ = writeln!(page, "{}\n", one_line(text));
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A table of keys; the groups below it are put at the end of the queue.
fn group(
    page: &mut String,
    place: &str,
    schema: &'static Value,
    sections: &mut Vec<(String, &'static Value)>,
) {
    if !place.is_empty() {
        let _ = writeln!(page, "## `{place}`\n");
        paragraph(page, schema);
    }
    let _ = writeln!(page, "| key | value | meaning |\n|---|---|---|");
    for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let needed =
            schema.get("required").and_then(Value::as_array).is_some_and(|r| r.iter().any(|k| k == key));
        let needed = if needed { " **Needed.**" } else { "" };
        let _ = writeln!(page, "| `{key}` | {} | {}{needed} |", values(property), meaning(property));
        let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        if let Some((suffix, inner)) = group_below(property) {
            sections.push((format!("{path}{suffix}"), inner));
        }
    }
    page.push('\n');
}

fn meaning(property: &'static Value) -> String {
    let own = property.get("description").or_else(|| resolve_made(property).get("description"));
    let mut text = own.and_then(Value::as_str).map(one_line).unwrap_or_default();
    for (word, meaning) in words(property) {
        let _ = write!(text, " `{word}`: {}", one_line(meaning));
    }
    text.replace('|', "\\|")
}

fn words(property: &'static Value) -> Vec<(&'static str, &'static str)> {
    let choices = resolve_made(property).get("oneOf").and_then(Value::as_array);
    let word =
        |choice: &'static Value| Some((choice.get("const")?.as_str()?, choice.get("description")?.as_str()?));
    choices.into_iter().flatten().filter_map(word).collect()
}

fn values(property: &'static Value) -> String {
    let schema = resolve_made(property);
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return choices.iter().map(values).collect::<Vec<_>>().join(", or ");
    }
    if schema.get("oneOf").is_some() {
        return "one word".to_owned();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("array") => format!("list of {}", schema.get("items").map(values).unwrap_or_default()),
        _ if schema.pointer("/additionalProperties/anyOf").is_some() => "ids and actions".to_owned(),
        _ if schema.get("additionalProperties").is_some_and(Value::is_object) => "names and texts".to_owned(),
        _ => "keys, below".to_owned(),
    }
}

/// A property whose value is a group of keys, or a list of them.
fn group_below(property: &'static Value) -> Option<(&'static str, &'static Value)> {
    let schema = resolve_made(property);
    if schema.get("properties").is_some() {
        return Some(("", schema));
    }
    if let Some(first) = schema.get("anyOf").and_then(Value::as_array).and_then(|choices| choices.first()) {
        return group_below(first);
    }
    let items = resolve_made(schema.get("items")?);
    items.get("properties").is_some().then_some(("[]", items))
}

fn presets(page: &mut String) {
    page.push_str("## Presets\n\nA preset is a manifest that comes with `bottle`.\n\n| preset | what it is for |\n|---|---|\n");
    for preset in PRESETS {
        let _ =
            writeln!(page, "| [`{0}`](../manifest/presets/{0}.yaml) | {1} |", preset.name, preset.summary());
    }
    let _ = writeln!(
        page,
        "| `{PACKAGES}` | The hosts that npm, pip, uv, cargo, go and apt are configured for on this machine. |"
    );
}
