//! The JSON schema of the manifest, made from its types and published.
use crate::written::Manifest;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// As `docs/manifest.schema.json` ships it. A test holds it against [`made`].
const PUBLISHED: &str = include_str!("../../docs/manifest.schema.json");

/// The schema, as `bottle check --schema` prints it: the published one, for every manifest that is read waits for it, and making it
/// takes ten times as long.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| serde_json::from_str(PUBLISHED).unwrap_or_else(|_| made().clone()))
}

/// The schema as the types of the manifest have it.
pub fn made() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schemars::schema_for!(Manifest).to_value();
        strip(&mut schema);
        schema
    })
}

/// A key without a value is a mistake and not the same as no key: a forgotten list under `paths:` must not mean "all".
/// So `null`, which stands in the generated schema for every optional key, goes. So do the defaults of lists, which say
/// nothing, and the formats of numbers, whose bounds are written out beside them.
fn strip(schema: &mut Value) {
    match schema {
        Value::Object(map) => strip_object(map),
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn strip_object(map: &mut Map<String, Value>) {
    map.values_mut().for_each(strip);
    if map.get("default").is_some_and(|d| d.is_null() || *d == json!([])) {
        map.remove("default");
    }
    if map.get("format").is_some_and(Value::is_string) && map.contains_key("type") {
        map.remove("format");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({ "type": "null" }));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            map.remove("anyOf");
            map.extend(only);
        }
    }
}

/// The definition that a `$ref` of [`schema`] names, or the schema itself.
pub(crate) fn resolve(schema: &'static Value) -> &'static Value {
    definition(self::schema(), schema)
}

/// As [`resolve`], of [`made`].
pub(crate) fn resolve_made(schema: &'static Value) -> &'static Value {
    definition(made(), schema)
}

fn definition(root: &'static Value, schema: &'static Value) -> &'static Value {
    let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return schema };
    root.pointer(name.trim_start_matches('#')).unwrap_or(schema)
}
