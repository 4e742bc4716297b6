//! What stands on the pages. They are read by a model: plain, short, exact.
use crate::body::{Body, full};
use crate::desk::{AgentSide, Refusal, RouteView};
use crate::names::LOCAL_NAME;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use policy::{Method, PathPattern, Protocol, TlsMode};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) const NOT_FOUND: &str = "there are `/` and `/routes.json` (what this bottle may reach), `/why/<id>` (why a request \
                                    was refused; the id stands in the refusal), `/ask` (POST: ask the operator), `/ask/<id>` \
                                    (what became of it) and `/openapi.json`";

/// Where the tools of agents are. The program is inside of every bottle, and not beside an egress that stands alone.
const TOOLS: &str = "The same as tools of an MCP server: http://_egress.local/mcp; over standard input and output, where this \
                     program is there: `/run/bottle/bin/bottle mcp`.\n";

pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    page(status, "text/plain; charset=utf-8", text)
}

pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    page(status, "application/json", format!("{value}\n"))
}

/// What went wrong: a stable code and a sentence.
pub(super) fn problem(status: StatusCode, code: &str, sentence: &str) -> Response<Body> {
    json(status, &json!({ "code": code, "error": sentence }))
}

/// Another method than those.
pub(super) fn only(methods: &'static str) -> Response<Body> {
    let mut response =
        problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", &format!("only {methods}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|text| text.contains("application/json"))
}

/// How to ask, or that nobody is there.
fn how_to_ask(desk: &AgentSide) -> String {
    if !desk.is_attended() {
        return "Nobody attends to this bottle: asking for more is answered with no at once.\n".to_owned();
    }
    format!(
        "If you need more, ask the operator: the tool `egress-block`, or POST http://{LOCAL_NAME}/ask with JSON such as \
         {{\"method\": \"GET\", \"url\": \"https://api.example.com/v1/users\", \"why\": \"…\"}}; then GET \
         http://{LOCAL_NAME}/ask/<id>?wait=30 says what became of it.\n"
    )
}

pub(crate) fn routes_text(desk: &AgentSide) -> String {
    let routes = desk.routes();
    let mut text = String::from("This bottle may reach the following, and nothing else.\n");
    for route in &routes {
        let _infallible = writeln!(text, "- {}", line(route));
    }
    if routes.is_empty() {
        text.push_str("- nothing\n");
    }
    text.push_str("This is the operator's policy: look for no way around it. ");
    text.push_str(&how_to_ask(desk));
    text
}

/// What the first page says.
pub(super) fn help_text(desk: &AgentSide) -> String {
    routes_text(desk) + TOOLS
}

fn line(route: &RouteView) -> String {
    let reach = &route.reach;
    let kind = match (reach.protocol, reach.tls) {
        (Protocol::Tcp, _) => return format!("raw TCP {}:{}", reach.host, reach.port),
        (Protocol::Http, TlsMode::Passthrough) => "TLS, not opened",
        (Protocol::Http, TlsMode::Open) => reach.scheme.as_str(),
    };
    let methods = reach
        .methods
        .as_ref()
        .map_or("any method".to_owned(), |all| all.iter().map(Method::as_str).collect::<Vec<_>>().join(", "));
    let paths = reach.paths.as_ref().map_or("any path".to_owned(), |all| {
        all.iter().map(PathPattern::as_str).collect::<Vec<_>>().join(", ")
    });
    let credential = if route.credential { "; a credential is added on the way" } else { "" };
    format!("{kind} {}:{} ({methods}; {paths}{credential})", reach.host, reach.port)
}

pub(super) fn routes_json(desk: &AgentSide) -> Value {
    json!({ "routes": desk.routes(), "attended": desk.is_attended() })
}

pub(super) fn why_json(desk: &AgentSide, refusal: &Refusal) -> Value {
    json!({
        "exchange": refusal.exchange, "code": refusal.code, "reason": refusal.reason, "policy": true,
        "askable": refusal.proposal.is_some() && desk.is_attended(),
        "proposal": refusal.proposal.as_ref().map(ToString::to_string),
    })
}

pub(super) fn why_text(desk: &AgentSide, refusal: &Refusal) -> String {
    let Refusal { exchange, code, reason, proposal } = refusal;
    let ask = match proposal {
        Some(proposal) if desk.is_attended() => format!(
            "The narrowest route that would help is `{proposal}`. Ask the operator for it with the tool `egress-block`, or \
             POST http://{LOCAL_NAME}/ask with JSON {{\"exchange\": \"{exchange}\", \"why\": \"…\"}}.\n"
        ),
        Some(proposal) => format!(
            "The narrowest route that would help is `{proposal}`. Nobody attends to this bottle, so it cannot be asked for \
             now: go on without it, and say in your result what you would have needed.\n"
        ),
        None => "No route would change this, so there is nothing to ask for.\n".to_owned(),
    };
    format!(
        "{reason}\ncode: {code}\nThis is the policy of the bottle that you run in, not a fault: do not look for a way \
         around it. What is allowed stands at http://{LOCAL_NAME}/.\n{ask}"
    )
}
