//! What is sought in what passes, and what is done about it.
use policy::RouteId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is sought, and what is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DlpPlan {
    /// For routes without an action of their own.
    pub action: DlpAction,
    /// What routes say of their own.
    pub routes: BTreeMap<RouteId, RouteDlpPlan>,
    /// Exact values to keep inside, besides every token.
    pub secrets: Vec<DlpSecret>,
    /// By id of a rule; rules that are not named have the action of the route.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, RuleActions>,
    /// Files with more rules (absolute).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule_files: Vec<PathBuf>,
    /// Rules of the manifest's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_rules: Vec<OwnRulePlan>,
    /// What may pass all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<AllowancePlan>,
    /// Fake credentials that are planted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<Canary>,
    /// Random text in names of hosts and in labels of URLs; `None`: it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<RuleAction>,
    /// Text in answers that speaks to an agent.
    #[serde(default)]
    pub prompt_injection: RuleAction,
}

impl DlpPlan {
    /// What is done about a finding on this route, when no rule says otherwise.
    pub fn action_on(&self, route: RouteId) -> DlpAction {
        self.routes.get(&route).and_then(|own| own.action).unwrap_or(self.action)
    }

    /// What is said about rules on this route; the route's own word goes before the general one.
    pub fn rules_on(&self, route: RouteId) -> BTreeMap<&str, RuleActions> {
        let own = self.routes.get(&route).into_iter().flat_map(|own| &own.rules);
        let mut all: BTreeMap<&str, RuleActions> = BTreeMap::new();
        for (id, actions) in self.rules.iter().chain(own) {
            let one = all.entry(id).or_default();
            *one = RuleActions { out: actions.out.or(one.out), inward: actions.inward.or(one.inward) };
        }
        all
    }

    /// Ids of rules about which something is said: actions and allowances.
    pub fn named_rules(&self) -> impl Iterator<Item = &str> {
        let of_routes = self.routes.values().flat_map(|own| own.rules.keys());
        let allowed = self.allow.iter().map(|one| &one.rule);
        self.rules.keys().chain(of_routes).chain(allowed).map(String::as_str)
    }
}

/// What a route says of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteDlpPlan {
    /// About findings; `None`: as everywhere.
    pub action: Option<DlpAction>,
    /// By id of a rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, RuleActions>,
    /// The bytes of a raw route are read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inspect: bool,
    /// As in [`DlpPlan::entropy`]; `None`: as everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<RuleAction>,
    /// As in [`DlpPlan::prompt_injection`]; `None`: as everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_injection: Option<RuleAction>,
}

/// What is done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DlpAction {
    /// The exchange ends.
    Block,
    /// The value is replaced.
    Redact,
    /// Recorded only.
    Warn,
}

/// What is done about what a rule finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// The exchange ends.
    Block,
    /// The value is replaced.
    Redact,
    /// Recorded only.
    #[default]
    Warn,
    /// It is not looked for.
    Off,
}

/// What is done about what a rule finds, either way; `None`: out as the route says, in nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleActions {
    /// In what leaves.
    pub out: Option<RuleAction>,
    /// In what comes back.
    #[serde(rename = "in")]
    pub inward: Option<RuleAction>,
}

/// A rule of the manifest's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRulePlan {
    /// Its id in findings.
    pub id: String,
    /// For people.
    pub description: String,
    /// The regular expression.
    pub pattern: String,
    /// The group of the pattern that is the value; 0: the first one that matched, or all of it.
    pub group: u32,
    /// Bits per character that the value has at least, in thousandths.
    pub entropy_milli: Option<u32>,
    /// Words that make a value none.
    pub stop_words: Vec<String>,
    /// Patterns that do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

impl OwnRulePlan {
    /// As the scanner takes it.
    pub fn rule(&self) -> dlp::OwnRule {
        dlp::OwnRule {
            id: self.id.clone(),
            about: self.description.clone(),
            pattern: self.pattern.clone(),
            group: self.group as usize,
            entropy: f64::from(self.entropy_milli.unwrap_or(0)) / 1000.0,
            stop_words: self.stop_words.clone(),
            except: self.except.clone(),
        }
    }
}

/// What may pass although it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowancePlan {
    /// By this route; `None`: by every one.
    pub route: Option<RouteId>,
    /// What found it.
    pub rule: String,
    /// Of the value, 16 hexadecimal digits.
    pub fingerprint: String,
    /// Why it may pass, for people.
    pub reason: String,
}

/// A fake credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Canary {
    /// `~/.aws/credentials`.
    Aws,
    /// `~/.env`.
    Env,
    /// `~/.netrc`.
    Netrc,
}

/// Where exact values come from (absolute paths; a `.env`-like file gives every value in it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DlpSecret {
    /// A variable of the launcher.
    Env {
        /// Its name.
        name: String,
    },
    /// A file: dotenv lines when they parse as such, else its whole trimmed content.
    File {
        /// Absolute.
        path: PathBuf,
        /// Names of the lines that count; `None`: all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Vec<String>>,
    },
    /// What a program of this machine prints: one value.
    Command {
        /// Program (absolute) and arguments.
        argv: Vec<String>,
    },
}
