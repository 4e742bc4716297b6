//! What is sought in what passes, and what is done about it.
use credentials::Secret;
use dlp::{Fingerprint, FingerprintKey, RuleSet};
use policy::RouteId;
use std::collections::BTreeMap;

/// What is sought and what is done about it.
pub struct DlpTerms {
    /// For routes without their own.
    pub action: DlpAction,
    /// What routes say of their own.
    pub routes: BTreeMap<RouteId, RouteTerms>,
    /// Name and value of what must stay inside, besides the vault's.
    pub secrets: Vec<(String, Secret)>,
    /// Where a canary lies, and what it says. What holds one never leaves.
    pub canaries: Vec<(String, Secret)>,
    /// What else is sought, by its look.
    pub rules: RuleSet,
    /// By id of a rule, of those above and of `known-secret` and the like. A rule that is not named has the action of the
    /// route on the way out, and is not used on the way in.
    pub actions: BTreeMap<String, RuleActions>,
    /// What passes all the same.
    pub allow: Vec<Allowance>,
    /// Random text in the names of hosts and in parts of targets.
    pub entropy: RuleAction,
    /// Text in answers that speaks to an agent.
    pub prompt_injection: RuleAction,
    /// Makes fingerprints; the same one from run to run, or allowances mean nothing.
    pub key: FingerprintKey,
}

impl Default for DlpTerms {
    /// Known values alone, and fingerprints that nobody can make again.
    fn default() -> DlpTerms {
        DlpTerms {
            action: DlpAction::Block,
            routes: BTreeMap::new(),
            secrets: Vec::new(),
            canaries: Vec::new(),
            rules: RuleSet::none(),
            actions: BTreeMap::new(),
            allow: Vec::new(),
            entropy: RuleAction::Off,
            prompt_injection: RuleAction::Off,
            key: FingerprintKey::new(rand::random()),
        }
    }
}

/// What a route says of its own; what it does not say is as everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteTerms {
    /// About findings.
    pub action: Option<DlpAction>,
    /// By id of a rule.
    pub actions: BTreeMap<String, RuleActions>,
    /// The bytes of a raw route are read.
    pub inspect: bool,
    /// As in [`DlpTerms::entropy`].
    pub entropy: Option<RuleAction>,
    /// As in [`DlpTerms::prompt_injection`].
    pub prompt_injection: Option<RuleAction>,
}

/// What is done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DlpAction {
    /// The exchange ends.
    #[default]
    Block,
    /// The value is replaced.
    Redact,
    /// Recorded only.
    Warn,
}

/// What is done about what one rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuleAction {
    /// The exchange ends.
    Block,
    /// The value is replaced.
    Redact,
    /// Recorded only.
    Warn,
    /// Nothing.
    #[default]
    Off,
}

impl From<DlpAction> for RuleAction {
    fn from(action: DlpAction) -> RuleAction {
        match action {
            DlpAction::Block => RuleAction::Block,
            DlpAction::Redact => RuleAction::Redact,
            DlpAction::Warn => RuleAction::Warn,
        }
    }
}

/// What is done about what one rule finds, either way; `None`: as if the rule were not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleActions {
    /// In what leaves.
    pub out: Option<RuleAction>,
    /// In what comes back.
    pub inward: Option<RuleAction>,
}

/// A value that passes although a rule finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// By this route; `None`: by every one.
    pub route: Option<RouteId>,
    /// What finds it.
    pub rule: String,
    /// Of the value.
    pub fingerprint: Fingerprint,
    /// Why, for the audit.
    pub reason: String,
}
