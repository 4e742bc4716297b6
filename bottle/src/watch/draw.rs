//! The view: one list at a time with tabs on small terminals, all of them side by side on large ones.
mod dialogs;
mod lists;

use super::app::{App, Now, PANES, Pane};
use super::look::Look;
use super::text::{cut, fit, safe};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

/// Smaller terminals get one list at a time.
const WIDE: (u16, u16) = (120, 32);
/// Smaller ones are told so.
const SMALLEST: (u16, u16) = (40, 10);

pub(super) fn draw(app: &mut App, frame: &mut Frame, now: Now, look: Look) {
    let area = frame.area();
    app.pin();
    app.seen.now(now.instant);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let said = format!("{} wait; this terminal is too small", app.world.waiting());
        frame.render_widget(Paragraph::new(cut(&said, area.width.into())), area);
        return look.finish(frame.buffer_mut());
    }
    let wide = area.width >= WIDE.0 && area.height >= WIDE.1;
    let tabs = if wide { 0 } else { 2 };
    let parts = [Constraint::Length(1), Constraint::Length(tabs), Constraint::Min(1), Constraint::Length(2)];
    let [head, tabs, body, foot] = Layout::vertical(parts).areas(area);
    header(app, frame, head, now, look);
    if wide {
        side_by_side(app, frame, body, now, look);
    } else {
        tab_line(app, frame, tabs, look);
        app.page = body.height.into();
        lists::list(app, frame, body, app.pane, now, look);
    }
    footer(app, frame, foot, look);
    if app.dialog.is_some() {
        dialogs::dialog(app, frame, body.union(tabs), now, look);
    }
    look.finish(frame.buffer_mut());
}

fn header(app: &App, frame: &mut Frame, area: Rect, now: Now, look: Look) {
    let running = app.world.bottles.iter().filter(|bottle| !bottle.has_ended()).count();
    let time = now.time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    let mut left = vec![Span::styled(" bottle watch", look.bold())];
    left.push(Span::styled(format!("  {}", crate::style::count(running as u64, "bottle")), look.dim()));
    if app.world.switch {
        left.push(Span::raw("  "));
        left.push(Span::styled(" KILL SWITCH ON: everything is refused ", look.alarm()));
    }
    if app.stopped.is_some() {
        left.push(Span::styled("  events stopped (p)", look.waits()));
    }
    let waiting = app.world.waiting();
    let mut right = Vec::new();
    if waiting > 0 {
        let noun = if waiting == 1 { "request waits" } else { "requests wait" };
        right.push(Span::styled(format!("{waiting} {noun}"), look.waits()));
    }
    right.push(Span::styled(format!("  {time} "), look.dim()));
    two_ends(frame, area, left, right);
}

/// What stands left is cut where what stands right begins.
fn two_ends(frame: &mut Frame, area: Rect, left: Vec<Span>, right: Vec<Span>) {
    let right = Line::from(right);
    let needs = u16::try_from(right.width()).unwrap_or(area.width).min(area.width);
    let [first, last] = Layout::horizontal([Constraint::Min(0), Constraint::Length(needs)]).areas(area);
    frame.render_widget(Paragraph::new(Line::from(left)), first);
    frame.render_widget(Paragraph::new(right), last);
}

fn tab_line(app: &App, frame: &mut Frame, area: Rect, look: Look) {
    let mut spans = vec![Span::raw(" ")];
    for pane in PANES {
        let style = if pane == app.pane { look.chosen() } else { look.plain() };
        spans.push(Span::styled(format!(" {} ", title(app, pane)), style));
        spans.push(Span::raw(" "));
    }
    let rule = "─".repeat(area.width.into());
    let lines = vec![Line::from(spans), Line::styled(rule, look.dim())];
    frame.render_widget(Paragraph::new(lines), area);
}

/// The number that brings it to the front, its name, and how much it has.
fn title(app: &App, pane: Pane) -> String {
    let number = pane.index() + 1;
    match pane {
        Pane::Requests => format!("{number} Requests {}", app.world.waiting()),
        Pane::Live => format!(
            "{number} Live {}",
            app.world.bottles.iter().map(|bottle| bottle.live.len()).sum::<usize>()
        ),
        Pane::Events => format!("{number} Events: {}", app.kind.word()),
        Pane::Bottles => format!("{number} Bottles"),
    }
}

fn side_by_side(app: &mut App, frame: &mut Frame, area: Rect, now: Now, look: Look) {
    let [upper, lower] = Layout::vertical([Constraint::Percentage(45), Constraint::Min(1)]).areas(area);
    let [requests, right] = Layout::horizontal([Constraint::Percentage(58), Constraint::Min(1)]).areas(upper);
    let [bottles, live] = Layout::vertical([Constraint::Percentage(40), Constraint::Min(1)]).areas(right);
    for (pane, area) in
        [(Pane::Requests, requests), (Pane::Bottles, bottles), (Pane::Live, live), (Pane::Events, lower)]
    {
        let front = pane == app.pane;
        let (edge, name) = if front { (look.plain(), look.chosen()) } else { (look.dim(), look.plain()) };
        let block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(edge)
            .title(Span::styled(format!(" {} ", title(app, pane)), name));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if front {
            app.page = inner.height.into();
        }
        lists::list(app, frame, inner, pane, now, look);
    }
}

fn footer(app: &App, frame: &mut Frame, area: Rect, look: Look) {
    let [said, keys] = Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let cells = usize::from(area.width);
    match &app.said {
        Some(Ok(what)) => {
            frame.render_widget(Paragraph::new(Line::styled(line(what, cells), look.bold())), said)
        }
        Some(Err(what)) => {
            frame.render_widget(Paragraph::new(Line::styled(line(what, cells), look.bad())), said)
        }
        None => {}
    }
    if app.filtering {
        let (text, at) = app.filter.shown(cells.saturating_sub(4));
        frame.render_widget(
            Paragraph::new(Line::from(vec![Span::styled(" /", look.bold()), Span::raw(text)])),
            keys,
        );
        let at = u16::try_from(at + 2).unwrap_or(0);
        frame.set_cursor_position((keys.x.saturating_add(at).min(keys.right().saturating_sub(1)), keys.y));
        return;
    }
    let filter = app.filter.text();
    let mut spans = Vec::new();
    if !filter.is_empty() {
        spans.push(Span::styled(format!(" only “{}” (Esc) ", cut(&safe(&filter), 24)), look.waits()));
    }
    spans.extend(keys_of(app.pane).iter().flat_map(|(key, what)| {
        [Span::styled(format!(" {key}"), look.bold()), Span::styled(format!(" {what} "), look.dim())]
    }));
    frame.render_widget(Paragraph::new(Line::from(spans)), keys);
}

fn line(text: &str, cells: usize) -> String {
    let one: String = text.split('\n').map(safe).collect::<Vec<_>>().join(" · ");
    cut(&format!(" {one}"), cells)
}

fn keys_of(pane: Pane) -> &'static [(&'static str, &'static str)] {
    match pane {
        Pane::Requests => &[
            ("a", "allow"),
            ("n", "refuse"),
            ("Enter", "details"),
            ("/", "filter"),
            ("K", "kill switch"),
            ("?", "help"),
            ("q", "quit"),
        ],
        Pane::Events => &[
            ("Enter", "details"),
            ("f", "kind"),
            ("p", "stop"),
            ("/", "filter"),
            ("K", "kill switch"),
            ("?", "help"),
            ("q", "quit"),
        ],
        Pane::Live | Pane::Bottles => {
            &[("Enter", "details"), ("/", "filter"), ("K", "kill switch"), ("?", "help"), ("q", "quit")]
        }
    }
}

/// A cell of a table: exactly so wide, and a blank after it.
fn column(text: &str, cells: usize) -> String {
    format!("{} ", fit(text, cells))
}
