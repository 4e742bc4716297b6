//! What is open above the lists. A dialog that answers is bound to one petition of one bottle by their ids, whatever happens to
//! the lists below.
use super::input::Input;
use super::model::BottleId;
use crate::control::narrow;
use crate::failure::Failure;
use egress::desk::{Answer, Petition, Span};
use policy::{Method, PathPattern, Proposal};
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use std::time::{Duration, Instant};

/// Keys that were typed before anybody could have read what a dialog shows answer nothing.
pub(super) const READING: Duration = Duration::from_millis(250);

/// A petition of a bottle.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) bottle: BottleId,
    pub(super) petition: Petition,
}

#[derive(Debug)]
pub(super) enum Dialog {
    /// All that is known of something.
    Details {
        scroll: usize,
    },
    Allow(Allow),
    Refuse(Refuse),
    /// Turning the kill switch.
    Kill {
        on: bool,
    },
    Help {
        scroll: usize,
    },
}

/// A field of the dialog that allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Methods,
    Paths,
    Word,
}

#[derive(Debug)]
pub(super) struct Allow {
    pub(super) target: Target,
    pub(super) credential: bool,
    pub(super) methods: Input,
    pub(super) paths: Input,
    pub(super) word: Input,
    pub(super) editing: Option<Field>,
    /// `always` was chosen and waits for a second key.
    pub(super) sure: bool,
    pub(super) wrong: Option<String>,
}

#[derive(Debug)]
pub(super) struct Refuse {
    pub(super) target: Target,
    pub(super) word: Input,
}

/// What comes of a key in a dialog.
#[derive(Debug)]
pub(super) enum Step {
    Stay,
    Close,
    Answer(Answer),
    Turn(bool),
}

/// When a dialog was first seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen(Option<Instant>);

impl Seen {
    pub(super) fn now(&mut self, now: Instant) {
        self.0.get_or_insert(now);
    }

    pub(super) fn long_enough(self, now: Instant) -> bool {
        self.0.is_some_and(|seen| now.saturating_duration_since(seen) >= READING)
    }
}

impl Dialog {
    pub(super) fn allow(target: Target) -> Dialog {
        let proposal = &target.petition.proposal;
        let methods = proposal.methods.as_ref().map(|all| joined(all.iter().map(Method::as_str)));
        let paths = proposal.paths.as_ref().map(|all| joined(all.iter().map(PathPattern::as_str)));
        Dialog::Allow(Allow {
            methods: Input::with(&methods.unwrap_or_default()),
            paths: Input::with(&paths.unwrap_or_default()),
            target,
            credential: false,
            word: Input::default(),
            editing: None,
            sure: false,
            wrong: None,
        })
    }

    pub(super) fn refuse(target: Target) -> Dialog {
        Dialog::Refuse(Refuse { target, word: Input::default() })
    }

    /// The petition that it answers.
    pub(super) fn target(&self) -> Option<&Target> {
        match self {
            Dialog::Allow(allow) => Some(&allow.target),
            Dialog::Refuse(refuse) => Some(&refuse.target),
            Dialog::Details { .. } | Dialog::Kill { .. } | Dialog::Help { .. } => None,
        }
    }

    /// `ready`: it was in sight long enough, and what it answers is open still.
    pub(super) fn key(&mut self, key: KeyEvent, ready: bool, now: jiff::Timestamp) -> Step {
        match self {
            Dialog::Details { scroll } | Dialog::Help { scroll } => scrolled(scroll, key),
            Dialog::Allow(allow) => allow.key(key, ready, now),
            Dialog::Refuse(refuse) => refuse.key(key, ready),
            Dialog::Kill { on } => match key.code {
                KeyCode::Char('y') if ready => Step::Turn(*on),
                KeyCode::Esc | KeyCode::Char('n' | 'q') => Step::Close,
                _ => Step::Stay,
            },
        }
    }

    /// Text goes into a field that is open, and is no key anywhere.
    pub(super) fn paste(&mut self, text: &str) {
        match self {
            Dialog::Allow(allow) => {
                if let Some(field) = allow.editing {
                    allow.field(field).paste(text);
                }
            }
            Dialog::Refuse(refuse) => refuse.word.paste(text),
            Dialog::Details { .. } | Dialog::Kill { .. } | Dialog::Help { .. } => {}
        }
    }
}

fn scrolled(scroll: &mut usize, key: KeyEvent) -> Step {
    match key.code {
        KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => *scroll += 1,
        KeyCode::PageUp => *scroll = scroll.saturating_sub(10),
        KeyCode::PageDown | KeyCode::Char(' ') => *scroll += 10,
        KeyCode::Home | KeyCode::Char('g') => *scroll = 0,
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?') => return Step::Close,
        _ => {}
    }
    Step::Stay
}

impl Allow {
    fn field(&mut self, field: Field) -> &mut Input {
        match field {
            Field::Methods => &mut self.methods,
            Field::Paths => &mut self.paths,
            Field::Word => &mut self.word,
        }
    }

    fn key(&mut self, key: KeyEvent, ready: bool, now: jiff::Timestamp) -> Step {
        if let Some(field) = self.editing {
            match key.code {
                KeyCode::Enter | KeyCode::Esc | KeyCode::Tab => {
                    self.editing = None;
                    self.wrong = self.allowed().err().map(|failure| failure.what);
                }
                _ => drop(self.field(field).key(key)),
            }
            return Step::Stay;
        }
        let sure = std::mem::take(&mut self.sure);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Step::Close,
            KeyCode::Char('c') if self.slot().is_some() => self.credential = !self.credential,
            KeyCode::Char('m') if self.is_http() => self.editing = Some(Field::Methods),
            KeyCode::Char('p') if self.is_http() => self.editing = Some(Field::Paths),
            KeyCode::Char('w') => self.editing = Some(Field::Word),
            _ if !ready => {}
            KeyCode::Char('o') => return self.answer(Span::Once),
            KeyCode::Char('b') => return self.answer(Span::Bottle),
            KeyCode::Char('h') => return self.answer(Span::Until { time: in_an_hour(now) }),
            KeyCode::Char('A') if sure => return self.answer(Span::Always),
            KeyCode::Char('A') => self.sure = true,
            _ => {}
        }
        Step::Stay
    }

    fn answer(&mut self, span: Span) -> Step {
        match self.allowed() {
            Ok(narrowed) => {
                let word = Some(self.word.text()).filter(|word| !word.trim().is_empty());
                Step::Answer(Answer::Allow { span, narrowed, credential: self.credential, word })
            }
            Err(failure) => {
                self.wrong = Some(failure.what);
                Step::Stay
            }
        }
    }

    /// What is allowed of the proposal; none: all of it. Never more.
    pub(super) fn allowed(&self) -> Result<Option<Proposal>, Failure> {
        let asked = &self.target.petition.proposal;
        if !self.is_http() {
            return Ok(None);
        }
        let methods = words(&self.methods.text());
        let paths = words(&self.paths.text());
        let emptied = |all: &[String], asked: bool| all.is_empty() && asked;
        if emptied(&methods, asked.methods.is_some()) || emptied(&paths, asked.paths.is_some()) {
            return Err(Failure::new("name at least one method and one path"));
        }
        narrow::narrowed(asked, &methods, &paths, false)
    }

    fn is_http(&self) -> bool {
        let proposal = &self.target.petition.proposal;
        (proposal.protocol, proposal.tls) == (policy::Protocol::Http, policy::TlsMode::Open)
    }

    /// The credential that could go along.
    pub(super) fn slot(&self) -> Option<&str> {
        self.target.petition.near.as_ref()?.credential.as_deref()
    }
}

impl Refuse {
    fn key(&mut self, key: KeyEvent, ready: bool) -> Step {
        match key.code {
            KeyCode::Esc => Step::Close,
            KeyCode::Enter if ready => {
                let word = Some(self.word.text()).filter(|word| !word.trim().is_empty());
                Step::Answer(Answer::Refuse { word })
            }
            _ => {
                self.word.key(key);
                Step::Stay
            }
        }
    }
}

fn in_an_hour(now: jiff::Timestamp) -> jiff::Timestamp {
    now.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now)
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
