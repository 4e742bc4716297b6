//! Tables of a page.
use super::charts::bar;
use super::facts::{Facts, clock, host_of, word};
use super::html::{Text, nothing, section, table};
use crate::style::{bytes, count};
use audit::{Decision, Exchange};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rows of any table; the others are counted.
const ROWS: usize = 500;
/// Exchanges that are listed one by one.
const EXCHANGES: usize = 3000;
/// Requests that are listed for one reason.
const EXAMPLES: usize = 30;

fn text(text: &str) -> String {
    Text(text).to_string()
}

fn left_out(all: usize, shown: usize) -> String {
    if all > shown { format!("<p class=\"nothing\">and {} more</p>\n", all - shown) } else { String::new() }
}

pub(super) fn hosts(facts: &Facts<'_>) -> String {
    if facts.hosts.is_empty() {
        return section("hosts", "Hosts", &nothing("None was asked for."));
    }
    let most = facts.hosts.iter().map(super::facts::Host::times).max().unwrap_or(1);
    let row = |host: &super::facts::Host<'_>| {
        let parts = [("allowed", host.allowed), ("denied", host.denied), ("aborted", host.aborted)];
        let number = |value: u64| {
            if value == 0 { "<span class=\"zero\">0</span>".to_owned() } else { value.to_string() }
        };
        vec![
            format!("<code>{}</code>", Text(host.name)),
            bar(&parts, most),
            number(host.allowed),
            number(host.denied),
            number(host.aborted),
            text(&bytes(host.up)),
            text(&bytes(host.down)),
        ]
    };
    let rows: Vec<Vec<String>> = facts.hosts.iter().take(ROWS).map(row).collect();
    let heads = ["Host", "Exchanges", "Allowed", "Denied", "Broken off", "Sent", "Received"];
    let table = table("Hosts", &heads, &[2, 3, 4, 5, 6], &rows);
    section("hosts", "Hosts", &(table + &left_out(facts.hosts.len(), ROWS)))
}

/// `GET https://a.test/x`
fn what(exchange: &Exchange) -> String {
    let method = exchange.method.as_deref().unwrap_or(&exchange.protocol);
    let scheme = exchange.scheme.as_ref().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let usual = matches!(
        (exchange.scheme.as_deref(), exchange.port),
        (Some("https"), Some(443)) | (Some("http"), Some(80))
    );
    let port = exchange.port.filter(|_| !usual).map(|port| format!(":{port}")).unwrap_or_default();
    format!("{method} {scheme}{}{port}{}", host_of(exchange), exchange.path.as_deref().unwrap_or_default())
}

/// What did not go out, or not to its end, by code; each with what was asked for.
pub(super) fn refusals(facts: &Facts<'_>) -> String {
    let mut codes: BTreeMap<&str, Vec<&Exchange>> = BTreeMap::new();
    for (_, exchange) in facts.exchanges.iter().filter(|(_, exchange)| exchange.decision != Decision::Allowed)
    {
        codes.entry(exchange.code.as_deref().unwrap_or("broken off")).or_default().push(exchange);
    }
    if codes.is_empty() {
        return section("refusals", "Refusals", &nothing("Nothing was refused."));
    }
    let mut codes: Vec<(&str, Vec<&Exchange>)> = codes.into_iter().collect();
    codes.sort_by_key(|(_, exchanges)| std::cmp::Reverse(exchanges.len()));
    let groups: String = codes.iter().map(|(code, exchanges)| group(code, exchanges)).collect();
    section("refusals", "Refusals", &groups)
}

fn group(code: &str, exchanges: &[&Exchange]) -> String {
    let mut asked: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for exchange in exchanges {
        *asked.entry((what(exchange), exchange.reason.as_deref().unwrap_or_default())).or_default() += 1;
    }
    let mut asked: Vec<((String, &str), u64)> = asked.into_iter().collect();
    asked.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let mut items = String::new();
    for ((what, reason), times) in asked.iter().take(EXAMPLES) {
        let times =
            if *times == 1 { String::new() } else { format!(" <span class=\"times\">× {times}</span>") };
        let _ = writeln!(
            items,
            "<li><code>{}</code>{times}<br><span class=\"reason\">{}</span></li>",
            Text(what),
            Text(reason)
        );
    }
    let hosts =
        exchanges.iter().map(|exchange| host_of(exchange)).collect::<std::collections::BTreeSet<_>>().len();
    format!(
        "<details{}>\n<summary><strong>{}</strong> <span class=\"times\">{}, {}</span></summary>\n<ul class=\"asked\">\n{items}</ul>\n{}</details>\n",
        if asked.len() <= 5 { " open" } else { "" },
        Text(code),
        count(exchanges.len() as u64, "time"),
        count(hosts as u64, "host"),
        left_out(asked.len(), EXAMPLES),
    )
}

pub(super) fn findings(facts: &Facts<'_>) -> String {
    let mut found: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (_, exchange) in &facts.exchanges {
        for finding in &exchange.findings {
            let print = finding.fingerprint.as_ref().map(|mark| format!("<code>{}</code>", Text(mark)));
            let said = finding.excerpt.as_ref().map(|said| format!("“{}”", Text(said)));
            let why = finding.reason.as_deref().map(text);
            let more: Vec<String> = [print, said, why].into_iter().flatten().collect();
            let place = match &finding.layer {
                Some(layer) => format!("{} ({})", Text(&finding.place), Text(layer)),
                None => text(&finding.place),
            };
            let row = vec![
                text(&finding.rule),
                text(&finding.name),
                place,
                format!("<code>{}</code>", Text(host_of(exchange))),
                format!("<span class=\"action\">{}</span>", Text(&finding.action)),
                more.join("<br>"),
            ];
            *found.entry(row).or_default() += 1;
        }
    }
    if found.is_empty() {
        return section("findings", "Findings", &nothing("Nothing was found."));
    }
    let all = found.len();
    let mut rows: Vec<(Vec<String>, u64)> = found.into_iter().collect();
    rows.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let with_times = |(mut row, times): (Vec<String>, u64)| {
        row.insert(0, times.to_string());
        row
    };
    let rows: Vec<Vec<String>> = rows.into_iter().take(ROWS).map(with_times).collect();
    let heads = ["Times", "Rule", "Of", "Where", "Host", "Done", "Fingerprint, excerpt, reason"];
    section("findings", "Findings", &(table("Findings", &heads, &[0], &rows) + &left_out(all, ROWS)))
}

/// Which credential went where.
pub(super) fn credentials(facts: &Facts<'_>) -> String {
    let mut used: BTreeMap<(&str, &str, &str), (u64, u64)> = BTreeMap::new();
    for (_, exchange) in &facts.exchanges {
        if let Some(slot) = &exchange.credential {
            let route = exchange.route.as_deref().unwrap_or_default();
            let (times, up) = used.entry((slot, host_of(exchange), route)).or_default();
            *times += 1;
            *up = up.saturating_add(exchange.bytes_up);
        }
    }
    if used.is_empty() {
        return section("credentials", "Credentials", &nothing("None was put on the wire."));
    }
    let row = |((slot, host, route), (times, up)): (&(&str, &str, &str), &(u64, u64))| {
        vec![
            format!("<code>{}</code>", Text(slot)),
            format!("<code>{}</code>", Text(host)),
            text(route),
            times.to_string(),
            text(&bytes(*up)),
        ]
    };
    let rows: Vec<Vec<String>> = used.iter().take(ROWS).map(row).collect();
    let heads = ["Credential", "Host", "Route", "Times", "Sent with it"];
    section(
        "credentials",
        "Credentials",
        &(table("Credentials", &heads, &[3, 4], &rows) + &left_out(used.len(), ROWS)),
    )
}

pub(super) fn life(facts: &Facts<'_>) -> String {
    let row = |(time, step): &(jiff::Timestamp, &audit::Lifecycle)| {
        vec![
            text(&clock(*time)),
            format!("<strong>{}</strong>", Text(&step.step)),
            text(step.detail.as_deref().unwrap_or_default()),
        ]
    };
    let rows: Vec<Vec<String>> = facts.steps.iter().take(ROWS).map(row).collect();
    let content = if rows.is_empty() {
        nothing("No step was written.")
    } else {
        table("Life", &["Time", "Step", "Detail"], &[], &rows) + &left_out(facts.steps.len(), ROWS)
    };
    section("life", "Life", &content)
}

/// The last ones, one by one.
pub(super) fn exchanges(facts: &Facts<'_>) -> String {
    let skipped = facts.exchanges.len().saturating_sub(EXCHANGES);
    let row = |(time, exchange): &(jiff::Timestamp, &Exchange)| {
        let word = word(exchange.decision);
        let answer = exchange.code.clone().or_else(|| exchange.status.map(|status| status.to_string()));
        vec![
            text(&clock(*time)),
            format!("<span class=\"chip {word}\">{word}</span>"),
            format!("<div class=\"url\"><code>{}</code></div>", Text(&what(exchange))),
            text(&answer.unwrap_or_default()),
            text(exchange.route.as_deref().unwrap_or_default()),
            text(&bytes(exchange.bytes_up)),
            text(&bytes(exchange.bytes_down)),
            format!("{} ms", exchange.duration_ms),
        ]
    };
    let rows: Vec<Vec<String>> = facts.exchanges.iter().skip(skipped).map(row).collect();
    if rows.is_empty() {
        return section("exchanges", "Exchanges", &nothing("There was none."));
    }
    let heads = ["Time", "Outcome", "What", "Answer", "Route", "Sent", "Received", "Took"];
    let note =
        if skipped > 0 { nothing(&format!("The first {skipped} are left out.")) } else { String::new() };
    section("exchanges", "Exchanges", &(note + &table("Exchanges", &heads, &[5, 6, 7], &rows)))
}
