//! A secret and its age.
use crate::source::answer::Answer;
use crate::source::file::Stamp;
use crate::world::World;
use crate::{Secret, TokenRef};
use jiff::Timestamp;
use std::time::Duration;

/// A file is looked at no more often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A source that failed is left in peace for so long.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A token is renewed so long before it ends, or a tenth of its life when that is shorter.
const MARGIN: Duration = Duration::from_secs(30);
/// Old values that stay known, per slot.
const REMEMBERED: usize = 256;

/// A value, when it is due, and what happened to it.
#[derive(Clone)]
pub(crate) struct Held {
    value: Secret,
    /// When it has to be asked for again; never, for some.
    due: Option<Duration>,
    /// How long past that it serves while its source fails.
    stale: Duration,
    stamp: Option<Stamp>,
    looked: Duration,
    failure: Option<Failure>,
    asked: u64,
    past: Vec<Secret>,
}

#[derive(Clone)]
struct Failure {
    at: Duration,
    why: String,
}

/// What a look at the value gave.
pub(crate) enum Look {
    Current(Secret),
    Due,
    Gone(String),
}

impl Held {
    /// For the whole run.
    pub(crate) fn lasting(value: Secret) -> Held {
        let zero = Duration::ZERO;
        Held {
            value,
            due: None,
            stale: zero,
            stamp: None,
            looked: zero,
            failure: None,
            asked: 0,
            past: Vec::new(),
        }
    }

    /// From a launcher: with the time that it has left here.
    pub(crate) fn handed(
        source: &TokenRef,
        value: Secret,
        due: Option<Duration>,
        stamp: Option<Stamp>,
    ) -> Held {
        Held { due, stale: stale(source), stamp, ..Held::lasting(value) }
    }

    /// What is left until it has to be asked for again.
    pub(crate) fn due_in(&self, world: &dyn World) -> Option<Duration> {
        self.due.map(|due| due.saturating_sub(world.uptime()))
    }

    pub(crate) fn current_value(&self) -> Secret {
        self.value.clone()
    }

    pub(crate) fn new(source: &TokenRef, answer: Answer, world: &dyn World) -> Held {
        let mut held = Held::lasting(answer.value.clone());
        held.accept(source, answer, world);
        held
    }

    /// What to do for a request that needs the value now.
    pub(crate) fn look(&mut self, source: &TokenRef, world: &dyn World) -> Look {
        self.look_at_file(source, world);
        if !self.is_due(world) {
            return Look::Current(self.value.clone());
        }
        if !self.rests(world.uptime()) {
            return Look::Due;
        }
        match self.served(world) {
            Ok(value) => Look::Current(value),
            Err(why) => Look::Gone(why),
        }
    }

    /// A changed file is due at once.
    fn look_at_file(&mut self, source: &TokenRef, world: &dyn World) {
        let TokenRef::File { path, .. } = source else { return };
        let now = world.uptime();
        if self.due.is_some() || self.stamp.is_none() || now < self.looked + LOOK_EVERY {
            return;
        }
        self.looked = now;
        if world.stamp(path) != self.stamp {
            self.due = Some(now);
        }
    }

    pub(crate) fn is_due(&self, world: &dyn World) -> bool {
        self.due.is_some_and(|due| world.uptime() >= due)
    }

    /// Its source failed a moment ago.
    fn rests(&self, now: Duration) -> bool {
        self.failure.as_ref().is_some_and(|failure| now < failure.at + RETRY_AFTER)
    }

    /// The value, fresh or still good enough; else why there is none.
    pub(crate) fn served(&self, world: &dyn World) -> Result<Secret, String> {
        match (self.due, &self.failure) {
            (Some(due), Some(failure)) if world.uptime() >= due + self.stale => Err(failure.why.clone()),
            _ => Ok(self.value.clone()),
        }
    }

    /// How often the source was asked since the start.
    pub(crate) fn times_asked(&self) -> u64 {
        self.asked
    }

    /// Takes what the source said; true when the value is another one.
    pub(crate) fn note(
        &mut self,
        source: &TokenRef,
        answer: Result<Answer, String>,
        world: &dyn World,
    ) -> bool {
        self.asked += 1;
        match answer.and_then(|answer| unexpired(answer, world)) {
            Ok(answer) => self.accept(source, answer, world),
            Err(why) => {
                self.failure = Some(Failure { at: world.uptime(), why });
                false
            }
        }
    }

    fn accept(&mut self, source: &TokenRef, answer: Answer, world: &dyn World) -> bool {
        let now = world.uptime();
        (self.failure, self.looked, self.stamp) = (None, now, answer.stamp);
        self.due = due(source, &answer, world).map(|life| now + life);
        self.stale = stale(source);
        let changed = answer.value.dangerous_expose() != self.value.dangerous_expose();
        if changed {
            self.past.push(std::mem::replace(&mut self.value, answer.value));
            let forgotten = self.past.len().saturating_sub(REMEMBERED);
            self.past.drain(..forgotten);
        }
        changed
    }

    /// The current one and the old ones.
    pub(crate) fn every_value(&self) -> Vec<Secret> {
        std::iter::once(&self.value).chain(&self.past).cloned().collect()
    }
}

/// A token that has ended already is none.
pub(crate) fn unexpired(answer: Answer, world: &dyn World) -> Result<Answer, String> {
    match answer.expires_at {
        Some(end) if end <= world.now() => {
            Err(format!("the token that the command gives ended at {end}; renew it"))
        }
        _ => Ok(answer),
    }
}

/// How long until the value has to be asked for again.
fn due(source: &TokenRef, answer: &Answer, world: &dyn World) -> Option<Duration> {
    let life = answer.expires_at.map(|end| before(end, world.now()));
    let ttl = match source {
        TokenRef::Command { ttl_secs, .. } => ttl_secs.map(Duration::from_secs),
        TokenRef::Env { .. } | TokenRef::File { .. } => None,
    };
    [life, ttl].into_iter().flatten().min()
}

fn before(end: Timestamp, now: Timestamp) -> Duration {
    let life = Duration::try_from(end.duration_since(now)).unwrap_or_default();
    life - MARGIN.min(life / 10)
}

fn stale(source: &TokenRef) -> Duration {
    match source {
        TokenRef::Command { stale_secs, .. } => Duration::from_secs(*stale_secs),
        // What is no longer in a file was taken out of it.
        TokenRef::Env { .. } | TokenRef::File { .. } => Duration::ZERO,
    }
}
