//! The published schema.
use std::path::Path;

/// `UPDATE=1 cargo test -p audit --test audit schema` writes the file anew.
#[test]
fn the_published_schema_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.schema.json");
    let schema = serde_json::to_string_pretty(&audit::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == schema, "docs/audit.schema.json is out of date: run this test with UPDATE=1");
}

#[test]
fn the_schema_names_every_field_of_the_chain_and_both_events() {
    let schema = serde_json::to_value(audit::schema()).unwrap();
    for field in ["v", "seq", "time", "bottle", "prev"] {
        assert!(schema["properties"].get(field).is_some(), "`{field}` is missing");
    }
    let text = schema.to_string();
    assert!(text.contains("\"exchange\"") && text.contains("\"lifecycle\""), "{text}");
}
