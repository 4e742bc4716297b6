//! `.env` files as the usual libraries read them: `NAME=value`, `export`, quotes, comments, values over several lines.
use zeroize::Zeroizing;

/// Names and values; `None` when some line is nothing of the kind.
pub(crate) fn values(content: &[u8]) -> Option<Vec<(String, Zeroizing<Vec<u8>>)>> {
    let mut rest = std::str::from_utf8(content).ok()?;
    let mut found = Vec::new();
    while let Some(line) = next_line(rest) {
        let (name, after) = line.split_once('=')?;
        let name = name.trim();
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        if !is_name(name) {
            return None;
        }
        let (value, behind) = value(after)?;
        found.push((name.to_owned(), value));
        rest = behind;
    }
    Some(found)
}

/// The values of those lines that stand for themselves, where others are nothing of the kind (a `set -a`, a name with a
/// dash): upper-case names only, which no line of a key looks like.
pub(crate) fn some_values(content: &[u8]) -> Vec<(String, Zeroizing<Vec<u8>>)> {
    let text = std::str::from_utf8(content).unwrap_or_default();
    text.lines()
        .filter_map(|line| values(line.as_bytes()))
        .flatten()
        .filter(|(name, _)| is_upper(name))
        .collect()
}

fn is_upper(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// From the next line that says something.
fn next_line(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start();
        if !text.starts_with('#') {
            return (!text.is_empty()).then_some(text);
        }
        text = behind_line(text);
    }
}

fn behind_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, behind)| behind)
}

fn is_name(name: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(fit)
}

/// A value and what follows its line.
fn value(after: &str) -> Option<(Zeroizing<Vec<u8>>, &str)> {
    let text = after.trim_start_matches([' ', '\t']);
    match text.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => quoted(&text[1..], quote),
        _ => Some((bare(text.lines().next().unwrap_or_default()), behind_line(text))),
    }
}

/// Up to a comment.
fn bare(line: &str) -> Zeroizing<Vec<u8>> {
    let value = line.split_once(" #").map_or(line, |(value, _)| value);
    Zeroizing::new(value.trim().as_bytes().to_vec())
}

/// Up to the closing quote, over lines too; in double quotes a backslash escapes.
fn quoted(text: &str, quote: char) -> Option<(Zeroizing<Vec<u8>>, &str)> {
    let mut value = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, behind_line(&text[at..])));
        }
        let meant = match (quote, character) {
            ('"', '\\') => escaped(characters.next()?.1),
            _ => character,
        };
        value.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
    }
    None
}

fn escaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(String, String)>> {
        let text_of = |value: Zeroizing<Vec<u8>>| String::from_utf8(value.to_vec()).unwrap();
        Some(values(text.as_bytes())?.into_iter().map(|(name, value)| (name, text_of(value))).collect())
    }

    #[test]
    fn lines_quotes_and_comments() {
        let text = "# a comment\n\nA=one # why\nexport B = 'two # three'\r\nC=\"four\\n\\\"five\\\"\" # x\nD=\nE=`six`\n\
                    F=\"seven\neight\"\nG=a=b=c";
        let wanted = [
            ("A", "one"),
            ("B", "two # three"),
            ("C", "four\n\"five\""),
            ("D", ""),
            ("E", "six"),
            ("F", "seven\neight"),
            ("G", "a=b=c"),
        ];
        assert_eq!(read(text).unwrap(), wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_no_dotenv_file() {
        for text in [
            "just a key",
            "-----BEGIN KEY-----\nabc=\n",
            "A=1\nnonsense",
            "1A=x",
            "A=\"open",
            "{\"a\":\"b=c\"}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
