//! What bottles tell, counted. Bounded, whatever agents do.
use super::metrics::{Bounded, Family, Labels, Sheet};
use crate::control::{Say, Seen, Snapshot};
use crate::watch::{BottleId, News};
use audit::{Decision, Event, Exchange};
use egress::desk::{Petition, State};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};

/// Hosts with numbers of their own, with `--by-host`.
const HOSTS: usize = 1000;
/// The same for everything else that a label may say: rules, codes, slots, actions.
const WORDS: usize = 1000;
/// Bottles that have ended whose numbers are still told.
const ENDED: usize = 100;
/// Petitions of a bottle that are remembered; a launcher tells of as many.
const PETITIONS: usize = 500;

/// An exchange of a bottle, to be told of.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) slug: String,
    pub(super) time: Timestamp,
    pub(super) exchange: Box<Exchange>,
}

/// All numbers.
pub(super) struct Ledger {
    /// Nothing before this counts.
    since: Timestamp,
    by_host: bool,
    sheet: Sheet,
    /// Spans that no collector took.
    dropped: u64,
    runs: HashMap<BottleId, Run>,
    /// The latest last.
    ended: VecDeque<String>,
    hosts: Bounded,
    words: Bounded,
}

/// A bottle that runs.
struct Run {
    slug: String,
    /// The time of the last line that was counted.
    last: Timestamp,
    petitions: VecDeque<(String, &'static str)>,
}

impl Ledger {
    pub(super) fn new(since: Timestamp, by_host: bool) -> Ledger {
        let (hosts, words) = (Bounded::new(HOSTS), Bounded::new(WORDS));
        let (sheet, runs, ended) = (Sheet::default(), HashMap::new(), VecDeque::new());
        Ledger { since, by_host, sheet, dropped: 0, runs, ended, hosts, words }
    }

    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// What became of spans.
    pub(super) fn spans(&mut self, fate: &str, more: u64) {
        self.dropped += if fate == "dropped" { more } else { 0 };
        self.sheet.add(Family::Spans, vec![("fate", fate.to_owned())], more);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts it; the exchanges that ended are given back.
    pub(super) fn hear(&mut self, news: News) -> Vec<Told> {
        match news {
            News::Found(id, record) => self.found(id, &record.slug),
            News::Said(id, say) => return self.said(id, say),
            News::Silent(id, _) => self.gauge(id, Family::Up, 0),
            News::Gone(id) => self.gone(id),
            News::Switch(on) => self.sheet.set(Family::KillSwitch, Vec::new(), u64::from(on)),
            News::Did(_) | News::Lost(_) => {}
        }
        Vec::new()
    }

    fn found(&mut self, id: BottleId, slug: &str) {
        let slug = crate::style::neutral(slug);
        self.ended.retain(|ended| *ended != slug);
        self.runs.insert(id, Run { slug, last: self.since, petitions: VecDeque::new() });
        self.gauge(id, Family::Up, 0);
    }

    /// A slug that ends and starts again goes on with its numbers.
    fn gone(&mut self, id: BottleId) {
        for family in [Family::Up, Family::Locked, Family::Running, Family::Waiting] {
            self.gauge(id, family, 0);
        }
        let Some(run) = self.runs.remove(&id) else { return };
        if self.runs.values().any(|other| other.slug == run.slug) {
            return;
        }
        self.ended.push_back(run.slug);
        if self.ended.len() > ENDED
            && let Some(slug) = self.ended.pop_front()
        {
            self.sheet.forget(&slug);
        }
    }

    fn said(&mut self, id: BottleId, say: Say) -> Vec<Told> {
        match say {
            Say::Snapshot(snapshot) => return self.snapshot(id, *snapshot),
            Say::Seen(seen) => return self.seen(id, *seen).into_iter().collect(),
            Say::Running { live } => self.gauge(id, Family::Running, live.len() as u64),
            Say::Petition(petition) => self.petition(id, &petition),
            Say::Locked { on } => self.gauge(id, Family::Locked, u64::from(on)),
            Say::Ended => self.gone(id),
            Say::Policy { .. } | Say::Done { .. } | Say::Failed { .. } | Say::Plan(_) | Say::Missed => {}
        }
        Vec::new()
    }

    /// What was counted already is not counted twice; what was missed in between is.
    fn snapshot(&mut self, id: BottleId, snapshot: Snapshot) -> Vec<Told> {
        let Some(last) = self.runs.get(&id).map(|run| run.last) else { return Vec::new() };
        self.gauge(id, Family::Up, 1);
        self.gauge(id, Family::Locked, u64::from(snapshot.locked));
        self.gauge(id, Family::Running, snapshot.live.len() as u64);
        self.gauge(id, Family::Waiting, 0);
        snapshot.petitions.iter().for_each(|petition| self.petition(id, petition));
        let new = snapshot.seen.into_iter().filter(|seen| seen.time > last);
        new.filter_map(|seen| self.seen(id, seen)).collect()
    }

    fn seen(&mut self, id: BottleId, seen: Seen) -> Option<Told> {
        let run = self.runs.get_mut(&id)?;
        run.last = run.last.max(seen.time);
        let slug = run.slug.clone();
        let Event::Exchange(exchange) = seen.event else { return None };
        self.exchange(&slug, &exchange);
        Some(Told { slug, time: seen.time, exchange })
    }

    fn exchange(&mut self, slug: &str, exchange: &Exchange) {
        let host = exchange.host.as_deref().filter(|_| self.by_host).map(|host| self.hosts.of(host));
        let mut labels = of_bottle(slug);
        let mut ended = labels.clone();
        ended.push(("decision", decision(exchange.decision).to_owned()));
        ended.push(("code", exchange.code.as_deref().map(|code| self.words.of(code)).unwrap_or_default()));
        for all in [&mut labels, &mut ended] {
            all.extend(host.clone().map(|host| ("host", host)));
        }
        self.sheet.add(Family::Exchanges, ended, 1);
        self.sheet.add(Family::BytesUp, labels.clone(), exchange.bytes_up);
        self.sheet.add(Family::BytesDown, labels, exchange.bytes_down);
        for finding in &exchange.findings {
            let mut labels = of_bottle(slug);
            labels.push(("rule", self.words.of(&finding.rule)));
            labels.push(("action", self.words.of(&finding.action)));
            self.sheet.add(Family::Findings, labels, 1);
        }
        if let Some(slot) = &exchange.credential {
            let mut labels = of_bottle(slug);
            labels.push(("slot", self.words.of(slot)));
            self.sheet.add(Family::CredentialUses, labels, 1);
        }
    }

    /// A petition is told of again whenever something about it changes; a state counts once.
    fn petition(&mut self, id: BottleId, petition: &Petition) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let state = state(&petition.state);
        let known = run.petitions.iter_mut().find(|(known, _)| *known == petition.id);
        let mut came_into = Vec::new();
        match known {
            Some((_, before)) if *before == state => {}
            Some((_, before)) => {
                *before = state;
                came_into.push(state);
            }
            None => {
                if run.petitions.len() >= PETITIONS {
                    run.petitions.pop_front();
                }
                run.petitions.push_back((petition.id.clone(), state));
                if petition.asked > self.since {
                    came_into.push(OPEN);
                    came_into.extend((state != OPEN).then_some(state));
                }
            }
        }
        let waiting = run.petitions.iter().filter(|(_, state)| *state == OPEN).count() as u64;
        let slug = run.slug.clone();
        for state in came_into {
            let mut labels = of_bottle(&slug);
            labels.push(("state", state.to_owned()));
            self.sheet.add(Family::Petitions, labels, 1);
        }
        self.gauge(id, Family::Waiting, waiting);
    }

    fn gauge(&mut self, id: BottleId, family: Family, number: u64) {
        if let Some(run) = self.runs.get(&id) {
            self.sheet.set(family, of_bottle(&run.slug), number);
        }
    }
}

fn of_bottle(slug: &str) -> Labels {
    vec![("bottle", slug.to_owned())]
}

pub(super) fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "denied",
        Decision::Aborted => "aborted",
    }
}

const OPEN: &str = "open";

fn state(state: &State) -> &'static str {
    match state {
        State::Open => OPEN,
        State::Allowed { .. } => "allowed",
        State::Refused { .. } => "refused",
        State::Expired => "expired",
        State::Withdrawn => "withdrawn",
    }
}

#[cfg(test)]
mod tests;
