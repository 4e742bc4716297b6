//! How much may leave within a time.
use super::Lower;
use super::units::{bytes_rate, count_rate};
use crate::at::At;
use crate::plan::{BudgetPlan, RatePlan};
use crate::written::Budget;

impl Lower<'_> {
    pub(super) fn budget(&mut self, written: Option<&Budget>) -> BudgetPlan {
        let Some(written) = written else { return BudgetPlan::default() };
        BudgetPlan {
            bytes_up: self.rate(written.bytes_up.as_ref(), bytes_rate),
            requests: self.rate(written.requests.as_ref(), count_rate),
            connections: self.rate(written.connections.as_ref(), count_rate),
        }
    }

    fn rate(
        &mut self,
        written: Option<&At<String>>,
        read: fn(&str) -> Result<RatePlan, String>,
    ) -> Option<RatePlan> {
        let written = written?;
        read(written).map_err(|why| self.error(written.span, why)).ok()
    }
}
