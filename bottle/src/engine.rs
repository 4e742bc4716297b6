//! From the plan to what an engine is told. `bottle run` and `bottle egress` start the same engine.
mod search;

use crate::failure::Failure;
use crate::rules::{self, RuleText};
use credentials::remote::HandedExact;
use credentials::{Exact, ExactSource, Secret, Slot, TokenRef, Unavailable, Vault, load_exact};
use egress::{
    Budget, Budgets, CertificateAuthority, Config, Limits, ProxyAuth, Rate, Rule, Unmatched, Upstream,
    UpstreamProxy,
};
use manifest::plan::{BudgetPlan, DlpSecret, EgressPlan, RatePlan, UnmatchedPlan, UpstreamProxyPlan};
use search::{Supplied, dlp_terms};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Resolves every credential now; all that cannot be had are in one message.
pub fn resolve(plan: &EgressPlan) -> Result<Vault, Failure> {
    Vault::resolve(&plan.slots).map_err(|missing| cannot_be_had(&missing))
}

fn cannot_be_had(missing: &[Unavailable]) -> Failure {
    let lines: Vec<String> =
        missing.iter().map(|one| format!("\n  - {}: {}", source(&one.reference), one.why)).collect();
    Failure::new(format!("credentials that the manifest binds cannot be had:{}", lines.concat()))
        .help("provide them and start again, or take their `auth` out of the manifest; `bottle check` shows where each is bound")
}

/// A token reference, for people.
pub fn source(reference: &TokenRef) -> String {
    match reference {
        TokenRef::Env { name } => format!("variable `{name}`"),
        TokenRef::File { path, json_pointer: None } => format!("file `{}`", path.display()),
        TokenRef::File { path, json_pointer: Some(pointer) } => {
            format!("file `{}` at `{pointer}`", path.display())
        }
        TokenRef::Command { argv, .. } => format!("command `{}`", argv.join(" ")),
    }
}

/// What the plan names by path or by variable, as content. Read on the host, before anything is started.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Supplies {
    /// More roots to trust upstream, PEM.
    pub roots_pem: Vec<String>,
    /// The certificate authority that the next hop signs with, PEM.
    pub proxy_ca_pem: Option<String>,
    /// The roots of the next hop's own certificate, PEM.
    pub proxy_roots_pem: Option<String>,
    /// Values that must stay inside, besides the slots'.
    pub exact: Vec<HandedExact>,
    /// Fake credentials that lie inside.
    #[serde(default)]
    pub canaries: Vec<HandedExact>,
    /// Files of rules.
    #[serde(default)]
    pub rules: Vec<RuleText>,
    /// Makes fingerprints.
    #[serde(default)]
    pub key: Option<HandedExact>,
    /// Names of values that are not looked for, for people on the host.
    #[serde(skip)]
    pub unsought: Vec<String>,
}

impl Supplies {
    /// Reads all of it.
    pub fn read(plan: &EgressPlan) -> Result<Supplies, Failure> {
        let proxy = plan.upstream_proxy.as_ref();
        let proxy_ca = proxy.and_then(|proxy| proxy.ca.as_deref());
        let proxy_roots = proxy.and_then(|proxy| proxy.roots.as_deref());
        let Exact { sought, unsought } = exact_values(&plan.dlp.secrets)?;
        let handed = sought.into_iter().map(|value| HandedExact { name: value.name, value: value.value });
        Ok(Supplies {
            roots_pem: plan.upstream_roots.iter().map(|path| read_pem(path)).collect::<Result<_, _>>()?,
            proxy_ca_pem: proxy_ca.map(read_pem).transpose()?,
            proxy_roots_pem: proxy_roots.map(read_pem).transpose()?,
            exact: handed.collect(),
            canaries: Vec::new(),
            rules: rules::texts(&plan.dlp)?,
            key: Some(rules::key()?),
            unsought,
        })
    }
}

/// Values that must stay inside, by name, as far as they are at hand now, and the names of those that are not.
pub fn known_on_host(plan: &EgressPlan) -> (Vec<(String, Secret)>, Vec<String>) {
    let (mut values, mut missing) = (Vec::new(), Vec::new());
    for slot in &plan.slots {
        match Vault::resolve(std::slice::from_ref(slot)) {
            Ok(vault) => {
                let held = vault.expose_to_scanner().into_iter();
                values.extend(held.map(|(slot, _, secret)| (slot.to_string(), secret)));
            }
            Err(_) => missing.push(format!("{} ({})", slot.slot, source(&slot.source))),
        }
    }
    for secret in &plan.dlp.secrets {
        let from = exact_source(secret);
        match load_exact(std::slice::from_ref(&from)) {
            Ok(Exact { sought, .. }) => values.extend(sought.into_iter().map(|one| (one.name, one.value))),
            Err(_) => missing.push(from.to_string()),
        }
    }
    (values, missing)
}

/// Why a value is not looked for.
pub const UNSOUGHT: &str = "too short or too common to be looked for";

/// Secrets that are not looked for in what leaves, nor taken out of answers, by name.
pub fn unsought(plan: &EgressPlan, vault: &Vault, supplies: &Supplies) -> Vec<String> {
    named(plan, &vault.unsought(), supplies.unsought.clone())
}

/// The same before a start. Starts nothing, and leaves out what cannot be read now.
pub fn unsought_on_host(plan: &EgressPlan) -> Vec<String> {
    let at_rest = |secret: &&DlpSecret| !matches!(secret, DlpSecret::Command { .. });
    let sources: Vec<ExactSource> = plan.dlp.secrets.iter().filter(at_rest).map(exact_source).collect();
    let exact = sources.into_iter().filter_map(|source| load_exact(&[source]).ok());
    let exact: Vec<String> = exact.flat_map(|exact| exact.unsought).collect();
    named(plan, &credentials::unsought(&plan.slots), exact)
}

/// Slots by name and source, then the rest.
fn named(plan: &EgressPlan, slots: &[Slot], exact: Vec<String>) -> Vec<String> {
    let slots = plan.slots.iter().filter(|slot| slots.contains(&slot.slot));
    let slots = slots.map(|slot| format!("{} ({})", slot.slot, source(&slot.source)));
    slots.chain(exact.into_iter().map(|name| format!("`{name}`"))).collect()
}

/// What an engine is told of its operator.
#[derive(Default)]
pub struct Posture {
    /// Somebody can answer.
    pub attended: bool,
    /// The kill switch is on.
    pub locked: bool,
    /// What no route allows goes out, to be learned from.
    pub learn: bool,
    /// Who hears of petitions.
    pub notices: Option<egress::desk::Notices>,
}

/// What is a bottle's own.
pub struct Own<'a> {
    /// Its slug.
    pub slug: &'a str,
    /// Signs its leaves.
    pub ca: CertificateAuthority,
    /// Where its events go.
    pub audit: audit::Auditor,
}

/// Everything the engine needs.
///
/// # Errors
/// When a rule cannot be used.
pub fn config(
    plan: &EgressPlan,
    mut supplies: Supplies,
    vault: Vault,
    own: Own<'_>,
    posture: Posture,
) -> Result<Config, Failure> {
    let Own { slug, ca, audit } = own;
    let roots_pem = std::mem::take(&mut supplies.roots_pem);
    let (proxy_ca_pem, proxy_roots_pem) = (supplies.proxy_ca_pem.take(), supplies.proxy_roots_pem.take());
    let Rule { policy, hash, bindings, vault, dlp, budgets, unmatched } = rule(plan, supplies, vault)?;
    let proxy = plan.upstream_proxy.as_ref();
    let proxy = proxy.map(|proxy| UpstreamProxy {
        ca_pem: proxy_ca_pem,
        roots_pem: proxy_roots_pem,
        ..upstream_proxy(proxy, &vault)
    });
    Ok(Config {
        bottle: slug.to_owned(),
        policy,
        bindings,
        vault,
        dlp,
        ca,
        upstream: Upstream { extra_roots_pem: roots_pem, proxy, budgets, ..Upstream::default() },
        limits: Limits::default(),
        audit,
        asking: egress::Asking {
            policy_hash: hash,
            unmatched: if posture.learn { Unmatched::Learn } else { unmatched },
            attended: posture.attended,
            locked: posture.locked,
            notices: posture.notices,
            local: Some(Arc::new(crate::mcp::McpSite)),
        },
    })
}

/// What can change while an engine runs.
///
/// # Errors
/// When a rule cannot be used.
pub fn rule(plan: &EgressPlan, supplies: Supplies, vault: Vault) -> Result<Rule, Failure> {
    let rules = rules::of(&plan.dlp, &supplies.rules)?.set;
    let Supplies { exact, canaries, key, .. } = supplies;
    let key = rules::fingerprint_key(key.as_ref());
    Ok(Rule {
        policy: Arc::new(plan.policy.clone()),
        hash: manifest::policy_hash(plan),
        bindings: plan.bindings.clone(),
        vault,
        dlp: dlp_terms(&plan.dlp, rules, Supplied { exact, canaries, key }),
        budgets: budgets(plan),
        unmatched: match plan.unmatched {
            UnmatchedPlan::Deny => Unmatched::Deny,
            UnmatchedPlan::Ask { wait_secs } => Unmatched::Ask { wait: Duration::from_secs(wait_secs) },
        },
    })
}

/// The secrets of a manifest that was read again: those that are there stay.
///
/// # Errors
/// When one cannot be had; all of them are in one message.
pub fn succeed(vault: &Vault, plan: &EgressPlan) -> Result<Vault, Failure> {
    vault.succeed(&plan.slots).map_err(|missing| cannot_be_had(&missing))
}

fn budgets(plan: &EgressPlan) -> Budgets {
    let routes = plan.route_budgets.iter().map(|(route, plan)| (*route, budget(*plan)));
    Budgets { bottle: budget(plan.budget), routes: routes.collect() }
}

fn budget(plan: BudgetPlan) -> Budget {
    let rate = |rate: Option<RatePlan>| {
        rate.map(|rate| Rate { amount: rate.amount, per: rate.per_secs.map(Duration::from_secs) })
    };
    Budget {
        bytes_up: rate(plan.bytes_up),
        requests: rate(plan.requests),
        connections: rate(plan.connections),
    }
}

fn upstream_proxy(plan: &UpstreamProxyPlan, vault: &Vault) -> UpstreamProxy {
    let auth = plan.auth.as_ref().map(|auth| ProxyAuth {
        username: auth.username.clone(),
        slot: auth.slot,
        vault: vault.clone(),
    });
    UpstreamProxy { auth, except: plan.except.clone(), ..UpstreamProxy::at(plan.url.clone()) }
}

/// What goes through an upstream proxy and what does not, for people.
pub fn next_hop(plan: &EgressPlan) -> Vec<String> {
    let Some(proxy) = &plan.upstream_proxy else { return Vec::new() };
    let mut lines =
        vec![format!("through {}, which resolves the names: what they lead to is not vetted", proxy.url)];
    if proxy.ca.is_some() {
        lines.push("  it opens TLS: it reads what goes through it, credentials included".to_owned());
    }
    if let Some(auth) = &proxy.auth {
        let slot = plan.slots.iter().find(|slot| slot.slot == auth.slot);
        let password = slot.map_or_else(|| auth.slot.to_string(), |slot| source(&slot.source));
        lines.push(format!("  as `{}`, with the password from {password}", auth.username));
    }
    if !proxy.except.is_empty() {
        let except: Vec<String> = proxy.except.iter().map(ToString::to_string).collect();
        lines.push(format!("  but direct: {}", except.join(", ")));
    }
    lines
}

fn read_pem(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable("certificates", path, &error))?;
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(text);
    }
    Err(Failure::new(format!("`{}` holds no PEM certificate", path.display()))
        .help("convert it with `openssl x509 -inform der -in FILE -out FILE.pem`"))
}

/// A value that is to stay inside and cannot be read is a reason not to start: it would not be sought.
fn exact_values(sources: &[DlpSecret]) -> Result<Exact, Failure> {
    let sources: Vec<ExactSource> = sources.iter().map(exact_source).collect();
    load_exact(&sources).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(|one| format!("\n  - {one}")).collect();
        Failure::new(format!("values that `dlp.secrets` names cannot be read:{}", lines.concat()))
            .help("provide them and start again, or take them out of `dlp.secrets`")
    })
}

fn exact_source(secret: &DlpSecret) -> ExactSource {
    match secret {
        DlpSecret::Env { name } => ExactSource::Env { name: name.clone() },
        DlpSecret::File { path, keys } => ExactSource::File { path: path.clone(), keys: keys.clone() },
        DlpSecret::Command { argv } => ExactSource::Command { argv: argv.clone() },
    }
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot read `{}` for {what}: {error}", path.display()))
        .help("correct the path in the manifest, or the file's permissions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_dotenv_file_is_sought_and_a_key_file_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            DlpSecret::File { path, keys: None }
        };
        let values = |source: DlpSecret| -> Vec<String> {
            let found = exact_values(&[source]).expect("readable").sought;
            found.iter().map(|v| String::from_utf8_lossy(v.value.dangerous_expose()).into_owned()).collect()
        };
        let lines = "# comment\nA=plain-value-of-a # why\nexport B=\"with # sign\"\n\nEMPTY=\n";
        assert_eq!(values(file(".env", lines)), ["plain-value-of-a", "with # sign"]);
        // One line of base64 ends in `==` and is no `KEY=value`.
        assert_eq!(values(file("key", "c2VjcmV0LWtleS1ieXRlcw==\n")), ["c2VjcmV0LWtleS1ieXRlcw=="]);
    }

    #[test]
    fn a_value_that_cannot_be_read_stops_the_start() {
        let missing = DlpSecret::File { path: "/nonexistent/.env".into(), keys: None };
        let unset = DlpSecret::Env { name: "BOTTLE_TEST_UNSET_VARIABLE".into() };
        let failure = exact_values(&[missing, unset]).expect_err("not there");
        assert!(failure.what.contains("`/nonexistent/.env`"), "{}", failure.what);
        assert!(failure.what.contains("BOTTLE_TEST_UNSET_VARIABLE"), "{}", failure.what);
    }

    /// Who holds secrets and who seeks them must agree on what is too short, or a value is neither sought nor told.
    #[test]
    fn what_the_scanner_leaves_out_is_what_is_told() {
        for length in 1..20 {
            let value = credentials::Secret::new(vec![b'x'; length]);
            let known = dlp::KnownValue {
                rule: "known-secret".into(),
                name: "v".into(),
                replacement: "r".into(),
                value: value.dangerous_expose(),
            };
            let (_, short) = dlp::KnownValues::new(&[known]);
            assert_eq!(value.is_sought(), short.is_empty(), "{length} bytes");
        }
    }
}
