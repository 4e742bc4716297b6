//! What is wrong with a manifest, where, and the way out. All problems are collected; none stops the search for others.
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;

/// A place in one of the [`Sources`], in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Index into the sources.
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifest means nothing until this is mended.
    Error,
    /// It means something, perhaps not what was wanted.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where; `None` for what has no place in a file.
    pub span: Option<Span>,
    /// The way out.
    pub hint: Option<String>,
}

impl Problem {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Error, message: message.into(), span: Some(span), hint: None }
    }
    /// A warning at a place.
    pub fn warning(span: Span, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(span, message) }
    }
    /// With a way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }
    /// Whether it stops the lowering.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The texts that spans point into: the manifest first, then the presets it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<(String, String)>);

impl Sources {
    /// Adds a text under the name that people know it by; gives its index.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        self.0.push((name.into(), text.into()));
        self.0.len() - 1
    }
    fn get(&self, file: usize) -> (&str, &str) {
        self.0.get(file).map_or(("", ""), |(name, text)| (name, text))
    }
}

/// Every problem of a manifest, with the texts they point into. Its `Display` is the rendering for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// Errors and warnings, in the order of the file.
    pub list: Vec<Problem>,
    /// What they point into.
    pub sources: Sources,
}

/// A problem as `--json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `error` or `warning`.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The manifest, or the preset.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// The offending source line.
    pub source: Option<String>,
    /// The way out.
    pub hint: Option<String>,
}

impl Problems {
    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Problem::is_error)
    }
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }
    /// In the order of the files, each thing once.
    pub(crate) fn settle(&mut self) {
        self.list.sort_by_key(|p| p.span.map_or((usize::MAX, 0), |s| (s.file, s.start)));
        let mut seen = Vec::new();
        self.list.retain(|problem| {
            let new = !seen.contains(problem);
            seen.push(problem.clone());
            new
        });
    }
    /// For terminals (`colour`) or plain text.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let blocks: Vec<String> = self.list.iter().map(|p| self.render_one(p, &renderer)).collect();
        blocks.join("\n\n")
    }
    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = if problem.is_error() { Level::ERROR } else { Level::WARNING };
        let message = printable(&problem.message);
        let mut groups = match problem.span {
            None => vec![Group::with_title(level.primary_title(&*message))],
            Some(span) => {
                let (name, text) = self.sources.get(span.file);
                let mark = AnnotationKind::Primary.span(clamp(text, span));
                let snippet = Snippet::source(printable(text)).path(printable(name)).annotation(mark);
                vec![level.primary_title(&*message).element(snippet)]
            }
        };
        let hint = problem.hint.as_deref().map(printable);
        if let Some(hint) = &hint {
            groups =
                groups.into_iter().map(|group| group.element(Level::HELP.message(hint.as_str()))).collect();
        }
        renderer.render(&groups)
    }
    /// For `--json`.
    pub fn reports(&self) -> Vec<Report> {
        self.list.iter().map(|problem| self.report(problem)).collect()
    }
    fn report(&self, problem: &Problem) -> Report {
        let place = problem.span.map(|span| {
            let (name, text) = self.sources.get(span.file);
            let (line, column, source) = locate(text, clamp(text, span).start);
            (name.to_owned(), line, column, source.to_owned())
        });
        Report {
            severity: problem.severity,
            message: problem.message.clone(),
            file: place.as_ref().map(|p| p.0.clone()),
            line: place.as_ref().map(|p| p.1),
            column: place.as_ref().map(|p| p.2),
            source: place.map(|p| p.3),
            hint: problem.hint.clone(),
        }
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}
impl std::error::Error for Problems {}

/// A span that lies inside the text, on character boundaries, and ends on the line it begins on: a parser's idea of
/// where something ends may be past the end of the file.
fn clamp(text: &str, span: Span) -> Range<usize> {
    let start = floor(text, span.start);
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |i| start + i);
    start..floor(text, span.end).clamp(start, line_end)
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn locate(text: &str, at: usize) -> (usize, usize, &str) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(start..).unwrap_or("").chars().count() + 1;
    (line, column, text.get(start..).unwrap_or("").lines().next().unwrap_or(""))
}

/// A manifest may come from anyone: what it says must not drive the terminal that shows its mistakes. Every character
/// keeps its length in bytes, so that places stay right.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if drives_terminal(c) => "?".repeat(c.len_utf8()),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Control characters, and those that turn the direction of text or cannot be seen.
fn drives_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
