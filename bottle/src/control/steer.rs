//! An engine in this process, steered.
use super::Steer;
use crate::engine::{self, Supplies};
use crate::failure::Failure;
use credentials::Vault;
use egress::desk::{Answer, AnswerError, Petition};
use egress::{Live, Steering};
use manifest::plan::EgressPlan;

/// A manifest that was read again, ready to be put in force.
pub struct Change {
    /// What the bottle reaches.
    pub egress: EgressPlan,
    /// What was read for it.
    pub supplies: Supplies,
    /// Its secrets; those that the agent has placeholders of keep them.
    pub vault: Vault,
}

/// The engine of this process.
pub struct Near(pub Steering);

impl Steer for Near {
    fn answer(&self, id: &str, answer: Answer, by: &str) -> Result<Petition, AnswerError> {
        self.0.answer(id, answer, by)
    }
    fn lock(&self, on: bool, by: &str) -> Result<usize, Failure> {
        Ok(self.0.lock(on, by))
    }
    fn attend(&self, on: bool) {
        self.0.attend(on);
    }
    fn running(&self) -> Vec<Live> {
        self.0.running()
    }
    fn rule(&self, change: Change, by: &str) -> Result<usize, Failure> {
        let Change { egress, supplies, vault } = change;
        Ok(self.0.rule(engine::rule(&egress, supplies, vault)?, by))
    }
}
