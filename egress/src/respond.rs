//! Refusals, made to be understood by an agent: one sentence, in the shape that its client shows.
use crate::body::{Body, full};
use crate::budget::whole_seconds;
use crate::headers::{DECISION, EXCHANGE, has_token};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use policy::{Denial, DenialCode, Host};
use serde_json::{Value, json};

/// The body that a client shows to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anthropic's error object.
    Anthropic,
    /// OpenAI's, which most compatible APIs share.
    OpenAi,
    /// Google's.
    Google,
    /// JSON was accepted.
    Json,
    /// git and everything else.
    Text,
    /// A WebSocket handshake: its clients read nothing but the status.
    WebSocket,
}

impl Shape {
    /// From what the request says of its client and its host.
    pub(crate) fn of(host: Option<&Host>, headers: &HeaderMap, websocket: bool) -> Shape {
        if websocket {
            return Shape::WebSocket;
        }
        match of_model(host.and_then(Host::name).unwrap_or_default(), headers) {
            Some(shape) => shape,
            None if accepts_json(headers) => Shape::Json,
            None => Shape::Text,
        }
    }
}

/// The shape of those whose models agents talk to.
fn of_model(host: &str, headers: &HeaderMap) -> Option<Shape> {
    if headers.contains_key("anthropic-version") || host.ends_with("anthropic.com") {
        Some(Shape::Anthropic)
    } else if host.ends_with("googleapis.com") {
        Some(Shape::Google)
    } else if OPENAI_LIKE.iter().any(|known| host.ends_with(known)) {
        Some(Shape::OpenAi)
    } else {
        None
    }
}

/// Hosts whose clients read OpenAI's error object.
const OPENAI_LIKE: [&str; 8] = [
    "openai.com",
    "chatgpt.com",
    "openrouter.ai",
    "mistral.ai",
    "groq.com",
    "deepseek.com",
    "x.ai",
    "together.xyz",
];

/// Whether a model answers: what it says is meant for an agent.
pub(crate) fn is_model(host: &Host, headers: &HeaderMap) -> bool {
    let name = host.name().unwrap_or_default();
    match of_model(name, headers) {
        // Documents of users come from other names below this one.
        Some(Shape::Google) => {
            ["generativelanguage.", "aiplatform."].iter().any(|model| name.contains(model))
        }
        Some(_) => true,
        None => false,
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|item| {
        let kind = item.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
    })
}

/// What every refusal says, wherever it is said; how to ask, where a rule would help and somebody attends.
pub(crate) fn sentence(denial: &Denial, id: &str, attended: bool) -> String {
    let (code, local) = (denial.code.as_str(), crate::names::LOCAL_NAME);
    let ask = if attended && denial.code.is_askable() {
        format!(" if you need it, ask with the tool `egress-block` or POST http://{local}/ask;")
    } else {
        String::new()
    };
    format!("bot-bottle: {} (code {code};{ask} http://{local}/why/{id} says more)", denial.sentence)
}

/// The answer to a request that does not go out, or whose upstream failed.
pub(crate) fn refusal(denial: &Denial, id: &str, shape: Shape, attended: bool) -> Response<Body> {
    let status = status_of(denial.code, shape);
    let (content_type, body) = shaped(denial, id, shape, status, attended);
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(DECISION, text_value(&format!("{}; code={}", word(denial.code), denial.code.as_str())));
    headers.insert(EXCHANGE, text_value(id));
    if status.is_client_error() {
        // Read by the SDKs of LLM providers: a policy does not change by asking again.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    if let Some(time) = denial.opens_in {
        // With a 403 no client waits by itself; who reads it knows when.
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(time)));
    }
    response
}

/// The same as bytes, for a connection whose HTTP is beyond repair.
pub(crate) fn raw_refusal(denial: &Denial, id: &str) -> Vec<u8> {
    let status = status_of(denial.code, Shape::Text);
    let (_, body) = shaped(denial, id, Shape::Text, status, false);
    let code = denial.code.as_str();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         bottle-decision: denied; code={code}\r\nbottle-exchange: {id}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn status_of(code: DenialCode, shape: Shape) -> StatusCode {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::FORBIDDEN);
    if shape == Shape::WebSocket && status.is_client_error() { StatusCode::UPGRADE_REQUIRED } else { status }
}

/// An upstream's failure is not a decision against the agent.
fn word(code: DenialCode) -> &'static str {
    match code {
        DenialCode::UpstreamCertificate
        | DenialCode::UpstreamUnreachable
        | DenialCode::UpstreamTimeout
        | DenialCode::UpstreamProxy => "failed",
        _ => "denied",
    }
}

fn shaped(
    denial: &Denial,
    id: &str,
    shape: Shape,
    status: StatusCode,
    attended: bool,
) -> (&'static str, String) {
    let message = sentence(denial, id, attended);
    let code = denial.code.as_str();
    let json = |value: Value| ("application/json", value.to_string());
    match shape {
        Shape::Anthropic => json(json!({
            "type": "error",
            "error": { "type": anthropic_type(status), "message": message },
            "request_id": id,
        })),
        Shape::OpenAi => json(json!({
            "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code },
        })),
        Shape::Google => json(json!({
            "error": { "code": status.as_u16(), "message": message, "status": google_status(status) },
        })),
        Shape::Json => json(json!({ "error": message, "code": code, "exchange": id })),
        Shape::Text | Shape::WebSocket => ("text/plain; charset=utf-8", format!("{message}\n")),
    }
}

fn anthropic_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "permission_error",
        413 => "request_too_large",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

fn google_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "PERMISSION_DENIED",
        504 => "DEADLINE_EXCEEDED",
        500.. => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

fn text_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("denied"))
}

/// Whether an h1 head asks for a WebSocket.
pub(crate) fn asks_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && upgrade_is_websocket(headers)
}

/// Whether the framing in front holds the connection for this head: see [`crate::framing`].
pub(crate) fn upgrade_is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_shape_follows_host_and_client() {
        let host = |name: &str| Host::parse(name).expect("a host");
        let none = headers(&[]);
        assert_eq!(Shape::of(Some(&host("api.anthropic.com")), &none, false), Shape::Anthropic);
        assert_eq!(Shape::of(Some(&host("generativelanguage.googleapis.com")), &none, false), Shape::Google);
        assert_eq!(Shape::of(Some(&host("api.openai.com")), &none, false), Shape::OpenAi);
        assert_eq!(Shape::of(Some(&host("api.openai.com")), &none, true), Shape::WebSocket);
        let json = headers(&[("accept", "text/html, application/vnd.github+json")]);
        assert_eq!(Shape::of(Some(&host("example.com")), &json, false), Shape::Json);
        assert_eq!(Shape::of(None, &headers(&[("accept", "*/*")]), false), Shape::Text);
    }

    #[tokio::test]
    async fn every_shape_says_the_same_sentence() {
        let denial =
            Denial::new(DenialCode::HostNotAllowed, "`evil.example` is not allowed here, says \"policy\"");
        for shape in [Shape::Anthropic, Shape::OpenAi, Shape::Google, Shape::Json, Shape::Text] {
            let response = refusal(&denial, "42", shape, true);
            assert_eq!(response.status(), 403);
            assert_eq!(response.headers()["bottle-decision"], "denied; code=host-not-allowed");
            assert_eq!(response.headers()["bottle-exchange"], "42");
            let body = response.into_body().collect().await.expect("it is there whole").to_bytes();
            let text = String::from_utf8_lossy(&body).replace("\\\"", "\"");
            assert!(text.contains(&sentence(&denial, "42", true)), "{shape:?}: {text}");
        }
        assert_eq!(refusal(&denial, "42", Shape::WebSocket, true).status(), 426);
    }

    #[test]
    fn how_to_ask_is_said_where_asking_helps() {
        let says =
            |code, attended| sentence(&Denial::new(code, "no"), "42", attended).contains("egress-block");
        assert!(says(DenialCode::HostNotAllowed, true));
        assert!(!says(DenialCode::HostNotAllowed, false), "nobody is there to be asked");
        for code in [DenialCode::SecretInRequest, DenialCode::NotGranted, DenialCode::KillSwitch] {
            assert!(!says(code, true), "no rule would help: {}", code.as_str());
        }
    }

    #[test]
    fn an_upstream_failure_is_not_a_denial() {
        let denial = Denial::new(DenialCode::UpstreamUnreachable, "`a.example` cannot be reached");
        let response = refusal(&denial, "1", Shape::Text, true);
        assert_eq!(
            (response.status().as_u16(), &response.headers()["bottle-decision"]),
            (502, &HeaderValue::from_static("failed; code=upstream-unreachable"))
        );
    }
}
