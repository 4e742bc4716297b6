//! The table that is printed.
use std::fmt::Write;

/// A rise in percent that is called one: less is what another compiler or library does to a loop.
const LOUD: f64 = 10.0;

/// What one loop costs, and cost before.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) before: Option<u64>,
}

impl Row {
    /// In percent of what it was.
    fn rise(&self) -> Option<f64> {
        let before = self.before.filter(|before| *before > 0)?;
        Some((self.count as f64 / before as f64 - 1.0) * 100.0)
    }

    fn is_loud(&self) -> bool {
        self.rise().is_some_and(|rise| rise > LOUD)
    }
}

pub(crate) fn print(rows: &[Row]) -> String {
    let mut text = "| loop | instructions | baseline | difference |\n|---|---:|---:|---:|\n".to_owned();
    for row in rows {
        let (name, count) = (&row.name, grouped(row.count));
        let before = row.before.map_or("–".to_owned(), grouped);
        let difference = match row.rise() {
            Some(rise) if row.is_loud() => format!("**{rise:+.1} %**"),
            Some(rise) => format!("{rise:+.1} %"),
            None => "new".to_owned(),
        };
        let _to_a_text = writeln!(text, "| {name} | {count} | {before} | {difference} |");
    }
    let risen: Vec<&str> = rows.iter().filter(|row| row.is_loud()).map(|row| row.name.as_str()).collect();
    if !risen.is_empty() {
        let _to_a_text = writeln!(
            text,
            "\nWARNING: MORE INSTRUCTIONS THAN THE BASELINE by over {LOUD} %: {}. Mend it, or save the new baseline \
             (`bench/loops/count --save`) and say why.",
            risen.join("; ")
        );
    }
    text
}

/// `12,345`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
