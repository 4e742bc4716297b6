//! What is open above the lists. Whatever an agent says stands in its own place, behind our words for it.
use super::super::app::{App, Key, Now};
use super::super::dialog::{Allow, Dialog, Field, Refuse};
use super::super::input::Input;
use super::super::look::Look;
use super::super::model::{Bottle, Life};
use super::super::text::{cut, head, safe, wrap};
use crate::control::describe;
use crate::style;
use egress::Live;
use egress::desk::Petition;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

/// Cells of a dialog at most: longer lines are hard to read.
const WIDEST: u16 = 100;
/// Cells of what a fact is about.
const ABOUT: usize = 12;
/// Lines of a fact in a dialog that answers: its keys stay in sight.
const FEW: usize = 3;

/// Lines of a dialog, and where the cursor stands in them.
#[derive(Default)]
struct Page {
    lines: Vec<Line<'static>>,
    cursor: Option<(usize, usize)>,
    /// Cells of a line.
    width: usize,
}

impl Page {
    fn text(&mut self, text: &str, style: Style) {
        self.lines.extend(wrap(text, self.width).into_iter().map(|line| Line::styled(line, style)));
    }

    fn gap(&mut self) {
        self.lines.push(Line::default());
    }

    /// What it is about stands apart, so that nothing in a fact looks like another one.
    fn fact(&mut self, about: &str, said: &str, most: usize, look: Look) {
        let room = self.width.saturating_sub(ABOUT);
        let mut lines = wrap(&safe(said), room);
        if lines.len() > most {
            lines.truncate(most);
            // A quotation ends with its mark, cut or not.
            let end = if said.ends_with('”') { "…”" } else { "…" };
            if let Some(last) = lines.last_mut() {
                *last = format!("{}{end}", head(last, room.saturating_sub(2)));
            }
        }
        for (number, line) in lines.into_iter().enumerate() {
            let about = if number == 0 { about } else { "" };
            let about = Span::styled(super::fit(&safe(about), ABOUT), look.dim());
            self.lines.push(Line::from(vec![about, Span::raw(line)]));
        }
    }

    fn field(&mut self, key: &str, about: &str, input: &Input, open: bool, look: Look) {
        let room = self.width.saturating_sub(ABOUT + 3);
        let (text, at) = input.shown(room);
        let text = if text.is_empty() && !open { "-".to_owned() } else { cut(&text, room) };
        if open {
            self.cursor = Some((ABOUT + 2 + at, self.lines.len()));
        }
        self.key(key, about, &text, look);
    }

    fn key(&mut self, key: &str, about: &str, said: &str, look: Look) {
        let about = super::fit(about, ABOUT);
        self.lines.push(Line::from(vec![
            Span::styled(format!("{key} "), look.bold()),
            Span::styled(about, look.dim()),
            Span::raw(said.to_owned()),
        ]));
    }
}

pub(super) fn dialog(app: &mut App, frame: &mut Frame, area: Rect, now: Now, look: Look) {
    let width = area.width.saturating_sub(4).min(WIDEST);
    let mut page = Page { width: usize::from(width.saturating_sub(4)), ..Page::default() };
    let title = compose(app, &mut page, now, look);
    let height = u16::try_from(page.lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let outer =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let title = Span::styled(format!(" {} ", cut(&title, usize::from(width.saturating_sub(6)))), look.bold());
    let block = Block::bordered().border_type(BorderType::Rounded).title(title);
    let mut inner = block.inner(outer);
    inner.x += 1;
    inner.width = inner.width.saturating_sub(2);
    frame.render_widget(Clear, outer);
    frame.render_widget(block, outer);
    let first = scrolled(app, page.lines.len(), inner.height.into());
    let cursor = page.cursor;
    let lines: Vec<Line> = page.lines.into_iter().skip(first).collect();
    frame.render_widget(Paragraph::new(lines), inner);
    if let Some((x, y)) = cursor {
        let place =
            |at: usize, start: u16, end: u16| start.saturating_add(u16::try_from(at).unwrap_or(0)).min(end);
        frame.set_cursor_position((
            place(x, inner.x, inner.right().saturating_sub(1)),
            place(y, inner.y, inner.bottom().saturating_sub(1)),
        ));
    }
}

/// Pages that can be read are as long as they are; nobody scrolls past their end.
fn scrolled(app: &mut App, lines: usize, height: usize) -> usize {
    match &mut app.dialog {
        Some(Dialog::Details { scroll } | Dialog::Help { scroll }) => {
            *scroll = (*scroll).min(lines.saturating_sub(height));
            *scroll
        }
        _ => 0,
    }
}

fn compose(app: &App, page: &mut Page, now: Now, look: Look) -> String {
    match &app.dialog {
        Some(Dialog::Allow(allow)) => allowing(app, allow, page, look),
        Some(Dialog::Refuse(refuse)) => refusing(app, refuse, page, look),
        Some(Dialog::Kill { on }) => turning(*on, page, look),
        Some(Dialog::Details { .. }) => details(app, page, now, look),
        Some(Dialog::Help { .. }) | None => help(page, look),
    }
}

/// What is answered, from the dialog's own copy: it never shows another one than it answers.
fn heading(app: &App, word: &str, bottle: u64, petition: &Petition) -> String {
    let slug = app.world.bottle(bottle).map(|bottle| safe(&bottle.record.slug)).unwrap_or_default();
    format!("{word} {} · bottle {slug}", safe(&petition.id))
}

fn allowing(app: &App, allow: &Allow, page: &mut Page, look: Look) -> String {
    let petition = &allow.target.petition;
    let narrowed = allow.allowed();
    let allowed = narrowed.as_ref().ok().cloned().flatten().unwrap_or_else(|| petition.proposal.clone());
    let facts = describe::facts(petition, &allowed, allow.credential);
    for about in ["asks for", "allowed", "host", "last hour", "asked", "why"] {
        for (_, said) in facts.iter().filter(|(known, _)| *known == about) {
            page.fact(about, said, FEW, look);
        }
    }
    page.gap();
    page.field("m", "methods", &allow.methods, allow.editing == Some(Field::Methods), look);
    page.field("p", "paths", &allow.paths, allow.editing == Some(Field::Paths), look);
    page.field("w", "a word", &allow.word, allow.editing == Some(Field::Word), look);
    let credential = match (allow.slot(), allow.credential) {
        (None, _) => "none: no route of this host has one".to_owned(),
        (Some(slot), false) => format!("none ({} could go along)", safe(slot)),
        (Some(slot), true) => format!("{} GOES ALONG", safe(slot)),
    };
    page.key("c", "credential", &credential, look);
    page.gap();
    let wrong = allow.wrong.clone().or_else(|| narrowed.err().map(|failure| failure.what));
    match (app.target_is_open(), wrong, allow.editing, allow.sure) {
        (false, ..) => closed(app, page, look),
        (_, _, Some(_), _) => page.text("Enter: done", look.bold()),
        (_, Some(wrong), ..) => page.text(&format!("{} · Esc nothing", safe(&wrong)), look.bad()),
        (_, _, _, true) => {
            page.text("A once more: write it into the manifest, for good · any other key: no", look.waits())
        }
        _ => page.text(
            "o once · b as long as this bottle lives · h for one hour · A always · Esc nothing",
            look.bold(),
        ),
    }
    heading(app, "Allow", allow.target.bottle, petition)
}

fn refusing(app: &App, refuse: &Refuse, page: &mut Page, look: Look) -> String {
    let petition = &refuse.target.petition;
    let facts = describe::facts(petition, &petition.proposal, false);
    for about in ["asks for", "host", "asked", "why"] {
        for (_, said) in facts.iter().filter(|(known, _)| *known == about) {
            page.fact(about, said, FEW, look);
        }
    }
    page.gap();
    page.field(" ", "a word", &refuse.word, true, look);
    page.gap();
    if app.target_is_open() {
        page.text("Enter refuse · Esc nothing", look.bold());
    } else {
        closed(app, page, look);
    }
    heading(app, "Refuse", refuse.target.bottle, petition)
}

/// Somebody else was faster, or nobody waits any more.
fn closed(app: &App, page: &mut Page, look: Look) {
    let target = app.dialog.as_ref().and_then(Dialog::target);
    let petition = target.and_then(|target| app.world.petition(target.bottle, &target.petition.id));
    let ended = target.is_none_or(|target| app.world.bottle(target.bottle).is_none_or(Bottle::has_ended));
    let state = match petition {
        Some(petition) if !petition.state.is_open() => describe::state(&petition.state),
        Some(_) if !ended => "it asks for something else now".to_owned(),
        _ => "its bottle has ended".to_owned(),
    };
    page.text(&format!("no longer open: {} · Esc", safe(&state)), look.bad());
}

fn turning(on: bool, page: &mut Page, look: Look) -> String {
    let said = match on {
        true => {
            "Refuse everything, at once, in every bottle of yours, in those that start later too? What is under way is \
                 ended. Agents go on running."
        }
        false => "Serve again, by each bottle's own policy?",
    };
    page.text(said, look.plain());
    page.gap();
    page.text(
        if on { "y refuse everything · Esc nothing" } else { "y serve again · Esc nothing" },
        look.bold(),
    );
    format!("Turn the kill switch {}", if on { "on" } else { "off" })
}

fn details(app: &App, page: &mut Page, now: Now, look: Look) -> String {
    match app.current() {
        Some(Key::Petition(bottle, id)) => match app.world.petition(bottle, &id) {
            Some(petition) => of_petition(app, bottle, petition, page, look),
            None => "gone".to_owned(),
        },
        Some(Key::Live(bottle, id)) => {
            let live =
                app.world.bottle(bottle).and_then(|bottle| bottle.live.iter().find(|live| live.id == id));
            live.map(|live| of_live(live, page, look)).unwrap_or_else(|| "It is over".to_owned())
        }
        Some(Key::Event(serial)) => {
            let row = app.rows().find(|row| row.serial == serial);
            row.into_iter()
                .flat_map(|row| &row.facts)
                .for_each(|(about, said)| page.fact(about, said, usize::MAX, look));
            "What happened".to_owned()
        }
        Some(Key::Bottle(id)) => match app.world.bottle(id) {
            Some(bottle) => of_bottle(bottle, page, now, look),
            None => "gone".to_owned(),
        },
        None => "Nothing is chosen".to_owned(),
    }
}

fn of_petition(app: &App, bottle: u64, petition: &Petition, page: &mut Page, look: Look) -> String {
    for (about, said) in describe::facts(petition, &petition.proposal, false) {
        page.fact(about, &said, usize::MAX, look);
    }
    page.gap();
    let keys = if petition.state.is_open() { "a allow · n refuse · Esc back" } else { "Esc back" };
    page.text(keys, look.bold());
    heading(app, "Request", bottle, petition)
}

fn of_live(live: &Live, page: &mut Page, look: Look) -> String {
    let bytes = format!("{} up, {} down", style::bytes(live.bytes_up), style::bytes(live.bytes_down));
    let facts = [
        ("protocol", Some(live.protocol.clone())),
        ("method", live.method.clone()),
        ("host", live.host.clone()),
        ("path", live.path.clone()),
        ("route", Some(live.route.clone().unwrap_or_else(|| "none: it waits for an answer".to_owned()))),
        ("for", Some(style::duration(std::time::Duration::from_millis(live.since_ms)))),
        ("bytes", Some(bytes)),
        ("exchange", Some(live.id.clone())),
    ];
    for (about, said) in facts {
        said.into_iter().for_each(|said| page.fact(about, &policy::neutral(&said, 1000), usize::MAX, look));
    }
    "Under way".to_owned()
}

fn of_bottle(bottle: &Bottle, page: &mut Page, now: Now, look: Look) -> String {
    let record = &bottle.record;
    let life = match &bottle.life {
        Life::Starting => "starts".to_owned(),
        Life::Up if bottle.locked => "up; refuses everything".to_owned(),
        Life::Up => "up".to_owned(),
        Life::Silent(why) => format!("does not answer: {why}"),
        Life::Ended => "ended".to_owned(),
    };
    let up = std::time::Duration::try_from(now.time.duration_since(record.started)).unwrap_or_default();
    let facts = [
        ("state", life),
        ("name", record.name.clone()),
        ("started", format!("{} ({} ago)", describe::clock(record.started), style::duration(up))),
        ("command", record.command.join(" ")),
        ("workspace", record.workspace.display().to_string()),
        ("policy", bottle.policy.clone()),
        (
            "seen here",
            format!("{} refused, {}", bottle.refused, style::count(bottle.found as u64, "finding")),
        ),
        ("launcher", format!("process {}", record.launcher.pid)),
        ("audit", record.audit.display().to_string()),
        ("log", record.log.display().to_string()),
    ];
    facts.iter().for_each(|(about, said)| page.fact(about, said, usize::MAX, look));
    format!("Bottle {}", safe(&record.slug))
}

const HELP: &[(&str, &str)] = &[
    ("1 2 3 4", "requests, live exchanges, events, bottles; Tab and Shift-Tab go round"),
    ("j k", "down and up, like the arrows; g and G: first and last"),
    ("Enter", "all that is known of what is chosen"),
    (
        "a",
        "allow the request that is chosen: once, for this bottle's life, for an hour, always; narrowed, with a word",
    ),
    ("n", "refuse it, with a word for the agent"),
    ("/", "show only what has some text in it, in all lists; Esc shows all again"),
    ("f", "events: everything, refusals, findings, lifecycle"),
    ("p", "stop the list of events where it is, and go on; requests are never stopped"),
    ("K", "the kill switch: refuse everything, everywhere, at once"),
    ("Ctrl-L", "draw everything again"),
    ("Ctrl-Z", "back to the shell; `fg` returns"),
    ("q", "leave; bottles go on, and their agents can ask as long as somebody else attends"),
];

fn help(page: &mut Page, look: Look) -> String {
    HELP.iter().for_each(|(keys, what)| page.fact(keys, what, usize::MAX, look));
    page.gap();
    page.fact(
        "signs",
        "? waits for an answer  ✓ allowed  ✗ refused  ! broken off, or a finding  - nobody waits any more",
        usize::MAX,
        look,
    );
    page.fact("“ ”", "what stands in these marks is said by an agent", usize::MAX, look);
    page.gap();
    page.text("Esc back", look.bold());
    "Help".to_owned()
}
