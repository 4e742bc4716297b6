//! Secrets while the bottle lives: resolved early, refreshed when due, denied when stale.
use crate::reference::SlotPlan;
use crate::{Placeholder, Secret, Slot, TokenRef};

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
pub enum Resolution {
    /// Use this.
    Current(Secret),
    /// Call [`Vault::refresh`] on a thread that may block.
    RefreshDue,
}

/// All secrets of one bottle. Cheap to clone; `Debug` names slots only.
#[derive(Clone)]
pub struct Vault {}

impl Vault {
    /// Resolves every slot now (commands in parallel, 30 s each); all failures at once. Blocking.
    /// # Errors
    /// Every slot that could not be had.
    pub fn resolve(slots: &[SlotSpec]) -> Result<Vault, Vec<Unavailable>> {
        let _ = slots;
        todo!()
    }
    /// From values that arrived by descriptor (sidecar): no source to refresh from.
    pub fn from_values(values: Vec<(SlotSpec, Secret, Placeholder)>) -> Vault {
        let _ = values;
        todo!()
    }
    /// The slots.
    pub fn slots(&self) -> Vec<Slot> {
        todo!()
    }
    /// Never blocks: a cached value, or that one is due (expired ttl, `expires_at` near, file changed).
    /// # Errors
    /// When the source fails and the stale time has passed.
    pub fn current(&self, slot: Slot) -> Result<Resolution, Unavailable> {
        let _ = slot;
        todo!()
    }
    /// Blocks until the source answers; single flight per slot. While it fails, the stale value serves for the stated
    /// time.
    /// # Errors
    /// When the source fails and the stale time has passed.
    pub fn refresh(&self, slot: Slot) -> Result<Secret, Unavailable> {
        let _ = slot;
        todo!()
    }
    /// The stand-in of a slot; constant for the run.
    pub fn placeholder(&self, slot: Slot) -> Option<Placeholder> {
        let _ = slot;
        todo!()
    }
    /// `NAME=placeholder` pairs for the agent's environment.
    pub fn agent_env(&self) -> Vec<(String, String)> {
        todo!()
    }
    /// Every value ever held in this run (old ones after rotation too), for the scanner and the scrubber. The counter
    /// [`Vault::generation`] changes when this list does.
    pub fn expose_to_scanner(&self) -> Vec<(Slot, Placeholder, Secret)> {
        todo!()
    }
    /// Changes with every new value.
    pub fn generation(&self) -> u64 {
        todo!()
    }
}
