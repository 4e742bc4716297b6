//! What may be used up.
use super::routes::{Pairs, item};
use super::{Area, Change, value};
use crate::plan::{BudgetPlan, RatePlan};

pub(super) fn changes(pairs: &Pairs<'_>, out: &mut Vec<Change>) {
    each("all routes together", (pairs.old.budget, pairs.new.budget), out);
    for (old, new) in &pairs.both {
        let of =
            |egress: &crate::plan::EgressPlan, id| egress.route_budgets.get(&id).copied().unwrap_or_default();
        each(&item(new), (of(pairs.old, old.id), of(pairs.new, new.id)), out);
    }
}

fn each(item: &str, (old, new): (BudgetPlan, BudgetPlan), out: &mut Vec<Change>) {
    let parts: [fn(&BudgetPlan) -> BudgetPlan; 3] = [
        |all| BudgetPlan { bytes_up: all.bytes_up, ..BudgetPlan::default() },
        |all| BudgetPlan { requests: all.requests, ..BudgetPlan::default() },
        |all| BudgetPlan { connections: all.connections, ..BudgetPlan::default() },
    ];
    for part in parts {
        let (old, new) = (limited(part(&old)), limited(part(&new)));
        out.extend(value(
            Area::Budget,
            item,
            (old.as_ref(), new.as_ref()),
            |one| one.lines().join(", "),
            looser,
        ));
    }
}

fn limited(budget: BudgetPlan) -> Option<BudgetPlan> {
    (!budget.is_empty()).then_some(budget)
}

/// More may leave; spans of different length cannot be told apart, so they count as more.
fn looser(old: Option<&BudgetPlan>, new: Option<&BudgetPlan>) -> bool {
    let rate = |budget: &BudgetPlan| budget.bytes_up.or(budget.requests).or(budget.connections);
    let (old, new) = (old.and_then(rate), new.and_then(rate));
    match (old, new) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(old), Some(new)) => !is_within(new, old),
    }
}

/// Whatever the new rate lets through, the old one did: no more in a span that is no shorter.
fn is_within(new: RatePlan, old: RatePlan) -> bool {
    let longer = match (new.per_secs, old.per_secs) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(new), Some(old)) => new >= old,
    };
    longer && new.amount <= old.amount
}
