//! The view on a terminal of our own: what keys do, what is drawn, and what agents cannot do to either.
mod attacks;
mod frames;

use super::app::{Action, App, Key, Now, Pane};
use super::draw::draw;
use super::look::Look;
use super::model::News;
use crate::control::describe::tests::petition;
use crate::control::{Say, Seen, Snapshot};
use crate::process::Identity;
use crate::registry::Record;
use audit::{Decision, Event, Exchange, Finding, Lifecycle};
use egress::desk::{Answer, Petition, Span, State};
use manifest::plan::Backend;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event as Typed, KeyCode, KeyEvent, KeyModifiers};
use std::time::{Duration, Instant};

const LOOK: Look = Look { colour: true, unicode: true };

/// A view, its terminal and its clock.
struct View {
    app: App,
    terminal: Terminal<TestBackend>,
    now: Now,
    look: Look,
}

impl View {
    fn new(width: u16, height: u16) -> View {
        let terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let now = Now { instant: Instant::now(), time: jiff::Timestamp::now() };
        View { app: App::new(), terminal, now, look: LOOK }
    }

    /// With one bottle, and what its agent asks for.
    fn with(petitions: &[Petition]) -> View {
        let mut view = View::new(80, 24);
        view.bottle(1, "dev", petitions);
        view.draw();
        view
    }

    fn bottle(&mut self, id: u64, slug: &str, petitions: &[Petition]) {
        self.hear(News::Found(id, Box::new(record(slug))));
        self.hear(News::Said(id, Say::Snapshot(Box::new(snapshot(slug, petitions)))));
    }

    fn hear(&mut self, news: News) {
        self.app.hear(news, self.now.time);
    }

    fn settle(&mut self, id: &str, state: State) {
        let known = self.app.world.petition(1, id).cloned().expect("known");
        self.hear(News::Said(1, Say::Petition(Box::new(Petition { state, ..known }))));
    }

    fn later(&mut self, time: Duration) {
        self.now.instant += time;
    }

    fn draw(&mut self) -> Vec<String> {
        let (now, look) = (self.now, self.look);
        self.terminal.draw(|frame| draw(&mut self.app, frame, now, look)).expect("drawn");
        lines(self.terminal.backend().buffer())
    }

    fn text(&mut self) -> String {
        self.draw().join("\n")
    }

    /// A key, typed after what is shown could be read.
    fn press(&mut self, key: char) -> Option<Action> {
        self.draw();
        self.later(Duration::from_secs(1));
        self.at_once(KeyCode::Char(key))
    }

    fn code(&mut self, code: KeyCode) -> Option<Action> {
        self.draw();
        self.later(Duration::from_secs(1));
        self.at_once(code)
    }

    fn at_once(&mut self, code: KeyCode) -> Option<Action> {
        self.app.event(&Typed::Key(KeyEvent::new(code, KeyModifiers::NONE)), self.now)
    }

    fn write(&mut self, text: &str) {
        text.chars().for_each(|character| drop(self.press(character)));
    }
}

/// What stands on the terminal, row by row; the second cell of a wide character is left out.
fn lines(buffer: &Buffer) -> Vec<String> {
    let row = |y: u16| {
        let mut skip = 0;
        let mut line = String::new();
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = super::text::width(symbol).max(1);
            }
            skip -= 1;
        }
        line
    };
    (0..buffer.area.height).map(row).collect()
}

fn record(slug: &str) -> Record {
    Record {
        version: 1,
        slug: slug.to_owned(),
        name: slug.to_owned(),
        launcher: Identity { pid: 1, start_ticks: 1, boot: String::new() },
        started: jiff::Timestamp::now(),
        workspace: "/w".into(),
        writable: vec![],
        protection: String::new(),
        command: vec!["agent".to_owned()],
        backend: Backend::Linux,
        audit: "/a".into(),
        log: "/l".into(),
        ports: vec![],
    }
}

fn snapshot(slug: &str, petitions: &[Petition]) -> Snapshot {
    Snapshot {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        backend: Backend::Linux,
        started: jiff::Timestamp::now(),
        workspace: "/w".into(),
        command: vec!["agent".to_owned()],
        manifest: None,
        audit: "/a".into(),
        policy: "0123456789ab".to_owned(),
        locked: false,
        petitions: petitions.to_vec(),
        seen: vec![],
        live: vec![],
    }
}

fn asks(id: &str) -> Petition {
    petition(id, "POST", &format!("https://api.example/{id}"), "the tests need it")
}

fn exchange(decision: Decision, path: &str) -> Event {
    let denied = decision != Decision::Allowed;
    Event::Exchange(Box::new(Exchange {
        id: "01".to_owned(),
        decision,
        code: denied.then(|| "host-not-allowed".to_owned()),
        reason: denied.then(|| "no route names it".to_owned()),
        protocol: "h1".to_owned(),
        scheme: Some("https".to_owned()),
        method: Some("GET".to_owned()),
        host: Some("a.example".to_owned()),
        port: Some(443),
        path: Some(path.to_owned()),
        route: None,
        policy: None,
        credential: None,
        upstream: None,
        status: None,
        bytes_up: 0,
        bytes_down: 0,
        duration_ms: 1,
        findings: vec![],
    }))
}

fn seen(event: Event) -> News {
    News::Said(1, Say::Seen(Box::new(Seen { time: jiff::Timestamp::now(), event })))
}

fn answered(action: Option<Action>) -> (u64, String, Answer) {
    match action {
        Some(Action::Answer { bottle, id, answer }) => (bottle, id, answer),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn every_answer_has_its_key() {
    for (key, span) in [('o', Span::Once), ('b', Span::Bottle)] {
        let mut view = View::with(&[asks("k3m9px")]);
        view.press('a');
        assert!(view.text().contains("Allow k3m9px · bottle dev"));
        let wanted = Answer::Allow { span, narrowed: None, credential: false, word: None };
        assert_eq!(answered(view.press(key)), (1, "k3m9px".to_owned(), wanted));
        assert!(view.app.dialog.is_none());
    }
    let mut view = View::with(&[asks("k3m9px")]);
    view.press('a');
    let (.., answer) = answered(view.press('h'));
    let Answer::Allow { span: Span::Until { time }, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(time.duration_since(view.now.time), jiff::SignedDuration::from_hours(1));
    let mut view = View::with(&[asks("k3m9px")]);
    view.press('n');
    view.write("no, q and a");
    let refuse = Answer::Refuse { word: Some("no, q and a".to_owned()) };
    assert_eq!(answered(view.code(KeyCode::Enter)), (1, "k3m9px".to_owned(), refuse));
}

#[test]
fn the_first_that_waits_is_chosen_until_somebody_chooses() {
    let at = |second| jiff::Timestamp::from_second(second).expect("a time");
    let asked = |id: &str, second| Petition { asked: at(second), ..asks(id) };
    let mut view = View::with(&[asked("first1", 1), asked("second", 2), asked("third3", 3)]);
    let chosen = |view: &mut View| {
        view.draw();
        view.app.current()
    };
    let key = |id: &str| Some(Key::Petition(1, id.to_owned()));
    assert_eq!(chosen(&mut view), key("first1"));
    view.settle("first1", State::Expired);
    assert_eq!(chosen(&mut view), key("second"), "nobody chose the first");
    view.press('a');
    view.press('o');
    view.settle("second", State::Expired);
    assert_eq!(chosen(&mut view), key("third3"), "an answer goes on to the next");
    view.press('G');
    assert_ne!(chosen(&mut view), key("third3"));
    view.press('g');
    view.settle("third3", State::Expired);
    assert_eq!(chosen(&mut view), key("third3"), "chosen by hand");
}

#[test]
fn what_is_written_for_good_needs_its_key_twice() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.press('a');
    assert!(view.press('A').is_none());
    assert!(view.text().contains("A once more"));
    view.press('x');
    assert!(view.press('A').is_none(), "another key in between takes it back");
    let (.., answer) = answered(view.press('A'));
    assert!(matches!(answer, Answer::Allow { span: Span::Always, .. }), "{answer:?}");
}

#[test]
fn an_answer_is_narrowed_and_never_made_wider() {
    let wide = Petition {
        proposal: policy::Proposal { methods: None, paths: None, ..asks("k3m9px").proposal },
        ..asks("k3m9px")
    };
    let mut view = View::with(&[wide]);
    view.press('a');
    view.press('m');
    view.write("get");
    view.code(KeyCode::Enter);
    view.press('p');
    view.write("/v1/**");
    view.code(KeyCode::Enter);
    view.press('c');
    assert!(view.text().contains("EGRESS_TOKEN_0 GOES ALONG"), "{}", view.text());
    let (.., answer) = answered(view.press('b'));
    let Answer::Allow { narrowed: Some(narrowed), credential: true, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(narrowed.to_string(), "GET https://api.example/v1/**");
    let mut view = View::with(&[asks("k3m9px")]);
    view.press('a');
    view.press('p');
    view.code(KeyCode::Home);
    view.write("/** ");
    view.code(KeyCode::Enter);
    assert!(view.press('b').is_none());
    assert!(view.text().contains("is more than was asked for"), "{}", view.text());
    view.press('p');
    view.code(KeyCode::End);
    (0..40).for_each(|_| drop(view.code(KeyCode::Backspace)));
    view.code(KeyCode::Enter);
    assert!(view.press('b').is_none(), "nothing is no path at all, and not every path");
}

#[test]
fn the_kill_switch_asks_first() {
    let mut view = View::with(&[]);
    view.press('K');
    assert!(view.text().contains("Turn the kill switch on"));
    assert!(view.code(KeyCode::Enter).is_none());
    assert!(matches!(view.press('y'), Some(Action::Lock(true))));
    view.hear(News::Switch(true));
    assert!(view.text().contains("KILL SWITCH ON"));
    view.press('K');
    assert!(view.text().contains("Turn the kill switch off"));
    assert!(view.press('n').is_none() && view.app.dialog.is_none());
}

#[test]
fn lists_are_filtered_stopped_and_followed() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.hear(seen(exchange(Decision::Allowed, "/one")));
    view.hear(seen(exchange(Decision::Denied, "/two")));
    view.press('3');
    assert!(view.text().contains("/one") && view.text().contains("/two"));
    view.press('f');
    assert!(!view.text().contains("/one") && view.text().contains("Events: refusals"));
    (0..3).for_each(|_| drop(view.press('f')));
    view.press('p');
    view.hear(seen(exchange(Decision::Allowed, "/three")));
    assert!(!view.text().contains("/three") && view.text().contains("stopped"));
    view.press('p');
    assert!(view.text().contains("/three"));
    view.press('/');
    view.write("THREE");
    view.code(KeyCode::Enter);
    let text = view.text();
    assert!(text.contains("/three") && !text.contains("/one") && text.contains("only “THREE”"), "{text}");
    view.code(KeyCode::Esc);
    view.code(KeyCode::Enter);
    assert!(view.text().contains("What happened"), "details of the last one: {}", view.text());
}

#[test]
fn bottles_appear_and_grey_out() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.bottle(2, "review", &[asks("w7yq2d")]);
    assert!(view.text().contains("2 requests wait"));
    view.hear(News::Gone(2));
    let text = view.text();
    assert!(text.contains("1 request waits") && text.contains("the bottle has ended"), "{text}");
    view.press('4');
    assert!(view.text().contains("review ended"), "{}", view.text());
    view.hear(News::Silent(1, "it hangs".to_owned()));
    assert!(view.text().contains("does not answer"));
}

#[test]
fn what_was_missed_is_filled_in_and_nothing_is_told_twice() {
    let mut view = View::with(&[]);
    let at = |second: i64| jiff::Timestamp::from_second(second).expect("a time");
    let step = |second: i64| Seen {
        time: at(second),
        event: Event::Lifecycle(Lifecycle { step: format!("step-{second}"), detail: None }),
    };
    view.hear(News::Said(1, Say::Seen(Box::new(step(1)))));
    view.hear(News::Said(1, Say::Missed));
    let again = Snapshot { seen: vec![step(1), step(2), step(3)], ..snapshot("dev", &[]) };
    view.hear(News::Said(1, Say::Snapshot(Box::new(again))));
    let told: Vec<&str> = view.app.world.rows.iter().map(|row| row.line.as_str()).collect();
    assert_eq!(told, ["step-1", "step-2", "step-3"]);
}
