//! `http://_egress.local/`: what this bottle may reach, why something was refused, and the place to ask. No secrets, and
//! nothing that could be changed: an answer to what is asked here comes from the operator's side alone.
mod ask;
mod guard;
mod openapi;
mod page;
mod refused;

use crate::body::Body;
use crate::desk::{AgentSide, LocalAnswer};
use crate::engine::Shared;
use http::{Method, Response, StatusCode, request};
pub(crate) use page::routes_text;
use page::{NOT_FOUND, json, problem, text, wants_json};
pub(crate) use refused::Refused;
use std::sync::Arc;

/// Answers a request to the egress itself.
pub(crate) fn answer(engine: &Arc<Shared>, path: String, request: http::Request<Body>) -> LocalAnswer {
    Box::pin(answered(Arc::clone(engine), path, request))
}

async fn answered(engine: Arc<Shared>, path: String, request: http::Request<Body>) -> Response<Body> {
    if let Err(foreign) = guard::same_site(&request) {
        return foreign.response();
    }
    let (path, desk) = (path.as_str(), AgentSide::new(Arc::clone(&engine)));
    if path == "/ask" {
        return ask::put(&desk, request).await;
    }
    if !is_own(path) {
        let more = engine.local.as_ref().and_then(|local| local.answer(desk, request));
        let Some(more) = more else { return problem(StatusCode::NOT_FOUND, "not-found", NOT_FOUND) };
        return more.await;
    }
    let (head, _) = request.into_parts();
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return page::only("GET, HEAD");
    }
    match path.strip_prefix("/ask/") {
        Some(id) => ask::look(&desk, id, head.uri.query()).await,
        None => own(&desk, path, &head),
    }
}

/// Whether a page is the engine's own.
fn is_own(path: &str) -> bool {
    let pages = ["/", "/routes", "/routes.json", "/openapi.json"];
    pages.contains(&path) || ["/why/", "/ask/"].iter().any(|folder| path.starts_with(folder))
}

fn own(desk: &AgentSide, path: &str, head: &request::Parts) -> Response<Body> {
    let wants_json = wants_json(&head.headers);
    match path {
        "/" | "/routes" if !wants_json => text(StatusCode::OK, page::help_text(desk)),
        "/" | "/routes" | "/routes.json" => json(StatusCode::OK, &page::routes_json(desk)),
        "/openapi.json" => json(StatusCode::OK, &openapi::document()),
        _ => match path.strip_prefix("/why/").and_then(|asked| desk.refusal(asked)) {
            Some(refusal) if wants_json => json(StatusCode::OK, &page::why_json(desk, &refusal)),
            Some(refusal) => text(StatusCode::OK, page::why_text(desk, &refusal)),
            None => problem(StatusCode::NOT_FOUND, "not-found", NOT_FOUND),
        },
    }
}
