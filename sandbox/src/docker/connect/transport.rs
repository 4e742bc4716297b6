//! Bytes to an engine and back: a stream to its place, HTTP/1.1 on it. The API's client would bring transports of its
//! own; this one takes its TLS provider as a value, runs the user's `ssh`, and says what went wrong where.
mod names;
mod ssh;
mod stream;
mod tls;
mod upgrade;

use super::Api;
use super::endpoint::Endpoint;
use crate::SandboxError;
use bollard::BollardRequest;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use stream::Stream;

/// How long an engine may take to let us in.
const CONNECT: Duration = Duration::from_secs(20);
/// How long it may take to say that it is there.
const PING: Duration = Duration::from_secs(20);
/// Connections that cost more than a system call are used again within this time; engines keep them longer.
const REUSE: Duration = Duration::from_secs(15);

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Sender = SendRequest<Body>;

/// The way to one engine.
pub(super) struct Transport {
    dialler: Dialler,
    idle: Mutex<Vec<(Instant, Sender)>>,
}

/// Everything that is needed to dial, looked at before the first attempt.
enum Dialler {
    Unix(std::path::PathBuf),
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16, tls: tls::Client },
    Ssh(super::endpoint::Ssh),
}

impl Transport {
    pub(super) fn new(endpoint: Endpoint) -> Result<Transport, SandboxError> {
        let dialler = match endpoint {
            Endpoint::Unix(path) => Dialler::Unix(path),
            Endpoint::Tcp { host, port, tls: None } => Dialler::Tcp { host, port },
            Endpoint::Tcp { host, port, tls: Some(files) } => {
                let tls = tls::Client::new(&host, &files)?;
                Dialler::Tls { host, port, tls }
            }
            Endpoint::Ssh(ssh) => Dialler::Ssh(ssh),
        };
        Ok(Transport { dialler, idle: Mutex::default() })
    }

    /// Asks whether an engine is there, and takes the version of the API that it speaks from its answer. The question
    /// has no version itself: an engine refuses one that is newer than its own.
    pub(super) async fn ping(&self) -> Result<Api, SandboxError> {
        let request = Request::get("/_ping").body(empty()).map_err(|error| self.odd(&error))?;
        let answer = match tokio::time::timeout(PING, self.send(request)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(self.silent()),
        };
        if !answer.status().is_success() {
            return Err(self.odd(&format!("status {}", answer.status())));
        }
        api_of(answer.headers()).ok_or_else(|| self.odd(&"an answer without the header `Api-Version`"))
    }

    /// What the engine answers to a question that its API's client cannot put, or whose answer it reads in part.
    pub(super) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, SandboxError> {
        let request = Request::get(path).body(empty()).map_err(|error| self.odd(&error))?;
        let answer = async { self.send(request).await?.collect().await.map_err(|error| self.broken(&error)) };
        match tokio::time::timeout(PING, answer).await {
            Ok(body) => serde_json::from_slice(&body?.to_bytes()).map_err(|error| self.odd(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Sends a request, on a connection that is idle or a new one.
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, SandboxError> {
        make_origin_form(&mut request);
        let mut sender = match self.take_idle() {
            Some(sender) => sender,
            None => self.open().await?,
        };
        let answer = match sender.try_send_request(request).await {
            Ok(answer) => answer,
            Err(mut failed) => match failed.take_message() {
                // The idle connection was gone before anything went out on it.
                Some(request) => {
                    sender = self.open().await?;
                    sender.send_request(request).await.map_err(|error| self.broken(&error))?
                }
                None => return Err(self.broken(failed.error())),
            },
        };
        self.keep(sender);
        Ok(answer)
    }

    async fn open(&self) -> Result<Sender, SandboxError> {
        let stream = match tokio::time::timeout(CONNECT, self.dialler.dial()).await {
            Ok(stream) => stream?,
            Err(_) => return Err(self.silent()),
        };
        let (sender, connection) =
            handshake::<_, Body>(TokioIo::new(stream)).await.map_err(|error| self.broken(&error))?;
        // It ends with its sender and its last answer; what fails in it, its request hears of.
        drop(tokio::spawn(async move { drop(connection.with_upgrades().await) }));
        Ok(sender)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, sender)| !sender.is_closed() && since.elapsed() < REUSE);
        let ready = idle.iter().position(|(_, sender)| sender.is_ready())?;
        Some(idle.swap_remove(ready).1)
    }

    /// A Unix socket is opened faster than looked for.
    fn keep(&self, sender: Sender) {
        if !matches!(self.dialler, Dialler::Unix(_)) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), sender));
        }
    }

    fn broken(&self, error: &hyper::Error) -> SandboxError {
        if let Some(ours) = ours_in(error) {
            return ours;
        }
        SandboxError::new(format!(
            "the connection to the engine at {} broke: {}",
            self.dialler,
            causes(error)
        ))
        .with_hint("look whether the engine still runs, and into its log (`journalctl -u docker`)")
    }

    fn silent(&self) -> SandboxError {
        SandboxError::new(format!("the engine at {} does not answer", self.dialler)).with_hint(
            "look whether it hangs: `docker info` (or `podman info`) answers at once when it is well",
        )
    }

    fn odd(&self, what: &dyn std::fmt::Display) -> SandboxError {
        SandboxError::new(format!("what answers at {} is no container engine: {what}", self.dialler))
            .with_hint("look at `DOCKER_HOST`, and whether the address is the one of the engine's API")
    }
}

impl Dialler {
    async fn dial(&self) -> Result<Stream, SandboxError> {
        match self {
            Dialler::Unix(path) => stream::unix(path).await,
            Dialler::Tcp { host, port } => Ok(Stream::new(stream::tcp(host, *port).await?)),
            Dialler::Tls { host, port, tls } => {
                Ok(Stream::new(tls.shake_hands(stream::tcp(host, *port).await?, host, *port).await?))
            }
            Dialler::Ssh(ssh) => ssh::connect(ssh),
        }
    }
}

impl std::fmt::Display for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Dialler::Unix(path) => write!(f, "`unix://{}`", path.display()),
            Dialler::Tcp { host, port } | Dialler::Tls { host, port, .. } => {
                write!(f, "`tcp://{host}:{port}`")
            }
            Dialler::Ssh(ssh) => write!(f, "`ssh://{ssh}`"),
        }
    }
}

type Carried = Pin<Box<dyn Future<Output = Result<Response<Incoming>, bollard::errors::Error>> + Send>>;

/// Carries the requests of the API's client.
pub(super) fn carry(transport: Arc<Transport>) -> impl Fn(BollardRequest) -> Carried + Send + Sync {
    move |request| {
        let transport = transport.clone();
        Box::pin(async move {
            let request = request.map(|body| body.map_err(io::Error::other).boxed_unsync());
            transport.send(request).await.map_err(|error| io::Error::other(error).into())
        })
    }
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// `GET /path` with a Host header, as to an origin: the engine is no proxy.
fn make_origin_form(request: &mut Request<Body>) {
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
}

fn api_of(headers: &HeaderMap) -> Option<Api> {
    let (major, minor) = headers.get("api-version")?.to_str().ok()?.split_once('.')?;
    Some(Api { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// A stream's own failure, which knows more than the protocol on it.
fn ours_in(error: &hyper::Error) -> Option<SandboxError> {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(ours) = inner.and_then(|inner| inner.downcast_ref::<SandboxError>()) {
            return Some(SandboxError {
                what: ours.what.clone(),
                hint: ours.hint.clone(),
                fault: ours.fault,
            });
        }
        next = error.source();
    }
    None
}

/// An error with what led to it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
