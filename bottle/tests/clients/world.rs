//! The world outside, in small: one TLS server on loopback that is every host the clients know, and remembers what it saw.
//!
//! A manifest's `resolve` pins the names to it and `upstream_roots` trusts its root; nothing else of a bottle is special.

mod anthropic;
mod body;
mod echo;
mod gemini;
mod git;
mod openai;
mod packages;
mod tls;
mod websocket;

use body::{Answer, Asked, status};
use http::{HeaderMap, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use anthropic::ASKING;

/// Echoes, streams, WebSocket and gRPC.
pub(crate) const ECHO: &str = "echo.test";
/// Indexes of packages that the tests build themselves.
pub(crate) const PACKAGES: &str = "packages.test";
/// `git http-backend` behind Basic.
pub(crate) const GIT: &str = "git.test";
/// A fake of the Messages API.
pub(crate) const ANTHROPIC: &str = "api.anthropic.com";
/// A fake of the Responses and Chat Completions APIs.
pub(crate) const OPENAI: &str = "api.openai.com";
/// A fake of `generateContent`.
pub(crate) const GEMINI: &str = "generativelanguage.googleapis.com";
/// Every name of the server's certificate.
pub(crate) const HOSTS: [&str; 6] = [ECHO, PACKAGES, GIT, ANTHROPIC, OPENAI, GEMINI];

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) host: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

impl Seen {
    /// A header's value, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// The running server. It lives as long as the test program.
pub(crate) struct World {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Its root certificate, PEM, as a file.
    pub(crate) root: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: tempfile::TempDir,
}

/// The one that all tests share.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::start)
}

impl World {
    fn start() -> World {
        let folder = tempfile::tempdir().expect("a folder for the world");
        let root = folder.path().join("root.pem");
        let (acceptor, root_pem) = tls::acceptor(&HOSTS);
        std::fs::write(&root, root_pem).expect("the world's root is written");
        let shared = Shared { seen: Arc::default(), folder: folder.path().into() };
        let seen = shared.seen.clone();
        let (port, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || serve(acceptor, shared, &port));
        World { port: ready.recv().expect("the world listens"), root, seen, folder }
    }

    /// Where git repositories and packages lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What reached this host with this in its path.
    pub(crate) fn seen(&self, host: &str, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no test panics while it holds this");
        seen.iter().filter(|seen| seen.host == host && seen.path.contains(path)).cloned().collect()
    }
}

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: PathBuf,
}

fn serve(acceptor: tokio_rustls::TlsAcceptor, shared: Shared, port: &std::sync::mpsc::Sender<u16>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        port.send(listener.local_addr().expect("it is bound").port()).expect("somebody waits");
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(acceptor.clone(), stream, shared.clone()));
        }
    });
}

async fn connection(acceptor: tokio_rustls::TlsAcceptor, stream: TcpStream, shared: Shared) {
    let _ = stream.set_nodelay(true);
    // A client that dislikes the certificate is the tests' business, not the server's.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| answer(request, shared.clone()));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().enable_connect_protocol();
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

async fn answer(
    request: http::Request<Incoming>,
    shared: Shared,
) -> Result<Answer, std::convert::Infallible> {
    let asked = Asked::new(request);
    let seen = Seen {
        host: asked.host.clone(),
        path: format!("{}?{}", asked.path, asked.query),
        version: asked.version,
        headers: asked.headers.clone(),
    };
    shared.seen.lock().expect("no test panics while it holds this").push(seen);
    Ok(match asked.host.as_str() {
        ECHO => echo::answer(asked).await,
        PACKAGES => packages::answer(&asked, &shared.folder),
        GIT => git::answer(asked, &shared.folder).await,
        ANTHROPIC => anthropic::answer(asked).await,
        OPENAI => openai::answer(asked).await,
        GEMINI => gemini::answer(asked).await,
        _ => status(421, "this server is not that host"),
    })
}
