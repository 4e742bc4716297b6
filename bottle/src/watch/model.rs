//! What is known of all bottles. Bounded, whatever agents do; nothing here knows of terminals.
use super::event::Row;
use crate::control::{Say, Seen, Snapshot};
use crate::registry::Record;
use egress::Live;
use egress::desk::Petition;
use std::collections::VecDeque;

/// Lines that are kept, of all bottles together.
const ROWS: usize = 2000;
/// Petitions that are kept of a bottle.
const PETITIONS: usize = 300;
/// Bottles that have ended and are still shown.
const ENDED: usize = 20;

/// A bottle in this view: a later one of the same slug has another number.
pub(crate) type BottleId = u64;

/// What the feed tells.
#[derive(Debug)]
pub(crate) enum News {
    /// A bottle appeared.
    Found(BottleId, Box<Record>),
    /// It said something.
    Said(BottleId, Say),
    /// Its launcher does not answer.
    Silent(BottleId, String),
    /// Its launcher is gone.
    Gone(BottleId),
    /// What the operator told to do is done, or why not.
    Did(Result<String, String>),
    /// The kill switch is on, by its file.
    Switch(bool),
    /// The bottles cannot be listed.
    Lost(String),
}

/// How a bottle lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    Starting,
    Up,
    Silent(String),
    Ended,
}

#[derive(Debug)]
pub(super) struct Bottle {
    pub(super) id: BottleId,
    pub(super) record: Record,
    pub(super) life: Life,
    pub(super) policy: String,
    pub(super) locked: bool,
    pub(super) petitions: Vec<Petition>,
    pub(super) live: Vec<Live>,
    pub(super) refused: usize,
    pub(super) found: usize,
    /// The time of the last line that is known.
    last: jiff::Timestamp,
}

impl Bottle {
    fn new(id: BottleId, record: Record) -> Bottle {
        let last = jiff::Timestamp::MIN;
        let (petitions, live, policy) = (Vec::new(), Vec::new(), String::new());
        let (life, locked, refused, found) = (Life::Starting, false, 0, 0);
        Bottle { id, record, life, policy, locked, petitions, live, refused, found, last }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.life == Life::Ended
    }

    fn put(&mut self, petition: Petition) {
        if let Some(known) = self.petitions.iter_mut().find(|known| known.id == petition.id) {
            *known = petition;
            return;
        }
        if self.petitions.len() >= PETITIONS {
            let at = self.petitions.iter().position(|known| !known.state.is_open()).unwrap_or(0);
            self.petitions.remove(at);
        }
        self.petitions.push(petition);
    }
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) bottles: Vec<Bottle>,
    pub(super) rows: VecDeque<Row>,
    /// The kill switch by its file.
    pub(super) switch: bool,
    /// Why bottles cannot be listed.
    pub(super) lost: Option<String>,
    serial: u64,
}

impl World {
    /// Takes in what the feed tells; what was done for the operator is given back.
    pub(super) fn hear(&mut self, news: News, now: jiff::Timestamp) -> Option<Result<String, String>> {
        match news {
            News::Found(id, record) => self.found(id, *record),
            News::Said(id, say) => return self.said(id, say, now),
            News::Silent(id, why) => self.with(id, |bottle| bottle.life = Life::Silent(why)),
            News::Gone(id) => self.gone(id),
            News::Did(outcome) => return Some(outcome),
            News::Switch(on) => self.switch = on,
            News::Lost(why) => self.lost = Some(why),
        }
        None
    }

    pub(super) fn bottle(&self, id: BottleId) -> Option<&Bottle> {
        self.bottles.iter().find(|bottle| bottle.id == id)
    }

    pub(super) fn petition(&self, id: BottleId, petition: &str) -> Option<&Petition> {
        self.bottle(id)?.petitions.iter().find(|known| known.id == petition)
    }

    /// How many petitions wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        let running = self.bottles.iter().filter(|bottle| !bottle.has_ended());
        running.flat_map(|bottle| &bottle.petitions).filter(|petition| petition.state.is_open()).count()
    }

    fn with(&mut self, id: BottleId, change: impl FnOnce(&mut Bottle)) {
        if let Some(bottle) = self.bottles.iter_mut().find(|bottle| bottle.id == id) {
            change(bottle);
        }
    }

    fn found(&mut self, id: BottleId, record: Record) {
        self.lost = None;
        self.bottles.push(Bottle::new(id, record));
        let ended = self.bottles.iter().filter(|bottle| bottle.has_ended()).count();
        if ended > ENDED
            && let Some(at) = self.bottles.iter().position(Bottle::has_ended)
        {
            self.bottles.remove(at);
        }
    }

    fn gone(&mut self, id: BottleId) {
        self.with(id, |bottle| {
            bottle.life = Life::Ended;
            bottle.live.clear();
        });
    }

    fn said(&mut self, id: BottleId, say: Say, now: jiff::Timestamp) -> Option<Result<String, String>> {
        match say {
            Say::Snapshot(snapshot) => self.snapshot(id, *snapshot),
            Say::Seen(seen) => self.seen(id, &seen),
            Say::Running { live } => self.with(id, |bottle| bottle.live = live),
            Say::Petition(petition) => self.with(id, |bottle| bottle.put(*petition)),
            Say::Locked { on } => self.with(id, |bottle| bottle.locked = on),
            Say::Policy { hash, changes } => {
                self.with(id, |bottle| bottle.policy = hash);
                self.notice(id, now, &format!("policy-changed  {}", changes.join("; ")));
            }
            // Nobody called on this line: a launcher says what its operator has to know.
            Say::Failed { what, .. } => {
                self.notice(id, now, &format!("warning  {what}"));
                return self.bottle(id).map(|bottle| Err(format!("{}: {what}", bottle.record.slug)));
            }
            Say::Ended => self.gone(id),
            Say::Done { .. } | Say::Plan(_) | Say::Missed => {}
        }
        None
    }

    /// What is known already is not listed twice; what was missed in between is filled in.
    fn snapshot(&mut self, id: BottleId, snapshot: Snapshot) {
        let Some(last) = self.bottle(id).map(|bottle| bottle.last) else { return };
        for seen in snapshot.seen.iter().filter(|seen| seen.time > last) {
            self.seen(id, seen);
        }
        self.rows.make_contiguous().sort_by_key(|row| row.time);
        self.with(id, |bottle| {
            bottle.life = Life::Up;
            bottle.policy = snapshot.policy;
            bottle.locked = snapshot.locked;
            bottle.live = snapshot.live;
            snapshot.petitions.into_iter().for_each(|petition| bottle.put(petition));
        });
    }

    fn seen(&mut self, id: BottleId, seen: &Seen) {
        let Some(bottle) = self.bottles.iter_mut().find(|bottle| bottle.id == id) else { return };
        bottle.last = bottle.last.max(seen.time);
        let row = Row::of(self.serial, &bottle.record.slug, seen);
        bottle.refused += usize::from(row.mark == super::event::Mark::Refused);
        bottle.found += usize::from(row.found);
        self.push(row);
    }

    fn notice(&mut self, id: BottleId, now: jiff::Timestamp, what: &str) {
        if let Some(bottle) = self.bottle(id) {
            let row = Row::noticed(self.serial, &bottle.record.slug, now, what);
            self.push(row);
        }
    }

    fn push(&mut self, row: Row) {
        self.serial += 1;
        if self.rows.len() >= ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }
}
