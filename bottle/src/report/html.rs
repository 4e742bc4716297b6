//! Text in a page.
use crate::style::neutral;
use std::fmt::{Display, Formatter, Result};

/// Text that may be anything, as text: what has a meaning in HTML is written as a reference, in content and in quoted
/// attributes; what drives terminals or turns directions is spelled out.
pub(super) struct Text<'t>(pub(super) &'t str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        neutral(self.0).chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '`' => f.write_str("&#96;"),
            other => write!(f, "{other}"),
        })
    }
}

/// A part with a heading.
pub(super) fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{content}</section>\n")
}

/// A table that can be scrolled with the keyboard. Cells are HTML; those of `numbers` stand at the right.
pub(super) fn table(name: &str, heads: &[&str], numbers: &[usize], rows: &[Vec<String>]) -> String {
    let class = |column: usize| if numbers.contains(&column) { " class=\"number\"" } else { "" };
    let head: String = heads
        .iter()
        .enumerate()
        .map(|(i, head)| format!("<th scope=\"col\"{}>{head}</th>", class(i)))
        .collect();
    let row = |cells: &Vec<String>| {
        let cells: String =
            cells.iter().enumerate().map(|(i, cell)| format!("<td{}>{cell}</td>", class(i))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">\n<table>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

/// What is said where there is nothing.
pub(super) fn nothing(sentence: &str) -> String {
    format!("<p class=\"nothing\">{sentence}</p>\n")
}
