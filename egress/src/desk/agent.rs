//! What the agent's side may do: look, ask, wait. There is no way from here to an answer.
use super::ask::{Ask, NotPut};
use super::book::Wish;
use super::petition::{How, NotAsked, Petition};
use crate::body::Body;
use crate::engine::Shared;
use crate::introspect;
use crate::names::is_own_name;
use http::{Request, Response};
use policy::{Denial, Host, HostPattern, Opening, Proposal, Route, Scheme, neutral};
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a reason that an agent gives.
const REASON: usize = 500;

/// What a page answers, in a while.
pub type LocalAnswer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Pages of `_egress.local` that are not the engine's own: the tools of agents.
pub trait LocalSite: Send + Sync {
    /// Answers a request whose path is none of the engine's own pages, and that no page of another site sent; `None`: there
    /// is no such page here either.
    fn answer(&self, desk: AgentSide, request: Request<Body>) -> Option<LocalAnswer>;
}

/// A route as the agent may see it.
#[derive(Debug, Clone, Serialize)]
pub struct RouteView {
    /// For people.
    pub name: String,
    /// What it lets through.
    #[serde(flatten)]
    pub reach: Proposal,
    /// Whether a credential is put on the wire.
    pub credential: bool,
}

/// A refusal that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Of the exchange.
    pub exchange: String,
    /// Its code.
    pub code: String,
    /// Why.
    pub reason: String,
    /// The narrowest route that would have let it through; none where no route would.
    pub proposal: Option<Proposal>,
}

impl Refusal {
    /// What no route would have let through has no proposal, nor has what holds a value that must stay inside: `clean` takes
    /// such values out of a text.
    pub(crate) fn of(id: &str, denial: &Denial, clean: impl Fn(&str) -> String) -> Refusal {
        let (exchange, code) = (id.to_owned(), denial.code.as_str().to_owned());
        let request = denial.request.as_deref().filter(|_| denial.code.is_askable());
        let proposal = request.map(Proposal::of).filter(|proposal| {
            let shown = proposal.to_string();
            clean(&shown) == shown
        });
        Refusal { exchange, code, reason: clean(&denial.sentence), proposal }
    }
}

/// The engine, as far as the agent's side has to do with it. Cheap to clone.
#[derive(Clone)]
pub struct AgentSide(Arc<Shared>);

impl AgentSide {
    pub(crate) fn new(engine: Arc<Shared>) -> AgentSide {
        AgentSide(engine)
    }

    /// What this bottle may reach now, granted routes included.
    pub fn routes(&self) -> Vec<RouteView> {
        let engine = self.0.now();
        engine
            .policy
            .routes()
            .iter()
            .map(|route| view(route, engine.bindings.contains_key(&route.id)))
            .collect()
    }

    /// A refusal of late: by the id of its exchange, or the last one with a code.
    pub fn refusal(&self, asked: &str) -> Option<Refusal> {
        self.0.refused.find(asked)
    }

    /// The last refusals, the latest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.0.refused.all()
    }

    /// Whether a request would go out now, by which route; else why not.
    /// # Errors
    /// The denial, as a request would get it.
    pub fn judge(&self, request: policy::Request) -> Result<String, Box<policy::Denial>> {
        let engine = self.0.now();
        engine.unlocked()?;
        match policy::open(&engine.policy, &request.host, request.port) {
            Opening::Raw(tunnel) => Ok(tunnel.route().name.clone()),
            Opening::Passthrough(tunnel) if request.scheme == Scheme::Https => {
                Ok(tunnel.route().name.clone())
            }
            _ => policy::decide(&engine.policy, request).map(|permitted| permitted.route().name.clone()),
        }
    }

    /// A denial as it would be remembered: without the values of secrets, and with what would help.
    pub fn as_refusal(&self, denial: &Denial) -> Refusal {
        Refusal::of("", denial, |text| self.0.terms.clean(text))
    }

    /// [`AgentSide::routes`] as a page, with how to ask.
    pub fn routes_text(&self) -> String {
        introspect::routes_text(self)
    }

    /// Whether somebody can answer.
    pub fn is_attended(&self) -> bool {
        self.0.desk.is_attended()
    }

    /// Asks for what an agent wrote.
    /// # Errors
    /// When it is no wish, or is not even asked.
    pub fn put(&self, ask: &Ask) -> Result<Petition, NotPut> {
        let why = ask.reason()?;
        let refusal = ask.exchange.as_deref().and_then(|id| self.refusal(id));
        let proposal = ask.proposal(refusal.as_ref())?;
        Ok(self.ask(proposal, why, ask.exchange.as_deref())?)
    }

    /// Asks the operator for a route, because of the refusal of an exchange where that is said. The same that is open already, or
    /// was refused a short time ago, is given as it is.
    /// # Errors
    /// When it is not even asked.
    pub fn ask(&self, proposal: Proposal, why: &str, exchange: Option<&str>) -> Result<Petition, NotAsked> {
        let engine = self.0.now();
        if let Some(route) = allowed_by(&engine, &proposal) {
            return Err(NotAsked::Allowed(route));
        }
        possible(&engine, &proposal)?;
        let exchange = exchange.and_then(|id| engine.refused.find(id));
        let near = engine.near(&proposal.host);
        engine.desk.open(Wish {
            why: engine.terms.clean(&neutral(why.trim(), REASON)),
            how: How::Asked,
            code: exchange.as_ref().map(|refusal| refusal.code.clone()),
            exchange: exchange.map(|refusal| refusal.exchange),
            would_have_allowed: 0,
            near,
            proposal,
        })
    }

    /// A petition as it is now.
    pub fn petition(&self, id: &str) -> Option<Petition> {
        self.0.desk.find(id)
    }

    /// A petition once it is answered, or as it is when the time is over.
    pub async fn wait(&self, id: &str, time: Duration) -> Option<Petition> {
        self.0.desk.wait(id, time).await
    }
}

/// What no answer could allow is not asked, and nothing that must stay inside is shown by asking.
fn possible(engine: &Shared, proposal: &Proposal) -> Result<(), NotAsked> {
    let no = |why: &str| Err(NotAsked::Impossible(why.to_owned()));
    if let HostPattern::Exact(host) = &proposal.host {
        if host.name().is_some_and(is_own_name) {
            return no("this is the egress itself; it answers always, and there is nothing to allow");
        }
        if let Host::Ip(ip) = host
            && policy::vet(host, proposal.port, &[*ip], false).is_err()
        {
            return no(
                "this is no public address; only the operator's manifest can allow it (`allow_private`)",
            );
        }
    }
    let shown = proposal.to_string();
    if engine.terms.clean(&shown) != shown {
        return no("what you ask for holds a value that must stay inside");
    }
    Ok(())
}

/// The route that has the same words already.
fn allowed_by(engine: &Shared, proposal: &Proposal) -> Option<String> {
    let has_all = |route: &&Arc<Route>| {
        route.host == proposal.host
            && (route.port, route.scheme, route.protocol, route.tls)
                == (proposal.port, proposal.scheme, proposal.protocol, proposal.tls)
            && covers(route.methods.as_deref(), proposal.methods.as_deref())
            && covers(route.paths.as_deref(), proposal.paths.as_deref())
    };
    engine.policy.routes().iter().find(has_all).map(|route| route.name.clone())
}

fn covers<T: PartialEq>(all: Option<&[T]>, asked: Option<&[T]>) -> bool {
    match (all, asked) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(all), Some(asked)) => asked.iter().all(|one| all.contains(one)),
    }
}

fn view(route: &Route, credential: bool) -> RouteView {
    RouteView { name: route.name.clone(), reach: Proposal::of_route(route), credential }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{DenialCode, Request};

    #[test]
    fn what_no_route_changes_has_no_proposal_nor_has_what_holds_a_value() {
        let of = |code, clean: fn(&str) -> String| {
            let request = Request::from_url("GET", "https://a.example/x").expect("a request");
            Refusal::of("1", &Denial::of(code, "no", request), clean).proposal
        };
        let as_it_is = |text: &str| text.to_owned();
        assert!(of(DenialCode::HostNotAllowed, as_it_is).is_some());
        for code in [DenialCode::SecretInRequest, DenialCode::BudgetExceeded, DenialCode::NotGranted] {
            assert_eq!(of(code, as_it_is), None, "{}", code.as_str());
        }
        assert_eq!(of(DenialCode::HostNotAllowed, |text| text.replace("/x", "[a value]")), None);
    }
}
