//! Text of the agent, made safe to show to the operator.

/// Neutralises text that came from inside: control characters, escape sequences, bidi and invisible characters become
/// visible escapes (`\u{1b}`), and the text is cut to `max` characters with `…` after it. What comes out can be printed
/// on a terminal without moving the cursor, changing earlier lines or reordering what is read.
pub fn neutral(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    let mut characters = text.chars();
    for character in characters.by_ref().take(max) {
        push_neutral(character, &mut out);
    }
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

/// [`neutral`], in backticks that the text itself cannot close.
pub(crate) fn quoted(text: &str, max: usize) -> String {
    format!("`{}`", neutral(text, max).replace('`', "'"))
}

fn push_neutral(character: char, out: &mut String) {
    if is_unsafe(character) {
        out.extend(character.escape_unicode());
    } else {
        out.push(character);
    }
}

/// Characters that do something other than stand there.
fn is_unsafe(character: char) -> bool {
    character.is_control() || is_invisible(character)
}

/// Format characters, separators that break lines, fillers and variation selectors: nothing is seen of them, or they
/// change how their neighbours are seen.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{neutral, quoted};

    #[test]
    fn escape_sequences_and_bidi_become_visible() {
        assert_eq!(neutral("a\x1b[2Jb", 99), "a\\u{1b}[2Jb");
        assert_eq!(neutral("user\u{202e}txt.exe", 99), "user\\u{202e}txt.exe");
        assert_eq!(neutral("a\u{9b}31m\r\n\u{200b}", 99), "a\\u{9b}31m\\u{d}\\u{a}\\u{200b}");
        assert_eq!(neutral("tag\u{e0041}", 99), "tag\\u{e0041}");
    }

    #[test]
    fn ordinary_text_stays_and_long_text_is_cut() {
        assert_eq!(neutral("grüße 日本語", 99), "grüße 日本語");
        assert_eq!(neutral("abcdef", 3), "abc…");
        assert_eq!(neutral("abc", 3), "abc");
    }

    #[test]
    fn a_backtick_cannot_close_the_quotes() {
        assert_eq!(quoted("a` is fine, `b", 99), "`a' is fine, 'b`");
    }
}
