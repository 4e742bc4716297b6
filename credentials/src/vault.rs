//! Secrets while the bottle lives: resolved early, refreshed when due, denied when stale.
use crate::held::{Held, Look, unexpired};
use crate::reference::SlotPlan;
use crate::source::answer::Answer;
use crate::world::{Host, World};
use crate::{Placeholder, Secret, Slot, TokenRef};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A slot and its plan.
pub type SlotSpec = SlotPlan;

/// A secret that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{slot}: {why}")]
pub struct Unavailable {
    /// Which.
    pub slot: Slot,
    /// Where it should have come from.
    pub reference: TokenRef,
    /// What is wrong and how to set it; never holds a value.
    pub why: String,
}

/// A current value, or the news that a refresh is due.
#[derive(Debug)]
pub enum Resolution {
    /// Use this.
    Current(Secret),
    /// Call [`Vault::refresh`] on a thread that may block.
    RefreshDue,
}

/// All secrets of one bottle. Cheap to clone; `Debug` names slots only.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    cells: BTreeMap<Slot, Cell>,
    generation: AtomicU64,
    world: Box<dyn World>,
}

/// One slot. `flight` is held while its source is asked, `held` never for long.
struct Cell {
    spec: SlotSpec,
    placeholder: Placeholder,
    held: Mutex<Held>,
    flight: Mutex<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.slots()).finish()
    }
}

impl Vault {
    /// Resolves every slot now (commands in parallel, 30 s each); all failures at once. Blocking.
    /// # Errors
    /// Every slot that could not be had.
    pub fn resolve(slots: &[SlotSpec]) -> Result<Vault, Vec<Unavailable>> {
        Vault::resolve_in(Box::new(Host), slots)
    }

    /// From values that are good for the whole run: no source is asked.
    pub fn from_values(values: Vec<(SlotSpec, Secret, Placeholder)>) -> Vault {
        let cells = values.into_iter().map(|(spec, value, stand_in)| (spec, stand_in, Held::lasting(value)));
        Vault::of_held(cells.collect(), Box::new(Host))
    }

    /// From slots that were resolved elsewhere.
    pub(crate) fn of_held(cells: Vec<(SlotSpec, Placeholder, Held)>, world: Box<dyn World>) -> Vault {
        let cell = |(spec, placeholder, held): (SlotSpec, Placeholder, Held)| {
            (spec.slot, Cell::new(spec, placeholder, held))
        };
        Vault::of(cells.into_iter().map(cell).collect(), world)
    }

    pub(crate) fn map_cells<T>(&self, map: impl Fn(&SlotSpec, &Placeholder, &Held) -> T) -> Vec<T> {
        self.inner.cells.values().map(|cell| map(&cell.spec, &cell.placeholder, &cell.held())).collect()
    }

    pub(crate) fn resolve_in(world: Box<dyn World>, slots: &[SlotSpec]) -> Result<Vault, Vec<Unavailable>> {
        let (mut cells, mut missing) = (BTreeMap::new(), Vec::new());
        for (spec, answer) in slots.iter().zip(fetch_all(&*world, slots)) {
            match answer.and_then(|answer| unexpired(answer, &*world)) {
                Err(why) => missing.push(spec.unavailable(why)),
                Ok(answer) => {
                    let held = Held::new(&spec.source, answer, &*world);
                    let placeholder = Placeholder::random(spec.format);
                    cells.insert(spec.slot, Cell::new(spec.clone(), placeholder, held));
                }
            }
        }
        if missing.is_empty() { Ok(Vault::of(cells, world)) } else { Err(missing) }
    }

    /// Other slots, as a manifest that was read again has them. One that comes from the same source, and has the same stand-in
    /// in the same variables, keeps its value and its placeholder, which the agent holds; the others are resolved. Blocking.
    /// # Errors
    /// Every slot that could not be had; this vault is as it was.
    pub fn succeed(&self, slots: &[SlotSpec]) -> Result<Vault, Vec<Unavailable>> {
        let kept = |spec: &SlotSpec| self.inner.cells.values().find(|cell| cell.spec.is_like(spec));
        let new: Vec<SlotSpec> = slots.iter().filter(|spec| kept(spec).is_none()).cloned().collect();
        let fresh = Vault::resolve(&new)?;
        let cells = slots.iter().filter_map(|spec| {
            let cell = kept(spec).or_else(|| fresh.inner.cells.get(&spec.slot))?;
            Some((spec.clone(), cell.placeholder.clone(), cell.held().clone()))
        });
        let next = Vault::of_held(cells.collect(), Box::new(Host));
        // Whoever compares generations sees that it is another vault.
        next.inner.generation.store(self.generation() + 1, Ordering::Release);
        Ok(next)
    }

    /// Every value and stand-in of this one that the other does not have: they stay secret when their slot is gone.
    pub fn retired(&self, next: &Vault) -> Vec<(Slot, Secret)> {
        let has = |value: &Secret| {
            let others = next.expose_to_scanner();
            others.iter().any(|(_, _, other)| other.dangerous_expose() == value.dangerous_expose())
        };
        let held = self.expose_to_scanner().into_iter();
        held.filter(|(_, _, value)| !has(value)).map(|(slot, _, value)| (slot, value)).collect()
    }

    fn of(cells: BTreeMap<Slot, Cell>, world: Box<dyn World>) -> Vault {
        Vault { inner: Arc::new(Inner { cells, generation: AtomicU64::new(0), world }) }
    }

    /// The slots.
    pub fn slots(&self) -> Vec<Slot> {
        self.inner.cells.keys().copied().collect()
    }

    /// Never blocks: a cached value, or that one is due (expired ttl, `expires_at` near, file changed).
    /// # Errors
    /// When the source fails and the stale time has passed.
    pub fn current(&self, slot: Slot) -> Result<Resolution, Unavailable> {
        let cell = self.cell(slot)?;
        match cell.held().look(&cell.spec.source, &*self.inner.world) {
            Look::Current(value) => Ok(Resolution::Current(value)),
            Look::Due => Ok(Resolution::RefreshDue),
            Look::Gone(why) => Err(cell.spec.unavailable(why)),
        }
    }

    /// Blocks until the source answers; single flight per slot. While it fails, the stale value serves for the stated
    /// time.
    /// # Errors
    /// When the source fails and the stale time has passed.
    pub fn refresh(&self, slot: Slot) -> Result<Secret, Unavailable> {
        let cell = self.cell(slot)?;
        let asked = cell.held().times_asked();
        let _flight = cell.flight.lock().unwrap_or_else(PoisonError::into_inner);
        // Who waited here for another's answer takes that.
        if cell.held().times_asked() == asked {
            self.ask(cell);
        }
        cell.held().served(&*self.inner.world).map_err(|why| cell.spec.unavailable(why))
    }

    /// Asks the source while nobody waits for the lock, then notes the outcome.
    fn ask(&self, cell: &Cell) {
        if !cell.held().is_due(&*self.inner.world) {
            return;
        }
        let answer = self.inner.world.fetch(&cell.spec.source);
        // Counted before anybody can have the new value: whoever sends it finds it among those that are sought.
        let mut held = cell.held();
        if held.note(&cell.spec.source, answer, &*self.inner.world) {
            self.inner.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The stand-in of a slot; constant for the run.
    pub fn placeholder(&self, slot: Slot) -> Option<Placeholder> {
        self.inner.cells.get(&slot).map(|cell| cell.placeholder.clone())
    }

    /// `NAME=placeholder` pairs for the agent's environment.
    pub fn agent_env(&self) -> Vec<(String, String)> {
        let pairs = |cell: &Cell| {
            let text = cell.placeholder.as_str().to_owned();
            cell.spec.env.iter().map(|name| (name.clone(), text.clone())).collect::<Vec<_>>()
        };
        self.inner.cells.values().flat_map(pairs).collect()
    }

    /// Every value held in this run (old ones after rotation too; of a slot that rotates very often, the latest few
    /// hundred), for the scanner and the scrubber. The counter [`Vault::generation`] changes when this list does.
    pub fn expose_to_scanner(&self) -> Vec<(Slot, Placeholder, Secret)> {
        let values = |cell: &Cell| {
            let (slot, placeholder) = (cell.spec.slot, cell.placeholder.clone());
            cell.held()
                .every_value()
                .into_iter()
                .map(|value| (slot, placeholder.clone(), value))
                .collect::<Vec<_>>()
        };
        self.inner.cells.values().flat_map(values).collect()
    }

    /// Slots with a value too short to be sought.
    pub fn unsought(&self) -> Vec<Slot> {
        let short = |cell: &Cell| cell.held().every_value().iter().any(|value| !value.is_sought());
        self.inner.cells.iter().filter(|(_, cell)| short(cell)).map(|(slot, _)| *slot).collect()
    }

    /// Changes with every new value.
    pub fn generation(&self) -> u64 {
        self.inner.generation.load(Ordering::Acquire)
    }

    fn cell(&self, slot: Slot) -> Result<&Cell, Unavailable> {
        self.inner.cells.get(&slot).ok_or_else(|| Unavailable {
            slot,
            reference: TokenRef::Env { name: slot.to_string() },
            why: "this bottle has no such slot".to_owned(),
        })
    }
}

impl Cell {
    fn new(spec: SlotSpec, placeholder: Placeholder, held: Held) -> Cell {
        Cell { spec, placeholder, held: Mutex::new(held), flight: Mutex::new(()) }
    }

    /// A panic elsewhere leaves a whole value behind: each change is one assignment.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SlotSpec {
    /// Whether it is the same but for its number.
    fn is_like(&self, other: &SlotSpec) -> bool {
        self.source == other.source && self.format == other.format && self.env == other.env
    }

    fn unavailable(&self, why: String) -> Unavailable {
        Unavailable { slot: self.slot, reference: self.source.clone(), why }
    }
}

/// Of slots whose secret is a variable or a file, those whose value now is too short to be sought. Starts nothing; what
/// cannot be had is left out.
pub fn unsought(slots: &[SlotSpec]) -> Vec<Slot> {
    let at_rest = |spec: &&SlotSpec| !matches!(spec.source, TokenRef::Command { .. });
    let short = |spec: &&SlotSpec| Host.fetch(&spec.source).is_ok_and(|answer| !answer.value.is_sought());
    slots.iter().filter(at_rest).filter(short).map(|spec| spec.slot).collect()
}

/// All at once; the answers in the order of the slots. Where there is nothing to wait for meanwhile, no thread is started: a start
/// waits for it, behind all others that the machine has.
fn fetch_all(world: &dyn World, slots: &[SlotSpec]) -> Vec<Result<Answer, String>> {
    let at_hand = |spec: &SlotSpec| matches!(spec.source, TokenRef::Env { .. });
    if slots.len() < 2 || slots.iter().all(at_hand) {
        return slots.iter().map(|spec| world.fetch(&spec.source)).collect();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = slots.iter().map(|spec| scope.spawn(|| world.fetch(&spec.source))).collect();
        let lost = || Err("asking for it went wrong".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| lost())).collect()
    })
}

#[cfg(test)]
mod tests;
