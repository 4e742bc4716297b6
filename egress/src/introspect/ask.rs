//! `/ask`: a wish in, a petition out; and what became of it.
use super::page::{json, only, problem};
use crate::body::Body;
use crate::desk::{AgentSide, Ask, NotPut, Petition, State, Told};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes of a wish.
const LONGEST: usize = 16 * 1024;
/// Time for them to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that an answer is waited for at most.
pub(super) const WAIT: u64 = 60;
/// Seconds after which a new petition may be opened again, when there were too many.
const LATER: HeaderValue = HeaderValue::from_static("60");

/// `POST /ask`.
pub(super) async fn put(desk: &AgentSide, request: Request<Body>) -> Response<Body> {
    if request.method() != Method::POST {
        return only("POST");
    }
    // What a form of a page cannot say without asking first.
    if !is_json(request.headers()) {
        let sentence = "the content type of a wish is `application/json`";
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", sentence);
    }
    let Ok(Some(body)) = tokio::time::timeout(PATIENCE, whole(request.into_body())).await else {
        let sentence =
            format!("a wish has at most {LONGEST} bytes, and comes within {} s", PATIENCE.as_secs());
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &sentence);
    };
    match serde_json::from_slice::<Ask>(&body) {
        Ok(ask) => desk.put(&ask).map_or_else(|not| refused(&not), |petition| told(&petition)),
        Err(error) => {
            let what = policy::neutral(&error.to_string(), 200);
            problem(StatusCode::BAD_REQUEST, "malformed", &format!("this is no wish: {what}"))
        }
    }
}

/// All of a body; `None` when it is too long, or broke off.
async fn whole(mut body: Body) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if all.len() + data.len() > LONGEST {
            return None;
        }
        all.extend_from_slice(&data);
    }
    Some(all)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn told(petition: &Petition) -> Response<Body> {
    let status = match &petition.state {
        State::Open => StatusCode::ACCEPTED,
        State::Refused { .. } => StatusCode::FORBIDDEN,
        _ => StatusCode::OK,
    };
    json(status, &view(petition))
}

fn view(petition: &Petition) -> Value {
    let mut value = json!(Told::from(petition));
    if petition.state.is_open() {
        value["url"] = json!(format!("http://{}/ask/{}", crate::names::LOCAL_NAME, petition.id));
    }
    value
}

fn refused(not: &NotPut) -> Response<Body> {
    let status = match not.code() {
        "malformed" => StatusCode::BAD_REQUEST,
        "allowed-already" => StatusCode::OK,
        "too-many" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::FORBIDDEN,
    };
    let mut response = problem(status, not.code(), &not.to_string());
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, LATER);
    }
    response
}

/// `GET /ask/<id>`, with `wait=SECONDS` once it is answered, or after [`WAIT`] at the latest.
pub(super) async fn look(desk: &AgentSide, id: &str, query: Option<&str>) -> Response<Body> {
    let wait = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("wait=")));
    let seconds = match wait.map(str::parse::<u64>) {
        None => 0,
        Some(Ok(seconds)) => seconds.min(WAIT),
        Some(Err(_)) => {
            let sentence = format!("`wait` is a number of seconds, at most {WAIT}");
            return problem(StatusCode::BAD_REQUEST, "malformed", &sentence);
        }
    };
    match desk.wait(id, Duration::from_secs(seconds)).await {
        Some(petition) => json(StatusCode::OK, &view(&petition)),
        None => problem(
            StatusCode::NOT_FOUND,
            "unknown-id",
            "no request of this id was asked here, or it was long ago",
        ),
    }
}
