//! The engine alone: what it writes, what its clients get, how it ends.
use crate::stage::{Ran, Stage};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::PrivateKeyDer;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

const TOKEN: &str = "real-token-0123456789";

/// An https server for `api.test` on loopback, and the request heads that it got.
struct Origin {
    at: SocketAddr,
    certificate: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn start() -> Origin {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(["api.test".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let origin = Origin {
            at: listener.local_addr().expect("an address"),
            certificate: certificate.pem(),
            heads: Arc::default(),
        };
        let (config, heads) = (Arc::new(config), origin.heads.clone());
        std::thread::spawn(move || listener.incoming().flatten().for_each(|tcp| serve(&config, tcp, &heads)));
        origin
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("heads").clone()
    }
}

/// One request; its head is repeated in the answer.
fn serve(config: &Arc<rustls::ServerConfig>, tcp: std::net::TcpStream, heads: &Mutex<Vec<String>>) {
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
    heads.lock().expect("heads").push(head.clone());
    let answer =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{head}", head.len());
    let _gone = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _gone = stream.flush();
}

/// A `bottle egress` that runs; killed when it is dropped.
pub(crate) struct Serving {
    child: Child,
    /// Address and port.
    pub(crate) at: String,
}

impl Serving {
    /// Starts it and waits for the line that says that clients may come.
    pub(crate) fn start(stage: &Stage, arguments: &[&str]) -> Serving {
        let mut command = stage.bottle(&["egress", "--listen", "127.0.0.1:0"]);
        command.args(arguments).env("API_TOKEN", TOKEN).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("bottle starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = Vec::new();
        let at = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:?}")).expect("text");
            if let Some(at) = line.strip_prefix("listening on http://") {
                break at.to_owned();
            }
            said.push(line);
        };
        std::thread::spawn(move || lines.for_each(drop));
        Serving { child, at }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("signalled");
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().expect("waited").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn stage_with(origin: &Origin) -> Stage {
    let stage = Stage::ordinary();
    stage.write("origin.pem", &origin.certificate);
    stage.manifest(&format!(
        "egress:\n  routes:\n    - host: api.test\n      auth: {{ scheme: bearer, token: {{ env: API_TOKEN }} }}\n\
         \x20 upstream_roots: [./origin.pem]\n  resolve: {{ \"api.test\": \"{}\" }}\n",
        origin.at
    ));
    stage
}

/// curl with nothing but what was written for it.
fn curl(stage: &Stage, url: &str) -> String {
    let script = format!(". ./env.sh; curl -sS --max-time 20 -i {url}");
    let output = stage.command("sh").args(["-c", &script]).output().expect("a shell");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_client_reaches_what_is_allowed_with_a_token_that_it_never_sees() {
    let origin = Origin::start();
    let stage = stage_with(&origin);
    let serving =
        Serving::start(&stage, &["--ca-out", "ca.pem", "--bundle-out", "bundle.pem", "--env-out", "env.sh"]);
    let answer = curl(&stage, "https://api.test/hello");
    assert!(answer.contains("GET /hello HTTP/1.1"), "{answer}");
    let head = origin.heads().concat().to_lowercase();
    assert!(head.contains(&format!("authorization: bearer {TOKEN}")), "{head}");
    assert!(!answer.contains(TOKEN), "the echo is scrubbed: {answer}");

    let refused = curl(&stage, "https://other.test/");
    assert!(refused.contains("code=host-not-allowed") && refused.contains("403"), "{refused}");

    for file in ["ca.pem", "bundle.pem", "env.sh"] {
        let text = std::fs::read_to_string(stage.workspace().join(file)).expect(file);
        assert!(!text.contains("PRIVATE KEY") && !text.contains(TOKEN), "{file} holds a secret");
    }
    serving.signal(Signal::TERM);
    assert_eq!(serving.code(), Some(0));
    let audit = stage.path("state").join("bottle/dev/audit.jsonl");
    let lines = std::fs::read_to_string(&audit).expect("an audit");
    assert!(lines.contains("\"credential\":\"EGRESS_TOKEN_0\"") && !lines.contains(TOKEN), "{lines}");
    stage.run(&["audit", "verify", audit.to_str().expect("text")]).ended_with(0);
}

#[test]
fn a_hang_up_does_not_end_it_and_an_interrupt_does() {
    let stage = stage_with(&Origin::start());
    let serving = Serving::start(&stage, &["--quiet", "--env-out", "env.sh"]);
    serving.signal(Signal::HUP);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(curl(&stage, "http://other.test/").contains("code=host-not-allowed"), "it still answers");
    serving.signal(Signal::INT);
    assert_eq!(serving.code(), Some(0));
}

#[test]
fn a_probe_tells_an_egress_from_everything_else_and_clients_are_told_its_name() {
    let origin = Origin::start();
    let stage = stage_with(&origin);
    let serving = Serving::start(&stage, &["--quiet", "--called", "egress:9099", "--env-out", "env.sh"]);
    let exports = std::fs::read_to_string(stage.workspace().join("env.sh")).expect("exports");
    assert!(exports.contains("export HTTPS_PROXY='http://egress:9099'\n"), "{exports}");
    stage.run(&["egress", "--probe", &serving.at]).ended_with(0);
    let other = stage.run(&["egress", "--probe", &origin.at.to_string()]).ended_with(1);
    assert!(other.err.contains(&format!("no egress answers at `{}`", origin.at)), "{}", other.err);
    let at = serving.at.clone();
    serving.signal(Signal::TERM);
    assert_eq!(serving.code(), Some(0));
    stage.run(&["egress", "--probe", &at]).ended_with(1);
}

/// A CA as `openssl` makes it, of the user's own.
fn own_ca(stage: &Stage) {
    let made = |arguments: &[&str]| {
        let mut openssl: Command = stage.command("openssl");
        let output = openssl.args(arguments).output().expect("openssl is part of the test set-up");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    made(&[
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "rsa:2048",
        "-days",
        "2",
        "-subj",
        "/CN=Own CA",
        "-addext",
        "keyUsage=critical,keyCertSign",
        "-keyout",
        "own.key",
        "-out",
        "own.pem",
    ]);
}

#[test]
fn a_ca_of_the_users_own_signs() {
    let origin = Origin::start();
    let stage = stage_with(&origin);
    own_ca(&stage);
    let own = ["--ca", "own.pem", "--ca-key", "own.key", "--ca-out", "ca.pem", "--env-out", "env.sh"];
    let _serving = Serving::start(&stage, &own);
    let script = ". ./env.sh; curl -sS --max-time 20 --cacert own.pem https://api.test/";
    let output = stage.command("sh").args(["-c", script]).output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(stage.workspace().join(name)).expect(name);
    assert_eq!(read("ca.pem"), read("own.pem"));
}

fn fails(stage: &Stage, arguments: &[&str]) -> String {
    let mut command = stage.bottle(&["egress"]);
    let output = command.args(arguments).env("API_TOKEN", TOKEN).output().expect("bottle starts");
    Ran::of(output).ended_with(125).err
}

#[test]
fn what_cannot_be_had_stops_the_start_and_says_why() {
    let stage = stage_with(&Origin::start());
    own_ca(&stage);
    for exposed in ["0.0.0.0:0", "[::]:0"] {
        let said = fails(&stage, &["--listen", exposed]);
        assert!(said.contains("other machines") && said.contains("--expose"), "{said}");
    }
    let said = fails(&stage, &["--listen", "127.0.0.1:0", "--ca", "own.pem", "--ca-key", "origin.pem"]);
    assert!(said.contains("key file: no private key"), "{said}");
    let said = fails(&stage, &["--listen", "127.0.0.1:0", "--ca-out", "nowhere/ca.pem"]);
    assert!(said.contains("cannot write `nowhere/ca.pem`"), "{said}");
    let unset = stage.run(&["egress", "--listen", "127.0.0.1:0"]).ended_with(125);
    assert!(unset.err.contains("API_TOKEN"), "{}", unset.err);
}

#[test]
fn a_rule_of_ones_own_is_sought_in_what_clients_send() {
    let origin = Origin::start();
    let stage = stage_with(&origin);
    let manifest = std::fs::read_to_string(stage.path("work/bottle.yaml")).expect("written");
    let rules = "  dlp: { own_rules: [{ id: acme-key, pattern: \"acme_[a-z0-9]{12}\" }], rule_files: [rules.toml] }\n";
    stage.write("bottle.yaml", &format!("{manifest}{rules}"));
    stage.write("rules.toml", "[[rules]]\nid = \"corp-id\"\nregex = 'corp-[A-Z]{8}'\n");
    let files = ["--ca-out", "ca.pem", "--bundle-out", "bundle.pem", "--env-out", "env.sh"];
    let serving = Serving::start(&stage, &files);
    for (value, rule) in [("acme_k3j4h5g6f7d8", "acme-key"), ("corp-QWERTZUI", "corp-id")] {
        let refused = curl(&stage, &format!("https://api.test/x?a={value}"));
        assert!(refused.contains("code=secret-in-request") && refused.contains(rule), "{refused}");
    }
    assert!(origin.heads().is_empty(), "{:?}", origin.heads());
    assert!(curl(&stage, "https://api.test/x?a=acme_short").contains("GET /x?a=acme_short"));
    serving.signal(Signal::TERM);
    assert_eq!(serving.code(), Some(0));
}

/// What nobody planted gives nobody away.
#[test]
fn canaries_that_cannot_be_planted_stop_the_start() {
    let stage = stage_with(&Origin::start());
    let manifest = std::fs::read_to_string(stage.path("work/bottle.yaml")).expect("written");
    stage.write("bottle.yaml", &format!("{manifest}  dlp: {{ canaries: true }}\n"));
    let said = fails(&stage, &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("can plant none") && said.contains("take `canaries` out"), "{said}");
}
