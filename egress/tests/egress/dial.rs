//! Destinations: who is asked for addresses, which of them are dialled, and what is not.
use super::world::route;
use arc_swap::ArcSwap;
use egress::tunnel::{self, Carries, Tunnels};
use egress::upstream::{Client, PoolIdentity};
use egress::{Limits, Upstream};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType};
use http::Request;
use http_body_util::{BodyExt, Empty};
use policy::{Denial, DenialCode, Opening, PermittedTunnel, Policy, Protocol, Route, Scheme, decide};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

/// What the fake name server says to one question.
enum Reply {
    Addresses(Vec<IpAddr>),
    Error(ResponseCode),
    Silence,
}

/// A name server on loopback, and the questions it was asked.
struct NameServer {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// `reply` gets the name and how many questions for addresses of this kind came before.
    async fn new(reply: impl Fn(&str, usize) -> Reply + Send + 'static) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).unwrap();
                let question = format!("{} {}", query.queries[0].name(), query.queries[0].query_type());
                let before = log.lock().unwrap().iter().filter(|asked| **asked == question).count();
                log.lock().unwrap().push(question);
                let name = query.queries[0].name().to_string();
                if let Some(answer) = answer(query, reply(&name, before)) {
                    socket.send_to(&answer, client).await.unwrap();
                }
            }
        });
        NameServer { at, asked }
    }
    async fn saying(addresses: &[&str]) -> NameServer {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        NameServer::new(move |_, _| Reply::Addresses(addresses.clone())).await
    }
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
    fn upstream(&self) -> Upstream {
        Upstream { nameservers: vec![self.at], ..Upstream::default() }
    }
}

fn answer(query: Message, reply: Reply) -> Option<Vec<u8>> {
    let (name, kind) = (query.queries[0].name().clone(), query.queries[0].query_type());
    let mut message = query.into_response();
    match reply {
        Reply::Silence => return None,
        Reply::Error(code) => message.metadata.response_code = code,
        Reply::Addresses(addresses) => {
            for ip in addresses {
                let data = match (ip, kind) {
                    (IpAddr::V4(ip), RecordType::A) => RData::A(ip.into()),
                    (IpAddr::V6(ip), RecordType::AAAA) => RData::AAAA(ip.into()),
                    _ => continue,
                };
                // Zero: what was answered is good for this one look-up.
                message.add_answer(Record::from_rdata(name.clone(), 0, data));
            }
        }
    }
    Some(message.to_vec().unwrap())
}

/// A plain route to a port, whether its names may lead inside or not.
fn plain(host: &str, port: u16, allow_private: bool) -> Route {
    Route { scheme: Scheme::Http, port, allow_private, ..route(0, host) }
}

struct Leg {
    client: Client,
    policy: Arc<Policy>,
}

fn leg(routes: Vec<Route>, pins: &[(&str, SocketAddr)], upstream: &Upstream) -> Leg {
    let limits = Limits { connect_time: Duration::from_secs(3), ..Limits::default() };
    let pins: BTreeMap<_, _> = pins.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
    let policy = Arc::new(Policy::new(routes, pins));
    let client = Client::new(upstream, Arc::new(ArcSwap::new(policy.clone())), &limits).unwrap();
    Leg { client, policy }
}

impl Leg {
    /// The address that a GET reached, or the denial.
    async fn get(&self, url: &str) -> Result<SocketAddr, Box<Denial>> {
        let permitted =
            decide(&self.policy, policy::Request::from_url("GET", url).unwrap()).expect("allowed");
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(url).header("connection", "close").body(body).unwrap();
        let answer = self.client.send(&permitted, PoolIdentity::default(), request).await?;
        let address = answer.address;
        answer.response.into_body().collect().await.unwrap();
        Ok(address)
    }
}

/// An origin that answers each connection once, on this address.
async fn origin(ip: &str, port: u16) -> (SocketAddr, Arc<Mutex<u32>>) {
    let listener = TcpListener::bind((ip, port)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let count: Arc<Mutex<u32>> = Arc::default();
    let reached = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            *reached.lock().unwrap() += 1;
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _head = stream.read(&mut buffer).await;
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).await.ok();
            });
        }
    });
    (at, count)
}

/// Nothing that a name leads to inside is dialled, however it is spelt; mixed answers are refused whole.
#[tokio::test]
async fn names_that_lead_inside_are_not_dialled() {
    let (inside, reached) = origin("127.0.0.1", 0).await;
    for addresses in [
        &["127.0.0.1"] as &[&str],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["93.184.215.14", "127.0.0.1"],
        &["2606:4700::1111", "::ffff:10.0.0.1"],
        &["10.0.0.1"],
        &["100.64.0.1"],
        &["169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::1"],
        &["0.0.0.0"],
        &["198.18.0.1"],
        &["fd62:6f74:7462:6f74::1"],
    ] {
        let server = NameServer::saying(addresses).await;
        let leg = leg(vec![plain("trap.test", inside.port(), false)], &[], &server.upstream());
        let denial = leg.get(&format!("http://trap.test:{}/", inside.port())).await.expect_err("refused");
        assert_eq!(denial.code, DenialCode::AddressNotAllowed, "{addresses:?}: {denial:?}");
        assert!(addresses.iter().all(|address| !denial.sentence.contains(address)), "no map of the network");
    }
    assert_eq!(*reached.lock().unwrap(), 0);
}

/// Even a route that may lead inside does not lead to metadata services or to our own table.
#[tokio::test]
async fn a_route_that_may_lead_inside_has_its_limits() {
    for address in ["169.254.169.254", "fd00:ec2::254", "198.18.0.3", "fd62:6f74:7462:6f74::9"] {
        let server = NameServer::saying(&[address]).await;
        let leg = leg(vec![plain("trap.test", 80, true)], &[], &server.upstream());
        let denial = leg.get("http://trap.test/").await.expect_err("refused");
        assert_eq!(denial.code, DenialCode::AddressNotAllowed, "{address}: {denial:?}");
    }
}

#[tokio::test]
async fn a_look_up_that_fails_is_a_denial() {
    for code in [ResponseCode::NXDomain, ResponseCode::ServFail, ResponseCode::Refused] {
        let server = NameServer::new(move |_, _| Reply::Error(code)).await;
        let leg = leg(vec![plain("gone.test", 80, true)], &[], &server.upstream());
        let denial = leg.get("http://gone.test/").await.expect_err("no address");
        assert_eq!(denial.code, DenialCode::NameNotResolved, "{code}: {denial:?}");
    }
    let server = NameServer::saying(&[]).await;
    let denial =
        leg(vec![plain("gone.test", 80, true)], &[], &server.upstream()).get("http://gone.test/").await;
    assert_eq!(denial.expect_err("empty").code, DenialCode::NameNotResolved);
}

#[tokio::test]
async fn a_silent_name_server_ends_in_time() {
    let server = NameServer::new(|_, _| Reply::Silence).await;
    let leg = leg(vec![plain("slow.test", 80, true)], &[], &server.upstream());
    let started = Instant::now();
    let denial = leg.get("http://slow.test/").await.expect_err("no answer");
    assert!(matches!(denial.code, DenialCode::UpstreamTimeout | DenialCode::NameNotResolved), "{denial:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// The operator's own table counts as vetted, and nobody is asked; nor is anybody about an address.
#[tokio::test]
async fn pinned_names_and_addresses_ask_nobody() {
    let (at, reached) = origin("127.0.0.1", 0).await;
    let server = NameServer::saying(&["10.0.0.1"]).await;
    let literal = Route { id: policy::RouteId(1), ..plain("127.0.0.1", at.port(), true) };
    let leg = leg(vec![plain("pinned.test", 80, false), literal], &[("pinned.test", at)], &server.upstream());
    assert_eq!(leg.get("http://pinned.test/").await.unwrap(), at);
    let denial = leg.get(&format!("http://{at}/")).await.expect_err("the host's own loopback");
    assert_eq!(denial.code, DenialCode::AddressNotAllowed);
    assert_eq!(*reached.lock().unwrap(), 1);
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

/// A raw tunnel to this address, as the route of a plan allows it.
fn raw(at: SocketAddr, idle: Duration) -> (Tunnels, PermittedTunnel) {
    let raw = Route { protocol: Protocol::Tcp, ..plain("db.test", 5432, false) };
    let leg = leg(vec![raw], &[("db.test", at)], &Upstream::default());
    let Opening::Raw(permitted) = policy::open(&leg.policy, &policy::Host::parse("db.test").unwrap(), 5432)
    else {
        panic!("a raw route");
    };
    (Tunnels { dialer: leg.client.dialer().clone(), idle, end: CancellationToken::new() }, permitted)
}

fn start(
    tunnels: &Tunnels,
    permitted: PermittedTunnel,
) -> (DuplexStream, tokio::task::JoinHandle<audit::Exchange>) {
    let (near, far) = tokio::io::duplex(1024);
    let tunnels = tunnels.clone();
    let run = async move { tunnel::run(&tunnels, permitted, Carries::Tcp, "id".into(), far).await };
    (near, tokio::spawn(run))
}

/// A server that answers only when its client has said everything.
async fn counting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.ok();
                stream.write_all(format!("got {}", all.len()).as_bytes()).await.ok();
            });
        }
    });
    at
}

#[tokio::test]
async fn a_tunnel_passes_on_the_end_of_one_direction_and_counts() {
    let (tunnels, permitted) = raw(counting().await, Duration::from_secs(60));
    let (mut near, running) = start(&tunnels, permitted);
    near.write_all(&[7; 100_000]).await.unwrap();
    near.shutdown().await.unwrap();
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "got 100000");
    let event = running.await.unwrap();
    assert_eq!((event.bytes_up, event.bytes_down), (100_000, 10));
    assert_eq!(event.reason, None);
    assert_eq!(
        (event.protocol.as_str(), event.host.as_deref(), event.port),
        ("tcp", Some("db.test"), Some(5432))
    );
}

/// A server that says its last words and closes while its client still speaks: the words arrive.
#[tokio::test]
async fn a_tunnel_brings_the_last_words_of_a_side_that_takes_nothing_more() {
    const WORDS: usize = 64 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tunnels, permitted) = raw(listener.local_addr().unwrap(), Duration::from_secs(60));
    let (mut near, running) = start(&tunnels, permitted);
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(&vec![7; WORDS]).await.unwrap();
    drop(server);
    // The first is answered by a reset, the next fail.
    for _ in 0..3 {
        near.write_all(b"x").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut words = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), near.read_to_end(&mut words))
        .await
        .expect("an end")
        .unwrap();
    assert_eq!(words.len(), WORDS);
    let event = running.await.unwrap();
    assert_eq!((event.decision, event.bytes_down), (audit::Decision::Aborted, WORDS as u64));
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_ends_and_one_in_which_something_does_goes_on() {
    let (tunnels, permitted) = raw(counting().await, Duration::from_millis(400));
    let (mut near, running) = start(&tunnels, permitted);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        near.write_all(b"x").await.expect("still open");
    }
    let event = tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends").unwrap();
    assert_eq!((event.decision, event.bytes_up), (audit::Decision::Aborted, 5));
}

#[tokio::test]
async fn the_end_of_the_engine_ends_tunnels() {
    let (tunnels, permitted) = raw(counting().await, Duration::from_secs(60));
    let (mut near, running) = start(&tunnels, permitted);
    near.write_all(b"x").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    tunnels.end.cancel();
    let event = tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends").unwrap();
    assert_eq!(event.decision, audit::Decision::Aborted);
    assert_eq!(near.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_tunnel_to_nobody_is_recorded_as_denied() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (tunnels, permitted) = raw(closed, Duration::from_secs(60));
    let (_near, running) = start(&tunnels, permitted);
    let event = running.await.unwrap();
    assert_eq!(event.decision, audit::Decision::Denied);
    assert_eq!(event.code.as_deref(), Some("upstream-unreachable"));
}
