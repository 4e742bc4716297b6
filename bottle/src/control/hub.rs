//! What a launcher knows of its bottle, for whoever watches it, and the way to its engine.
use super::Steer;
use super::notify::Notifier;
use super::short;
use super::wire::{Say, Seen, Snapshot};
use crate::failure::Failure;
use audit::Event;
use egress::desk::{Answer, Petition, Span};
use manifest::plan::EgressPlan;
use policy::Proposal;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Events that are kept for who begins to watch.
const SEEN: usize = 500;
/// What may wait for a client that is slow to listen.
const QUEUE: usize = 1024;

/// What belongs to the manifest: reading it again, and writing into it.
pub trait Keeper: Send + Sync {
    /// Reads the manifest again and puts it in force; what changed, and what else people should know.
    /// # Errors
    /// When it is wrong; the old one is in force then.
    /// `looked`: the operator has looked at the file, which the agent could have written.
    fn reload(&self, by: &str, looked: bool) -> Result<Reloaded, Failure>;
    /// Writes a route into the manifest.
    /// # Errors
    /// When there is no file, or the route cannot be written so that it means itself and nothing else changes.
    fn keep(&self, proposal: &Proposal, why: &str, by: &str) -> Result<(), Failure>;
}

/// A manifest that was read again.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// Names the policy that is in force now.
    pub hash: String,
    /// The plan that is in force now.
    pub plan: EgressPlan,
    /// What changed, a line each.
    pub changes: Vec<String>,
    /// What is weaker than before, what needs a new start.
    pub notes: Vec<String>,
}

/// Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Whether somebody could answer although nobody watches.
    attended: bool,
    /// Whether who watches may be asked.
    askable: bool,
    watchers: AtomicUsize,
    /// One change at a time.
    changing: Mutex<()>,
    /// One turn at a time; it waits for no other change.
    turning: Mutex<()>,
    on_petition: Option<Notifier>,
}

/// Which kill switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// That of this bottle.
    Alone,
    /// That of all bottles.
    All,
}

impl Switch {
    fn other(self) -> &'static str {
        match self {
            Switch::Alone => "the kill switch of all bottles is on",
            Switch::All => "its own kill switch is on",
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Switches {
    alone: bool,
    all: bool,
}

impl Switches {
    fn turn(&mut self, switch: Switch, on: bool) {
        match switch {
            Switch::Alone => self.alone = on,
            Switch::All => self.all = on,
        }
    }
}

struct State {
    about: Snapshot,
    switches: Switches,
    /// Shared with the audit, the latest first.
    seen: VecDeque<(jiff::Timestamp, Arc<Event>)>,
    plan: EgressPlan,
    listeners: Vec<SyncSender<Say>>,
    steer: Option<Arc<dyn Steer>>,
    keeper: Option<Arc<dyn Keeper>>,
}

impl Hub {
    /// Before anything runs. `attended`: somebody answers although nobody watches; `askable`: who watches is asked.
    /// `on_petition` is called when one is opened; it must not wait.
    pub fn new(
        about: Snapshot,
        plan: EgressPlan,
        attended: bool,
        askable: bool,
        on_petition: Option<Notifier>,
    ) -> Hub {
        let (seen, listeners) = (VecDeque::new(), Vec::new());
        let switches = Switches { alone: false, all: about.locked };
        let state = State { about, switches, seen, plan, listeners, steer: None, keeper: None };
        Hub(Arc::new(Inner {
            state: Mutex::new(state),
            attended,
            askable,
            watchers: AtomicUsize::new(0),
            changing: Mutex::new(()),
            turning: Mutex::new(()),
            on_petition,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine answers.
    pub fn steered_by(&self, steer: Arc<dyn Steer>, keeper: Arc<dyn Keeper>) {
        steer.attend(self.is_attended());
        let mut state = self.state();
        state.steer = Some(steer);
        state.keeper = Some(keeper);
    }

    /// Whether somebody can answer.
    pub fn is_attended(&self) -> bool {
        self.0.attended || (self.0.askable && self.0.watchers.load(Ordering::Relaxed) > 0)
    }

    /// Whether everything is refused.
    pub fn is_locked(&self) -> bool {
        self.state().about.locked
    }

    /// Whether the kill switch of all is on, as far as this bottle was told.
    pub fn is_switched(&self) -> bool {
        self.state().switches.all
    }

    /// Something is wrong that the operator has to know: whoever watches is told, and the log.
    pub fn complain(&self, failure: &Failure) {
        tracing::error!(why = %failure.what, "the manifest is wrong; what was in force before it stays");
        self.warn(failure);
    }

    /// Whoever watches is told.
    pub fn warn(&self, failure: &Failure) {
        let Failure { what, help, .. } = failure.clone();
        self.state().tell(&Say::Failed { what, help });
    }

    fn steer(&self) -> Result<Arc<dyn Steer>, Failure> {
        self.state().steer.clone().ok_or_else(|| Failure::new("the bottle is still being started"))
    }

    fn keeper(&self) -> Result<Arc<dyn Keeper>, Failure> {
        self.state().keeper.clone().ok_or_else(|| Failure::new("the bottle is still being started"))
    }

    /// Something was written down.
    pub fn see(&self, event: &Arc<Event>) {
        let (time, event) = (jiff::Timestamp::now(), short::event(event));
        let mut state = self.state();
        state.seen.truncate(SEEN - 1);
        // Every exchange comes by here, and most are never looked at.
        if !state.listeners.is_empty() {
            state.tell(&Say::Seen(Box::new(seen(time, &event))));
        }
        state.seen.push_front((time, event));
    }

    /// A petition was opened, or something became of it.
    pub fn petition(&self, petition: &Petition) {
        let mut state = self.state();
        let known = &mut state.about.petitions;
        match known.iter_mut().find(|known| known.id == petition.id) {
            Some(known) => known.clone_from(petition),
            None => {
                if known.len() >= SEEN {
                    known.remove(0);
                }
                known.push(petition.clone());
            }
        }
        state.tell(&Say::Petition(Box::new(petition.clone())));
        let about = state.about.clone();
        drop(state);
        if petition.state.is_open()
            && let Some(on_petition) = &self.0.on_petition
        {
            on_petition(&about, petition);
        }
    }

    /// How it stands now.
    pub fn snapshot(&self) -> Snapshot {
        let live = self.running();
        self.state().snapshot(live)
    }

    /// What is under way.
    pub fn running(&self) -> Vec<egress::Live> {
        let mut live = self.steer().map(|steer| steer.running()).unwrap_or_default();
        short::live(&mut live);
        live
    }

    /// What is in force by the manifest.
    pub fn plan(&self) -> EgressPlan {
        self.state().plan.clone()
    }

    /// A snapshot, and everything from there on. `attends`: there is somebody who can answer.
    pub fn watch(&self, attends: bool) -> Watcher {
        let (teller, heard) = sync_channel(QUEUE);
        let live = self.running();
        let mut state = self.state();
        let snapshot = state.snapshot(live);
        state.listeners.push(teller);
        drop(state);
        if attends {
            self.0.watchers.fetch_add(1, Ordering::Relaxed);
            self.attend();
        }
        Watcher { hub: self.clone(), attends, snapshot, heard }
    }

    fn attend(&self) {
        if let Ok(steer) = self.steer() {
            steer.attend(self.is_attended());
        }
    }

    /// Answers a petition.
    /// # Errors
    /// Why it was not; nothing has changed then.
    pub fn answer(&self, id: &str, answer: Answer, by: &str) -> Result<Say, Failure> {
        let _one_at_a_time = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let steer = self.steer()?;
        if let Answer::Allow { span: Span::Always, narrowed, credential, .. } = &answer {
            if *credential {
                return Err(Failure::new("a credential cannot be written into the manifest from here")
                    .help("write the route with its `auth` into the manifest, then `bottle reload`"));
            }
            let petition = self.open(id)?;
            let proposal = narrowed.as_ref().unwrap_or(&petition.proposal);
            let keeper = self.keeper()?;
            keeper.keep(proposal, &petition.why, by)?;
            self.reload_by(&*keeper, by, false)?;
        }
        let petition = steer.answer(id, answer, by).map_err(|error| Failure::new(error.to_string()))?;
        let what = format!("{}: {}", petition.id, said(&petition));
        Ok(Say::Done { what, notes: Vec::new() })
    }

    fn open(&self, id: &str) -> Result<Petition, Failure> {
        let state = self.state();
        let petition = state.about.petitions.iter().find(|petition| petition.id == id);
        match petition {
            Some(petition) if petition.state.is_open() => Ok(petition.clone()),
            Some(_) => Err(Failure::new(format!("request `{id}` is no longer open"))),
            None => Err(Failure::new(format!("no request `{id}` waits here"))),
        }
    }

    /// A kill switch: this bottle's own, or the one of all. It serves while both are off.
    /// # Errors
    /// When the engine cannot be told.
    pub fn lock(&self, switch: Switch, on: bool, by: &str) -> Result<Say, Failure> {
        let _one_at_a_time = self.0.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let mut switches = self.state().switches;
        switches.turn(switch, on);
        let locked = switches.alone || switches.all;
        let ended = self.steer()?.lock(locked, by)?;
        let mut state = self.state();
        state.switches = switches;
        state.about.locked = locked;
        state.tell(&Say::Locked { on: locked });
        let slug = state.about.slug.clone();
        let what = match (on, locked, ended) {
            (true, _, 0) => format!("`{slug}`: everything is refused now"),
            (true, _, 1) => format!("`{slug}`: everything is refused now; one exchange was ended"),
            (true, _, ended) => format!("`{slug}`: everything is refused now; {ended} exchanges were ended"),
            (false, true, _) => format!("`{slug}`: everything is refused still: {}", switch.other()),
            (false, false, _) => format!("`{slug}`: serves again"),
        };
        Ok(Say::Done { what, notes: Vec::new() })
    }

    /// Reads the manifest again.
    /// # Errors
    /// When it is wrong; the old one is in force then.
    pub fn reload(&self, by: &str, looked: bool) -> Result<Say, Failure> {
        let _one_at_a_time = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let keeper = self.keeper()?;
        let Reloaded { hash, changes, notes, .. } = self.reload_by(&*keeper, by, looked)?;
        let what = match changes.len() {
            0 => format!("nothing has changed; policy {hash}"),
            1 => format!("one change is in force; policy {hash}"),
            count => format!("{count} changes are in force; policy {hash}"),
        };
        Ok(Say::Done { what, notes: changes.into_iter().chain(notes).collect() })
    }

    fn reload_by(&self, keeper: &dyn Keeper, by: &str, looked: bool) -> Result<Reloaded, Failure> {
        let reloaded = keeper.reload(by, looked)?;
        let mut state = self.state();
        state.about.policy.clone_from(&reloaded.hash);
        state.plan = reloaded.plan.clone();
        let (hash, changes) = (reloaded.hash.clone(), reloaded.changes.clone());
        state.tell(&Say::Policy { hash, changes });
        Ok(reloaded)
    }

    /// The bottle has ended.
    pub fn end(&self) {
        let mut state = self.state();
        state.tell(&Say::Ended);
        state.listeners.clear();
        state.steer = None;
        state.keeper = None;
    }
}

impl State {
    fn snapshot(&self, live: Vec<egress::Live>) -> Snapshot {
        let seen = self.seen.iter().rev().map(|(time, event)| seen(*time, event)).collect();
        Snapshot { seen, live, ..self.about.clone() }
    }

    /// Who does not listen is told nothing more: its queue ends, and it looks anew.
    fn tell(&mut self, say: &Say) {
        self.listeners.retain(|listener| {
            !matches!(
                listener.try_send(say.clone()),
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_))
            )
        });
    }
}

fn seen(time: jiff::Timestamp, event: &Event) -> Seen {
    Seen { time, event: event.clone() }
}

fn said(petition: &Petition) -> String {
    use egress::desk::State as Is;
    match &petition.state {
        Is::Allowed { span, narrowed, .. } => {
            format!("{} is allowed, {span}", narrowed.as_ref().unwrap_or(&petition.proposal))
        }
        Is::Refused { .. } => format!("{} is refused", petition.proposal),
        Is::Open | Is::Expired | Is::Withdrawn => petition.proposal.to_string(),
    }
}

/// Somebody who watches; attends as long as this lives.
pub struct Watcher {
    hub: Hub,
    attends: bool,
    /// How it stood at the start.
    pub snapshot: Snapshot,
    /// What happened since; its end: too much for this queue, or the bottle's end.
    pub heard: Receiver<Say>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.attends {
            self.hub.0.watchers.fetch_sub(1, Ordering::Relaxed);
            self.hub.attend();
        }
    }
}
