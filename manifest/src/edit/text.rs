//! Places in a YAML text, as its lines show them. What is guessed here is read again afterwards (`super::add`).

/// Where the line of this place begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |feed| feed + 1)
}

/// Where the line after this place begins, or the end.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1)
}

/// How many blanks a place is away from the start of its line; `None` when other things stand before it.
pub(super) fn column(text: &str, at: usize) -> Option<usize> {
    let before = &text[line_start(text, at)..at];
    before.bytes().all(|b| b == b' ').then_some(before.len())
}

/// How far the line of this place is indented.
pub(super) fn indent(text: &str, at: usize) -> usize {
    let line = &text[line_start(text, at)..];
    line.bytes().take_while(|b| *b == b' ').count()
}

/// `\r\n` where lines end so.
pub(super) fn feed(text: &str) -> &'static str {
    let first = text.find('\n').unwrap_or(0);
    if first > 0 && text.as_bytes()[first - 1] == b'\r' { "\r\n" } else { "\n" }
}

/// What follows the `:` of a key that begins here.
pub(super) fn after_key(text: &str, start: usize, name: &str) -> Option<usize> {
    let rest = text.get(start..)?;
    let quoted = ['"', '\'']
        .iter()
        .find_map(|quote| rest.strip_prefix(*quote)?.strip_prefix(name)?.strip_prefix(*quote));
    let rest = quoted.or_else(|| rest.strip_prefix(name))?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix(':')?;
    Some(text.len() - rest.len())
}

/// Where a value begins: after blanks, comments, line feeds, anchors and tags.
pub(super) fn value_start(text: &str, mut at: usize) -> Option<usize> {
    loop {
        match text.as_bytes().get(at)? {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at = line_end(text, at),
            b'&' | b'!' => at += text[at..].find([' ', '\t', '\r', '\n']).unwrap_or(text.len() - at),
            _ => return Some(at),
        }
    }
}

/// Where the content of the document begins: after a byte order mark, directives and `---`.
pub(super) fn content_start(text: &str) -> Option<usize> {
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    loop {
        at = value_start(text, at)?;
        let rest = &text[at..];
        if rest.starts_with('%') {
            at = line_end(text, at);
        } else if rest.starts_with("---") && rest[3..].chars().next().is_none_or(char::is_whitespace) {
            at += 3;
        } else {
            return Some(at);
        }
    }
}

/// What a line is in a block sequence whose dashes stand in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Blank,
    /// A comment in this column.
    Comment(usize),
    Inside,
    After,
}

fn kind(line: &str, dashes: usize) -> Line {
    let line = line.trim_end();
    let content = line.trim_start_matches(' ');
    let column = line.len() - content.len();
    let dash = content == "-" || content.starts_with("- ") || content.starts_with("-\t");
    match content.trim_start().as_bytes().first() {
        None => Line::Blank,
        Some(b'#') => Line::Comment(column),
        Some(_) if column > dashes || (column == dashes && dash) => Line::Inside,
        Some(_) => Line::After,
    }
}

/// Where a block sequence ends whose first dash is here: after its last line, and after the comments behind it that belong
/// to it.
pub(super) fn sequence_ends(text: &str, first: usize, dashes: usize, key_column: usize) -> [usize; 2] {
    let mut last = line_end(text, first);
    let mut commented = last;
    let mut at = last;
    let mut gap = false;
    while at < text.len() {
        let next = line_end(text, at);
        match kind(&text[at..next], dashes) {
            Line::Blank => gap = true,
            // A comment in the key's own column is about what follows.
            Line::Comment(column) if !gap && column >= dashes && column > key_column => commented = next,
            Line::Comment(_) => gap = true,
            Line::Inside => {
                (last, commented, gap) = (next, next, false);
            }
            Line::After => break,
        }
        at = next;
    }
    [commented, last]
}

/// Where the last item of a block sequence begins: its dash.
pub(super) fn last_dash(text: &str, first: usize, end: usize, dashes: usize) -> usize {
    let mut found = first;
    let mut at = line_end(text, first);
    while at < end {
        let next = line_end(text, at);
        let is_dash = text.as_bytes().get(at + dashes) == Some(&b'-');
        if is_dash && indent(text, at) == dashes && kind(&text[at..next], dashes) == Line::Inside {
            found = at + dashes;
        }
        at = next;
    }
    found
}
