//! A line for everything that happens: for pipes, for screen readers.
use super::event::{Mark, Row};
use super::model::{BottleId, News};
use crate::control::{Say, Seen, Snapshot, describe};
use crate::failure::Failure;
use crate::style::neutral;
use egress::desk::Petition;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often it is looked whether somebody reads still.
const INTERVAL: Duration = Duration::from_millis(500);

/// Until nobody reads any more.
pub(super) fn run(heard: &Receiver<News>) -> Result<(), Failure> {
    let mut told = Told::default();
    let mut out = std::io::stdout();
    loop {
        let lines = match heard.recv_timeout(INTERVAL) {
            Ok(news) => told.lines(news, jiff::Timestamp::now()),
            Err(RecvTimeoutError::Timeout) => vec![],
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // Where nothing happens nothing is written, and who reads no more would not be noticed.
        if is_closed(&out) {
            return Ok(());
        }
        for line in lines {
            match writeln!(out, "{line}").and_then(|()| out.flush()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(Failure::new(format!("cannot write to standard output: {error}"))),
                Ok(()) => {}
            }
        }
    }
}

/// Whether the other end of a pipe or a terminal is gone.
fn is_closed(out: &std::io::Stdout) -> bool {
    let mut watched = [PollFd::new(out, PollFlags::empty())];
    let looked = rustix::event::poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    looked.is_ok() && watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// What was told already.
#[derive(Default)]
struct Told {
    bottles: HashMap<BottleId, Known>,
    switch: bool,
    lost: bool,
}

#[derive(Default)]
struct Known {
    slug: String,
    /// The last event; none before the first snapshot.
    last: Option<jiff::Timestamp>,
    /// Petitions, and what became of them.
    petitions: HashMap<String, Petition>,
    silent: bool,
}

impl Told {
    fn lines(&mut self, news: News, now: jiff::Timestamp) -> Vec<String> {
        let at = |text: String| vec![format!("{}  {text}", describe::clock(now))];
        match news {
            News::Found(id, record) => {
                self.lost = false;
                let slug = neutral(&record.slug);
                self.bottles.insert(id, Known { slug: slug.clone(), ..Known::default() });
                at(format!("{slug}  bottle   runs: {}", policy::neutral(&record.command.join(" "), 200)))
            }
            News::Said(id, say) => self.said(id, say, now),
            News::Silent(id, why) => {
                let known = self.bottles.get_mut(&id).filter(|known| !known.silent);
                let told = known.map(|known| {
                    known.silent = true;
                    at(format!("{}  bottle   does not answer: {}", known.slug, neutral(&why)))
                });
                told.unwrap_or_default()
            }
            News::Gone(id) => self
                .bottles
                .remove(&id)
                .map(|known| at(format!("{}  bottle   ended", known.slug)))
                .unwrap_or_default(),
            News::Switch(on) if std::mem::replace(&mut self.switch, on) != on => {
                at(format!("the kill switch is {}", if on { "ON: everything is refused" } else { "off" }))
            }
            News::Lost(why) if !std::mem::replace(&mut self.lost, true) => at(neutral(&why)),
            News::Switch(_) | News::Lost(_) | News::Did(_) => vec![],
        }
    }

    fn said(&mut self, id: BottleId, say: Say, now: jiff::Timestamp) -> Vec<String> {
        let Some(known) = self.bottles.get_mut(&id) else { return vec![] };
        let clock = describe::clock(now);
        match say {
            Say::Snapshot(snapshot) => known.snapshot(*snapshot),
            Say::Seen(seen) => vec![known.seen(&seen)],
            Say::Petition(petition) => known.petition(&petition).into_iter().collect(),
            Say::Locked { on } => {
                let what = if on { "refuses everything" } else { "serves again" };
                vec![format!("{clock}  {}  bottle   {what}", known.slug)]
            }
            Say::Policy { hash, changes } => {
                let changes = policy::neutral(&changes.join("; "), 400);
                vec![format!("{clock}  {}  policy   {}: {changes}", known.slug, neutral(&hash))]
            }
            Say::Failed { what, .. } => {
                vec![format!("{clock}  {}  warning  {}", known.slug, policy::neutral(&what, 1000))]
            }
            Say::Running { .. } | Say::Done { .. } | Say::Plan(_) | Say::Missed | Say::Ended => vec![],
        }
    }
}

impl Known {
    /// What waits already when we come, and after a gap what was missed.
    fn snapshot(&mut self, snapshot: Snapshot) -> Vec<String> {
        self.silent = false;
        let last = self.last;
        self.last =
            Some(last.unwrap_or_else(|| snapshot.seen.last().map_or(jiff::Timestamp::MIN, |seen| seen.time)));
        let missed = snapshot.seen.iter().filter(|seen| last.is_some_and(|last| seen.time > last));
        let mut lines: Vec<String> = missed.map(|seen| self.seen(seen)).collect();
        let first = last.is_none();
        for petition in snapshot.petitions {
            if first && !petition.state.is_open() {
                self.petitions.insert(petition.id.clone(), petition);
            } else {
                lines.extend(self.petition(&petition));
            }
        }
        lines
    }

    fn seen(&mut self, seen: &Seen) -> String {
        self.last = self.last.max(Some(seen.time));
        let row = Row::of(0, &self.slug, seen);
        let word = match row.mark {
            Mark::Allowed => "allowed",
            Mark::Refused => "refused",
            Mark::Aborted => "aborted",
            Mark::Finding => "finding",
            Mark::Step => "step",
        };
        format!("{}  {}  {word:7}  {}", describe::clock(row.time), self.slug, row.line)
    }

    fn petition(&mut self, petition: &Petition) -> Option<String> {
        let before = self.petitions.insert(petition.id.clone(), petition.clone());
        if before.is_some_and(|before| before.state == petition.state) {
            return None;
        }
        if self.petitions.len() > 1000 {
            self.petitions.retain(|_, known| known.state.is_open());
        }
        let clock = describe::clock(jiff::Timestamp::now());
        let asks = describe::proposal(&petition.proposal);
        let why = match petition.state.is_open() && !petition.why.is_empty() {
            true => format!("; the agent says: “{}”", describe::quoted(&petition.why)),
            false => String::new(),
        };
        let state = describe::state(&petition.state);
        Some(format!("{clock}  {}  request  {} {state}: {asks}{why}", self.slug, neutral(&petition.id)))
    }
}
