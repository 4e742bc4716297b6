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
            Ok(permitted) => {
                ledger.note(|event| event.route = Some(permitted.route().name.clone()));
                // Whoever changes the policy looks at what is noted after it has changed it: seen here or there.
                if engine.is_in_force() {
                    return Ok((engine, permitted));
                }
                ledger.note(|event| event.route = None);
                permitted.request().clone()
            }
            Err(denial) if !engine.is_in_force() => match denial.request {
                Some(request) => *request,
                None => return Err(denial),
            },
            Err(denial) => {
                let Some(request) = askable(&denial) else { return Err(denial) };
                if let Some(permitted) = for_once(&engine, &request, ledger)? {
                    return Ok(permitted);
                }
                wait(&engine, denial, request, began, ledger).await?
            }
        };
        engine = engine.now();
    }
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
