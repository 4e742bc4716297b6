//! Patterns as Go reads them (RE2), written so that they are read here in the same way.

/// What Go takes and this crate's reader does not, or reads otherwise: braces that count nothing, brackets and signs inside of
/// classes, `\Q…\E`, `\C`.
pub(super) fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(sign) = rest.chars().next() {
        let (taken, written) = match sign {
            '\\' => escape(rest),
            '[' if in_class && !rest.starts_with("[:") => (1, "\\[".to_owned()),
            '[' if in_class => posix(rest),
            '[' => {
                in_class = true;
                class_begin(rest)
            }
            ']' => {
                in_class = false;
                (1, "]".to_owned())
            }
            '&' | '~' if in_class => (1, format!("\\{sign}")),
            '-' if in_class && rest.starts_with("--") => (1, "\\-".to_owned()),
            '{' if !in_class && !counts(rest) => (1, "\\{".to_owned()),
            '}' if !in_class => (1, "\\}".to_owned()),
            '{' if !in_class => {
                let end = rest.find('}').map_or(rest.len(), |at| at + 1);
                (end, rest[..end].to_owned())
            }
            other => (other.len_utf8(), other.to_string()),
        };
        out.push_str(&written);
        rest = &rest[taken..];
    }
    out
}

fn escape(rest: &str) -> (usize, String) {
    if let Some(quoted) = rest.strip_prefix("\\Q") {
        let text = quoted.split("\\E").next().unwrap_or_default();
        let taken = 2 + text.len() + if quoted.len() > text.len() { 2 } else { 0 };
        return (taken, regex_syntax::escape(text));
    }
    if rest.starts_with("\\C") {
        return (2, "(?s:.)".to_owned());
    }
    let length = rest.chars().take(2).map(char::len_utf8).sum();
    (length, rest[..length].to_owned())
}

/// A bracket right behind the beginning is one of the class.
fn class_begin(rest: &str) -> (usize, String) {
    for (begin, written) in [("[^]", "[^\\]"), ("[]", "[\\]")] {
        if rest.starts_with(begin) {
            return (begin.len(), written.to_owned());
        }
    }
    let taken = if rest.starts_with("[^") { 2 } else { 1 };
    (taken, rest[..taken].to_owned())
}

fn posix(rest: &str) -> (usize, String) {
    match rest.find(":]") {
        Some(end) => (end + 2, rest[..end + 2].to_owned()),
        None => (1, "\\[".to_owned()),
    }
}

/// Whether a brace begins `{2}`, `{2,}` or `{2,3}`.
fn counts(rest: &str) -> bool {
    let Some((inside, _)) = rest[1..].split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::machine::{Machine, Run};

    #[test]
    fn what_go_takes_is_taken() {
        for (pattern, text) in [
            ("a{,2}b", "a{,2}b"),
            ("\\${x}", "${x}"),
            ("[[]x", "[x"),
            ("[a&&b]+c", "&&c"),
            ("[a~~]c", "~c"),
            ("[]a]+", "]a"),
            ("[^]]x", "ax"),
            ("\\Qa.b\\E+c", "a.bbc"),
            ("(?i)abc\\z", "ABC"),
            ("[[:alnum:]_]{3}", "a1_"),
            ("[\\w--]+", "a-"),
            ("a{2}b{1,}", "aab"),
            ("\\x60\\x{27}", "`'"),
            ("\\Cz", "az"),
        ] {
            let machine =
                Machine::new(&translated(pattern)).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(machine.run(text.as_bytes(), 0, 99, true), Run::Match(text.len()), "{pattern}");
        }
    }
}
