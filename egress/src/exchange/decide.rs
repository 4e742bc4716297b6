//! Whether a request may go: by the policy, by what was granted for it alone, or once the operator has answered.
use crate::config::Unmatched;
use crate::desk::{NotAsked, Outcome, Refused};
use crate::engine::Shared;
use crate::record::Ledger;
use policy::{Denial, DenialCode, HostPattern, Permitted, Request};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Judges a request by what is in force now, and gives that with it: all that follows is done by the same.
/// # Errors
/// The denial to tell the agent.
pub(super) async fn decide(
    engine: &Arc<Shared>,
    mut facts: Request,
    ledger: &Ledger,
) -> Result<(Arc<Shared>, Permitted), Box<Denial>> {
    let (mut engine, began) = (engine.now(), Instant::now());
    loop {
        ledger.judged_by(engine.scribe.policy());
        engine.unlocked()?;
        facts = match policy::decide(&engine.policy, facts) {
            Ok(permitted) => match noted(&engine, permitted, ledger) {
                Ok(permitted) => return Ok((engine, permitted)),
                Err(request) => *request,
            },
            Err(denial) if !engine.is_in_force() => match denial.request {
                Some(request) => *request,
                None => return Err(denial),
            },
            Err(denial) => {
                let Some(request) = askable(&denial) else { return Err(denial) };
                if let Some(permitted) = for_once(&engine, &request, ledger)? {
                    return Ok(permitted);
                }
                Box::pin(wait(&engine, denial, request, began, ledger)).await?
            }
        };
        engine = engine.now();
    }
}

/// Notes what allows a request. Whoever changes the policy looks at what is noted after it has changed it: a change is seen
/// there, or here.
/// # Errors
/// The request, when another policy is in force by then.
fn noted(engine: &Arc<Shared>, permitted: Permitted, ledger: &Ledger) -> Result<Permitted, Box<Request>> {
    ledger.note(|event| event.route = Some(permitted.route().name.clone()));
    if engine.is_in_force() {
        return Ok(permitted);
    }
    ledger.note(|event| event.route = None);
    Err(Box::new(permitted.request().clone()))
}

/// What no route allows, and one could.
fn askable(denial: &Denial) -> Option<Request> {
    denial.request.as_deref().filter(|_| denial.code.is_askable()).cloned()
}

/// By something that was granted for one request, or to be learned from.
fn for_once(
    engine: &Arc<Shared>,
    request: &Request,
    ledger: &Ledger,
) -> Result<Option<(Arc<Shared>, Permitted)>, Box<Denial>> {
    let mut grants = engine.desk.grants();
    let granted = grants.take_once(request);
    let granted =
        granted.or_else(|| (engine.unmatched == Unmatched::Learn).then(|| grants.learning(request)));
    drop(grants);
    let Some(grant) = granted else { return Ok(None) };
    let apart = engine.with_once(grant);
    let permitted = policy::decide(&apart.policy, request.clone())?;
    ledger.once();
    ledger.note(|event| event.route = Some(permitted.route().name.clone()));
    engine.now().unlocked()?;
    Ok(Some((apart, permitted)))
}

/// Until the operator has answered; gives the request back to be judged again.
async fn wait(
    engine: &Shared,
    denial: Box<Denial>,
    request: Request,
    began: Instant,
    ledger: &Ledger,
) -> Result<Request, Box<Denial>> {
    engine.desk.note_refused(&request);
    let Unmatched::Ask { wait } = engine.unmatched else { return Err(denial) };
    // What holds a value that must stay inside is shown to nobody, and would not go out if it were allowed.
    let shown = format!("{} {}", request.host, request.target);
    if engine.terms.clean(&shown) != shown {
        return Err(denial);
    }
    let left = wait.saturating_sub(began.elapsed());
    if left.is_zero() {
        return Err(unanswered(&denial, wait));
    }
    let near = engine.near(&HostPattern::Exact(request.host.clone()));
    let (code, exchange) = (denial.code, ledger.id());
    let refused = Refused { request: request.clone(), code, exchange, near };
    match engine.desk.hold(refused, left).await {
        Outcome::Again => Ok(request),
        Outcome::Refused(word) => Err(no(&denial, word)),
        Outcome::Expired => Err(unanswered(&denial, wait)),
        Outcome::NotAsked(NotAsked::Unattended) => Err(alone(&denial)),
        Outcome::NotAsked(not) => Err(with(&denial, &format!("{not}"))),
    }
}

fn with(denial: &Denial, what: &str) -> Box<Denial> {
    let (host, port) = (denial.host.clone(), denial.port);
    let sentence = format!("{what}; {denial}");
    Box::new(Denial { host, port, ..Denial::new(DenialCode::NotGranted, sentence) })
}

fn no(denial: &Denial, word: Option<String>) -> Box<Denial> {
    match word {
        Some(word) => with(denial, &format!("the operator was asked and said no: \"{word}\"")),
        None => with(denial, "the operator was asked and said no"),
    }
}

fn unanswered(denial: &Denial, wait: Duration) -> Box<Denial> {
    with(denial, &format!("the operator was asked and did not answer within {} s", wait.as_secs()))
}

/// As if nobody were to be asked, with the reason.
fn alone(denial: &Denial) -> Box<Denial> {
    let sentence = format!("{} (nobody attends to this bottle, so nobody was asked)", denial.sentence);
    Box::new(Denial { sentence, ..denial.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CertificateAuthority, Config, DlpTerms, Engine, Limits, Listeners, Rule, Upstream};
    use credentials::Vault;
    use policy::{Policy, Proposal, RouteId};
    use std::collections::BTreeMap;

    /// Between a judgement and its note another policy came in force: the request is judged again, whichever thread was first.
    #[tokio::test]
    async fn what_was_allowed_by_a_policy_that_is_gone_is_judged_again() {
        let request = Request::from_url("GET", "https://a.test/").expect("a request");
        let route = Proposal::of(&request).route(RouteId(0), "a".to_owned());
        let policy = Arc::new(Policy::new(vec![route], BTreeMap::new()));
        let vault = Vault::from_values(Vec::new());
        let config = Config {
            bottle: "test".to_owned(),
            policy: Arc::clone(&policy),
            bindings: BTreeMap::new(),
            vault: vault.clone(),
            dlp: DlpTerms::default(),
            ca: CertificateAuthority::generate("test").expect("a CA"),
            upstream: Upstream::default(),
            limits: Limits::default(),
            audit: audit::Auditor::discarding("test"),
            asking: crate::Asking::default(),
        };
        let engine = Engine::start(config, Listeners::default()).expect("started");
        let (old, steering) = (engine.now(), engine.steering());
        let ledger = Ledger::open(&old.scribe, "h1");
        let permitted = policy::decide(&old.policy, request.clone()).expect("allowed");
        let permitted = noted(&old, permitted, &ledger).expect("still in force");
        let rule = Rule {
            policy: Arc::default(),
            hash: "b".to_owned(),
            bindings: BTreeMap::new(),
            vault,
            dlp: DlpTerms::default(),
            budgets: crate::Budgets::default(),
            unmatched: Unmatched::Deny,
        };
        steering.rule(rule, "a test");
        assert_eq!(noted(&old, permitted, &ledger).err().map(|request| *request), Some(request.clone()));
        let refused = decide(&old, request, &ledger).await.err().expect("refused");
        assert_eq!(refused.code, DenialCode::HostNotAllowed);
    }
}
