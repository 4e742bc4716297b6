//! What is outside: a TLS server that the manifest allows, and witnesses that nobody inside may ever reach.
use crate::tls;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// Allowed, with a credential.
pub(crate) const API: &str = "api.test";
/// Allowed, without one.
pub(crate) const OPEN: &str = "open.test";
/// What witnesses say.
pub(crate) const GREETING: &str = "witness-of-the-outside";

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authorization: String,
}

/// It lives as long as the test program.
pub(crate) struct World {
    /// Where all of it listens, as seen by an egress.
    pub(crate) address: Ipv4Addr,
    /// The TLS server's port.
    pub(crate) port: u16,
    /// The witnesses' ports, on every address of the namespace.
    pub(crate) witness_tcp: u16,
    pub(crate) witness_udp: u16,
    /// The server's root certificate, as a file for everybody.
    pub(crate) root: PathBuf,
    folder: tempfile::TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
    witnessed: Arc<Mutex<Vec<String>>>,
}

struct Sockets {
    tls: TcpListener,
    tcp: TcpListener,
    udp: UdpSocket,
}

impl Sockets {
    fn open(address: Ipv4Addr) -> Sockets {
        let tls = TcpListener::bind((address, 0)).expect("the address is there");
        tls.set_nonblocking(true).expect("set");
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("bound");
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("bound");
        Sockets { tls, tcp, udp }
    }
}

impl World {
    /// In this process's network namespace, or in that of the process `pid`.
    pub(crate) fn start(address: Ipv4Addr, pid: Option<u32>) -> World {
        let folder = tempfile::tempdir().expect("a folder for the world");
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("set");
        let root = folder.path().join("root.pem");
        let (acceptor, root_pem) = tls::acceptor(&[API, OPEN]);
        std::fs::write(&root, root_pem).expect("the world's root is written");
        let (seen, witnessed) = (Arc::default(), Arc::default());
        let (log, notes) = (Arc::clone(&seen), Arc::clone(&witnessed));
        let (tell, hear) = channel();
        std::thread::spawn(move || {
            if let Some(pid) = pid {
                enter(pid);
            }
            serve(Sockets::open(address), acceptor, log, &notes, &tell);
        });
        let [port, witness_tcp, witness_udp] = hear.recv().expect("the world listens");
        World { address, port, witness_tcp, witness_udp, root, folder, seen, witnessed }
    }

    /// Requests with this in their path.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no test panics while it holds this");
        seen.iter().filter(|seen| seen.path.contains(path)).cloned().collect()
    }

    /// What reached a witness with this in it.
    pub(crate) fn witnessed(&self, word: &str) -> Vec<String> {
        let notes = self.witnessed.lock().expect("no test panics while it holds this");
        notes.iter().filter(|note| note.contains(word)).cloned().collect()
    }

    /// For files that bottles mount.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// This thread, and the sockets that it will open, belong to the other's network from here on.
fn enter(pid: u32) {
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).expect("the engine runs");
    nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).expect("root may");
}

fn serve(
    sockets: Sockets,
    acceptor: tokio_rustls::TlsAcceptor,
    seen: Arc<Mutex<Vec<Seen>>>,
    witnessed: &Arc<Mutex<Vec<String>>>,
    tell: &Sender<[u16; 3]>,
) {
    let Sockets { tls, tcp, udp } = sockets;
    let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("bound").port();
    let ports = [port(tls.local_addr()), port(tcp.local_addr()), port(udp.local_addr())];
    let (notes, more_notes) = (witnessed.clone(), witnessed.clone());
    std::thread::spawn(move || greet_tcp(&tcp, &notes));
    std::thread::spawn(move || greet_udp(&udp, &more_notes));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let tls = tokio::net::TcpListener::from_std(tls).expect("a listener");
        tell.send(ports).expect("somebody waits");
        while let Ok((stream, _)) = tls.accept().await {
            tokio::spawn(connection(acceptor.clone(), stream, seen.clone()));
        }
    });
}

async fn connection(
    acceptor: tokio_rustls::TlsAcceptor,
    stream: tokio::net::TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| answer(request, seen.clone()));
    let _gone =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Tells the client its own request: what was injected comes back, for the scrubber to find.
async fn answer(
    request: http::Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<http::Response<Full<Bytes>>, std::convert::Infallible> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let authorization = header.unwrap_or("none").to_owned();
    let path = request.uri().path().to_owned();
    let sent = request.into_body().collect().await.map(|body| body.to_bytes().len()).unwrap_or(0);
    let text = format!("you asked for {path} with {authorization} and {sent} bytes\n");
    seen.lock().expect("no test panics while it holds this").push(Seen { path, authorization });
    Ok(http::Response::new(Full::from(text)))
}

fn greet_tcp(listener: &TcpListener, notes: &Mutex<Vec<String>>) {
    for mut stream in listener.incoming().flatten() {
        let from: Option<IpAddr> = stream.peer_addr().ok().map(|peer| peer.ip());
        notes.lock().expect("held shortly").push(format!("tcp from {from:?}"));
        let _gone = stream.write_all(GREETING.as_bytes());
    }
}

fn greet_udp(socket: &UdpSocket, notes: &Mutex<Vec<String>>) {
    let mut buffer = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        notes.lock().expect("held shortly").push(format!("udp from {from}: {said}"));
        let _gone = socket.send_to(GREETING.as_bytes(), from);
    }
}
