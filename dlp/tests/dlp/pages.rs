//! The page about rules, which is made from them. `UPDATE=1 cargo test -p dlp` writes it.
use dlp::{Rule, RuleSet};
use std::fs;
use std::path::Path;

const BEGIN: &str = "writes it. -->\n";
const END: &str = "<!-- end of rules -->";

#[test]
fn the_table_of_rules_is_true() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("docs/dlp.md");
    let page = fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (_, behind) = rest.split_once(END).expect("where it ends");
    let made = format!("{before}{BEGIN}{}{END}{behind}", table());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &made).expect("the page can be written");
    } else {
        assert!(page == made, "docs/dlp.md is out of date: `UPDATE=1 cargo test -p dlp` writes it anew");
    }
}

fn table() -> String {
    let rules = RuleSet::built_in();
    let rows: String = rules.rules().map(row).collect();
    format!(
        "\n{} rules.\n\n| rule | of | what | besides its shape | bytes |\n|---|---|---|---|---|\n{rows}\n",
        rules.rules().count()
    )
}

fn row(rule: &Rule) -> String {
    let entropy = if rule.entropy() > 0.0 { format!("{} bits", rule.entropy()) } else { String::new() };
    let checked = if rule.is_checked() { "checked" } else { "" };
    let besides: Vec<&str> = [checked, &entropy].into_iter().filter(|part| !part.is_empty()).collect();
    let (id, provider, about) = (rule.id(), rule.provider(), rule.about());
    format!("| `{id}` | {provider} | {about} | {} | {} |\n", besides.join(", "), rule.longest())
}
