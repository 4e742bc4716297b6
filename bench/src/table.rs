//! Figures as Markdown and as JSON.
use crate::rounds::Measured;
use crate::stats::Estimate;
use crate::way::Who;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// All tables.
pub(crate) fn markdown(all: &[Measured], circumstances: &[String]) -> String {
    let mut text = String::new();
    for line in circumstances {
        let _infallible = writeln!(text, "- {line}");
    }
    text.push_str("\n**Ratios to the floor in the same round**, median of all rounds (95% interval)\n\n");
    text.push_str(&ratios(all));
    for measured in all {
        text.push_str(&details(measured));
    }
    text
}

/// One row for each metric, one column for each way.
fn ratios(all: &[Measured]) -> String {
    let present: BTreeSet<Who> = all.iter().flat_map(|measured| measured.slices.keys().copied()).collect();
    let ways: Vec<Who> = present.into_iter().filter(|who| *who != Who::Floor).collect();
    let titles: Vec<&str> = ways.iter().map(|who| who.title()).collect();
    let mut text =
        format!("| | floor | {} |\n|---|---:|{}\n", titles.join(" | "), "---:|".repeat(ways.len()));
    for measured in all {
        for (index, metric) in measured.metrics.iter().enumerate() {
            let Some(floor) = measured.value(Who::Floor, index) else { continue };
            let better = if metric.more_is_better { "" } else { ", less is better" };
            let _infallible = write!(
                text,
                "| {}: {}{better} | {:.*} |",
                measured.title, metric.title, metric.digits, floor.median
            );
            for who in &ways {
                let ratio = measured
                    .ratio(*who, Who::Floor, index)
                    .map_or(String::new(), |ratio| with_interval(ratio, 2));
                let _infallible = write!(text, " {ratio} |");
            }
            text.push('\n');
        }
    }
    text
}

fn details(measured: &Measured) -> String {
    let mut text = format!("\n### {}\n\n| |", measured.title);
    for metric in measured.metrics {
        let _infallible = write!(text, " {} | to the floor |", metric.title);
        if !metric.more_is_better {
            text.push_str(" more than direct |");
        }
    }
    let has_cpu = measured.slices.keys().any(|who| measured.cpu(*who).is_some());
    if has_cpu {
        let _infallible = write!(text, " CPU µs per {} |", measured.unit);
    }
    text.push('\n');
    let columns: usize =
        measured.metrics.iter().map(|metric| if metric.more_is_better { 2 } else { 3 }).sum();
    let _infallible = writeln!(text, "|---|{}", "---:|".repeat(columns + usize::from(has_cpu)));
    for who in measured.slices.keys() {
        text.push_str(&detail(measured, *who, has_cpu));
    }
    for (who, error) in &measured.failed {
        let _infallible = writeln!(text, "\n{} failed: {error}", who.title());
    }
    text
}

fn detail(measured: &Measured, who: Who, has_cpu: bool) -> String {
    let mut text = format!("| {} |", who.title());
    for (index, metric) in measured.metrics.iter().enumerate() {
        let value = measured
            .value(who, index)
            .map_or(String::new(), |value| format!("{:.*}", metric.digits, value.median));
        let ratio =
            measured.ratio(who, Who::Floor, index).map_or(String::new(), |ratio| with_interval(ratio, 2));
        let _infallible = write!(text, " {value} | {ratio} |");
        if !metric.more_is_better {
            let more = measured.difference(who, Who::Direct, index);
            let more = more.map_or(String::new(), |more| with_interval(more, metric.digits));
            let _infallible = write!(text, " {more} |");
        }
    }
    if has_cpu {
        let cpu = measured.cpu(who).map_or(String::new(), |cpu| with_interval(cpu, 1));
        let _infallible = write!(text, " {cpu} |");
    }
    text.push('\n');
    text
}

fn with_interval(estimate: Estimate, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$}–{:.digits$})", estimate.median, estimate.low, estimate.high)
}

/// The same for programs: medians with intervals, and every slice.
pub(crate) fn json(all: &[Measured], circumstances: &[String]) -> Value {
    let scenarios: Vec<Value> = all.iter().map(scenario).collect();
    json!({ "circumstances": circumstances, "scenarios": scenarios })
}

fn scenario(measured: &Measured) -> Value {
    let ways: Vec<Value> = measured
        .slices
        .iter()
        .map(|(who, slices)| {
            let metrics: Vec<Value> = measured
                .metrics
                .iter()
                .enumerate()
                .map(|(index, metric)| {
                    json!({
                        "metric": metric.title,
                        "value": measured.value(*who, index).map(interval),
                        "to_floor": measured.ratio(*who, Who::Floor, index).map(interval),
                    })
                })
                .collect();
            let every: Vec<Value> =
                slices.iter().map(|slice| json!({ "figures": slice.figures, "cpu_us": slice.cpu })).collect();
            json!({ "way": who.word(), "metrics": metrics, "cpu_us": measured.cpu(*who).map(interval), "slices": every })
        })
        .collect();
    let failed: Vec<Value> =
        measured.failed.iter().map(|(who, error)| json!({ "way": who.word(), "error": error })).collect();
    json!({ "id": measured.id, "title": measured.title, "cpu_per": measured.unit, "ways": ways, "failed": failed })
}

fn interval(estimate: Estimate) -> Value {
    json!({ "median": estimate.median, "low": estimate.low, "high": estimate.high })
}

const BEGIN: &str = "<!-- figures: `bench/run --write` writes them. -->";
const END: &str = "<!-- end of figures -->";

/// Puts the tables between the marks of a document.
pub(crate) fn write_into(document: &Path, tables: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(document).with_context(|| format!("cannot read `{}`", document.display()))?;
    let text = between(&text, tables)
        .with_context(|| format!("`{}` lacks the marks `{BEGIN}` and `{END}`", document.display()))?;
    std::fs::write(document, text).with_context(|| format!("cannot write `{}`", document.display()))
}

fn between(text: &str, tables: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n\n{}\n{}", &text[..begin], tables.trim_end(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        let new = between(&text, "| new |\n").expect("marks");
        assert_eq!(new, format!("above\n{BEGIN}\n\n| new |\n{END}\nbelow\n"));
        assert_eq!(between(&new, "| new |\n").as_deref(), Some(new.as_str()), "twice is as once");
        assert_eq!(between("no marks", ""), None);
    }
}
