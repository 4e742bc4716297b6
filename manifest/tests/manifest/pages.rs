//! Pages that are made from the types. `UPDATE=1 cargo test -p manifest` writes them.
use std::fs;
use std::path::Path;

fn kept_true(page: &str, content: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("docs").join(page);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, content).expect("the page can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == content, "docs/{page} is out of date: `UPDATE=1 cargo test -p manifest` writes it anew");
}

#[test]
fn the_schema_is_true() {
    kept_true("manifest.schema.json", &format!("{:#}\n", manifest::schema::made()));
}

#[test]
fn the_reference_is_true_and_whole() {
    let page = manifest::reference::markdown();
    kept_true("manifest.md", &page);
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        assert!(!line.ends_with("|  |"), "a key without a meaning: {line}");
    }
}
