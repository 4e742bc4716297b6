//! The view's own state: what is in front, what is chosen, what keys do. Nothing here reads or writes a terminal.
use super::dialog::{Dialog, Seen, Step, Target};
use super::event::{Mark, Row};
use super::input::Input;
use super::model::{Bottle, BottleId, News, World};
use egress::Live;
use egress::desk::{Answer, Petition};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::collections::VecDeque;
use std::time::Instant;

/// What is to be done outside of the view.
#[derive(Debug)]
pub(super) enum Action {
    Quit,
    Suspend,
    Redraw,
    Answer { bottle: BottleId, id: String, answer: Answer },
    Lock(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Requests,
    Live,
    Events,
    Bottles,
}

pub(super) const PANES: [Pane; 4] = [Pane::Requests, Pane::Live, Pane::Events, Pane::Bottles];

/// Which events are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    Refusals,
    Findings,
    Steps,
}

/// Something in a list, whatever its place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Petition(BottleId, String),
    Live(BottleId, String),
    Event(u64),
    Bottle(BottleId),
}

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) time: jiff::Timestamp,
}

pub(super) struct App {
    pub(super) world: World,
    pub(super) pane: Pane,
    pub(super) chosen: [Option<Key>; 4],
    pub(super) kind: Kind,
    pub(super) filter: Input,
    pub(super) filtering: bool,
    /// The events as they were when the list was stopped.
    pub(super) stopped: Option<VecDeque<Row>>,
    pub(super) dialog: Option<Dialog>,
    pub(super) seen: Seen,
    /// What came of the last thing that was told to do.
    pub(super) said: Option<Result<String, String>>,
    /// Rows of the list in front.
    pub(super) page: usize,
    /// The first row that is shown of each list.
    pub(super) first: [usize; 4],
    /// Whether what is chosen among the requests was chosen by hand; else it is the first that waits.
    by_hand: bool,
}

impl App {
    pub(super) fn new() -> App {
        App {
            world: World::default(),
            pane: Pane::Requests,
            chosen: [const { None }; 4],
            kind: Kind::All,
            filter: Input::default(),
            filtering: false,
            stopped: None,
            dialog: None,
            seen: Seen::default(),
            said: None,
            page: 10,
            first: [0; 4],
            by_hand: false,
        }
    }

    pub(super) fn hear(&mut self, news: News, now: jiff::Timestamp) {
        if let Some(outcome) = self.world.hear(news, now) {
            self.said = Some(outcome);
        }
    }

    pub(super) fn event(&mut self, event: &Event, now: Now) -> Option<Action> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key, now),
            Event::Paste(text) => {
                match &mut self.dialog {
                    Some(dialog) => dialog.paste(text),
                    None if self.filtering => self.filter.paste(text),
                    None => {}
                }
                None
            }
            _ => None,
        }
    }

    fn key(&mut self, key: KeyEvent, now: Now) -> Option<Action> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Some(Action::Quit),
                KeyCode::Char('z') => return Some(Action::Suspend),
                KeyCode::Char('l') => return Some(Action::Redraw),
                _ => {}
            }
        }
        if self.dialog.is_some() {
            return self.key_in_dialog(key, now);
        }
        if self.filtering {
            self.key_in_filter(key);
            return None;
        }
        self.key_in_lists(key)
    }

    fn key_in_dialog(&mut self, key: KeyEvent, now: Now) -> Option<Action> {
        let opens = self.details_key(key);
        let ready = self.seen.long_enough(now.instant) && self.target_is_open();
        let dialog = self.dialog.as_mut()?;
        if let Some(next) = opens {
            self.open(next);
            return None;
        }
        let target = dialog.target().map(|target| (target.bottle, target.petition.id.clone()));
        match (dialog.key(key, ready, now.time), target) {
            (Step::Stay, _) => None,
            (Step::Answer(answer), Some((bottle, id))) => {
                self.dialog = None;
                self.by_hand = false;
                self.said = Some(Ok(format!("answering {id}…")));
                Some(Action::Answer { bottle, id, answer })
            }
            (Step::Turn(on), _) => {
                self.dialog = None;
                self.said = Some(Ok("turning the kill switch…".to_owned()));
                Some(Action::Lock(on))
            }
            (Step::Close | Step::Answer(_), _) => {
                self.dialog = None;
                None
            }
        }
    }

    /// From the details of a petition its answer is one key away.
    fn details_key(&self, key: KeyEvent) -> Option<Dialog> {
        let KeyCode::Char(letter @ ('a' | 'n')) = key.code else { return None };
        matches!(self.dialog, Some(Dialog::Details { .. })).then(|| self.answering(letter)).flatten()
    }

    /// Whether what a dialog answers still waits. A dialog that answers nothing is always open.
    pub(super) fn target_is_open(&self) -> bool {
        let Some(target) = self.dialog.as_ref().and_then(Dialog::target) else { return true };
        let up = self.world.bottle(target.bottle).is_some_and(|bottle| !bottle.has_ended());
        let petition = self.world.petition(target.bottle, &target.petition.id);
        up && petition
            .is_some_and(|petition| petition.state.is_open() && petition.proposal == target.petition.proposal)
    }

    fn key_in_filter(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => self.filtering = false,
            KeyCode::Esc => {
                self.filtering = false;
                self.filter = Input::default();
            }
            _ => drop(self.filter.key(key)),
        }
    }

    fn key_in_lists(&mut self, key: KeyEvent) -> Option<Action> {
        self.said = None;
        match key.code {
            KeyCode::Char('q') => return Some(Action::Quit),
            KeyCode::Char(digit @ '1'..='4') => self.pane = PANES[digit as usize - '1' as usize],
            KeyCode::Tab => self.turn(1),
            KeyCode::BackTab => self.turn(PANES.len() - 1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-i32::try_from(self.page).unwrap_or(10)),
            KeyCode::PageDown => self.step(i32::try_from(self.page).unwrap_or(10)),
            KeyCode::Home | KeyCode::Char('g') => self.step(i32::MIN),
            KeyCode::End | KeyCode::Char('G') => self.step(i32::MAX),
            KeyCode::Enter if self.current().is_some() => self.open(Dialog::Details { scroll: 0 }),
            KeyCode::Char(letter @ ('a' | 'n')) => match self.answering(letter) {
                Some(dialog) => self.open(dialog),
                None => self.said = Some(Err("nothing that waits for an answer is chosen".to_owned())),
            },
            KeyCode::Char('/') => self.filtering = true,
            KeyCode::Esc => self.filter = Input::default(),
            KeyCode::Char('f') => self.kind = self.kind.next(),
            KeyCode::Char('p') => self.pause(),
            KeyCode::Char('K') => self.open(Dialog::Kill { on: !self.world.switch }),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.open(Dialog::Help { scroll: 0 }),
            _ => {}
        }
        None
    }

    fn open(&mut self, dialog: Dialog) {
        self.dialog = Some(dialog);
        self.seen = Seen::default();
    }

    /// A dialog that answers the petition that is chosen, and was shown as chosen.
    fn answering(&self, letter: char) -> Option<Dialog> {
        let Some(Key::Petition(bottle, id)) = &self.chosen[Pane::Requests.index()] else { return None };
        if self.pane != Pane::Requests || self.world.bottle(*bottle)?.has_ended() {
            return None;
        }
        let petition = self.world.petition(*bottle, id).filter(|petition| petition.state.is_open())?;
        let target = Target { bottle: *bottle, petition: petition.clone() };
        Some(if letter == 'a' { Dialog::allow(target) } else { Dialog::refuse(target) })
    }

    fn turn(&mut self, by: usize) {
        self.pane = PANES[(self.pane.index() + by) % PANES.len()];
    }

    fn pause(&mut self) {
        self.stopped = match self.stopped {
            Some(_) => None,
            None => Some(self.world.rows.clone()),
        };
    }

    /// Moves in the list in front; past the end of the events they are followed again.
    fn step(&mut self, by: i32) {
        let keys = self.keys(self.pane);
        let Some(last) = keys.len().checked_sub(1) else { return };
        let at = self.place(self.pane, &keys);
        let to = match by {
            i32::MIN => 0,
            i32::MAX => last,
            by => at.saturating_add_signed(isize::try_from(by).unwrap_or(0)).min(last),
        };
        let follows = self.pane == Pane::Events && to == last;
        self.by_hand |= self.pane == Pane::Requests;
        self.chosen[self.pane.index()] = keys.into_iter().nth(to).filter(|_| !follows);
    }

    /// Where what is chosen stands; events are followed.
    pub(super) fn place(&self, pane: Pane, keys: &[Key]) -> usize {
        let chosen = self.chosen[pane.index()].as_ref();
        let at = chosen.and_then(|chosen| keys.iter().position(|key| key == chosen));
        at.unwrap_or(if pane == Pane::Events { keys.len().saturating_sub(1) } else { 0 })
    }

    /// What is chosen in the list in front, as it is shown.
    pub(super) fn current(&self) -> Option<Key> {
        let keys = self.keys(self.pane);
        let at = self.place(self.pane, &keys);
        keys.into_iter().nth(at)
    }

    /// What stands first is chosen when nothing else is: from now on it stays so, wherever the list moves it. A request that was
    /// not chosen by hand stays so as long as it waits.
    pub(super) fn pin(&mut self) {
        if self.pane == Pane::Events {
            return;
        }
        let keys = self.keys(self.pane);
        let index = self.pane.index();
        let stays = |chosen: &Key| keys.contains(chosen) && (self.by_hand || !self.is_over(chosen));
        if !self.chosen[index].as_ref().is_some_and(stays) {
            self.chosen[index] = keys.into_iter().next();
        }
    }

    fn is_over(&self, key: &Key) -> bool {
        let Key::Petition(bottle, id) = key else { return false };
        self.world.petition(*bottle, id).is_none_or(|petition| !petition.state.is_open())
    }

    pub(super) fn keys(&self, pane: Pane) -> Vec<Key> {
        match pane {
            Pane::Requests => {
                self.petitions().map(|(bottle, one)| Key::Petition(bottle.id, one.id.clone())).collect()
            }
            Pane::Live => self.live().map(|(bottle, one)| Key::Live(bottle.id, one.id.clone())).collect(),
            Pane::Events => self.rows().map(|row| Key::Event(row.serial)).collect(),
            Pane::Bottles => self.world.bottles.iter().map(|bottle| Key::Bottle(bottle.id)).collect(),
        }
    }

    /// Those that wait, the longest first; then the others, the latest first.
    pub(super) fn petitions(&self) -> impl Iterator<Item = (&Bottle, &Petition)> {
        let all = self
            .world
            .bottles
            .iter()
            .flat_map(|bottle| bottle.petitions.iter().map(move |one| (bottle, one)));
        let mut all: Vec<(&Bottle, &Petition)> = all
            .filter(|(bottle, one)| self.passes(&[&bottle.record.slug, &one.id, &one.proposal.to_string()]))
            .collect();
        let waits = |bottle: &Bottle, one: &Petition| one.state.is_open() && !bottle.has_ended();
        all.sort_by_key(|(bottle, one)| {
            let waits = waits(bottle, one);
            let asked = one.asked.as_microsecond();
            (!waits, if waits { asked } else { -asked }, bottle.id, one.id.clone())
        });
        all.into_iter()
    }

    pub(super) fn live(&self) -> impl Iterator<Item = (&Bottle, &Live)> {
        let all =
            self.world.bottles.iter().flat_map(|bottle| bottle.live.iter().map(move |one| (bottle, one)));
        all.filter(|(bottle, one)| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            self.passes(&[&bottle.record.slug, &text(&one.method), &text(&one.host), &text(&one.path)])
        })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        let rows = self.stopped.as_ref().unwrap_or(&self.world.rows);
        rows.iter().filter(|row| self.kind.has(row) && self.passes(&[&row.slug, &row.line]))
    }

    fn passes(&self, texts: &[&str]) -> bool {
        let sought = self.filter.text().to_lowercase();
        sought.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&sought))
    }
}

impl Pane {
    pub(super) fn index(self) -> usize {
        PANES.iter().position(|pane| *pane == self).unwrap_or(0)
    }
}

impl Kind {
    fn next(self) -> Kind {
        match self {
            Kind::All => Kind::Refusals,
            Kind::Refusals => Kind::Findings,
            Kind::Findings => Kind::Steps,
            Kind::Steps => Kind::All,
        }
    }

    fn has(self, row: &Row) -> bool {
        match self {
            Kind::All => true,
            Kind::Refusals => matches!(row.mark, Mark::Refused | Mark::Aborted),
            Kind::Findings => row.found,
            Kind::Steps => row.mark == Mark::Step,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::All => "everything",
            Kind::Refusals => "refusals",
            Kind::Findings => "findings",
            Kind::Steps => "lifecycle",
        }
    }
}
