//! What the loops cost when the baseline was saved.
use crate::table::Row;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.toml");

/// Counts of one processor family; another has other instructions, and no baseline until somebody saves one there.
pub(crate) struct Baseline(BTreeMap<String, u64>);

impl Baseline {
    pub(crate) fn read() -> Result<Baseline, String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        Ok(Baseline(section(&text).lines().filter_map(entry).collect()))
    }

    pub(crate) fn of(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Writes what was counted over this family's section; what was not counted this time stays.
    pub(crate) fn write(rows: &[Row]) -> Result<(), String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        let mut all = Baseline::read()?.0;
        all.extend(rows.iter().map(|row| (row.name.clone(), row.count)));
        let mut new = heading();
        for (name, count) in all {
            let _to_a_text = writeln!(new, "\"{name}\" = {count}");
        }
        let old = section(&text);
        let text = if old.is_empty() { format!("{text}\n{new}") } else { text.replace(old, &new) };
        fs::write(PATH, text).map_err(|error| format!("{PATH}: {error}"))
    }
}

fn heading() -> String {
    format!("[{}]\n", std::env::consts::ARCH)
}

/// This family's lines, heading and all; nothing where there are none.
fn section(text: &str) -> &str {
    let Some(begin) = text.find(&heading()) else { return "" };
    let rest = &text[begin..];
    &rest[..rest[1..].find("\n[").map_or(rest.len(), |end| end + 2)]
}

/// `"name" = count`
fn entry(line: &str) -> Option<(String, u64)> {
    let (name, count) = line.rsplit_once(" = ")?;
    Some((name.trim_matches('"').to_owned(), count.parse().ok()?))
}
