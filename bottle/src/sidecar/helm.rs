//! Steering an engine in a sidecar: what the launcher calls for, and what comes back.
use super::{Order, Report};
use crate::control::Steer;
use crate::control::steer::Change;
use crate::engine::{self, Supplies};
use crate::failure::Failure;
use credentials::reference::SlotPlan;
use credentials::{Handed, Sources, Vault};
use egress::desk::{Answer, AnswerError, Petition};
use egress::{Live, Steering};
use manifest::plan::EgressPlan;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// How long a sidecar may take.
const WAIT: Duration = Duration::from_secs(10);

/// What a launcher calls for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Helm {
    /// Answers a petition.
    Answer {
        /// Which.
        id: String,
        /// What.
        answer: Answer,
        /// Who and how.
        by: String,
    },
    /// The kill switch.
    Lock {
        /// Everything is refused.
        on: bool,
        /// Who and how.
        by: String,
    },
    /// Whether somebody can answer.
    Attend {
        /// Somebody can.
        on: bool,
    },
    /// What is under way?
    Running,
    /// A manifest that was read again.
    Rule {
        /// What it reaches.
        rule: Box<Ruled>,
        /// Who and how.
        by: String,
    },
}

/// A manifest that was read again, on its way to a sidecar.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ruled {
    egress: EgressPlan,
    supplies: Supplies,
    slots: Vec<Handed>,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Of an answer.
    Petition(Result<Box<Petition>, AnswerError>),
    /// How many exchanges were ended; or why nothing changed.
    Ended(Result<usize, String>),
    /// What is under way.
    Live(Vec<Live>),
    /// Nothing to say.
    Nothing,
}

/// In the sidecar: does what is called for.
pub(super) fn obey(steering: &Steering, helm: Helm, sources: &Arc<dyn Sources>) -> Said {
    match helm {
        Helm::Answer { id, answer, by } => Said::Petition(steering.answer(&id, answer, &by).map(Box::new)),
        Helm::Lock { on, by } => Said::Ended(Ok(steering.lock(on, &by))),
        Helm::Attend { on } => {
            steering.attend(on);
            Said::Nothing
        }
        Helm::Running => Said::Live(steering.running()),
        Helm::Rule { rule, by } => {
            let Ruled { egress, supplies, slots } = *rule;
            let vault = Vault::beside(slots, Arc::clone(sources));
            let rule = engine::rule(&egress, supplies, vault);
            Said::Ended(rule.map(|rule| steering.rule(rule, &by)).map_err(|failure| failure.what))
        }
    }
}

type Waiting = Mutex<HashMap<u64, SyncSender<Said>>>;

/// In the launcher: a sidecar's engine.
#[derive(Clone)]
pub struct Far {
    orders: Sender<Order>,
    next: Arc<AtomicU64>,
    waiting: Arc<Waiting>,
    slots: Arc<Mutex<Vec<SlotPlan>>>,
}

impl Far {
    pub(super) fn new(orders: Sender<Order>, slots: Vec<SlotPlan>) -> Far {
        let slots = Arc::new(Mutex::new(slots));
        Far { orders, next: Arc::default(), waiting: Arc::default(), slots }
    }

    pub(super) fn orders(&self) -> &Sender<Order> {
        &self.orders
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, SyncSender<Said>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slots of the manifest in force: the sidecar may ask for their sources, and for no others.
    pub(super) fn slots(&self) -> MutexGuard<'_, Vec<SlotPlan>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer came; one that nobody waits for is let go.
    pub(super) fn hear(&self, id: u64, said: Said) {
        if let Some(waiting) = self.waiting().remove(&id) {
            let _gave_up = waiting.try_send(said);
        }
    }

    /// Calls and waits. A sidecar that does not listen is not waited for.
    fn call(&self, helm: Helm) -> Result<Said, Failure> {
        let silent = || Failure::new("the egress sidecar does not answer");
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (teller, answer) = sync_channel(1);
        self.waiting().insert(id, teller);
        let sent = self.orders.try_send(Order::Steer { id, helm });
        let said = match sent {
            Ok(()) => answer.recv_timeout(WAIT).map_err(|_| silent()),
            Err(_) => Err(silent()),
        };
        self.waiting().remove(&id);
        said
    }
}

impl Steer for Far {
    fn answer(&self, id: &str, answer: Answer, by: &str) -> Result<Petition, AnswerError> {
        let helm = Helm::Answer { id: id.to_owned(), answer, by: by.to_owned() };
        match self.call(helm) {
            Ok(Said::Petition(outcome)) => outcome.map(|petition| *petition),
            Ok(_) => Err(AnswerError::Impossible("the egress sidecar answers something else".to_owned())),
            Err(failure) => Err(AnswerError::Impossible(failure.what)),
        }
    }
    fn lock(&self, on: bool, by: &str) -> Result<usize, Failure> {
        ended(self.call(Helm::Lock { on, by: by.to_owned() })?)
    }
    fn attend(&self, on: bool) {
        // Nobody waits for it: it is said again when it changes.
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let _does_not_listen = self.orders.try_send(Order::Steer { id, helm: Helm::Attend { on } });
    }
    fn running(&self) -> Vec<Live> {
        match self.call(Helm::Running) {
            Ok(Said::Live(live)) => live,
            _ => Vec::new(),
        }
    }
    fn rule(&self, change: Change, by: &str) -> Result<usize, Failure> {
        let Change { egress, supplies, vault } = change;
        // What the sidecar would refuse is told before it is asked.
        crate::rules::of(&egress.dlp, &supplies.rules)?;
        let slots = egress.slots.clone();
        let before = std::mem::replace(&mut *self.slots(), slots);
        let rule = Box::new(Ruled { egress, supplies, slots: vault.hand_over() });
        let outcome = self.call(Helm::Rule { rule, by: by.to_owned() }).and_then(ended);
        if outcome.is_err() {
            *self.slots() = before;
        }
        outcome
    }
}

fn ended(said: Said) -> Result<usize, Failure> {
    match said {
        Said::Ended(outcome) => outcome.map_err(Failure::new),
        _ => Err(Failure::new("the egress sidecar answers something else")),
    }
}

/// What a report says to whoever steers; gives back what is for others.
pub(super) fn heard(far: &Far, report: Report) -> Option<Report> {
    match report {
        Report::Steered { id, said } => {
            far.hear(id, said);
            None
        }
        report => Some(report),
    }
}
