//! Charts, drawn by hand: rectangles and words. Colours come from the page's classes; every number is in a table too.
use super::facts::{ABORTED, ALLOWED, DENIED, Facts, begin, clock, host_of, word};
use super::html::{Text, nothing, section};
use audit::Decision;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;

/// Bars of the chart over time.
const BARS: usize = 60;
/// Hosts that have a lane.
const LANES: usize = 14;
/// Exchanges that are drawn in lanes; of more only the first.
const MARKS: usize = 4000;
/// The drawing's own measures.
const WIDTH: i64 = 1000;
const LEFT: i64 = 52;
const HEIGHT: i64 = 150;
/// Where lanes begin, after the names of hosts.
const GUTTER: i64 = 230;

const KINDS: [(Decision, &str); 3] = [(ALLOWED, "allowed"), (DENIED, "denied"), (ABORTED, "broken off")];

/// Exchanges by when they ended, stacked by what became of them.
pub(super) fn over_time(facts: &Facts<'_>) -> String {
    if facts.exchanges.is_empty() {
        return section("time", "Over time", &nothing("There was no exchange."));
    }
    let mut bars = [[0_i64; 3]; BARS];
    for (time, exchange) in &facts.exchanges {
        let bar = usize::try_from(facts.place(*time)).unwrap_or(0) * BARS / 1001;
        let kind = KINDS.iter().position(|(kind, _)| *kind == exchange.decision).unwrap_or(0);
        bars[bar][kind] += 1;
    }
    let top = bars.iter().map(|bar| bar.iter().sum::<i64>()).max().unwrap_or(1).max(1);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-labelledby=\"time-title\">\n\
         <title id=\"time-title\">Exchanges over time, at most {top} in one bar</title>\n",
        HEIGHT + 34
    );
    svg.push_str(&lines(top));
    let step = (WIDTH - LEFT) * 1000 / i64::try_from(BARS).unwrap_or(1);
    for (i, bar) in (0..).zip(&bars) {
        let mut y = HEIGHT + 8;
        for ((kind, _), count) in KINDS.iter().zip(bar).filter(|(_, count)| **count > 0) {
            let high = (count * HEIGHT / top).max(2);
            y -= high;
            let (x, wide) = (LEFT + i * step / 1000, (step / 1000 - 2).max(2));
            let _ = writeln!(
                svg,
                "<rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\"/>",
                word(*kind)
            );
        }
    }
    svg.push_str(&times(facts, LEFT, HEIGHT + 8));
    svg.push_str("</svg>\n");
    section("time", "Over time", &format!("{}{}", legend(), wide(&svg)))
}

/// On a narrow screen a chart is scrolled rather than read with a glass.
fn wide(svg: &str) -> String {
    format!("<div class=\"scroll\" role=\"region\" aria-label=\"Chart\" tabindex=\"0\">\n{svg}</div>\n")
}

/// What the colours mean.
fn legend() -> String {
    let one = |(kind, name): (Decision, &str)| format!("<li class=\"{}\">{name}</li>", word(kind));
    format!("<ul class=\"legend\">{}</ul>\n", KINDS.map(one).concat())
}

/// Lines across, with what they stand for.
fn lines(top: i64) -> String {
    let mut values = vec![0, top / 2, top];
    values.dedup();
    let line = |value: i64| {
        let y = HEIGHT + 8 - value * HEIGHT / top;
        format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{value}</text>\n",
            LEFT - 8,
            y + 5
        )
    };
    values.into_iter().map(line).collect()
}

/// The clock below a chart.
fn times(facts: &Facts<'_>, left: i64, bottom: i64) -> String {
    let whole = facts.span.1.duration_since(facts.span.0).as_millis();
    let at = |quarter: i64| {
        let part = i64::try_from(whole).unwrap_or(0) * quarter / 4;
        facts.span.0.checked_add(SignedDuration::from_millis(part)).unwrap_or(facts.span.0)
    };
    let label = |quarter: i64| {
        let anchor = ["start", "middle", "middle", "middle", "end"][usize::try_from(quarter).unwrap_or(0)];
        let x = left + (WIDTH - left) * quarter / 4;
        format!(
            "<text class=\"axis\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>\n",
            bottom + 22,
            Text(&clock(at(quarter)))
        )
    };
    (0..=4).map(label).collect()
}

/// A lane for each of the hosts that were asked for most: each exchange from its beginning to its end.
pub(super) fn lanes(facts: &Facts<'_>) -> String {
    const HIGH: i64 = 24;
    let hosts: Vec<&str> = facts.hosts.iter().take(LANES).map(|host| host.name).collect();
    if hosts.is_empty() {
        return String::new();
    }
    let bottom = i64::try_from(hosts.len()).unwrap_or(0) * HIGH + 8;
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-labelledby=\"lanes-title\">\n\
         <title id=\"lanes-title\">When which host was asked for</title>\n",
        bottom + 30
    );
    for (i, host) in (0..).zip(&hosts) {
        let y = i * HIGH + 8;
        let _ = writeln!(
            svg,
            "<text class=\"lane\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><line class=\"grid\" x1=\"{GUTTER}\" x2=\"{WIDTH}\" y1=\"{base}\" y2=\"{base}\"/>",
            GUTTER - 10,
            y + 14,
            Text(&shortened(host)),
            base = y + HIGH - 3
        );
    }
    for (end, exchange) in facts.exchanges.iter().take(MARKS) {
        if let Some(lane) = hosts.iter().position(|host| *host == host_of(exchange)) {
            let (from, to) = (x(facts, begin(*end, exchange)), x(facts, *end));
            let y = i64::try_from(lane).unwrap_or(0) * HIGH + 8 + 4;
            let wide = (to - from).clamp(3, WIDTH - GUTTER);
            let class = if exchange.findings.is_empty() { word(exchange.decision) } else { "found" };
            let x = from.min(WIDTH - wide);
            let _ = writeln!(
                svg,
                "<rect class=\"{class} mark\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"13\"/>"
            );
        }
    }
    svg.push_str(&times(facts, GUTTER, bottom));
    svg.push_str("</svg>\n");
    let more = facts.hosts.len().saturating_sub(hosts.len());
    let note =
        if more > 0 { format!("<p class=\"nothing\">and {more} more hosts</p>\n") } else { String::new() };
    format!(
        "<figure>\n<figcaption>When which host was asked for <span class=\"key found\">with findings</span></figcaption>\n{}{note}</figure>\n",
        wide(&svg)
    )
}

fn x(facts: &Facts<'_>, time: Timestamp) -> i64 {
    GUTTER + (WIDTH - GUTTER) * facts.place(time) / 1000
}

fn shortened(host: &str) -> String {
    const MOST: usize = 30;
    if host.chars().count() <= MOST {
        return host.to_owned();
    }
    host.chars().take(MOST).chain(['…']).collect()
}

/// A bar in a cell: how much of the most there is.
pub(super) fn bar(parts: &[(&str, u64)], most: u64) -> String {
    let most = most.max(1);
    let mut x = 0;
    let mut svg = String::from(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
    );
    for (class, value) in parts.iter().filter(|(_, value)| *value > 0) {
        let wide = u64::try_from(u128::from(*value) * 100 / u128::from(most)).unwrap_or(100).clamp(1, 100);
        let _ = write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"0\" width=\"{wide}\" height=\"8\"/>");
        x += wide;
    }
    svg + "</svg>"
}
