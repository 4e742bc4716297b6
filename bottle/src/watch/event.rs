//! What happened, as a line and as facts.
use super::text::safe;
use crate::control::{Seen, describe};
use crate::style;
use audit::{Decision, Event, Exchange, Finding, Lifecycle};

/// Characters of a line; details have more.
const LINE: usize = 400;
/// Characters of a fact.
const FACT: usize = 1000;

/// How a line is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Allowed,
    Refused,
    Aborted,
    Finding,
    Step,
}

/// Something that happened; a few KiB at most.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Of this view, ever growing.
    pub(super) serial: u64,
    pub(super) time: jiff::Timestamp,
    pub(super) slug: String,
    pub(super) mark: Mark,
    /// Whether the scanner saw something, whatever became of it.
    pub(super) found: bool,
    pub(super) line: String,
    pub(super) facts: Vec<(String, String)>,
}

impl Row {
    pub(super) fn of(serial: u64, slug: &str, seen: &Seen) -> Row {
        let (mark, found, line, mut facts) = match &seen.event {
            Event::Exchange(exchange) => of_exchange(exchange),
            Event::Lifecycle(step) => of_step(step),
        };
        let slug = safe(slug);
        facts.splice(
            0..0,
            [("time".to_owned(), describe::clock(seen.time)), ("bottle".to_owned(), slug.clone())],
        );
        Row { serial, time: seen.time, slug, mark, found, line: short(&line, LINE), facts }
    }

    /// Something that this view noticed by itself.
    pub(super) fn noticed(serial: u64, slug: &str, time: jiff::Timestamp, what: &str) -> Row {
        let step = Lifecycle { step: what.to_owned(), detail: None };
        Row::of(serial, slug, &Seen { time, event: Event::Lifecycle(step) })
    }
}

type Parts = (Mark, bool, String, Vec<(String, String)>);

fn of_step(step: &Lifecycle) -> Parts {
    let detail = step.detail.as_ref().map(|detail| format!("  {detail}")).unwrap_or_default();
    let facts = [("step", Some(step.step.clone())), ("detail", step.detail.clone())];
    (Mark::Step, false, format!("{}{detail}", step.step), listed(facts))
}

fn of_exchange(exchange: &Exchange) -> Parts {
    let found = !exchange.findings.is_empty();
    let mark = match exchange.decision {
        Decision::Denied => Mark::Refused,
        Decision::Aborted => Mark::Aborted,
        Decision::Allowed if found => Mark::Finding,
        Decision::Allowed => Mark::Allowed,
    };
    let finding =
        exchange.findings.first().map(|finding| format!("  [{} in {}]", finding.rule, finding.place));
    let line = format!("{}{}  {}", what(exchange), finding.unwrap_or_default(), outcome(exchange));
    (mark, found, line, facts(exchange))
}

/// `GET api.example.com/v1/users`.
fn what(exchange: &Exchange) -> String {
    let method = exchange.method.as_deref().unwrap_or(&exchange.protocol);
    let host = exchange.host.as_deref().unwrap_or("?");
    let usual = if exchange.scheme.as_deref() == Some("http") { 80 } else { 443 };
    let scheme = if usual == 80 { "http://" } else { "" };
    let port = exchange.port.filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
    format!("{method} {scheme}{host}{port}{}", exchange.path.as_deref().unwrap_or_default())
}

fn outcome(exchange: &Exchange) -> String {
    if exchange.decision != Decision::Allowed {
        let broken = || "broken off".to_owned();
        return exchange.code.clone().unwrap_or_else(broken);
    }
    let status = exchange.status.map(|status| format!("{status} ")).unwrap_or_default();
    let with = if exchange.credential.is_some() { " with a credential" } else { "" };
    format!("{status}{} up {} down{with}", style::bytes(exchange.bytes_up), style::bytes(exchange.bytes_down))
}

fn facts(exchange: &Exchange) -> Vec<(String, String)> {
    let decision = match exchange.decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "refused",
        Decision::Aborted => "went out and was broken off",
    };
    let bytes = format!("{} up, {} down", style::bytes(exchange.bytes_up), style::bytes(exchange.bytes_down));
    let mut facts = listed([
        ("decision", Some(decision.to_owned())),
        ("code", exchange.code.clone()),
        ("reason", exchange.reason.clone()),
        ("request", Some(what(exchange))),
        ("protocol", Some(exchange.protocol.clone())),
        ("status", exchange.status.map(|status| status.to_string())),
        ("route", exchange.route.clone()),
        ("credential", exchange.credential.clone()),
        ("upstream", exchange.upstream.clone()),
        ("bytes", Some(bytes)),
        ("took", Some(format!("{} ms", exchange.duration_ms))),
        ("policy", exchange.policy.clone()),
        ("exchange", Some(exchange.id.clone())),
    ]);
    facts.extend(exchange.findings.iter().map(|finding| ("finding".to_owned(), short(&said(finding), FACT))));
    facts
}

fn said(finding: &Finding) -> String {
    let layer = finding.layer.as_ref().map(|layer| format!(", {layer}")).unwrap_or_default();
    let mark = finding.fingerprint.as_ref().map(|mark| format!(", fingerprint {mark}")).unwrap_or_default();
    let why = finding.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let said =
        finding.excerpt.as_ref().map(|said| format!(": “{}”", describe::quoted(said))).unwrap_or_default();
    format!(
        "{} of {} in {}{layer} ({}{why}{mark}){said}",
        finding.rule, finding.name, finding.place, finding.action
    )
}

fn listed<const N: usize>(facts: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    let known = |(about, said): (&str, Option<String>)| Some((about.to_owned(), short(&said?, FACT)));
    facts.into_iter().filter_map(known).collect()
}

fn short(text: &str, most: usize) -> String {
    safe(&policy::neutral(text, most))
}
