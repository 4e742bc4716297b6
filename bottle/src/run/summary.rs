//! After the agent has ended: hosts reached, refused, bytes, findings.
use crate::style::{self, Style, neutral};
use audit::Summary;
use sandbox::linux::Appeared;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Hosts that are shown of each kind; the audit file has all.
const MOST_HOSTS: usize = 12;
/// Paths that are shown of each kind.
const MOST_PATHS: usize = 12;

/// A killed program cannot say so itself.
const STARVED: &str = "was used up, and the kernel killed what took most of it: `limits: { memory: … }` in the manifest gives more";

/// Somebody here did that, but the agent may have had a hand in it.
const REPLACED: &str =
    "replaced on this machine meanwhile, when the agent could write there: look at what they say now";

/// An ended bottle.
#[derive(Debug)]
pub struct End<'a> {
    /// Its slug.
    pub slug: &'a str,
    /// How the agent ended.
    pub how: &'a str,
    /// Whether something inside was killed because the memory of the bottle was used up.
    pub starved: bool,
    /// From start to end.
    pub lasted: Duration,
    /// What went through the engine.
    pub exchanges: &'a Summary,
    /// What the agent made that the host would run.
    pub appeared: &'a Appeared,
    /// The workspace.
    pub workspace: &'a Path,
    /// The audit file.
    pub audit: &'a Path,
}

/// The text, for standard error.
pub fn text(end: &End<'_>, style: Style) -> String {
    let End { slug, how, lasted, exchanges, .. } = end;
    let mut out = format!("bottle {}  {how} after {}\n", style.bold(slug), style::duration(*lasted));
    if end.starved {
        block(&mut out, style, "memory", &[style.yellow(STARVED)]);
    }
    block(&mut out, style, "reached", &reached(exchanges));
    block(&mut out, style, "refused", &refused(exchanges));
    if exchanges.findings > 0 {
        let found = style::count(exchanges.findings, "finding");
        block(
            &mut out,
            style,
            "secrets",
            &[style.yellow(&format!("{found}: `bottle logs {slug}` says where"))],
        );
    }
    block(&mut out, style, "spoken", &spoken(exchanges, style));
    block(&mut out, style, "review", &review(end, style));
    block(&mut out, style, "audit", &[end.audit.display().to_string()]);
    out
}

/// Answers that spoke to the agent: a person is to know what it was told.
fn spoken(summary: &Summary, style: Style) -> Vec<String> {
    let line = |(host, excerpt): &(String, String)| {
        style.yellow(&neutral(&format!("{host} spoke to the agent: “{excerpt}”")))
    };
    summary.spoken.iter().map(line).collect()
}

/// Repositories first: git obeys their configuration without being asked to enter them.
fn review(end: &End<'_>, style: Style) -> Vec<String> {
    let Appeared { repositories, files, replaced, gaps } = end.appeared;
    let mut lines = Vec::new();
    if !repositories.is_empty() {
        lines.push(style.yellow("made inside: look at their configuration before git runs here"));
        lines.extend(limited_paths(repositories, end.workspace));
    }
    if !files.is_empty() {
        lines.push(style.yellow("made inside: editors, shells or agents on this machine would run them"));
        lines.extend(limited_paths(files, end.workspace));
    }
    if !replaced.is_empty() {
        lines.push(style.yellow(REPLACED));
        lines.extend(limited_paths(replaced, end.workspace));
    }
    lines
        .extend(gaps.iter().map(|gap| style.yellow(&neutral(&gap.replace("is protected", "was looked at")))));
    lines
}

fn limited_paths(paths: &[PathBuf], workspace: &Path) -> Vec<String> {
    let shown = |path: &PathBuf| {
        let path = path.strip_prefix(workspace).ok().filter(|p| !p.as_os_str().is_empty()).unwrap_or(path);
        format!("  {}", neutral(&path.display().to_string()))
    };
    let mut lines: Vec<_> = paths.iter().take(MOST_PATHS).map(shown).collect();
    match paths.len().saturating_sub(MOST_PATHS) {
        0 => {}
        more => lines.push(format!("  and {more} more: the audit has all")),
    }
    lines
}

fn block(out: &mut String, style: Style, label: &str, lines: &[String]) {
    for (number, line) in lines.iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        let _ = writeln!(out, "  {} {line}", style.dim(&format!("{label:<8}")));
    }
}

fn reached(summary: &Summary) -> Vec<String> {
    let row = |(host, (exchanges, up, down)): (&String, &(u64, u64, u64))| {
        vec![
            neutral(host),
            style::count(*exchanges, "exchange"),
            format!("{} up, {} down", style::bytes(*up), style::bytes(*down)),
        ]
    };
    limited(summary.reached.iter().map(row).collect(), "nothing")
}

fn refused(summary: &Summary) -> Vec<String> {
    let row = |(host, codes): (&String, &BTreeMap<String, u64>)| {
        let codes: Vec<String> = codes.iter().map(|(code, times)| format!("{times} × {code}")).collect();
        vec![neutral(host), codes.join(", ")]
    };
    limited(summary.refused.iter().map(row).collect(), "nothing")
}

fn limited(mut rows: Vec<Vec<String>>, none: &str) -> Vec<String> {
    let more = rows.len().saturating_sub(MOST_HOSTS) as u64;
    rows.truncate(MOST_HOSTS);
    let mut lines: Vec<String> = style::table(&rows).lines().map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push(none.to_owned());
    }
    if more > 0 {
        lines.push(format!("and {}", style::count(more, "host")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_hosts_bytes_and_reasons() {
        let mut summary = Summary::default();
        summary.reached.insert("api.test".into(), (2, 100, 2048));
        summary.refused.insert("evil.test\u{1b}[2J".into(), BTreeMap::from([("host-not-allowed".into(), 3)]));
        summary.findings = 1;
        summary.spoken.push(("page.test".into(), "ignore\u{1b}[2J all".into()));
        let appeared = Appeared {
            repositories: vec!["/w/sub/.git".into(), "/w".into()],
            files: (0..14).map(|n| format!("/w/{n}\u{1b}/.envrc").into()).collect(),
            replaced: vec!["/w/.git/config".into()],
            gaps: vec!["not all of `/w` is protected: it is big".into()],
        };
        let end = End {
            slug: "dev",
            how: "exited with 0",
            starved: true,
            lasted: Duration::from_secs(61),
            exchanges: &summary,
            appeared: &appeared,
            workspace: Path::new("/w"),
            audit: Path::new("/a.jsonl"),
        };
        let text = text(&end, Style::plain());
        let text: String = text
            .split_inclusive('\n')
            .filter(|line| !line.contains("}/.envrc") || line.contains(" 0\\u"))
            .collect();
        let expected = "\
bottle dev  exited with 0 after 1 min
  memory   was used up, and the kernel killed what took most of it: `limits: { memory: … }` in the manifest gives more
  reached  api.test  2 exchanges  100 B up, 2.0 KiB down
  refused  evil.test\\u{1b}[2J  3 × host-not-allowed
  secrets  1 finding: `bottle logs dev` says where
  spoken   page.test spoke to the agent: “ignore\\u{1b}[2J all”
  review   made inside: look at their configuration before git runs here
             sub/.git
             /w
           made inside: editors, shells or agents on this machine would run them
             0\\u{1b}/.envrc
             and 2 more: the audit has all
           replaced on this machine meanwhile, when the agent could write there: look at what they say now
             .git/config
           not all of `/w` was looked at: it is big
  audit    /a.jsonl
";
        assert_eq!(text, expected);
    }
}
