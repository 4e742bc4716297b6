//! Requests taken apart and answers put together.
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use std::convert::Infallible;
use std::time::Duration;

pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A request with what the sites ask about it.
pub(crate) struct Asked {
    pub(crate) host: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) request: http::Request<Incoming>,
}

impl Asked {
    pub(crate) fn new(request: http::Request<Incoming>) -> Asked {
        let header = request.headers().get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
        let authority = request.uri().authority().map(ToString::to_string);
        let host = authority.or(header).unwrap_or_default();
        Asked {
            host: host.split(':').next().unwrap_or_default().to_owned(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            version: request.version(),
            headers: request.headers().clone(),
            request,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The whole body; what broke off is empty and fails the test that needed it.
    pub(crate) async fn body(self) -> Bytes {
        self.request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
    }
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(bytes.into()).boxed_unsync()
}

pub(crate) fn typed(code: u16, kind: &str, bytes: impl Into<Bytes>) -> Answer {
    Response::builder().status(code).header("content-type", kind).body(full(bytes)).expect("a sound answer")
}

pub(crate) fn status(code: u16, text: &str) -> Answer {
    typed(code, "text/plain", text.to_owned())
}

pub(crate) fn text(text: impl Into<String>) -> Answer {
    typed(200, "text/plain", text.into())
}

pub(crate) fn json(value: &serde_json::Value) -> Answer {
    typed(200, "application/json", value.to_string())
}

/// Pieces, each in a frame of its own, with a pause before each but the first.
pub(crate) fn stream(kind: &str, pieces: Vec<String>, pause: Duration) -> Answer {
    let frames =
        futures_util::stream::iter(pieces.into_iter().enumerate()).then(move |(number, piece)| async move {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            Ok(Frame::data(Bytes::from(piece)))
        });
    let body = StreamBody::new(frames).boxed_unsync();
    Response::builder().header("content-type", kind).body(body).expect("a sound answer")
}

/// Server-sent events as the model providers write them.
pub(crate) fn events(events: &[serde_json::Value], named: bool) -> Answer {
    let line = |event: &serde_json::Value| {
        let name = event["type"].as_str().filter(|_| named);
        format!("{}data: {event}\n\n", name.map(|name| format!("event: {name}\n")).unwrap_or_default())
    };
    stream("text/event-stream", events.iter().map(line).collect(), Duration::from_millis(2))
}
