//! Text in cells: whatever an agent writes takes the cells that we count, and nothing of it moves what stands beside it.
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar;

/// Text without characters whose place on a terminal cannot be told: control characters, what is not seen, what is put upon its
/// neighbour or turns the line around, and frames like ours. They are spelled out.
pub(super) fn safe(text: &str) -> String {
    let neutral = policy::neutral(text, usize::MAX);
    neutral.chars().fold(String::with_capacity(neutral.len()), |mut out, character| {
        if is_placed(character) {
            out.push(character);
        } else {
            let _ = write!(out, "{}", character.escape_unicode());
        }
        out
    })
}

fn is_placed(character: char) -> bool {
    !turns_the_line(character) && !is_frame(character) && has_a_known_width(character)
}

/// Hebrew, Arabic and their neighbours: some terminals turn a line around that has them, with all that stands in it.
fn turns_the_line(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Box drawing and blocks: of these our own frames are made.
fn is_frame(character: char) -> bool {
    matches!(character, '\u{2500}'..='\u{259f}' | '\u{1fb00}'..='\u{1fbff}')
}

/// One cell, or two where all terminals agree; parts of flags and tones of skin melt with their neighbours.
fn has_a_known_width(character: char) -> bool {
    match character.width() {
        Some(1) => !matches!(character, '\u{1f1e6}'..='\u{1f1ff}'),
        Some(2) => {
            !matches!(character, '\u{1f3fb}'..='\u{1f3ff}' | '\u{1fa70}'..='\u{1faff}' | '\u{1100}'..='\u{11ff}')
        }
        _ => false,
    }
}

/// Cells of safe text.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

fn cells(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// Exactly so many cells: cut with `…`, or filled with blanks.
pub(super) fn fit(text: &str, cells: usize) -> String {
    let mut out = cut(text, cells);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(width(&out))));
    out
}

/// So many cells at most; what does not fit ends in `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut out = head(text, most.saturating_sub(1)).to_owned();
    if most > 0 {
        out.push('…');
    }
    out
}

/// The beginning of a text that takes so many cells at most.
pub(super) fn head(text: &str, most: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, character)| {
        used += cells(*character);
        used > most
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// Lines of so many cells, broken at blanks where there are some, anywhere where there are none.
pub(super) fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(2);
    let mut lines = Vec::new();
    let mut rest = text.trim_end();
    while width(rest) > most {
        let line = head(rest, most);
        // A word that is not long goes to the next line whole.
        let at = match rest[line.len()..].starts_with(' ') {
            true => line.len(),
            false => line.rfind(' ').filter(|at| at * 2 > line.len()).unwrap_or(line.len()),
        };
        lines.push(rest[..at].trim_end().to_owned());
        rest = rest[at..].trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_its_neighbours_is_spelled_out() {
        for (odd, shown) in [
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("e\u{301}", "e\\u{301}"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200d}b", "a\\u{200d}b"),
            ("שלום", "\\u{5e9}\\u{5dc}\\u{5d5}\\u{5dd}"),
            ("🇩🇪", "\\u{1f1e9}\\u{1f1ea}"),
            ("│ ok ┐", "\\u{2502} ok \\u{2510}"),
            ("👍🏽", "👍\\u{1f3fd}"),
            ("x\ty\nz", "x\\u{9}y\\u{a}z"),
            ("grüße 日本 ✓ 🚀", "grüße 日本 ✓ 🚀"),
        ] {
            assert_eq!(safe(odd), shown);
        }
    }

    #[test]
    fn text_takes_the_cells_that_it_was_given() {
        for text in ["", "a", "日本語の長い文", "plain words that are long", "a日b本c語"] {
            for cells in 0..12 {
                assert_eq!(width(&fit(text, cells)), cells, "{text} in {cells}");
                assert!(
                    wrap(text, cells).iter().all(|line| width(line) <= cells.max(2)),
                    "{text} in {cells}"
                );
            }
        }
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(wrap("the tests need it badly", 10), ["the tests", "need it", "badly"]);
        assert_eq!(wrap("https://a.example/long", 10), ["https://a.", "example/lo", "ng"]);
        assert_eq!(wrap("日本語", 4).concat(), "日本語", "nothing is lost");
    }
}
