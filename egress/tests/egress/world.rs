//! A world for the engine: upstreams with a CA of their own, an agent that writes bytes, an audit file to read.
use audit::Auditor;
use credentials::{
    AuthScheme, Binding, Placeholder, PlaceholderFormat, Places, Secret, Slot, TokenRef, Vault,
};
use egress::{
    Budgets, CertificateAuthority, Config, DlpAction, DlpTerms, Engine, Limits, Listeners, ProxyAuth,
    Upstream, UpstreamProxy,
};
use policy::{HostPattern, Policy, Protocol, Route, RouteId, Scheme, TlsMode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The value that no agent may see.
pub(crate) const SECRET: &str = "sk-real-0123456789-abcdefghij";
/// The password of an upstream proxy.
pub(crate) const PROXY_SECRET: &str = "proxy-real-9876543210-zyxwvutsrq";
/// What the tests' agent holds instead.
pub(crate) const HOST: &str = "api.test";

/// Any stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
pub(crate) type Io = Box<dyn Stream>;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The upstreams' CA and one leaf for every test host.
struct Pki {
    root_pem: String,
    server: Arc<rustls::ServerConfig>,
}

fn pki(alpn: &[&[u8]]) -> Pki {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.clone().self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let names = [HOST, "other.test", "denied.test", "*.wild.test"].map(str::to_owned);
    let leaf = CertificateParams::new(names).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
    let mut server = builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    server.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Pki { root_pem: root.pem(), server: Arc::new(server) }
}

/// What an upstream heard of one request.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// An upstream on loopback.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) root_pem: String,
    pub(crate) heard: Arc<Mutex<Vec<Heard>>>,
}

impl Origin {
    /// Hands every connection to `serve`, TLS opened.
    pub(crate) async fn tls<F, S>(alpn: &[&[u8]], serve: S) -> Origin
    where
        S: Fn(Io) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Pki { root_pem, server } = pki(alpn);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = TlsAcceptor::from(server.clone()).accept(stream).await else { continue };
                tokio::spawn(serve(Box::new(stream)));
            }
        });
        Origin { address, root_pem, heard: Arc::default() }
    }

    /// Answers every HTTP/1 request with what `answer` makes of it, bytes as they are.
    pub(crate) async fn answering(answer: impl Fn(&Heard) -> Vec<u8> + Send + Sync + 'static) -> Origin {
        let (heard, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = heard.clone();
        let mut origin = Origin::tls(&[b"http/1.1"], move |mut stream| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                while let Some(request) = read_message(&mut stream).await {
                    log.lock().unwrap().push(request.clone());
                    if stream.write_all(&answer(&request)).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        origin.heard = heard;
        origin
    }

    /// Says `ok` to everything.
    pub(crate) async fn ok() -> Origin {
        Origin::answering(|_| response("", b"ok")).await
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// A 200 with these header lines and body.
pub(crate) fn response(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Reads a head and its body, by length or chunks; `None` at the end of the stream.
pub(crate) async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Option<Heard> {
    let head = String::from_utf8_lossy(&read_until(stream, b"\r\n\r\n").await?).into_owned();
    let lower = head.to_ascii_lowercase();
    let mut body = Vec::new();
    if lower.contains("transfer-encoding: chunked") {
        loop {
            let line = read_until(stream, b"\r\n").await?;
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
            if size == 0 {
                loop {
                    let trailer = read_until(stream, b"\r\n").await?;
                    if trailer == b"\r\n" {
                        return Some(Heard { head, body });
                    }
                    body.extend(trailer);
                }
            }
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            body.extend_from_slice(&chunk[..size]);
        }
    }
    if let Some(length) = lower.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        body = vec![0; length.trim().parse().ok()?];
        stream.read_exact(&mut body).await.ok()?;
    }
    Some(Heard { head, body })
}

async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        bytes.push(stream.read_u8().await.ok()?);
    }
    Some(bytes)
}

/// An engine with its bottle's view of it.
pub(crate) struct World {
    engine: Option<Engine>,
    pub(crate) proxy: SocketAddr,
    pub(crate) ca: CertificateAuthority,
    pub(crate) placeholder: String,
    vault: Vault,
    pins: BTreeMap<String, SocketAddr>,
    audit: Auditor,
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

/// What differs from one test to the next.
pub(crate) struct Setup {
    pub(crate) routes: Vec<Route>,
    pub(crate) auth: Option<AuthScheme>,
    pub(crate) action: DlpAction,
    pub(crate) limits: Limits,
    /// Where an upstream proxy is; its password is [`PROXY_SECRET`].
    pub(crate) proxy: Option<SocketAddr>,
    /// What must stay inside besides the credential.
    pub(crate) secrets: Vec<(&'static str, &'static str)>,
    /// What else is sought, and what is done about it; action and secrets are those above.
    pub(crate) terms: DlpTerms,
    /// The look of the credential's placeholder.
    pub(crate) format: PlaceholderFormat,
    /// How much may leave in a time.
    pub(crate) budgets: Budgets,
    /// What is asked and answered.
    pub(crate) asking: egress::Asking,
    /// Where the credential comes from; `None`: [`SECRET`], for the whole run.
    pub(crate) token_file: Option<std::path::PathBuf>,
}

/// A placeholder that is swapped wherever the agent puts it.
pub(crate) fn everywhere() -> AuthScheme {
    AuthScheme::Placeholder { places: Places { body: true, websocket: true } }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            routes: vec![route(0, HOST), route(1, "other.test")],
            auth: None,
            action: DlpAction::Block,
            limits: Limits::default(),
            proxy: None,
            secrets: Vec::new(),
            terms: DlpTerms::default(),
            format: PlaceholderFormat::Opaque,
            budgets: Budgets::default(),
            asking: egress::Asking::default(),
            token_file: None,
        }
    }
}

/// An https route for every method and path.
pub(crate) fn route(id: u32, host: &str) -> Route {
    Route {
        id: RouteId(id),
        name: host.to_owned(),
        host: HostPattern::parse(host).unwrap(),
        port: 443,
        scheme: Scheme::Https,
        protocol: Protocol::Http,
        tls: TlsMode::Open,
        methods: None,
        paths: None,
        allow_private: false,
    }
}

fn vault(setup: &Setup) -> Vault {
    if let Some(path) = &setup.token_file {
        let source = TokenRef::File { path: path.clone(), json_pointer: None };
        return Vault::resolve(&[credentials::SlotSpec { source, ..held(0, SECRET).0 }]).unwrap();
    }
    let bound = setup.auth.iter().map(|_| {
        let (spec, secret, _) = held(0, SECRET);
        (spec, secret, Placeholder::random(setup.format))
    });
    Vault::from_values(bound.chain(setup.proxy.iter().map(|_| held(1, PROXY_SECRET))).collect())
}

/// A slot with its value, as it comes by descriptor.
pub(crate) fn held(slot: u16, value: &str) -> (credentials::SlotSpec, Secret, Placeholder) {
    let spec = credentials::SlotSpec {
        slot: Slot(slot),
        source: TokenRef::Env { name: format!("TEST_TOKEN_{slot}") },
        format: PlaceholderFormat::Opaque,
        env: Vec::new(),
    };
    (spec, Secret::new(value.as_bytes().to_vec()), Placeholder::random(PlaceholderFormat::Opaque))
}

fn upstream_proxy(at: SocketAddr, vault: &Vault) -> UpstreamProxy {
    let auth = ProxyAuth { username: "user".into(), slot: Slot(1), vault: vault.clone() };
    UpstreamProxy { auth: Some(auth), ..UpstreamProxy::at(format!("http://{at}")) }
}

impl World {
    /// An engine whose every test host leads to this origin; the credential, if any, is bound to the first route.
    pub(crate) async fn new(origin: &Origin, setup: Setup) -> World {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let audit = Auditor::open(&file, "test").unwrap();
        let ca = CertificateAuthority::generate("test").unwrap();
        let vault = vault(&setup);
        let placeholder =
            vault.placeholder(Slot(0)).map(|placeholder| placeholder.as_str().to_owned()).unwrap_or_default();
        let wild = format!("{SECRET}.wild.test");
        let pins = [HOST, "other.test", "denied.test", &wild].map(|host| (host.to_owned(), origin.address));
        let binding = |scheme| (RouteId(0), Binding { slot: Slot(0), scheme });
        let secret = |(name, value): (&str, &str)| (name.to_owned(), Secret::new(value.as_bytes().to_vec()));
        let secrets = setup.secrets.into_iter().map(secret).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = listener.local_addr().unwrap();
        let (pins, held) = (BTreeMap::from(pins), vault.clone());
        let config = Config {
            asking: setup.asking,
            bottle: "test".into(),
            policy: Arc::new(Policy::new(setup.routes, pins.clone())),
            bindings: setup.auth.into_iter().map(binding).collect(),
            dlp: DlpTerms { action: setup.action, secrets, ..setup.terms },
            ca: ca.clone(),
            upstream: Upstream {
                extra_roots_pem: vec![origin.root_pem.clone()],
                proxy: setup.proxy.map(|at| upstream_proxy(at, &vault)),
                budgets: setup.budgets,
                ..Upstream::default()
            },
            vault,
            limits: setup.limits,
            audit: audit.clone(),
        };
        let listeners = Listeners { tcp: vec![listener], ..Listeners::default() };
        let engine = Engine::start(config, listeners).unwrap();
        World {
            engine: Some(engine),
            proxy,
            ca,
            placeholder,
            vault: held,
            pins,
            audit,
            file,
            _folder: folder,
        }
    }

    /// The operator's side.
    pub(crate) fn steering(&self) -> egress::Steering {
        self.engine.as_ref().unwrap().steering()
    }

    /// Another rule with these routes and the same credentials, which is called so.
    pub(crate) fn rule(&self, routes: Vec<Route>, hash: &str) -> egress::Rule {
        egress::Rule {
            policy: Arc::new(Policy::new(routes, self.pins.clone())),
            hash: hash.to_owned(),
            bindings: BTreeMap::new(),
            vault: self.vault.clone(),
            dlp: DlpTerms::default(),
            budgets: Budgets::default(),
            unmatched: egress::Unmatched::Deny,
        }
    }

    /// Every line of the audit.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.audit.flush().unwrap();
        let text = std::fs::read_to_string(&self.file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The defaults, with a bearer credential on [`HOST`].
    pub(crate) async fn with_credential(origin: &Origin) -> World {
        World::new(origin, Setup { auth: Some(AuthScheme::Bearer), ..Setup::default() }).await
    }

    pub(crate) async fn plain(&self) -> Io {
        Box::new(TcpStream::connect(self.proxy).await.unwrap())
    }

    /// A CONNECT that was accepted.
    pub(crate) async fn connect(&self, target: &str) -> Io {
        let mut stream = self.plain().await;
        stream
            .write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n").await.unwrap()).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "CONNECT is accepted whatever the target: {head}");
        stream
    }

    /// TLS inside a CONNECT; the server name may be another.
    pub(crate) async fn tls_as(&self, target: &str, sni: &str, alpn: &[&[u8]]) -> Io {
        let stream = self.connect(target).await;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(self.ca.certificate_der().to_vec())).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(sni.to_owned()).unwrap();
        Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
    }

    pub(crate) async fn tls(&self, host: &str) -> Io {
        self.tls_as(&format!("{host}:443"), host, &[]).await
    }

    /// One dialogue over TLS to a host: bytes in, everything that comes back.
    pub(crate) async fn say(&self, host: &str, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.tls(host).await;
        say(&mut stream, bytes.as_ref()).await
    }

    /// The events so far, once there are at least so many.
    pub(crate) async fn events(&self, least: usize) -> Vec<serde_json::Value> {
        for _ in 0..200 {
            self.audit.flush().unwrap();
            let text = std::fs::read_to_string(&self.file).unwrap();
            let events: Vec<serde_json::Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let events: Vec<_> = events.into_iter().filter(|event| event["event"] == "exchange").collect();
            if events.len() >= least {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("fewer than {least} events: {}", std::fs::read_to_string(&self.file).unwrap());
    }

    pub(crate) async fn shutdown(&mut self) {
        self.engine.take().unwrap().shutdown().await;
    }
}

/// Writes, and reads until the other side is quiet or ends.
pub(crate) async fn say(stream: &mut Io, bytes: &[u8]) -> String {
    // An engine that refuses early may close before it was told everything.
    let _refused_early = stream.write_all(bytes).await;
    let _refused_early = stream.flush().await;
    listen(stream).await
}

/// Reads until the other side is quiet or ends.
pub(crate) async fn listen(stream: &mut Io) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    let mut patience = Duration::from_secs(5);
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(patience, stream.read(&mut buffer)).await {
        all.extend_from_slice(&buffer[..read]);
        patience = Duration::from_millis(300);
    }
    String::from_utf8_lossy(&all).into_owned()
}
