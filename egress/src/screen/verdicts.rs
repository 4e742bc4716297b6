//! What is done about a finding: by rule, route and direction; and which values pass all the same.
use crate::config::{DlpAction, DlpTerms, RuleAction, RuleActions};
use dlp::{Fingerprint, Hit};
use policy::RouteId;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The rule of what the bottle itself planted: it never leaves, whatever is said.
pub(crate) const CANARY: &str = "canary";
/// The rule of exact values.
pub(crate) const KNOWN: &str = "known-secret";
/// The rule of placeholders where they are not swapped.
pub(crate) const ASTRAY: &str = "placeholder-astray";

/// The rule of what cannot be looked into.
pub(crate) const UNREADABLE: &str = "unreadable";
/// The rule of values that leave in pieces.
pub(crate) const SPLIT: &str = "split-secret";
/// Tokens that protocols hand out for a while and want back (registries do, and every single sign-on): what looks like one is
/// no reason to end anything, unless the operator says so.
const PASSING: [&str; 2] = ["jwt", "jwe"];

/// Fingerprints of the stand-ins that an agent holds rightly: made to look like what they stand for, they look so to rules.
pub(crate) type StandIns = Arc<HashSet<Fingerprint>>;

/// All that is said about one route, one way.
pub(crate) struct Verdicts {
    otherwise: RuleAction,
    rules: HashMap<String, RuleAction>,
    allowed: HashMap<(String, Fingerprint), Arc<str>>,
    stand_ins: StandIns,
}

/// What is done about one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Nothing: the rule is off.
    Off,
    /// It passes, and why.
    Allowed(Arc<str>),
    Warn,
    Redact,
    Block,
}

impl Verdicts {
    /// About what leaves by a route. The nearer word counts: the rule on this route, the rule, the route, the bottle.
    pub(crate) fn outward(terms: &DlpTerms, stand_ins: &StandIns, route: RouteId) -> Verdicts {
        let own = terms.routes.get(&route);
        let otherwise = own.and_then(|own| own.action).unwrap_or(terms.action);
        let mut rules = merged(&terms.actions, own.map(|own| &own.actions), |actions| actions.out);
        if otherwise == DlpAction::Block {
            for rule in PASSING {
                rules.entry(rule.to_owned()).or_insert(RuleAction::Warn);
            }
        }
        let allowed = terms.allow.iter().filter(|one| one.route.is_none_or(|only| only == route));
        let allowed = allowed.map(|one| ((one.rule.clone(), one.fingerprint), one.reason.as_str().into()));
        let stand_ins = Arc::clone(stand_ins);
        Verdicts { otherwise: otherwise.into(), rules, allowed: allowed.collect(), stand_ins }
    }

    /// About what comes back by a route.
    pub(crate) fn inward(terms: &DlpTerms, stand_ins: &StandIns, route: RouteId) -> Verdicts {
        let own = terms.routes.get(&route).map(|own| &own.actions);
        let mut rules = merged(&terms.actions, own, |actions| actions.inward);
        // The values behind the placeholders are taken out, whatever is said.
        rules.insert(KNOWN.to_owned(), RuleAction::Redact);
        let (allowed, stand_ins) = (HashMap::new(), Arc::clone(stand_ins));
        Verdicts { otherwise: RuleAction::Off, rules, allowed, stand_ins }
    }

    pub(crate) fn on(&self, hit: &Hit) -> Judged {
        if &*hit.rule == CANARY {
            return Judged::Block;
        }
        let by_look = ![KNOWN, ASTRAY, SPLIT].contains(&&*hit.rule);
        if by_look && self.stand_ins.contains(&hit.fingerprint) {
            return Judged::Off;
        }
        if let Some(reason) = self.reason(hit) {
            return Judged::Allowed(reason);
        }
        match self.rules.get(&*hit.rule).unwrap_or(&self.otherwise) {
            RuleAction::Off => Judged::Off,
            RuleAction::Warn => Judged::Warn,
            RuleAction::Redact => Judged::Redact,
            RuleAction::Block => Judged::Block,
        }
    }

    fn reason(&self, hit: &Hit) -> Option<Arc<str>> {
        if self.allowed.is_empty() {
            return None;
        }
        self.allowed.get(&(hit.rule.to_string(), hit.fingerprint)).cloned()
    }

    /// Something may be replaced, so that lengths may change.
    pub(crate) fn redacts(&self) -> bool {
        self.otherwise == RuleAction::Redact
            || self.rules.values().any(|action| *action == RuleAction::Redact)
    }

    /// What cannot be looked into: as a finding would be, and a warning is the least.
    pub(crate) fn on_unreadable(&self) -> RuleAction {
        match self.rules.get(UNREADABLE).unwrap_or(&self.otherwise) {
            RuleAction::Warn | RuleAction::Off => RuleAction::Warn,
            RuleAction::Redact | RuleAction::Block => RuleAction::Block,
        }
    }
}

fn merged(
    everywhere: &BTreeMap<String, RuleActions>,
    here: Option<&BTreeMap<String, RuleActions>>,
    way: fn(&RuleActions) -> Option<RuleAction>,
) -> HashMap<String, RuleAction> {
    let all = everywhere.iter().chain(here.into_iter().flatten());
    all.filter_map(|(rule, actions)| Some((rule.clone(), way(actions)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Allowance, RouteTerms};

    fn hit(rule: &str) -> Hit {
        let fingerprint = DlpTerms::default().key.fingerprint(b"x");
        let text = |text: &str| Arc::<str>::from(text);
        Hit {
            rule: text(rule),
            name: text("n"),
            offset: 0,
            length: 8,
            fingerprint,
            layer: text("plain"),
            packed: false,
        }
    }

    fn out(out: RuleAction) -> RuleActions {
        RuleActions { out: Some(out), inward: None }
    }

    fn table(rules: &[(&str, RuleActions)]) -> BTreeMap<String, RuleActions> {
        rules.iter().map(|(rule, actions)| ((*rule).to_owned(), *actions)).collect()
    }

    #[test]
    fn the_nearer_word_counts() {
        let own = RouteTerms {
            action: Some(DlpAction::Warn),
            actions: table(&[("a", out(RuleAction::Redact))]),
            ..RouteTerms::default()
        };
        let terms = DlpTerms {
            actions: table(&[("a", out(RuleAction::Off)), ("b", out(RuleAction::Block))]),
            routes: BTreeMap::from([(RouteId(1), own)]),
            ..DlpTerms::default()
        };
        let there = Verdicts::outward(&terms, &StandIns::default(), RouteId(0));
        assert_eq!(
            ["a", "b", "c"].map(|rule| there.on(&hit(rule))),
            [Judged::Off, Judged::Block, Judged::Block]
        );
        let here = Verdicts::outward(&terms, &StandIns::default(), RouteId(1));
        assert_eq!(
            ["a", "b", "c"].map(|rule| here.on(&hit(rule))),
            [Judged::Redact, Judged::Block, Judged::Warn]
        );
        assert!(here.redacts() && !there.redacts());
    }

    #[test]
    fn an_allowance_is_for_one_value_of_one_rule_by_one_route() {
        let seen = hit("a");
        let (route, fingerprint) = (Some(RouteId(1)), seen.fingerprint);
        let allow = vec![Allowance { route, rule: "a".into(), fingerprint, reason: "why".into() }];
        let terms = DlpTerms { allow, ..DlpTerms::default() };
        let here = Verdicts::outward(&terms, &StandIns::default(), RouteId(1));
        assert_eq!(here.on(&seen), Judged::Allowed("why".into()));
        assert_eq!(here.on(&hit("a")), Judged::Block, "another value");
        assert_eq!(here.on(&Hit { rule: "b".into(), ..seen.clone() }), Judged::Block);
        assert_eq!(Verdicts::outward(&terms, &StandIns::default(), RouteId(0)).on(&seen), Judged::Block);
    }

    #[test]
    fn what_looks_like_a_token_because_it_stands_for_one_is_none() {
        let stand_ins = StandIns::new(HashSet::from([hit("a").fingerprint]));
        let terms = DlpTerms::default();
        let verdicts = Verdicts::outward(&terms, &stand_ins, RouteId(0));
        let seen = Hit { fingerprint: *stand_ins.iter().next().expect("one"), ..hit("a") };
        assert_eq!(verdicts.on(&seen), Judged::Off);
        assert_eq!(
            verdicts.on(&Hit { rule: ASTRAY.into(), ..seen }),
            Judged::Block,
            "astray it is one all the same"
        );
        assert_eq!(verdicts.on(&hit("jwt")), Judged::Warn);
    }

    #[test]
    fn a_canary_never_leaves_and_a_value_never_comes_back() {
        let actions = RuleActions { out: Some(RuleAction::Off), inward: Some(RuleAction::Off) };
        let terms = DlpTerms {
            action: DlpAction::Warn,
            actions: table(&[(CANARY, actions), (KNOWN, actions)]),
            ..DlpTerms::default()
        };
        assert_eq!(
            Verdicts::outward(&terms, &StandIns::default(), RouteId(0)).on(&hit(CANARY)),
            Judged::Block
        );
        assert_eq!(
            Verdicts::inward(&terms, &StandIns::default(), RouteId(0)).on(&hit(KNOWN)),
            Judged::Redact
        );
        assert_eq!(Verdicts::inward(&terms, &StandIns::default(), RouteId(0)).on(&hit("a")), Judged::Off);
    }
}
