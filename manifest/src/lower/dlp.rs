//! What is sought in what passes, and what is done about it.
use super::apart::Purpose;
use super::routes::Routes;
use super::{Layer, Lower};
use crate::at::At;
use crate::plan::{
    AllowancePlan, Canary, DlpAction, DlpPlan, DlpSecret, OwnRulePlan, RouteDlpPlan, RuleAction, RuleActions,
};
use crate::problem::Problem;
use crate::rules::{CANARY, Pace, VALUES, is_reserved};
use crate::shape::nearest;
use crate::written::{self, Canaries, Dlp, OwnRule, RouteDlp, RuleTable};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Digits of a fingerprint.
const DIGITS: usize = 16;

impl Lower<'_> {
    pub(super) fn dlp(&mut self, layers: &[Layer], routes: &Routes) -> DlpPlan {
        let nothing = Dlp::default();
        let egress = layers.first().and_then(|layer| layer.manifest.egress.as_ref());
        let user = egress.and_then(|egress| egress.dlp.as_ref()).unwrap_or(&nothing);
        let own_rules: Vec<OwnRulePlan> =
            user.own_rules.iter().filter_map(|rule| self.own_rule(rule)).collect();
        self.ids_once(&user.own_rules);
        let mut rules = self.actions(user.rules.as_ref());
        for rule in &user.own_rules {
            if let Some(action) = &rule.action {
                rules.entry(rule.id.value.clone()).or_default().out.get_or_insert(rule_action(action.value));
            }
        }
        self.known_rules(user, egress.map_or(&[][..], |egress| &egress.routes));
        DlpPlan {
            action: user.action.map_or(DlpAction::Block, action),
            routes: routes.dlp.clone(),
            secrets: user.secrets.iter().filter_map(|secret| self.dlp_secret(secret)).collect(),
            rules,
            rule_files: self.rule_files(&user.rule_files),
            own_rules,
            allow: user.allow.iter().filter_map(|one| self.allowance(one, routes)).collect(),
            canaries: self.canaries(user.canaries.as_ref()),
            entropy: user.entropy.as_ref().and_then(|entropy| entropy_action(entropy.value)),
            prompt_injection: injection(user.responses.as_ref()).unwrap_or(RuleAction::Warn),
        }
    }

    /// What a route says of its own.
    pub(super) fn route_dlp(&mut self, written: &At<RouteDlp>, raw: bool) -> RouteDlpPlan {
        let own = RouteDlpPlan {
            action: written.action.map(action),
            rules: self.actions(written.rules.as_ref()),
            inspect: written.inspect.as_ref().is_some_and(|inspect| inspect.value),
            entropy: written.entropy.as_ref().map(|entropy| match entropy.value {
                written::EntropyAction::Off => RuleAction::Off,
                other => entropy_action(other).unwrap_or_default(),
            }),
            prompt_injection: injection(written.responses.as_ref()),
        };
        if own == RouteDlpPlan::default() && written.inspect.is_none() {
            self.error_hint(
                written.span,
                "`dlp` says nothing",
                "say for example `action: warn`, or take it out",
            );
        }
        if let Some(inspect) = written.inspect.as_ref().filter(|_| !raw) {
            let message =
                "`inspect` is for routes with `protocol: tcp`: the requests of others are always read";
            self.error_hint(inspect.span, message, "take it out");
        }
        if raw && own.action == Some(DlpAction::Redact) {
            let message = "raw bytes cannot be redacted: nobody knows which of them count the others";
            self.error_hint(written.span, message, "say `action: block` or `action: warn`");
        }
        own
    }

    fn actions(&mut self, table: Option<&RuleTable>) -> BTreeMap<String, RuleActions> {
        let mut actions = BTreeMap::new();
        for (id, choice) in table.iter().flat_map(|table| &table.0) {
            if choice.out.is_none() && choice.inward.is_none() {
                let hint = "say for example `warn`, or `{ in: redact }`";
                self.error_hint(id.span, format!("nothing is said about `{}`", id.value), hint);
            }
            if id.value == CANARY {
                self.no_canary(id);
                continue;
            }
            let one =
                RuleActions { out: choice.out.map(rule_action), inward: choice.inward.map(rule_action) };
            actions.insert(id.value.clone(), one);
        }
        actions
    }

    fn no_canary(&mut self, rule: &At<String>) {
        let message = "a canary never leaves: that is all it is for";
        self.error_hint(rule.span, message, "take it out of `canaries` if it is in the way");
    }

    /// An id that nothing has is a slip of the pen, and the rule that was meant keeps its action. Files may bring any id;
    /// then whoever reads them tells.
    fn known_rules(&mut self, user: &Dlp, routes: &[At<written::Route>]) {
        if !user.rule_files.is_empty() {
            return;
        }
        let own = user.own_rules.iter().map(|rule| rule.id.value.as_str());
        let mut known: Vec<&str> = dlp::RuleSet::built_in_ids().chain(VALUES).collect();
        known.extend(own);
        let of_routes = routes.iter().filter_map(|route| route.dlp.as_ref()?.rules.as_ref());
        let named = user.rules.iter().chain(of_routes).flat_map(|table| table.0.iter().map(|(id, _)| id));
        let allowed = user.allow.iter().map(|one| &one.rule);
        for id in named.chain(allowed).filter(|id| id.value != CANARY && !known.contains(&id.value.as_str()))
        {
            let problem = Problem::error(id.span, format!("there is no rule `{}`", id.value));
            self.problems.push(match nearest(id, known.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("`bottle scan --rules` lists the ids"),
            });
        }
    }

    fn rule_files(&mut self, files: &[At<String>]) -> Vec<PathBuf> {
        files.iter().filter_map(|file| self.trusted(file, "the file of rules")).collect()
    }

    fn ids_once(&mut self, rules: &[At<OwnRule>]) {
        for (place, rule) in rules.iter().enumerate() {
            if rules.iter().take(place).any(|earlier| earlier.id.value == rule.id.value) {
                self.error(rule.id.span, format!("two rules are called `{}`", rule.id.value));
            }
        }
    }

    fn own_rule(&mut self, rule: &At<OwnRule>) -> Option<OwnRulePlan> {
        let id = &rule.id;
        let letters = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let taken = is_reserved(id) || dlp::RuleSet::built_in_ids().any(|known| known == id.value);
        if id.is_empty() || !letters || id.len() > 60 {
            let message = format!("`{}` is not an id", id.value);
            self.error_hint(id.span, message, "lower-case letters, digits and `-`, at most 60");
        } else if taken {
            let message = format!("there is a rule `{}` already", id.value);
            self.error_hint(
                id.span,
                message,
                "choose another id; `rules` says what happens to what it finds",
            );
        }
        let entropy_milli = match &rule.entropy {
            Some(entropy) if !(0.0..=8.0).contains(&entropy.value) => {
                self.error(entropy.span, "bits per character are between 0 and 8");
                None
            }
            Some(entropy) => Some(thousandths(entropy.value)),
            None => None,
        };
        let plan = OwnRulePlan {
            id: id.value.clone(),
            description: rule
                .description
                .as_ref()
                .map_or_else(|| id.value.clone(), |text| text.value.clone()),
            pattern: rule.pattern.value.clone(),
            group: rule.group.as_ref().map_or(0, |group| group.value),
            entropy_milli,
            stop_words: rule.stop_words.iter().map(|word| word.value.clone()).collect(),
            except: rule.except.iter().map(|pattern| pattern.value.clone()).collect(),
        };
        self.usable(rule, &plan).then_some(plan)
    }

    fn usable(&mut self, rule: &OwnRule, plan: &OwnRulePlan) -> bool {
        match crate::rules::check(plan) {
            Ok(Pace::Quick) => true,
            Ok(Pace::Slow) => {
                let message = format!("the rule `{}` is tried at every byte, which takes its time", plan.id);
                let problem = Problem::warning(rule.pattern.span, message);
                self.problems.push(problem.hint(
                    "three fixed letters or more near the beginning of every match make it quick, such as `acme_[a-z0-9]{32}`",
                ));
                true
            }
            Err(why) => {
                let hint = "the syntax is that of the Rust crate `regex`, without look-around; quote it: '…'";
                self.error_hint(rule.pattern.span, why, hint);
                false
            }
        }
    }

    fn allowance(&mut self, one: &At<written::Allowance>, routes: &Routes) -> Option<AllowancePlan> {
        let digits = one.fingerprint.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !digits || one.fingerprint.len() != DIGITS {
            let message = format!("`{}` is not a fingerprint", one.fingerprint.value);
            let hint = "it has 16 hexadecimal digits; findings and `bottle scan` show it (in quotes when it is all digits)";
            self.error_hint(one.fingerprint.span, message, hint);
        }
        if one.reason.trim().is_empty() {
            self.error_hint(one.reason.span, "an allowance needs its reason", "say why the value may pass");
        }
        if one.rule.value == CANARY {
            self.no_canary(&one.rule);
        }
        let route = match &one.route {
            None => None,
            Some(name) => Some(self.route_called(name, routes)?),
        };
        Some(AllowancePlan {
            route,
            rule: one.rule.value.clone(),
            fingerprint: one.fingerprint.value.clone(),
            reason: one.reason.value.clone(),
        })
    }

    fn route_called(&mut self, name: &At<String>, routes: &Routes) -> Option<policy::RouteId> {
        let found = routes.list.iter().find(|route| route.name == name.value);
        if found.is_none() {
            let problem = Problem::error(name.span, format!("no route is called `{}`", name.value));
            let near = nearest(name, routes.list.iter().map(|route| route.name.as_str()));
            self.problems.push(match near {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint("`bottle check` shows the names; a route's own `name` is the surest"),
            });
        }
        found.map(|route| route.id)
    }

    fn canaries(&mut self, written: Option<&At<Canaries>>) -> Vec<Canary> {
        match written.map(|canaries| &canaries.value) {
            None | Some(Canaries::All(false)) => Vec::new(),
            Some(Canaries::All(true)) => vec![Canary::Aws, Canary::Env, Canary::Netrc],
            Some(Canaries::Some(some)) => {
                let mut chosen: Vec<Canary> = some.iter().map(|one| canary(one.value)).collect();
                chosen.sort_unstable();
                chosen.dedup();
                chosen
            }
        }
    }

    fn dlp_secret(&mut self, secret: &At<written::DlpSecret>) -> Option<DlpSecret> {
        if let Some(keys) = secret.keys.as_ref().filter(|_| secret.file.is_none()) {
            self.error(keys.span, "`keys` means something only beside `file`");
        }
        match (&secret.env, &secret.file, &secret.command) {
            (Some(name), None, None) => {
                self.variable(name).then(|| DlpSecret::Env { name: name.value.clone() })
            }
            (None, Some(file), None) => {
                let path = self.trusted(file, "the file")?;
                let keys = match &secret.keys {
                    None => None,
                    Some(keys) => {
                        let all = "to take all lines, take the key out";
                        Some(self.some_of(keys, "keys", all)?.iter().map(|key| key.value.clone()).collect())
                    }
                };
                Some(DlpSecret::File { path, keys })
            }
            (None, None, Some(command)) => {
                self.program_on_the_host(command).map(|argv| DlpSecret::Command { argv })
            }
            _ => {
                let message =
                    "a secret to keep inside needs exactly one of the keys `env`, `file` and `command`";
                self.error(secret.span, message);
                None
            }
        }
    }

    /// A file that is there and is believed.
    pub(super) fn trusted(&mut self, written: &At<String>, what: &str) -> Option<PathBuf> {
        let path = self.existing(written, what)?;
        self.apart(Some(written.span), &path, Purpose::Trusted);
        Some(path)
    }
}

pub(super) fn action(action: written::DlpAction) -> DlpAction {
    match action {
        written::DlpAction::Block => DlpAction::Block,
        written::DlpAction::Redact => DlpAction::Redact,
        written::DlpAction::Warn => DlpAction::Warn,
    }
}

fn rule_action(action: written::RuleAction) -> RuleAction {
    match action {
        written::RuleAction::Block => RuleAction::Block,
        written::RuleAction::Redact => RuleAction::Redact,
        written::RuleAction::Warn => RuleAction::Warn,
        written::RuleAction::Off => RuleAction::Off,
    }
}

fn entropy_action(action: written::EntropyAction) -> Option<RuleAction> {
    match action {
        written::EntropyAction::Block => Some(RuleAction::Block),
        written::EntropyAction::Warn => Some(RuleAction::Warn),
        written::EntropyAction::Off => None,
    }
}

fn injection(responses: Option<&written::Responses>) -> Option<RuleAction> {
    Some(match responses?.prompt_injection.as_ref()?.value {
        written::InjectionAction::Block => RuleAction::Block,
        written::InjectionAction::Warn => RuleAction::Warn,
        written::InjectionAction::Off => RuleAction::Off,
    })
}

fn canary(canary: written::Canary) -> Canary {
    match canary {
        written::Canary::Aws => Canary::Aws,
        written::Canary::Env => Canary::Env,
        written::Canary::Netrc => Canary::Netrc,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 8000")]
fn thousandths(bits: f64) -> u32 {
    (bits * 1000.0).round() as u32
}
