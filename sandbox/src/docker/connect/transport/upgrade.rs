//! Requests that turn a connection into a line of bytes: HTTP/1.1 `Upgrade: tcp`, as Docker's API has it for attaching.
use super::{Body, Transport, empty};
use bollard::errors::Error;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use serde_json::Value;
use std::io;
use std::time::Duration;

/// How long an engine may take to let us on the line: Podman makes a container ready first.
const ANSWER: Duration = Duration::from_secs(120);
/// Bytes of a refusal.
const REFUSAL: usize = 64 * 1024;

impl Transport {
    /// Puts a question on a connection of its own, which is the asker's from the answer on.
    pub(in crate::docker::connect) async fn upgrade(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Upgraded, Error> {
        let asked = async {
            let answer = self.ask(request(path, body)?).await?;
            match answer.status() {
                StatusCode::SWITCHING_PROTOCOLS => hyper::upgrade::on(answer).await.map_err(io_error),
                status => Err(refusal(status, answer).await),
            }
        };
        tokio::time::timeout(ANSWER, asked).await.map_err(|_| Error::RequestTimeoutError)?
    }

    async fn ask(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        super::make_origin_form(&mut request);
        let mut sender = self.open().await.map_err(io_error)?;
        sender.send_request(request).await.map_err(|error| io_error(self.broken(&error)))
    }
}

fn request(path: &str, body: Option<&Value>) -> Result<Request<Body>, Error> {
    let request = Request::post(path).header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
    let built = match body {
        None => request.body(empty()),
        Some(body) => request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed_unsync()),
    };
    built.map_err(io_error)
}

/// As the API's client says it: the engine's own sentence.
async fn refusal(status: StatusCode, answer: Response<Incoming>) -> Error {
    let body = Limited::new(answer.into_body(), REFUSAL).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let said = serde_json::from_slice::<Value>(&body).ok();
    let sentence = said.as_ref().and_then(|said| said.get("message")).and_then(Value::as_str);
    let message = sentence.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned);
    Error::DockerResponseServerError { status_code: status.as_u16(), message }
}

fn io_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    io::Error::other(error).into()
}
