//! What the agent's side may do: look, ask, wait. There is no way from here to an answer.
use super::book::Wish;
use super::petition::{How, NotAsked, Petition};
use crate::body::Body;
use crate::engine::Shared;
use http::{Request, Response};
use policy::{HostPattern, Proposal, Protocol, Route, Scheme, TlsMode, neutral};
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a reason that an agent gives.
const REASON: usize = 500;

/// Pages of `_egress.local` that are not the engine's own: the tools of agents.
pub trait LocalSite: Send + Sync {
    /// Answers a request; its path is none of the engine's own pages.
    fn answer(
        &self,
        desk: AgentSide,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
}

/// A route as the agent may see it.
#[derive(Debug, Clone, Serialize)]
pub struct RouteView {
    /// For people.
    pub name: String,
    /// Which hosts.
    pub host: HostPattern,
    /// Which port.
    pub port: u16,
    /// Which scheme.
    pub scheme: Scheme,
    /// Raw or HTTP.
    pub protocol: Protocol,
    /// Opened or passed through.
    pub tls: TlsMode,
    /// Which methods; none: all.
    pub methods: Option<Vec<policy::Method>>,
    /// Which paths; none: all.
    pub paths: Option<Vec<policy::PathPattern>>,
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
        policy::decide(&engine.policy, request).map(|permitted| permitted.route().name.clone())
    }

    /// Whether somebody can answer.
    pub fn is_attended(&self) -> bool {
        self.0.desk.is_attended()
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
    RouteView {
        name: route.name.clone(),
        host: route.host.clone(),
        port: route.port,
        scheme: route.scheme,
        protocol: route.protocol,
        tls: route.tls,
        methods: route.methods.clone(),
        paths: route.paths.clone(),
        credential,
    }
}
