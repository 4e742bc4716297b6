//! Where a route goes in the text, and how it looks there. Several ways, best first; whoever calls reads each of them.
use super::flow::Flow;
use super::text::{
    after_key, column, content_start, feed, indent, last_dash, line_end, line_start, sequence_ends,
    value_start,
};
use super::{Addition, EditError, by_hand, item, map};
use crate::node::{Key, Node};

/// Texts with the route in them.
pub(super) fn ways(text: &str, tree: &Node, addition: &Addition) -> Result<Vec<String>, EditError> {
    let edit = Edit { text, addition, feed: feed(text) };
    let root = map(tree).unwrap_or_default();
    let start = content_start(text);
    let root_flow = start.filter(|at| text[*at..].starts_with('{'));
    let Some((key, egress)) = entry(root, "egress") else {
        return match root_flow {
            Some(open) => edit.to_flow(open, open, &edit.whole_flow()),
            None => Ok(edit.at_the_end(root)),
        };
    };
    let egress_at = value_of(text, key)?;
    let flow = root_flow.or_else(|| text[egress_at..].starts_with('{').then_some(egress_at));
    let entries = map(egress).unwrap_or_default();
    let Some((routes_key, _)) = entry(entries, "routes") else {
        return match flow {
            Some(outermost) if root_flow.is_none() => {
                edit.empty_or_flow(egress_at, outermost, Kind::Egress(key))
            }
            Some(outermost) => edit.to_flow(egress_at, outermost, &edit.routes_flow()),
            None => Ok(edit.first_in(key, entries)),
        };
    };
    let routes_at = value_of(text, routes_key)?;
    match (text.as_bytes()[routes_at], flow) {
        (b'[', Some(outermost)) => edit.to_flow(routes_at, outermost, &edit.item_flow()),
        (b'[', None) => edit.empty_or_flow(routes_at, routes_at, Kind::Routes(routes_key)),
        (b'-', _) => edit.to_block(routes_key, routes_at, next_key(root, entries, routes_at)),
        _ => Err(by_hand("`routes` is no list that is written there")),
    }
}

/// What a pair of empty brackets is the value of.
#[derive(Clone, Copy)]
enum Kind<'t> {
    Egress(&'t Key),
    Routes(&'t Key),
}

fn entry<'t>(entries: &'t [(Key, Node)], name: &str) -> Option<&'t (Key, Node)> {
    entries.iter().find(|(key, _)| key.text == name)
}

/// Where the value of a key begins.
fn value_of(text: &str, key: &Key) -> Result<usize, EditError> {
    let unusual = || by_hand(&format!("`{}` is written in an unusual way", key.text));
    let at = after_key(text, key.span.start, &key.text)
        .and_then(|at| value_start(text, at))
        .ok_or_else(unusual)?;
    match text.as_bytes()[at] {
        b'*' => Err(by_hand(&format!("`{}` is an alias of what stands elsewhere", key.text))),
        _ => Ok(at),
    }
}

/// The first key after a place, of the two maps that the list is in.
fn next_key(root: &[(Key, Node)], egress: &[(Key, Node)], at: usize) -> Option<usize> {
    root.iter().chain(egress).map(|(key, _)| key.span.start).filter(|start| *start > at).min()
}

struct Edit<'t> {
    text: &'t str,
    addition: &'t Addition,
    feed: &'static str,
}

impl Edit<'_> {
    /// The text with lines put before a place where a line begins.
    fn with_lines(&self, at: usize, lines: &[String]) -> String {
        let (before, after) = self.text.split_at(at);
        let block = lines.join(self.feed);
        // A file whose last line does not end goes on not ending.
        if !before.is_empty() && !before.ends_with('\n') {
            return format!("{before}{}{block}{after}", self.feed);
        }
        format!("{before}{block}{}{after}", self.feed)
    }

    /// Comments and item of a block sequence.
    fn block_item(&self, dashes: usize, gap: usize, in_brackets: bool) -> Vec<String> {
        let pad = " ".repeat(dashes);
        let mut lines: Vec<String> =
            item::comments(self.addition).iter().map(|line| format!("{pad}{line}")).collect();
        let keys = if in_brackets { vec![item::flow(self.addition)] } else { item::lines(self.addition) };
        for (i, key) in keys.iter().enumerate() {
            let lead = if i == 0 { "-" } else { " " };
            lines.push(format!("{pad}{lead}{}{key}", " ".repeat(gap)));
        }
        lines
    }

    fn to_block(&self, key: &Key, first: usize, next: Option<usize>) -> Result<Vec<String>, EditError> {
        let text = self.text;
        let dashes = column(text, first).ok_or_else(|| by_hand("`routes` begins in an unusual place"))?;
        let ends = sequence_ends(text, first, dashes, indent(text, key.span.start));
        let dash = last_dash(text, first, ends[1], dashes);
        let content = text[dash + 1..].trim_start_matches(' ');
        let gap = text.len() - dash - 1 - content.len();
        let (gap, in_brackets) = match content.chars().next() {
            Some('{') => (gap, true),
            Some('\r' | '\n' | '\t' | '#' | '&' | '*') | None => (1, false),
            Some(_) => (gap, false),
        };
        let lines = self.block_item(dashes, gap, in_brackets);
        let last_way = next.map_or(text.len(), |at| line_start(text, at));
        Ok([ends[0], ends[1], last_way].map(|at| self.with_lines(at, &lines)).to_vec())
    }

    /// `routes:` and its first item.
    fn block_routes(&self, column: usize) -> Vec<String> {
        let mut lines = vec![format!("{}routes:", " ".repeat(column))];
        lines.extend(self.block_item(column + 2, 1, false));
        lines
    }

    /// As the first key of a block map `egress`.
    fn first_in(&self, key: &Key, entries: &[(Key, Node)]) -> Vec<String> {
        let text = self.text;
        let Some((first, _)) = entries.first() else { return Vec::new() };
        let Some(column) = column(text, first.span.start) else { return Vec::new() };
        let lines = self.block_routes(column);
        [line_end(text, key.span.start), line_start(text, first.span.start)]
            .map(|at| self.with_lines(at, &lines))
            .to_vec()
    }

    /// As the last key of the manifest.
    fn at_the_end(&self, root: &[(Key, Node)]) -> Vec<String> {
        let text = self.text;
        let column = root.first().and_then(|(key, _)| column(text, key.span.start)).unwrap_or(0);
        let mut lines = vec![format!("{}egress:", " ".repeat(column))];
        lines.extend(self.block_routes(column + 2));
        let ends = text.match_indices("...").map(|(at, _)| at).filter(|at| line_start(text, *at) == *at);
        let places: Vec<usize> = std::iter::once(text.len()).chain(ends).collect();
        let way = |at: usize| {
            let before = text[..at].trim_end_matches([' ', '\r']);
            let apart = !root.is_empty() && !before.ends_with("\n\n") && !before.ends_with("\n\r\n");
            let blank = apart.then(String::new);
            self.with_lines(at, &blank.into_iter().chain(lines.clone()).collect::<Vec<_>>())
        };
        places.into_iter().map(way).collect()
    }

    fn item_flow(&self) -> String {
        item::flow(self.addition)
    }

    fn routes_flow(&self) -> String {
        format!("routes: [{}]", self.item_flow())
    }

    fn whole_flow(&self) -> String {
        format!("egress: {{ {} }}", self.routes_flow())
    }

    /// Empty brackets become a block; others get one more entry.
    fn empty_or_flow(&self, open: usize, outermost: usize, kind: Kind<'_>) -> Result<Vec<String>, EditError> {
        let (key, entry) = match kind {
            Kind::Egress(key) => (key, self.routes_flow()),
            Kind::Routes(key) => (key, self.item_flow()),
        };
        let mut ways = Vec::new();
        let flow = Flow::at(self.text, open).ok_or_else(|| by_hand("a bracket is not closed"))?;
        let inside = &self.text[flow.open + 1..flow.close];
        if let Some(column) = column(self.text, key.span.start)
            && inside.bytes().all(|b| b == b' ')
        {
            let lines = match kind {
                Kind::Egress(_) => self.block_routes(column + 2),
                Kind::Routes(_) => self.block_item(column + 2, 1, false),
            };
            ways.push(self.unbracketed(flow, &lines));
        }
        ways.extend(self.to_flow(open, outermost, &entry)?);
        Ok(ways)
    }

    /// Without these brackets, with lines after theirs.
    fn unbracketed(&self, flow: Flow, lines: &[String]) -> String {
        let before = self.text[..flow.open].trim_end_matches([' ', '\t']);
        let without = format!("{before}{}", &self.text[flow.close + 1..]);
        let at = line_end(&without, before.len());
        Edit { text: &without, ..*self }.with_lines(at, lines)
    }

    /// One more entry in brackets; comments stand above the outermost of them, or above a line of its own.
    fn to_flow(&self, open: usize, outermost: usize, entry: &str) -> Result<Vec<String>, EditError> {
        let text = self.text;
        let flow = Flow::at(text, open).ok_or_else(|| by_hand("a bracket is not closed"))?;
        let last_line = line_end(text, flow.last);
        if !flow.is_empty() && flow.close >= last_line && line_start(text, flow.last) > flow.open {
            return Ok(vec![self.own_line(flow, last_line, entry)]);
        }
        let pad = if text.as_bytes()[flow.open] == b'{' { " " } else { "" };
        let (head, tail) = text.split_at(if flow.is_empty() { flow.close } else { flow.last + 1 });
        let head = if flow.is_empty() { head.trim_end_matches(' ') } else { head };
        let new = match (flow.is_empty(), flow.ends_in_comma(text)) {
            (true, _) => format!("{head}{pad}{entry}{pad}{tail}"),
            (false, true) => format!("{head} {entry},{tail}"),
            (false, false) => format!("{head}, {entry}{tail}"),
        };
        let at = line_start(text, outermost);
        let margin = " ".repeat(indent(text, outermost));
        let comments: Vec<String> =
            item::comments(self.addition).iter().map(|line| format!("{margin}{line}")).collect();
        if comments.is_empty() {
            return Ok(vec![new]);
        }
        Ok(vec![Edit { text: &new, ..*self }.with_lines(at, &comments)])
    }

    /// Brackets over several lines: a comma where the last entry had none, and a line for the new one.
    fn own_line(&self, flow: Flow, last_line: usize, entry: &str) -> String {
        let text = self.text;
        let margin = " ".repeat(indent(text, flow.last));
        let comma = flow.ends_in_comma(text);
        let mut lines: Vec<String> =
            item::comments(self.addition).iter().map(|line| format!("{margin}{line}")).collect();
        lines.push(format!("{margin}{entry}{}", if comma { "," } else { "" }));
        let (head, tail) = text.split_at(flow.last + 1);
        let with_comma = format!("{head}{}{tail}", if comma { "" } else { "," });
        Edit { text: &with_comma, ..*self }.with_lines(last_line + usize::from(!comma), &lines)
    }
}
