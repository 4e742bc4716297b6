//! The operator's upstream proxy: all goes through it but its exceptions, and nothing goes around it. What it is told,
//! what it may say, and what its own certificate authority is good for.
use super::upstream::{Leg, assert_echoes, bodiless, read, switching, trusting, websocket};
use super::world::{
    HOST, Heard, Io, Origin, PROXY_SECRET, SECRET, Setup, World, held, read_message, response, route, say,
};
use arc_swap::ArcSwap;
use credentials::{AuthScheme, PlaceholderFormat, Slot, SlotSpec, TokenRef, Vault};
use egress::tunnel::{self, Carries, Tunnels};
use egress::upstream::{Client, PoolIdentity, WsAnswer};
use egress::{Limits, ProxyAuth, Upstream, UpstreamProxy};
use http::{Request, StatusCode};
use policy::{Denial, DenialCode, Opening, Policy, Protocol, ProxyException, Route, Scheme};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::PrivateKeyDer;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy on loopback that notes the heads it gets.
struct Proxy {
    at: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Answers CONNECT with these bytes, joins the tunnel to `target` when they say yes, and answers all else itself.
    async fn saying(answer: impl Into<Vec<u8>>, target: SocketAddr) -> Proxy {
        let answer = Arc::new(answer.into());
        Proxy::serving(None, move |stream, log| serve(stream, log, answer.clone(), target)).await
    }
    async fn to(target: SocketAddr) -> Proxy {
        Proxy::saying(ESTABLISHED, target).await
    }
    /// The same behind TLS of its own.
    async fn tls(config: Arc<rustls::ServerConfig>, target: SocketAddr) -> Proxy {
        let answer = Arc::new(ESTABLISHED.as_bytes().to_vec());
        Proxy::serving(Some(config), move |stream, log| serve(stream, log, answer.clone(), target)).await
    }
    async fn serving<F>(
        tls: Option<Arc<rustls::ServerConfig>>,
        serve: impl Fn(Io, Arc<Mutex<Vec<String>>>) -> F + Send + 'static,
    ) -> Proxy
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let log = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream: Io = match &tls {
                    None => Box::new(stream),
                    Some(config) => match TlsAcceptor::from(config.clone()).accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                tokio::spawn(serve(stream, log.clone()));
            }
        });
        Proxy { at, heads }
    }
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
    fn url(&self) -> String {
        format!("http://{}", self.at)
    }
    fn plain(&self) -> UpstreamProxy {
        UpstreamProxy::at(self.url())
    }
}

async fn serve(mut stream: Io, log: Arc<Mutex<Vec<String>>>, answer: Arc<Vec<u8>>, target: SocketAddr) {
    while let Some(Heard { head, .. }) = read_message(&mut stream).await {
        log.lock().unwrap().push(head.clone());
        if !head.starts_with("CONNECT ") {
            stream.write_all(&response("", b"from the proxy")).await.unwrap();
            stream.flush().await.unwrap();
            continue;
        }
        // Who does not like the answer may be gone before its end.
        let _gone = stream.write_all(&answer).await;
        let _gone = stream.flush().await;
        if answer.starts_with(b"HTTP/1.1 4") || answer.starts_with(b"HTTP/1.1 3") {
            return;
        }
        let mut onward = TcpStream::connect(target).await.unwrap();
        tokio::io::copy_bidirectional(&mut stream, &mut onward).await.ok();
        return;
    }
}

/// A certificate authority, and servers that it vouches for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }
    fn server(&self, name: &str, alpn: &[&[u8]]) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match name.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(name.try_into().unwrap()),
        }];
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let single = builder.unwrap().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key);
        let mut config = single.unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

/// A server that says `ok` to every request, over TLS with this configuration.
async fn web(config: Arc<rustls::ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = TlsAcceptor::from(config.clone()).accept(stream).await else { continue };
            tokio::spawn(async move {
                while read_message(&mut stream).await.is_some() {
                    stream.write_all(&response("", b"ok")).await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    at
}

fn plain_route(id: u32, host: &str) -> Route {
    Route { scheme: Scheme::Http, port: 80, ..route(id, host) }
}

fn behind(proxy: UpstreamProxy, origin: &Origin) -> Upstream {
    Upstream { proxy: Some(proxy), ..trusting(origin) }
}

fn with_password(proxy: UpstreamProxy, password: &str) -> UpstreamProxy {
    let vault = Vault::from_values(vec![held(1, password)]);
    UpstreamProxy { auth: Some(ProxyAuth { username: "user".into(), slot: Slot(1), vault }), ..proxy }
}

async fn get(leg: &Leg, url: &str) -> Result<String, Box<Denial>> {
    match leg.get(url, PoolIdentity::default()).await {
        Ok(answer) => Ok(read(answer).await),
        Err(denial) => Err(denial),
    }
}

fn told(denial: &Denial) -> String {
    denial.detail.clone().unwrap_or_default()
}

#[tokio::test]
async fn everything_goes_to_the_next_hop_by_name() {
    let origin = Origin::ok().await;
    let proxy = Proxy::to(origin.address).await;
    let asked_nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream {
        nameservers: vec![asked_nobody.local_addr().unwrap()],
        ..behind(with_password(proxy.plain(), "pass"), &origin)
    };
    let leg = Leg::new(vec![route(0, HOST), plain_route(1, "other.test")], &[], &upstream);
    assert_eq!(leg.text("https://api.test/").await, "ok");
    assert_eq!(leg.text("http://other.test/x?y").await, "from the proxy");
    let heads = proxy.heads();
    assert!(heads[0].starts_with("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n"), "{heads:?}");
    assert!(heads[1].starts_with("GET http://other.test/x?y HTTP/1.1\r\n"), "{heads:?}");
    for head in heads {
        assert!(head.to_lowercase().contains("\r\nproxy-authorization: basic dxnlcjpwyxnz\r\n"), "{head}");
    }
    let heard = origin.heard()[0].head.to_lowercase();
    assert!(!heard.contains("proxy-authorization"), "it is for the proxy alone");
    let question = asked_nobody.try_recv(&mut [0; 512]);
    assert!(question.is_err(), "names are the proxy's to resolve");
}

#[tokio::test]
async fn without_a_password_none_is_sent() {
    let origin = Origin::ok().await;
    let proxy = Proxy::to(origin.address).await;
    let routes = vec![route(0, HOST), plain_route(1, "other.test")];
    let leg = Leg::new(routes, &[], &behind(proxy.plain(), &origin));
    leg.text("https://api.test/").await;
    let mut request = bodiless("GET", "http://other.test/");
    request.headers_mut().insert("proxy-authorization", "Basic YWdlbnQ6b3du".parse().unwrap());
    let permitted = leg.permit("GET", "http://other.test/");
    read(leg.client.send(&permitted, PoolIdentity::default(), request).await.unwrap()).await;
    for head in proxy.heads() {
        assert!(!head.to_lowercase().contains("proxy-authorization"), "nor the agent's own: {head}");
    }
}

async fn refused_everywhere(leg: &Leg) {
    for url in ["https://api.test/", "http://other.test/"] {
        let denial = get(leg, url).await.expect_err("the proxy is dead");
        assert_eq!(denial.code, DenialCode::UpstreamProxy, "{url}: {denial:?}");
        assert!(denial.sentence.contains("nothing goes around it"), "{}", denial.sentence);
        assert!(!denial.sentence.contains("127.0.0.1") && told(&denial).contains("127.0.0.1"), "{denial:?}");
    }
    let denial = websocket(leg).await.err().expect("no WebSocket");
    assert_eq!(denial.code, DenialCode::UpstreamProxy);
}

/// The names are pinned to a living origin, so that whatever went around the proxy would arrive.
#[tokio::test]
async fn nothing_goes_around_a_next_hop_that_is_down() {
    let origin = Origin::ok().await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let pins = [(HOST, origin.address), ("other.test", origin.address)];
    let upstream = behind(UpstreamProxy::at(format!("http://{dead}")), &origin);
    let leg = Leg::new(vec![route(0, HOST), plain_route(1, "other.test")], &pins, &upstream);
    refused_everywhere(&leg).await;
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_not_found_or_says_nothing_is_said() {
    let origin = Origin::ok().await;
    let gone = Upstream {
        nameservers: vec![([127, 0, 0, 1], 9).into()],
        ..behind(UpstreamProxy::at("http://proxy.test:8080"), &origin)
    };
    let limits = Limits { connect_time: Duration::from_millis(600), ..Limits::default() };
    let leg = Leg::limited(vec![route(0, HOST)], &[(HOST, origin.address)], &gone, &limits);
    let denial = get(&leg, "https://api.test/").await.expect_err("no such proxy");
    assert!(matches!(denial.code, DenialCode::UpstreamProxy | DenialCode::UpstreamTimeout), "{denial:?}");
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = UpstreamProxy::at(format!("http://{}", mute.local_addr().unwrap()));
    let leg = Leg::limited(vec![route(0, HOST)], &[(HOST, origin.address)], &behind(at, &origin), &limits);
    let denial = get(&leg, "https://api.test/").await.expect_err("mute");
    assert_eq!(denial.code, DenialCode::UpstreamTimeout);
    assert!(told(&denial).contains("through the upstream proxy"), "{denial:?}");
    assert!(origin.heard().is_empty());
}

#[test]
fn a_proxy_url_that_is_none_is_an_error_without_its_password() {
    for url in [
        "socks5://u:hunter2@p:1",
        "http://u:hunter2@/",
        "http://u:hunter2@0x7f.1:1",
        "http://u:hunter2@proxy.test:1",
        "http://hunter2@proxy.test:1",
        "not a url hunter2",
    ] {
        let upstream = Upstream { proxy: Some(UpstreamProxy::at(url)), ..Upstream::default() };
        let policy = Arc::new(ArcSwap::new(Arc::new(Policy::default())));
        let error = Client::new(&upstream, policy, &Limits::default()).err().expect(url).to_string();
        assert!(!error.contains("hunter2") && error.contains("upstream_proxy.url"), "{error}");
    }
}

/// TLS to the proxy: verified, by its own roots and no others; without them nothing is sent.
#[tokio::test]
async fn the_proxys_own_certificate_is_verified_by_its_own_roots() {
    let origin = Origin::ok().await;
    let (own, other) = (Authority::new(), Authority::new());
    let proxy = Proxy::tls(own.server("127.0.0.1", &[b"http/1.1"]), origin.address).await;
    let https = |roots: Option<&Authority>, ca: Option<&Authority>| UpstreamProxy {
        roots_pem: roots.map(|authority| authority.pem.clone()),
        ca_pem: ca.map(|authority| authority.pem.clone()),
        ..with_password(UpstreamProxy::at(format!("https://{}", proxy.at)), "pass")
    };
    for (roots, ca) in [(None, None), (Some(&other), None), (None, Some(&own)), (Some(&other), Some(&own))] {
        let leg =
            Leg::new(vec![route(0, HOST)], &[(HOST, origin.address)], &behind(https(roots, ca), &origin));
        let denial = get(&leg, "https://api.test/").await.expect_err("not verified");
        assert_eq!(denial.code, DenialCode::UpstreamProxy, "{denial:?}");
        assert!(told(&denial).contains("upstream_proxy.roots"), "{denial:?}");
    }
    assert!(proxy.heads().is_empty() && origin.heard().is_empty(), "nothing was sent: {:?}", proxy.heads());
    let leg = Leg::new(
        vec![route(0, HOST), plain_route(1, "other.test")],
        &[],
        &behind(https(Some(&own), None), &origin),
    );
    assert_eq!(leg.text("https://api.test/").await, "ok");
    assert_eq!(leg.text("http://other.test/").await, "from the proxy");
    assert!(proxy.heads()[0].starts_with("CONNECT api.test:443"));
}

/// What verifies the proxy itself verifies nothing else.
#[tokio::test]
async fn the_proxys_own_roots_are_no_roots_of_upstreams() {
    let own = Authority::new();
    let upstream = web(own.server(HOST, &[b"http/1.1"])).await;
    let proxy = Proxy::tls(own.server("127.0.0.1", &[b"http/1.1"]), upstream).await;
    let at = UpstreamProxy {
        roots_pem: Some(own.pem.clone()),
        ..UpstreamProxy::at(format!("https://{}", proxy.at))
    };
    let leg = Leg::new(vec![route(0, HOST)], &[], &Upstream { proxy: Some(at), ..Upstream::default() });
    let denial = get(&leg, "https://api.test/").await.expect_err("not for upstreams");
    assert_eq!(denial.code, DenialCode::UpstreamCertificate);
    assert!(told(&denial).contains("upstream_proxy.ca"), "the way out is said: {denial:?}");
}

/// A proxy that opens TLS signs with its own CA: trusted for what comes through it, over h1 and h2, and for nothing
/// that goes direct.
#[tokio::test]
async fn the_proxys_ca_vouches_for_what_comes_through_it_only() {
    let intercepting = Authority::new();
    for alpn in [&[b"http/1.1" as &[u8]] as &[&[u8]], &[]] {
        let forged = web(intercepting.server(HOST, alpn)).await;
        let proxy = Proxy::to(forged).await;
        let opening = UpstreamProxy { ca_pem: Some(intercepting.pem.clone()), ..proxy.plain() };
        let through = Upstream { proxy: Some(opening), ..Upstream::default() };
        let leg = Leg::new(vec![route(0, HOST)], &[(HOST, forged)], &through);
        assert_eq!(leg.text("https://api.test/").await, "ok", "{alpn:?}");

        let proxy_past = UpstreamProxy {
            ca_pem: Some(intercepting.pem.clone()),
            except: vec![ProxyException::parse(HOST).unwrap()],
            ..proxy.plain()
        };
        let direct = Upstream { proxy: Some(proxy_past), ..Upstream::default() };
        let leg = Leg::new(vec![route(0, HOST)], &[(HOST, forged)], &direct);
        let denial = get(&leg, "https://api.test/").await.expect_err("direct, and signed by the proxy's CA");
        assert_eq!(denial.code, DenialCode::UpstreamCertificate);
        assert!(!told(&denial).contains("upstream_proxy"), "{denial:?}");
    }
}

#[tokio::test]
async fn exceptions_go_direct_and_nothing_else_does() {
    let origin = Origin::ok().await;
    let proxy = Proxy::to(origin.address).await;
    let except = ["api.test", "10.0.0.0/8"].map(|text| ProxyException::parse(text).unwrap());
    let at = UpstreamProxy { except: except.into(), ..proxy.plain() };
    let pins = [(HOST, origin.address), ("other.test", origin.address)];
    let leg = Leg::new(vec![route(0, HOST), route(1, "other.test")], &pins, &behind(at, &origin));
    let direct = leg.get("https://api.test/", PoolIdentity::default()).await.unwrap();
    assert_eq!(direct.address, origin.address);
    assert!(proxy.heads().is_empty());
    let through = leg.get("https://other.test/", PoolIdentity::default()).await.unwrap();
    assert_eq!((through.address, proxy.heads().len()), (proxy.at, 1));
}

/// An exception is vetted as everything that goes direct.
#[tokio::test]
async fn what_goes_direct_is_vetted() {
    let origin = Origin::ok().await;
    let proxy = Proxy::to(origin.address).await;
    let except = vec![ProxyException::parse("0.0.0.0/0").unwrap()];
    let at = UpstreamProxy { except, ..proxy.plain() };
    let leg = Leg::new(vec![route(0, "127.0.0.1")], &[], &behind(at, &origin));
    let denial = get(&leg, "https://127.0.0.1/").await.expect_err("loopback");
    assert_eq!(denial.code, DenialCode::AddressNotAllowed);
    assert!(proxy.heads().is_empty());
}

/// Names are the proxy's to resolve; addresses are vetted here, and a proxy is no way to a private one.
#[tokio::test]
async fn addresses_are_vetted_before_the_proxy_hears_of_them() {
    let origin = Origin::ok().await;
    let proxy = Proxy::to(origin.address).await;
    let hosts = ["169.254.169.254", "127.0.0.1", "10.0.0.1", "[::1]", "[fd00:ec2::254]", "[64:ff9b::a00:1]"];
    for (host, private) in hosts.iter().flat_map(|host| [(host, false), (host, true)]) {
        // A translator's address leads to the IPv4 address in it.
        let opened = private && ["10.0.0.1", "[64:ff9b::a00:1]"].contains(host);
        let routes = [route(0, host), plain_route(1, host)]
            .map(|route| Route { allow_private: private, ..route })
            .to_vec();
        let leg = Leg::new(routes, &[], &behind(proxy.plain(), &origin));
        for url in [format!("https://{host}/"), format!("http://{host}/")] {
            let before = proxy.heads().len();
            let asked = get(&leg, &url).await;
            let denied = asked.as_ref().err().is_some_and(|why| why.code == DenialCode::AddressNotAllowed);
            assert_eq!((denied, proxy.heads().len() - before), (!opened, opened.into()), "{url} {private}");
        }
    }
}

#[tokio::test]
async fn a_407_is_the_operators_matter_and_says_what_to_do() {
    let origin = Origin::ok().await;
    let asking = |kind: &str| {
        format!(
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: {kind}\r\n\
             Content-Length: 12\r\n\r\nuser:hunter2"
        )
    };
    for (kind, sent, wanted) in [
        ("Basic realm=\"x\"", false, "set `upstream_proxy.auth`"),
        ("Basic realm=\"x\"", true, "does not accept the user name and password"),
        ("Negotiate", true, "another kind than Basic"),
    ] {
        let answer = asking(kind);
        let log = Arc::new(answer.into_bytes());
        let proxy = Proxy::serving(None, move |mut stream: Io, _| {
            let answer = log.clone();
            async move {
                read_message(&mut stream).await;
                stream.write_all(&answer).await.unwrap();
                stream.flush().await.unwrap();
                read_message(&mut stream).await;
            }
        })
        .await;
        let at = if sent { with_password(proxy.plain(), "hunter2") } else { proxy.plain() };
        let routes = vec![route(0, HOST), plain_route(1, "other.test")];
        let leg = Leg::new(routes, &[(HOST, origin.address)], &behind(at, &origin));
        for url in ["https://api.test/", "http://other.test/"] {
            let denial = get(&leg, url).await.expect_err("407");
            assert_eq!(denial.code, DenialCode::UpstreamProxy, "{url}");
            assert!(told(&denial).contains(wanted) && told(&denial).contains("407"), "{url}: {denial:?}");
            assert!(!format!("{denial:?}").contains("hunter2"), "{denial:?}");
            assert_ne!(denial.code.status(), 407, "clients would ask their users for a password");
        }
    }
    assert!(origin.heard().is_empty());
}

/// What a hostile proxy may answer to CONNECT. Whatever it is: no byte of the agent's goes out, nothing goes around.
#[tokio::test]
async fn a_wrong_answer_to_connect_ends_there() {
    let origin = Origin::ok().await;
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(64 * 1024));
    let many = format!("{}{ESTABLISHED}", "HTTP/1.1 100 Continue\r\n\r\n".repeat(9));
    let big =
        format!("{}{ESTABLISHED}", format!("HTTP/1.1 103 E\r\nX: {}\r\n\r\n", "a".repeat(6000)).repeat(3));
    let elsewhere =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", origin.address);
    for answer in [
        "",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nsorry",
        "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        "HTTP/1.1 200 OK\nX: y\n\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n",
        "HTTP/1.1 600 What\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "\0\0\0\0",
        &elsewhere,
        &long,
        &many,
        &big,
    ] {
        let wanted = if answer == long { "16 KiB" } else { "" };
        let answer = Arc::new(answer.as_bytes().to_vec());
        let proxy = Proxy::serving(None, move |mut stream: Io, log| {
            let answer = answer.clone();
            async move {
                let Some(Heard { head, .. }) = read_message(&mut stream).await else { return };
                log.lock().unwrap().push(head);
                let _gone = stream.write_all(&answer).await;
                let _gone = stream.flush().await;
                let _gone = stream.shutdown().await;
                let mut more = Vec::new();
                stream.read_to_end(&mut more).await.ok();
                assert!(more.is_empty(), "bytes behind a CONNECT that was not granted");
            }
        })
        .await;
        let leg = Leg::new(vec![route(0, HOST)], &[(HOST, origin.address)], &behind(proxy.plain(), &origin));
        let denial = get(&leg, "https://api.test/").await.expect_err("no tunnel");
        assert_eq!(denial.code, DenialCode::UpstreamProxy, "{denial:?}");
        assert!(told(&denial).contains(wanted), "{denial:?}");
        assert_eq!(proxy.heads().len(), 1, "asked once");
    }
    assert!(origin.heard().is_empty());
}

/// A drop at a time is no way to hold a place for ever.
#[tokio::test]
async fn an_answer_to_connect_has_its_time() {
    let origin = Origin::ok().await;
    let proxy = Proxy::serving(None, |mut stream: Io, _| async move {
        read_message(&mut stream).await;
        for byte in ESTABLISHED.bytes() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    })
    .await;
    let limits = Limits { connect_time: Duration::from_millis(500), ..Limits::default() };
    let leg = Leg::limited(vec![route(0, HOST)], &[], &behind(proxy.plain(), &origin), &limits);
    let began = std::time::Instant::now();
    let denial = get(&leg, "https://api.test/").await.expect_err("late");
    assert_eq!(denial.code, DenialCode::UpstreamTimeout);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// RFC 9110 section 9.3.6: a granted CONNECT has no content, whatever its head says; interim answers may come first.
#[tokio::test]
async fn odd_but_right_answers_to_connect_open_the_tunnel() {
    for answer in [
        "HTTP/1.0 200 Connection established\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let origin = Origin::ok().await;
        let proxy = Proxy::saying(answer, origin.address).await;
        let leg = Leg::new(vec![route(0, HOST)], &[], &behind(proxy.plain(), &origin));
        assert_eq!(leg.text("https://api.test/").await, "ok", "{answer:?}");
    }
}

#[tokio::test]
async fn websockets_go_through_by_connect_with_tls_and_without() {
    let origin = switching(true).await;
    let proxy = Proxy::to(origin.address).await;
    let leg = Leg::new(vec![route(0, HOST)], &[], &behind(proxy.plain(), &origin));
    assert_echoes(websocket(&leg).await.unwrap(), "hello").await;
    assert!(proxy.heads()[0].starts_with("CONNECT api.test:443 "));

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(plain.local_addr().unwrap()).await;
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        read_message(&mut stream).await;
        stream.write_all(&response("", b"no socket here")).await.unwrap();
    });
    let leg = Leg::new(vec![plain_route(0, HOST)], &[], &behind(proxy.plain(), &origin));
    let permitted = leg.permit("GET", "http://api.test/socket");
    let request = Request::get("http://api.test/socket").body(()).unwrap();
    let answer = leg.client.websocket(&permitted, PoolIdentity::default(), request).await.unwrap();
    let WsAnswer::Refused(answer) = answer else { panic!("switched") };
    assert_eq!((answer.response.status(), read(answer).await.as_str()), (StatusCode::OK, "no socket here"));
    assert!(proxy.heads()[0].starts_with("CONNECT api.test:80 "), "{:?}", proxy.heads());
}

/// A server that speaks first: its bytes come in one piece with the proxy's answer.
#[tokio::test]
async fn a_raw_tunnel_loses_no_byte_that_came_with_the_answer() {
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = echo.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = echo.accept().await.unwrap();
        let (mut reads, mut writes) = stream.split();
        tokio::io::copy(&mut reads, &mut writes).await.ok();
    });
    let proxy = Proxy::saying(format!("{ESTABLISHED}220 welcome\r\n"), target).await;
    let db = Route { protocol: Protocol::Tcp, port: 5432, ..plain_route(0, "db.test") };
    let upstream = Upstream { proxy: Some(proxy.plain()), ..Upstream::default() };
    let leg = Leg::new(vec![db], &[], &upstream);
    let event = talk(&leg, "220 welcome\r\nping").await;
    assert_eq!((event.bytes_up, event.bytes_down, event.reason), (4, 17, None));
    assert!(proxy.heads()[0].starts_with("CONNECT db.test:5432 HTTP/1.1\r\n"));
}

async fn talk(leg: &Leg, wanted: &str) -> audit::Exchange {
    let Opening::Raw(permitted) = policy::open(&leg.policy, &policy::Host::parse("db.test").unwrap(), 5432)
    else {
        panic!("a raw route")
    };
    let tunnels = Tunnels {
        dialer: leg.client.dialer().clone(),
        idle: Duration::from_secs(10),
        end: CancellationToken::new(),
    };
    let (mut near, far) = tokio::io::duplex(1024);
    let running =
        tokio::spawn(async move { tunnel::run(&tunnels, permitted, Carries::Tcp, "id".into(), far).await });
    near.write_all(b"ping").await.unwrap();
    near.shutdown().await.unwrap();
    let mut said = String::new();
    near.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, wanted);
    running.await.unwrap()
}

#[tokio::test]
async fn a_raw_tunnel_does_not_go_around_a_proxy_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let db = Route { protocol: Protocol::Tcp, port: 5432, ..plain_route(0, "db.test") };
    let upstream =
        Upstream { proxy: Some(UpstreamProxy::at(format!("http://{dead}"))), ..Upstream::default() };
    let leg = Leg::new(vec![db], &[("db.test", listener.local_addr().unwrap())], &upstream);
    let event = talk(&leg, "").await;
    assert_eq!(event.code.as_deref(), Some("upstream-proxy"));
    assert!(tokio::time::timeout(Duration::from_millis(200), listener.accept()).await.is_err());
}

/// The password is a token like any other: read again when its source changes.
#[tokio::test]
async fn a_password_that_changes_is_the_new_one_soon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "first-password\n").unwrap();
    let source = TokenRef::File { path: path.clone(), json_pointer: None };
    let spec = SlotSpec { slot: Slot(3), source, format: PlaceholderFormat::Opaque, env: Vec::new() };
    let vault = Vault::resolve(&[spec]).unwrap();
    let origin = Origin::ok().await;
    let proxy = Proxy::to(origin.address).await;
    let auth = ProxyAuth { username: "u".into(), slot: Slot(3), vault };
    let at = UpstreamProxy { auth: Some(auth), ..proxy.plain() };
    let leg = Leg::new(vec![plain_route(0, "other.test")], &[], &behind(at, &origin));
    leg.text("http://other.test/").await;
    std::fs::write(&path, "second-password-longer\n").unwrap();
    // Files are looked at every second.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    leg.text("http://other.test/").await;
    let sent: Vec<bool> =
        proxy.heads().iter().map(|head| head.contains("dTpzZWNvbmQtcGFzc3dvcmQtbG9uZ2Vy")).collect();
    assert_eq!(sent, [false, true], "{:?}", proxy.heads());
}

/// An engine with a proxy and its password; every answer of the proxy repeats what it was told.
async fn echoing_world(routes: Vec<Route>, auth: Option<AuthScheme>) -> (World, Origin, Proxy) {
    let origin = Origin::ok().await;
    let proxy = Proxy::serving(None, |mut stream: Io, log| async move {
        while let Some(Heard { head, .. }) = read_message(&mut stream).await {
            log.lock().unwrap().push(head.clone());
            let echo = response("", format!("{PROXY_SECRET}\n{head}").as_bytes());
            stream.write_all(&echo).await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    let setup = Setup { routes, auth, proxy: Some(proxy.at), ..Setup::default() };
    (World::new(&origin, setup).await, origin, proxy)
}

const BASIC: &str = "dXNlcjpwcm94eS1yZWFsLTk4NzY1NDMyMTAtenl4d3Z1dHNycQ==";

#[tokio::test]
async fn the_agent_never_sees_the_proxys_password_and_cannot_send_its_own() {
    let (world, _origin, proxy) = echoing_world(vec![plain_route(0, HOST)], None).await;
    let mut stream = world.plain().await;
    let request = "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\nProxy-Authorization: Basic YWdlbnQ6b3du\r\n\
                   Proxy-Connection: keep-alive\r\n\r\n";
    let answer = say(&mut stream, request.as_bytes()).await;
    let head = proxy.heads()[0].clone();
    assert!(head.contains(BASIC) && !head.contains("YWdlbnQ6b3du"), "{head}");
    assert!(!head.to_lowercase().contains("proxy-connection"), "{head}");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("GET http://api.test/"), "{answer}");
    assert!(!answer.contains(PROXY_SECRET) && !answer.contains("cHJveHktcmVhb"), "scrubbed: {answer}");
    assert!(!answer.contains("wcm94eS1yZWFsLTk4NzY1NDMyMTAtenl4d3Z1dHNycQ"), "in base64 too: {answer}");
    let event = world.events(1).await[0].to_string();
    assert!(!event.contains(PROXY_SECRET) && !event.contains(BASIC), "{event}");
}

#[tokio::test]
async fn the_proxys_password_does_not_go_out_by_the_agents_hand() {
    let (world, origin, proxy) = echoing_world(vec![plain_route(0, HOST)], None).await;
    for place in [PROXY_SECRET, BASIC] {
        let mut stream = world.plain().await;
        let request = format!("GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\nX-Found: {place}\r\n\r\n");
        let answer = say(&mut stream, request.as_bytes()).await;
        assert!(answer.contains("code=secret-in-request"), "{answer}");
    }
    assert!(proxy.heads().is_empty() && origin.heard().is_empty());
}

/// In absolute form a proxy reads everything: no credential of a route ever goes there.
#[tokio::test]
async fn a_credential_never_goes_to_the_proxy_in_clear() {
    let routes = vec![plain_route(0, HOST)];
    let (world, origin, proxy) = echoing_world(routes, Some(AuthScheme::Bearer)).await;
    let mut stream = world.plain().await;
    let answer = say(&mut stream, b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.contains("code=credential-needs-tls"), "{answer}");
    assert!(proxy.heads().is_empty() && origin.heard().is_empty(), "{:?}", proxy.heads());
    assert!(!answer.contains(SECRET));
}

/// The refusal that an agent reads when the proxy says no: `failed`, the code, and nothing of the proxy's own words.
#[tokio::test]
async fn the_agent_reads_a_code_of_its_own() {
    let origin = Origin::ok().await;
    let no = "HTTP/1.1 407 Ask user:hunter2\r\nProxy-Authenticate: Basic realm=\"hunter2\"\r\n\r\n";
    let proxy = Proxy::saying(no, origin.address).await;
    let world = World::new(&origin, Setup { proxy: Some(proxy.at), ..Setup::default() }).await;
    let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains("bottle-decision: failed; code=upstream-proxy"), "{answer}");
    let event = world.events(1).await[0].clone();
    assert_eq!(event["code"], "upstream-proxy");
    assert!(event["reason"].as_str().unwrap().contains("does not accept the user name"), "{event}");
    assert!(!event.to_string().contains("hunter2") && !answer.contains("hunter2"), "{event}");
}
