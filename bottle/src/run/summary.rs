//! After the agent has ended: hosts reached, refused, bytes, findings.
use crate::style::{self, Style, neutral};
use audit::Summary;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Hosts that are shown of each kind; the audit file has all.
const MOST_HOSTS: usize = 12;

/// The text, for standard error.
pub fn text(
    slug: &str,
    how: &str,
    lasted: Duration,
    summary: &Summary,
    audit: &Path,
    style: Style,
) -> String {
    let mut out = format!("bottle {}  {how} after {}\n", style.bold(slug), style::duration(lasted));
    block(&mut out, style, "reached", &reached(summary));
    block(&mut out, style, "refused", &refused(summary));
    if summary.findings > 0 {
        let found = style::count(summary.findings, "finding");
        block(
            &mut out,
            style,
            "secrets",
            &[style.yellow(&format!("{found}: `bottle logs {slug}` says where"))],
        );
    }
    block(&mut out, style, "audit", &[audit.display().to_string()]);
    out
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
        let text = text(
            "dev",
            "exited with 0",
            Duration::from_secs(61),
            &summary,
            Path::new("/a.jsonl"),
            Style::plain(),
        );
        let expected = "\
bottle dev  exited with 0 after 1 min
  reached  api.test  2 exchanges  100 B up, 2.0 KiB down
  refused  evil.test\\u{1b}[2J  3 × host-not-allowed
  secrets  1 finding: `bottle logs dev` says where
  audit    /a.jsonl
";
        assert_eq!(text, expected);
    }
}
