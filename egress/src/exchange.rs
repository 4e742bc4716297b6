//! The story of one request: decide → screen → inject → send → scrub → record.
//!
//! Each step takes what only the step before can make: [`policy::decide`] (in [`decide`]) makes the `Permitted`, [`screen`] the
//! [`Screened`], [`inject`] the [`Outbound`]. The event is written when the last byte of either body has gone.
mod decide;
mod inject;

mod scrub;
mod send;

use crate::body::Body;
use crate::budget::Purse;
use crate::engine::Shared;
use crate::headers;
use crate::interim::Teller;
use crate::record::Ledger;
use crate::respond::is_model;
use crate::screen::{Watch, exempt};
use crate::upstream::PoolIdentity;
use crate::websocket::Bridge;
use credentials::{Binding, Placeholder, Secret};
use decide::decide;
use http::{Method, Response, header};
use http_body::Body as _;
use inject::inject;

use policy::{Denial, Permitted, Request};
use scrub::{From, scrub};
use send::send;
use std::sync::Arc;

pub(crate) use scrub::{Inward, scrub_headers, scrubbed};

/// A request as it came in, after its hop-by-hop headers were taken off.
pub(crate) struct Asked {
    /// What is judged.
    pub facts: Request,
    /// What comes with it.
    pub head: http::request::Parts,
    /// Its body.
    pub body: Body,
    /// Whether it shakes hands for a WebSocket.
    pub websocket: bool,
    /// Where interim answers are said; `None`: this leg has no way to say them.
    pub teller: Option<Teller>,
}

/// What the agent gets.
pub(crate) enum Answered {
    /// An answer of the upstream.
    Response(Response<Body>),
    /// A WebSocket that is open on the far side; the head is for the near one.
    Switched(Response<()>, Box<Bridge>),
}

/// A permitted request in which nothing was found that must stay inside.
struct Screened {
    permitted: Permitted,
    head: http::request::Parts,
    body: Body,
    websocket: bool,
    binding: Option<Binding>,
    watch: Watch,
}

/// What goes out, with its credential.
struct Outbound {
    permitted: Permitted,
    request: http::Request<Body>,
    identity: PoolIdentity,
    websocket: bool,
    swap: Option<(Placeholder, Secret)>,
    watch: Watch,
}

/// One request from its first judgement to the head of its answer.
/// # Errors
/// The denial to tell the agent; it stands in the ledger by then.
pub(crate) async fn exchange(
    engine: &Arc<Shared>,
    asked: Asked,
    ledger: &Ledger,
) -> Result<Answered, Box<Denial>> {
    let Asked { facts, head, body, websocket, teller } = asked;
    engine.records()?;
    let head_only = head.method == Method::HEAD;
    let (engine, permitted) = decide(engine, facts, ledger).await?;
    let engine = &engine;
    let purse = engine.purse(permitted.route());
    pay(&purse, &permitted, &head, &body)?;
    let body = ledger.count_up(body, purse);
    let from =
        From { route: permitted.route().id, model: is_model(&permitted.request().host, &head.headers) };
    let screened = screen(engine, permitted, head, body, websocket, ledger)?;
    let outbound = inject(engine, screened, ledger).await?;
    let answer = send(engine, outbound, teller.as_ref(), ledger).await?;
    let answered = scrub(engine, answer, from, head_only, ledger)?;
    // A request body may have been broken off meanwhile. Later than this, the agent's leg is cut for it.
    ledger.broken().map_or(Ok(answered), |denial| Err(Box::new(denial)))
}

/// Takes the request itself from the budgets; a body that is known to be too large is not begun.
fn pay(
    purse: &Purse,
    permitted: &Permitted,
    head: &http::request::Parts,
    body: &Body,
) -> Result<(), Box<Denial>> {
    purse.request()?;
    let target = permitted.request().target.len() + head.method.as_str().len();
    purse.bytes(target as u64 + headers::size_of_fields(&head.headers))?;
    purse.has_room(body.size_hint().lower())
}

/// Looks for what must stay inside, in the agent's own bytes: before any credential is among them.
fn screen(
    engine: &Shared,
    permitted: Permitted,
    mut head: http::request::Parts,
    body: Body,
    websocket: bool,
    ledger: &Ledger,
) -> Result<Screened, Box<Denial>> {
    let binding = engine.bindings.get(&permitted.route().id).cloned();
    headers::overrides(permitted.route(), &head.headers)?;
    let exempt = exempt(binding.as_ref(), &head.headers, websocket);
    let watch = Watch::new(&engine.terms, &permitted, exempt, ledger);
    watch.request(&permitted, &mut head.headers)?;
    let body = watch.body(&head.headers, body)?;
    if watch.rewrites() {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Screened { permitted, head, body, websocket, binding, watch })
}
