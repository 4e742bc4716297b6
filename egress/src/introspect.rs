//! `http://_egress.local/`: what this bottle may reach, and why something was refused. No secrets, nothing to change.
use crate::body::{Body, full};
use crate::desk::{AgentSide, Refusal};
use crate::engine::Shared;
use http::{HeaderValue, Method, Response, StatusCode, header, request};
use policy::{Denial, PathPattern, Proposal, Protocol, Route, TlsMode};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Refusals that are remembered for `/why/<id>`.
const REMEMBERED: usize = 256;

/// The last refusals.
#[derive(Default)]
pub(crate) struct Refused(Mutex<VecDeque<Refusal>>);

impl Refused {
    pub(crate) fn remember(&self, id: &str, denial: &Denial, reason: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(REMEMBERED - 1);
        let (exchange, code) = (id.to_owned(), denial.code.as_str().to_owned());
        let proposal = denial.request.as_deref().map(Proposal::of);
        all.push_front(Refusal { exchange, code, reason, proposal });
    }
    pub(crate) fn find(&self, asked: &str) -> Option<Refusal> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|refusal| refusal.exchange == asked || refusal.code == asked).cloned()
    }
    pub(crate) fn all(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Answers a request to the egress itself.
pub(crate) async fn answer(engine: &Arc<Shared>, path: &str, request: http::Request<Body>) -> Response<Body> {
    match &engine.local {
        Some(local) if !is_own(path) => local.answer(AgentSide::new(Arc::clone(engine)), request).await,
        _ => own(engine, path, &request.into_parts().0),
    }
}

/// Whether a page is the engine's own.
fn is_own(path: &str) -> bool {
    ["/", "/routes", "/routes.json"].contains(&path) || path.starts_with("/why/")
}

fn own(engine: &Shared, path: &str, head: &request::Parts) -> Response<Body> {
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return page(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain; charset=utf-8",
            "only GET and HEAD\n".to_owned(),
        );
    }
    let json = wants_json(head);
    match path {
        "/" | "/routes" if json => routes_json(engine),
        "/" | "/routes" => page(StatusCode::OK, "text/plain; charset=utf-8", routes_text(engine)),
        "/routes.json" => routes_json(engine),
        _ => match path.strip_prefix("/why/").and_then(|asked| engine.refused.find(asked)) {
            Some(refusal) => why(&refusal.code, &refusal.reason, json),
            None => page(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", NOT_FOUND.to_owned()),
        },
    }
}

const NOT_FOUND: &str = "there are `/` and `/routes.json` (what this bottle may reach) and `/why/<id>` (why a request \
                         was refused; the id stands in the refusal)\n";

fn wants_json(head: &request::Parts) -> bool {
    let accepted = head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|text| text.contains("application/json"))
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn why(code: &str, sentence: &str, json: bool) -> Response<Body> {
    if json {
        let body = json!({ "code": code, "reason": sentence, "policy": true });
        return page(StatusCode::OK, "application/json", body.to_string());
    }
    let text = format!(
        "{sentence}\ncode: {code}\nThis is the policy of the bottle that you run in, not a fault: do not look for a way \
         around it. What is allowed stands at http://{}/; the person who started you can allow more in the manifest.\n",
        crate::names::LOCAL_NAME
    );
    page(StatusCode::OK, "text/plain; charset=utf-8", text)
}

fn routes_text(engine: &Shared) -> String {
    let policy = &engine.policy;
    let mut text = String::from("This bottle may reach the following, and nothing else.\n");
    for route in policy.routes() {
        let _infallible = writeln!(text, "- {}", line(route));
    }
    if policy.routes().is_empty() {
        text.push_str("- nothing\n");
    }
    text
}

fn line(route: &Route) -> String {
    let kind = match (route.protocol, route.tls) {
        (Protocol::Tcp, _) => "raw TCP",
        (Protocol::Http, TlsMode::Passthrough) => "TLS, not opened",
        (Protocol::Http, TlsMode::Open) => route.scheme.as_str(),
    };
    let methods = route.methods.as_ref().map_or("any method".to_owned(), |all| {
        all.iter().map(policy::Method::as_str).collect::<Vec<_>>().join(", ")
    });
    let paths = route.paths.as_ref().map_or("any path".to_owned(), |all| patterns(all).join(", "));
    format!("{kind} {}:{} ({methods}; {paths})", route.host, route.port)
}

fn patterns(all: &[PathPattern]) -> Vec<String> {
    all.iter().cloned().map(String::from).collect()
}

fn routes_json(engine: &Shared) -> Response<Body> {
    let policy = &engine.policy;
    let routes: Vec<Value> = policy
        .routes()
        .iter()
        .map(|route| {
            json!({
                "name": route.name, "host": route.host, "port": route.port, "scheme": route.scheme,
                "protocol": route.protocol, "tls": route.tls, "methods": route.methods, "paths": route.paths,
                "credential": engine.bindings.contains_key(&route.id),
            })
        })
        .collect();
    page(StatusCode::OK, "application/json", json!({ "routes": routes }).to_string())
}
