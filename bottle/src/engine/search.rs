//! What is sought and what is done about it, from the plan's words to the engine's.
use credentials::remote::HandedExact;
use dlp::{Fingerprint, FingerprintKey, RuleSet};
use egress::{Allowance, DlpTerms, RouteTerms};
use manifest::plan::{AllowancePlan, DlpAction, DlpPlan, RouteDlpPlan, RuleAction};
use std::collections::BTreeMap;

/// All of it.
pub(super) fn dlp_terms(plan: &DlpPlan, rules: RuleSet, supplied: Supplied) -> DlpTerms {
    let named = |handed: Vec<HandedExact>| handed.into_iter().map(|one| (one.name, one.value)).collect();
    let routes = plan.routes.iter().map(|(route, own)| (*route, route_terms(own)));
    DlpTerms {
        action: dlp_action(plan.action),
        routes: routes.collect(),
        secrets: named(supplied.exact),
        canaries: named(supplied.canaries),
        rules,
        actions: actions(&plan.rules),
        allow: plan.allow.iter().filter_map(allowance).collect(),
        entropy: plan.entropy.map_or(egress::RuleAction::Off, rule_action),
        prompt_injection: rule_action(plan.prompt_injection),
        key: supplied.key,
    }
}

/// What was read for the search.
pub(super) struct Supplied {
    pub(super) exact: Vec<HandedExact>,
    pub(super) canaries: Vec<HandedExact>,
    pub(super) key: FingerprintKey,
}

fn route_terms(own: &RouteDlpPlan) -> RouteTerms {
    RouteTerms {
        action: own.action.map(dlp_action),
        actions: actions(&own.rules),
        inspect: own.inspect,
        entropy: own.entropy.map(rule_action),
        prompt_injection: own.prompt_injection.map(rule_action),
    }
}

fn actions(plan: &BTreeMap<String, manifest::plan::RuleActions>) -> BTreeMap<String, egress::RuleActions> {
    let ways = |one: &manifest::plan::RuleActions| egress::RuleActions {
        out: one.out.map(rule_action),
        inward: one.inward.map(rule_action),
    };
    plan.iter().map(|(id, one)| (id.clone(), ways(one))).collect()
}

/// The lowering lets fingerprints through that are some.
fn allowance(plan: &AllowancePlan) -> Option<Allowance> {
    let (route, rule, reason) = (plan.route, plan.rule.clone(), plan.reason.clone());
    Some(Allowance { route, rule, fingerprint: Fingerprint::parse(&plan.fingerprint)?, reason })
}

fn dlp_action(action: DlpAction) -> egress::DlpAction {
    match action {
        DlpAction::Block => egress::DlpAction::Block,
        DlpAction::Redact => egress::DlpAction::Redact,
        DlpAction::Warn => egress::DlpAction::Warn,
    }
}

fn rule_action(action: RuleAction) -> egress::RuleAction {
    match action {
        RuleAction::Block => egress::RuleAction::Block,
        RuleAction::Redact => egress::RuleAction::Redact,
        RuleAction::Warn => egress::RuleAction::Warn,
        RuleAction::Off => egress::RuleAction::Off,
    }
}
