//! The search for secrets.
use super::routes::{Pairs, item};
use super::{Area, Change, Kind, lists, value, word};
use crate::plan::{AllowancePlan, DlpAction, DlpPlan, DlpSecret, RouteDlpPlan, RuleAction, RuleActions};
use policy::RouteId;
use std::collections::{BTreeMap, BTreeSet};

/// How much an action keeps: less is weaker.
fn strength(action: RuleAction) -> u8 {
    match action {
        RuleAction::Block => 3,
        RuleAction::Redact => 2,
        RuleAction::Warn => 1,
        RuleAction::Off => 0,
    }
}

fn as_rule(action: DlpAction) -> RuleAction {
    match action {
        DlpAction::Block => RuleAction::Block,
        DlpAction::Redact => RuleAction::Redact,
        DlpAction::Warn => RuleAction::Warn,
    }
}

pub(super) fn changes(pairs: &Pairs<'_>, out: &mut Vec<Change>) {
    let (old, new) = (&pairs.old.dlp, &pairs.new.dlp);
    actions("what is found", (Some(as_rule(old.action)), Some(as_rule(new.action))), RuleAction::Block, out);
    actions("random text (`entropy`)", (old.entropy, new.entropy), RuleAction::Off, out);
    let spoken = (Some(old.prompt_injection), Some(new.prompt_injection));
    actions("text that speaks to an agent", spoken, RuleAction::Warn, out);
    rules("", (&old.rules, &new.rules), (as_rule(old.action), as_rule(new.action)), out);
    for (was, is) in &pairs.both {
        on_route(&item(is), (old, was.id), (new, is.id), out);
    }
    lists(Area::Dlp, "values to keep", (&old.secrets, &new.secrets), secret, Kind::Removed, out);
    let file = |path: &std::path::PathBuf| format!("`{}`", path.display());
    lists(Area::Dlp, "file of rules", (&old.rule_files, &new.rule_files), file, Kind::Removed, out);
    lists(
        Area::Dlp,
        "rule of its own",
        (&old.own_rules, &new.own_rules),
        |rule| format!("`{}`", rule.id),
        Kind::Removed,
        out,
    );
    allowances(pairs, out);
    let from = out.len();
    lists(Area::Dlp, "canary", (&old.canaries, &new.canaries), word, Kind::Removed, out);
    // They are planted before the agent starts.
    out[from..].iter_mut().for_each(|change| change.restart = true);
}

/// One action; a missing one is `without`.
fn actions(
    item: &str,
    (old, new): (Option<RuleAction>, Option<RuleAction>),
    without: RuleAction,
    out: &mut Vec<Change>,
) {
    let rank = |action: Option<&RuleAction>| strength(action.copied().unwrap_or(without));
    out.extend(value(Area::Dlp, item, (old.as_ref(), new.as_ref()), word, |old, new| rank(new) < rank(old)));
}

fn rules(
    of: &str,
    (old, new): (&BTreeMap<String, RuleActions>, &BTreeMap<String, RuleActions>),
    (was, is): (RuleAction, RuleAction),
    out: &mut Vec<Change>,
) {
    for id in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let get = |rules: &BTreeMap<String, RuleActions>| rules.get(id).copied().unwrap_or_default();
        let (a, b) = (get(old), get(new));
        let weaker = |old: Option<&RuleAction>, new: Option<&RuleAction>| {
            strength(new.copied().unwrap_or(is)) < strength(old.copied().unwrap_or(was))
        };
        let name = format!("{of}rule `{id}`");
        out.extend(value(Area::Dlp, &name, (a.out.as_ref(), b.out.as_ref()), word, weaker));
        let inward = format!("{name} in answers");
        actions(&inward, (a.inward, b.inward), RuleAction::Off, out);
    }
}

/// What a route says of its own, the action as it comes to be there.
fn on_route(
    item: &str,
    (old, was): (&DlpPlan, RouteId),
    (new, is): (&DlpPlan, RouteId),
    out: &mut Vec<Change>,
) {
    let nothing = RouteDlpPlan::default();
    let (a, b) = (old.routes.get(&was).unwrap_or(&nothing), new.routes.get(&is).unwrap_or(&nothing));
    let (here, there) = (as_rule(old.action_on(was)), as_rule(new.action_on(is)));
    if a.action != b.action {
        actions(&format!("{item}, what is found"), (Some(here), Some(there)), RuleAction::Block, out);
    }
    rules(&format!("{item}, "), (&a.rules, &b.rules), (here, there), out);
    if a.inspect != b.inspect {
        let detail = if b.inspect { "is read now" } else { "is not read any more" };
        out.push(Change::new(Area::Dlp, Kind::Changed, item, detail).weakens(!b.inspect));
    }
    let general = (old.entropy.unwrap_or(RuleAction::Off), new.entropy.unwrap_or(RuleAction::Off));
    if a.entropy != b.entropy {
        let both = (Some(a.entropy.unwrap_or(general.0)), Some(b.entropy.unwrap_or(general.1)));
        actions(&format!("{item}, random text"), both, RuleAction::Off, out);
    }
    if a.prompt_injection != b.prompt_injection {
        let both = (
            Some(a.prompt_injection.unwrap_or(old.prompt_injection)),
            Some(b.prompt_injection.unwrap_or(new.prompt_injection)),
        );
        actions(&format!("{item}, text that speaks to an agent"), both, RuleAction::Off, out);
    }
}

/// Allowances by the names of their routes: ids are places, and places move.
fn allowances(pairs: &Pairs<'_>, out: &mut Vec<Change>) {
    let named = |egress: &crate::plan::EgressPlan| -> Vec<(Option<String>, AllowancePlan)> {
        let name = |id: RouteId| egress.policy.route(id).map_or_else(String::new, |route| route.name.clone());
        let one = |allowed: &AllowancePlan| {
            (allowed.route.map(name), AllowancePlan { route: None, ..allowed.clone() })
        };
        egress.dlp.allow.iter().map(one).collect()
    };
    let show = |(route, allowed): &(Option<String>, AllowancePlan)| {
        let by = route.as_ref().map(|name| format!(" by `{name}`")).unwrap_or_default();
        format!("`{}` {}{by}: {}", allowed.rule, allowed.fingerprint, allowed.reason)
    };
    lists(Area::Dlp, "allowance", (&named(pairs.old), &named(pairs.new)), show, Kind::Added, out);
}

fn secret(secret: &DlpSecret) -> String {
    match secret {
        DlpSecret::Env { name } => format!("variable `{name}`"),
        DlpSecret::File { path, keys: None } => format!("file `{}`", path.display()),
        DlpSecret::File { path, keys: Some(keys) } => {
            format!("{} of file `{}`", keys.join(", "), path.display())
        }
        DlpSecret::Command { argv } => format!("command `{}`", argv.first().map_or("", String::as_str)),
    }
}
