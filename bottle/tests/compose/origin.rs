//! The world, to an egress: an https server for one host, and the request heads that it got.
use nix::sched::{CloneFlags, setns, unshare};
use rustls::pki_types::PrivateKeyDer;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// The host of both examples.
pub(crate) const HOST: &str = "api.github.com";

/// The two ends of the cable: addresses for documentation (RFC 5737), which are nobody's.
const HERE: &str = "198.51.100.1";
/// The engine's end, an address of its machine.
pub(crate) const THERE: &str = "198.51.100.2";

pub(crate) struct Origin {
    pub(crate) at: SocketAddr,
    /// PEM.
    pub(crate) certificate: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    /// In a network namespace of its own, one cable away from that of the process `engine`. In the engine's own it would
    /// be a service of the engine's machine, which is not what an internal network keeps from its containers.
    pub(crate) fn start(engine: u32) -> Origin {
        let (config, certificate) = identity();
        let listener = listen(engine);
        let at = listener.local_addr().expect("an address");
        let origin = Origin { at, certificate, heads: Arc::default() };
        let heads = origin.heads.clone();
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let (config, heads) = (config.clone(), heads.clone());
                std::thread::spawn(move || serve(&config, tcp, &heads));
            }
        });
        origin
    }

    /// What it was asked with this in the first line.
    pub(crate) fn heads(&self, path: &str) -> Vec<String> {
        let heads = self.heads.lock().expect("held shortly");
        heads
            .iter()
            .filter(|head| head.lines().next().is_some_and(|line| line.contains(path)))
            .cloned()
            .collect()
    }
}

/// A socket belongs to the network that its thread was in, and keeps it.
fn listen(engine: u32) -> TcpListener {
    std::thread::scope(|scope| {
        let bound = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may");
            let there = format!("--net=/proc/{engine}/ns/net");
            run(&format!("ip link add cable type veth peer name world netns {engine}"));
            run(&format!("ip address add {HERE}/24 dev cable"));
            run("ip link set cable up");
            run(&format!("nsenter {there} ip address add {THERE}/24 dev world"));
            run(&format!("nsenter {there} ip link set world up"));
            TcpListener::bind((HERE, 0)).expect("the address is there")
        });
        bound.join().expect("bound")
    })
}

/// In the network of this thread.
fn run(line: &str) {
    let mut words = line.split(' ');
    let output = Command::new(words.next().expect("a program")).args(words).output().expect("it starts");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A service of the engine's machine, on every address; gives its port. Nobody but the agent is to be kept from it.
pub(crate) fn neighbour(engine: u32) -> u16 {
    let namespace = std::fs::File::open(format!("/proc/{engine}/ns/net")).expect("the engine runs");
    let listener = std::thread::scope(|scope| {
        let bound = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may");
            TcpListener::bind("0.0.0.0:0").expect("a port")
        });
        bound.join().expect("bound")
    });
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            // The whole question first, or the answer is lost with it.
            let _gone = tcp.read(&mut [0; 4096]);
            let _gone = tcp.write_all(b"HTTP/1.0 200 OK\r\n\r\nneighbour");
        }
    });
    port
}

fn identity() -> (Arc<rustls::ServerConfig>, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new([HOST.to_owned()])
        .and_then(|params| params.self_signed(&key))
        .expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a server");
    (Arc::new(config), certificate.pem())
}

/// One request; its head is repeated in the answer, for the scrubber to find what was injected.
fn serve(config: &Arc<rustls::ServerConfig>, tcp: TcpStream, heads: &Mutex<Vec<String>>) {
    let Ok(tls) = rustls::ServerConnection::new(config.clone()) else { return };
    let mut stream = rustls::StreamOwned::new(tls, tcp);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    heads.lock().expect("held shortly").push(head.clone());
    let length = head.len();
    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{head}");
    let _gone = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _gone = stream.flush();
}
