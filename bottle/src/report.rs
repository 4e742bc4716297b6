//! A page about a run: one HTML file that needs nothing else, no script and no network, drawn from the audit alone.
//!
//! What stands in an audit was written by an agent: every text of it goes through [`html::Text`], and the page forbids
//! scripts and every other source by itself as well.
mod charts;
mod facts;
mod html;
mod tables;

use audit::Record;
use facts::Facts;
use html::Text;
use std::fmt::Write as _;

/// The whole page. `odd` lines of the file could not be read.
pub fn page(records: &[Record], odd: u64) -> String {
    let facts = Facts::of(records, odd);
    let mut out = head(&facts);
    out.push_str(&tiles(&facts));
    out.push_str(&charts::over_time(&facts));
    out.push_str(&charts::lanes(&facts));
    out.push_str(&tables::refusals(&facts));
    out.push_str(&tables::findings(&facts));
    out.push_str(&tables::hosts(&facts));
    out.push_str(&tables::credentials(&facts));
    out.push_str(&tables::life(&facts));
    out.push_str(&tables::exchanges(&facts));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn head(facts: &Facts<'_>) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name}: what the bottle did</title>\n<style>\n{css}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\n<header>\n<h1>{name}</h1>\n",
        name = Text(facts.bottle),
        css = include_str!("report/page.css"),
    );
    let _ = writeln!(out, "<p>{}</p>", Text(&facts.when()));
    let policies: Vec<String> =
        facts.policies().into_iter().map(|policy| format!("<code>{}</code>", Text(policy))).collect();
    if !policies.is_empty() {
        let _ = writeln!(out, "<p>Judged by the policy {}</p>", policies.join(", then "));
    }
    out.push_str("</header>\n<nav aria-label=\"Parts\">\n");
    let parts = [
        ("time", "Over time"),
        ("refusals", "Refusals"),
        ("findings", "Findings"),
        ("hosts", "Hosts"),
        ("credentials", "Credentials"),
        ("life", "Life"),
        ("exchanges", "Exchanges"),
    ];
    for (id, name) in parts {
        let _ = write!(out, "<a href=\"#{id}\">{name}</a> ");
    }
    out.push_str("</nav>\n<main id=\"main\">\n");
    if facts.odd > 0 {
        let _ = writeln!(out, "<p class=\"note\">{} lines of the file are no audit lines.</p>", facts.odd);
    }
    out
}

/// The numbers that people look for first.
fn tiles(facts: &Facts<'_>) -> String {
    let (up, down) = facts.bytes();
    let tiles = [
        ("Exchanges", facts.exchanges.len().to_string(), ""),
        ("Allowed", facts.count(facts::ALLOWED).to_string(), "allowed"),
        ("Denied", facts.count(facts::DENIED).to_string(), "denied"),
        ("Broken off", facts.count(facts::ABORTED).to_string(), "aborted"),
        ("Findings", facts.findings().to_string(), if facts.findings() > 0 { "found" } else { "" }),
        ("Hosts", facts.hosts.len().to_string(), ""),
        ("Sent", crate::style::bytes(up), ""),
        ("Received", crate::style::bytes(down), ""),
    ];
    let tile = |(name, value, class): (&str, String, &str)| {
        format!("<div class=\"tile {class}\"><dt>{name}</dt><dd>{}</dd></div>\n", Text(&value))
    };
    format!("<dl class=\"tiles\">\n{}</dl>\n", tiles.map(tile).concat())
}

#[cfg(test)]
mod tests;
