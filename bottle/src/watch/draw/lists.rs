//! The lists, a line for each thing.
use super::super::app::{App, Now, Pane};
use super::super::event::Row;
use super::super::look::Look;
use super::super::model::{Bottle, Life};
use super::super::text::{cut, safe};
use super::column;
use crate::control::describe;
use crate::style;
use egress::Live;
use egress::desk::Petition;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::time::Duration;

/// Cells of a bottle's name at most.
const SLUG: usize = 14;
/// Cells of an age.
const AGE: usize = 4;

/// A line of a list: the parts, and how all of it looks.
struct Shown {
    parts: Vec<(String, Style)>,
    all: Style,
}

pub(super) fn list(app: &mut App, frame: &mut Frame, area: Rect, pane: Pane, now: Now, look: Look) {
    let height = usize::from(area.height);
    if height == 0 {
        return;
    }
    let (count, at) = extent(app, pane);
    if count == 0 {
        let empty = Line::styled(cut(&format!(" {}", nothing(app, pane)), area.width.into()), look.dim());
        frame.render_widget(Paragraph::new(empty), area);
        return;
    }
    let first = scroll(&mut app.first[pane.index()], at, height, count);
    let lines = lines(app, pane, first, height, now, look);
    let lines = lines.into_iter().enumerate().map(|(line, shown)| {
        let chosen = pane == app.pane && first + line == at;
        drawn(shown, area.width.into(), chosen, look)
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

/// How many there are, and which is chosen.
fn extent(app: &App, pane: Pane) -> (usize, usize) {
    let keys = app.keys(pane);
    (keys.len(), app.place(pane, &keys))
}

/// Moves what is shown only as far as it must be for the chosen one to be in sight.
fn scroll(first: &mut usize, at: usize, height: usize, count: usize) -> usize {
    *first = (*first).min(at).max((at + 1).saturating_sub(height)).min(count.saturating_sub(height));
    *first
}

fn nothing(app: &App, pane: Pane) -> String {
    if let Some(lost) = &app.world.lost {
        return safe(lost);
    }
    let filtered = !app.filter.text().is_empty();
    let what = match pane {
        Pane::Requests => "no agent asks for anything",
        Pane::Live => "nothing is under way",
        Pane::Events => "nothing has happened",
        Pane::Bottles => "no bottle runs; `bottle run` starts one",
    };
    if filtered {
        format!("{what} that has “{}” in it", safe(&app.filter.text()))
    } else {
        what.to_owned()
    }
}

fn lines(app: &App, pane: Pane, first: usize, height: usize, now: Now, look: Look) -> Vec<Shown> {
    let cells = slugs(app);
    match pane {
        Pane::Requests => {
            let all = app.petitions().skip(first).take(height);
            all.map(|(bottle, one)| petition(bottle, one, cells, now, look)).collect()
        }
        Pane::Live => {
            app.live().skip(first).take(height).map(|(bottle, one)| live(bottle, one, cells, look)).collect()
        }
        Pane::Events => app.rows().skip(first).take(height).map(|row| event(row, cells, look)).collect(),
        Pane::Bottles => {
            let all = app.world.bottles.iter().skip(first).take(height);
            all.map(|one| bottle(one, cells, now, look)).collect()
        }
    }
}

/// The chosen line is turned around as a whole, so that no part of it hides.
fn drawn(shown: Shown, width: usize, chosen: bool, look: Look) -> Line<'static> {
    let mut left = width;
    let mut spans = Vec::new();
    for (text, style) in shown.parts {
        let text = cut(&text, left);
        left -= super::super::text::width(&text).min(left);
        spans.push(Span::styled(text, if chosen { Style::new() } else { style.patch(shown.all) }));
    }
    if chosen {
        spans.push(Span::raw(" ".repeat(left)));
        return Line::from(spans).style(look.chosen());
    }
    Line::from(spans)
}

/// As wide as the longest name of a bottle, within bounds.
fn slugs(app: &App) -> usize {
    let widths = app.world.bottles.iter().map(|bottle| super::super::text::width(&safe(&bottle.record.slug)));
    widths.max().unwrap_or(0).clamp(3, SLUG)
}

fn slug(bottle: &Bottle, cells: usize) -> String {
    column(&safe(&bottle.record.slug), cells)
}

/// `12s`, `3m`, `2h`, `4d`.
fn short(age: Duration) -> String {
    let seconds = age.as_secs();
    let text = match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    };
    format!("{text:>AGE$} ")
}

fn petition(bottle: &Bottle, one: &Petition, cells: usize, now: Now, look: Look) -> Shown {
    let waits = one.state.is_open() && !bottle.has_ended();
    let (mark, style) =
        if waits || !one.state.is_open() { look.state(&one.state) } else { ("-", look.dim()) };
    let age = since(one.asked, now);
    let asks = safe(&policy::neutral(&one.proposal.to_string(), 300));
    let then = match (&one.state, bottle.has_ended()) {
        (state, true) if state.is_open() => "  the bottle has ended".to_owned(),
        (state, _) if state.is_open() => String::new(),
        (state, _) => format!("  {}", safe(&describe::state(state))),
    };
    let why = if waits && !one.why.is_empty() {
        format!("  “{}”", safe(&describe::quoted(&one.why)))
    } else {
        String::new()
    };
    let parts = vec![
        (format!(" {mark} "), style),
        (column(&safe(&one.id), 6), if waits { look.bold() } else { look.plain() }),
        (slug(bottle, cells), look.plain()),
        (short(age), look.dim()),
        (asks, look.plain()),
        (then, look.plain()),
        (why, look.dim()),
    ];
    Shown { parts, all: if waits { look.plain() } else { look.dim() } }
}

fn live(bottle: &Bottle, one: &Live, cells: usize, look: Look) -> Shown {
    let waits = one.route.is_none();
    let mark = if waits { ("?", look.waits()) } else { ("›", look.good()) };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let method = one.method.clone().unwrap_or_else(|| one.protocol.clone());
    let what = safe(&policy::neutral(&format!("{method} {}{}", text(&one.host), text(&one.path)), 300));
    let size = format!("{} ↑ {} ↓", style::bytes(one.bytes_up), style::bytes(one.bytes_down));
    let then = if waits { "waits for an answer".to_owned() } else { size };
    let parts = vec![
        (format!(" {} ", mark.0), mark.1),
        (slug(bottle, cells), look.plain()),
        (short(Duration::from_millis(one.since_ms)), look.dim()),
        (column(&then, 23), look.dim()),
        (what, look.plain()),
    ];
    Shown { parts, all: look.plain() }
}

fn event(row: &Row, cells: usize, look: Look) -> Shown {
    let (mark, style) = look.mark(row.mark);
    let time = row.time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    let parts = vec![
        (format!(" {time} "), look.dim()),
        (format!("{mark} "), style),
        (column(&row.slug, cells), look.plain()),
        (
            row.line.clone(),
            if row.mark == super::super::event::Mark::Step { look.dim() } else { look.plain() },
        ),
    ];
    Shown { parts, all: look.plain() }
}

fn bottle(one: &Bottle, cells: usize, now: Now, look: Look) -> Shown {
    let open = one.petitions.iter().filter(|petition| petition.state.is_open()).count();
    let up = style::duration(since(one.record.started, now));
    let (mark, mark_style, how) = match &one.life {
        Life::Starting => ("○", look.dim(), "starts".to_owned()),
        Life::Up if one.locked => ("●", look.alarm(), "REFUSES ALL".to_owned()),
        Life::Up => ("●", look.good(), up),
        Life::Silent(_) => ("!", look.bad(), "does not answer".to_owned()),
        Life::Ended => ("○", look.dim(), "ended".to_owned()),
    };
    let waits = if open > 0 && !one.has_ended() { format!("{open} wait  ") } else { String::new() };
    let counts = format!(
        "{} live, {} refused, {}  ",
        one.live.len(),
        one.refused,
        style::count(one.found as u64, "finding")
    );
    let parts = vec![
        (format!(" {mark} "), mark_style),
        (slug(one, cells), look.bold()),
        (column(&how, 15), look.plain()),
        (waits, look.waits()),
        (counts, look.plain()),
        (safe(&policy::neutral(&one.record.command.join(" "), 200)), look.dim()),
    ];
    Shown { parts, all: if one.has_ended() { look.dim() } else { look.plain() } }
}

fn since(time: jiff::Timestamp, now: Now) -> Duration {
    Duration::try_from(now.time.duration_since(time)).unwrap_or_default()
}
