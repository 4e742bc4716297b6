//! Requests: bounded in number, size and time.
use super::act;
use super::gate::{Gate, Refused};
use super::keys::Keys;
use super::page;
use super::stream::{Events, watch};
use super::{Roster, act::Said};
use crate::doorway;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch as stop};

/// Connections at once; a browser opens six.
const CONNECTIONS: usize = 48;
/// Pages that may watch at once.
const PAGES: usize = 8;
/// Bytes of what a page sends.
const LONGEST: usize = 16 * 1024;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Reply = Response<Body>;

/// All that requests are answered from.
pub(super) struct Site {
    gate: Gate,
    keys: Arc<Keys>,
    roster: Arc<dyn Roster>,
    pages: Arc<Semaphore>,
    stopped: stop::Receiver<bool>,
}

impl Site {
    pub(super) fn new(
        port: u16,
        keys: Arc<Keys>,
        roster: Arc<dyn Roster>,
        stopped: stop::Receiver<bool>,
    ) -> Site {
        Site { gate: Gate::new(port), keys, roster, pages: Arc::new(Semaphore::new(PAGES)), stopped }
    }
}

/// Takes connections until the end.
pub(super) async fn accept(listener: TcpListener, site: Arc<Site>) {
    let stopped = site.stopped.clone();
    let answering = move |request| {
        let site = Arc::clone(&site);
        async move { answer(request, &site).await }
    };
    doorway::accept(listener, CONNECTIONS, stopped, answering).await;
}

/// Every answer carries the guards, refusals too.
async fn answer(request: Request<Incoming>, site: &Arc<Site>) -> Reply {
    let (head, body) = request.into_parts();
    let mut reply = route(&head, body, site).await.unwrap_or_else(refused);
    page::guard(reply.headers_mut());
    reply
}

async fn route(head: &Parts, body: Incoming, site: &Arc<Site>) -> Result<Reply, Refused> {
    site.gate.host(head)?;
    let path = head.uri.path();
    if let Some(file) = page::file(path) {
        if path != "/" {
            site.gate.own_page(head)?;
        }
        return Ok(if head.method == Method::GET {
            text(file.kind, file.text.into())
        } else {
            not_so("GET")
        });
    }
    match path {
        "/events" if head.method == Method::GET => {
            site.gate.own_page(head)?;
            Gate::session(head, &site.keys)?;
            Ok(events(site))
        }
        "/session" | "/answer" | "/lock" | "/reload" | "/routes" if head.method == Method::POST => {
            site.gate.order(head)?;
            if path != "/session" {
                Gate::session(head, &site.keys)?;
            }
            Ok(obey(path, body, site).await)
        }
        "/events" => Ok(not_so("GET")),
        "/session" | "/answer" | "/lock" | "/reload" | "/routes" => Ok(not_so("POST")),
        _ => Ok(said(StatusCode::NOT_FOUND, "there is nothing here")),
    }
}

/// What a page that is let in asks for.
async fn obey(path: &str, body: Incoming, site: &Arc<Site>) -> Reply {
    let whole = tokio::time::timeout(PATIENCE, Limited::new(body, LONGEST).collect()).await;
    let bytes = match whole {
        Ok(Ok(whole)) => whole.to_bytes(),
        Ok(Err(_)) => {
            return said(StatusCode::PAYLOAD_TOO_LARGE, "this is longer than anything that is read here");
        }
        Err(_) => return said(StatusCode::REQUEST_TIMEOUT, "the rest did not come in time"),
    };
    if path == "/session" {
        return open(&bytes, site);
    }
    let (path, site) = (path.to_owned(), Arc::clone(site));
    // Control sockets are read by waiting.
    let acted = tokio::task::spawn_blocking(move || act::act(&path, &bytes, &*site.roster)).await;
    let Said { status, value } =
        acted.unwrap_or_else(|_| Said::failed("this went wrong; nothing is known of it"));
    json(status, &value)
}

fn open(bytes: &[u8], site: &Site) -> Reply {
    #[derive(serde::Deserialize)]
    struct Link {
        token: String,
    }
    let Ok(Link { token }) = serde_json::from_slice(bytes) else {
        return said(StatusCode::BAD_REQUEST, "this cannot be understood");
    };
    match site.keys.open(&token) {
        Some(session) => json(StatusCode::OK, &json!({ "session": session })),
        None => {
            let used = "this link was used already, or is of an earlier `bottle ui`; press Enter there for a new one";
            said(StatusCode::UNAUTHORIZED, used)
        }
    }
}

fn events(site: &Arc<Site>) -> Reply {
    let Ok(place) = Arc::clone(&site.pages).try_acquire_owned() else {
        return said(StatusCode::TOO_MANY_REQUESTS, "too many pages watch already; close one");
    };
    let body: Events = watch(Arc::clone(&site.roster), site.stopped.clone(), place);
    let mut reply = Response::new(body.boxed_unsync());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    reply
}

fn refused(why: Refused) -> Reply {
    said(why.status(), why.sentence())
}

fn not_so(allowed: &'static str) -> Reply {
    let mut reply = said(StatusCode::METHOD_NOT_ALLOWED, "not with this method");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

fn said(status: StatusCode, what: &str) -> Reply {
    json(status, &json!({ "what": what }))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    let mut reply = text("application/json", value.to_string().into());
    *reply.status_mut() = status;
    reply
}

fn text(kind: &'static str, text: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(text).boxed_unsync());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
