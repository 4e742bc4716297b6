//! The outward leg: verified, apart by credential and route, streaming, whole.
use super::world::{HOST, Heard, Io, Origin, read_message, response, route};
use arc_swap::ArcSwap;
use bytes::Bytes;
use credentials::Slot;
use egress::body::{Body, BoxError};
use egress::upstream::{Answer, Client, PoolIdentity, WsAnswer};
use egress::{Limits, Upstream};
use http::{Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::{Denial, DenialCode, Permitted, Policy, Route, decide};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A client, the policy that it dials by, and what judges for it.
pub(crate) struct Leg {
    pub(crate) client: Client,
    pub(crate) policy: Arc<Policy>,
}

impl Leg {
    pub(crate) fn new(routes: Vec<Route>, pins: &[(&str, SocketAddr)], upstream: &Upstream) -> Leg {
        Leg::limited(routes, pins, upstream, &Limits::default())
    }
    pub(crate) fn limited(
        routes: Vec<Route>,
        pins: &[(&str, SocketAddr)],
        upstream: &Upstream,
        limits: &Limits,
    ) -> Leg {
        let pins: BTreeMap<_, _> = pins.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
        let policy = Arc::new(Policy::new(routes, pins));
        let client = Client::new(upstream, Arc::new(ArcSwap::new(policy.clone())), limits).unwrap();
        Leg { client, policy }
    }
    /// To one origin by the name that it has a certificate for.
    fn to(origin: &Origin) -> Leg {
        Leg::new(vec![route(0, HOST)], &[(HOST, origin.address)], &trusting(origin))
    }
    pub(crate) fn permit(&self, method: &str, url: &str) -> Permitted {
        decide(&self.policy, policy::Request::from_url(method, url).unwrap()).expect("allowed")
    }
    pub(crate) async fn get(&self, url: &str, identity: PoolIdentity) -> Result<Answer, Box<Denial>> {
        self.client.send(&self.permit("GET", url), identity, bodiless("GET", url)).await
    }
    /// A whole GET without a credential; status and body.
    pub(crate) async fn text(&self, url: &str) -> String {
        read(self.get(url, PoolIdentity::default()).await.expect("an answer")).await
    }
}

pub(crate) fn trusting(origin: &Origin) -> Upstream {
    Upstream { extra_roots_pem: vec![origin.root_pem.clone()], ..Upstream::default() }
}

pub(crate) fn bodiless(method: &str, url: &str) -> Request<Body> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    Request::builder().method(method).uri(url).body(body).unwrap()
}

/// A body that comes in pieces and says nothing of its length.
fn pieces(frames: Vec<Frame<Bytes>>) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::iter(
        frames.into_iter().map(Ok::<_, BoxError>),
    )))
}

pub(crate) async fn read(answer: Answer) -> String {
    let bytes = answer.response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn slot(slot: u16, generation: u64) -> PoolIdentity {
    PoolIdentity { credential: Some((Slot(slot), generation)) }
}

/// An upstream that says on which of its connections a request came.
async fn numbering(alpn: &'static [&'static [u8]]) -> Origin {
    let count = Arc::new(AtomicUsize::new(0));
    Origin::tls(alpn, move |stream| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            let answer = service_fn(move |_: Request<Incoming>| async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(number.to_string()))))
            });
            let io = TokioIo::new(stream);
            if alpn == [b"h2"] {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, answer)
                    .await
                    .ok();
            } else {
                hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await.ok();
            }
        }
    })
    .await
}

/// Room for the connection to come home before it is asked for again.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn connections_are_kept_and_never_shared_between_credentials_generations_or_routes() {
    for alpn in [&[b"http/1.1" as &[u8]] as &[&[u8]], &[b"h2"]] {
        let origin = numbering(alpn).await;
        let mut private = route(1, HOST);
        private.paths = Some(vec![policy::PathPattern::parse("/private/**").unwrap()]);
        let mut open = route(0, HOST);
        open.paths = Some(vec![policy::PathPattern::parse("/open").unwrap()]);
        let leg = Leg::new(vec![open, private], &[(HOST, origin.address)], &trusting(&origin));
        let open = "https://api.test/open";
        let mut seen = Vec::new();
        for identity in [slot(0, 1), slot(0, 1), slot(1, 1), slot(0, 2), PoolIdentity::default(), slot(0, 1)]
        {
            seen.push(read(leg.get(open, identity).await.unwrap()).await);
            settle().await;
        }
        seen.push(read(leg.get("https://api.test/private/x", slot(0, 1)).await.unwrap()).await);
        assert_eq!(seen, ["0", "0", "1", "2", "3", "0", "4"], "{alpn:?}");
    }
}

/// One certificate for two names at one address: each name has connections of its own all the same.
#[tokio::test]
async fn connections_are_not_coalesced() {
    let origin = numbering(&[b"h2"]).await;
    let pins = [(HOST, origin.address), ("other.test", origin.address)];
    let leg = Leg::new(vec![route(0, HOST), route(1, "other.test")], &pins, &trusting(&origin));
    assert_eq!(leg.text("https://api.test/").await, "0");
    assert_eq!(leg.text("https://other.test/").await, "1");
    assert_eq!(leg.text("https://api.test/").await, "0");
}

#[tokio::test]
async fn parallel_requests_share_one_h2_connection_and_have_h1_connections_each() {
    for (alpn, wanted) in [(&[b"h2" as &[u8]] as &[&[u8]], 1), (&[b"http/1.1"], 8)] {
        let origin = numbering(alpn).await;
        let leg = Leg::to(&origin);
        let all = futures_util::future::join_all((0..8).map(|_| leg.text("https://api.test/"))).await;
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), wanted, "{alpn:?}");
    }
}

/// A certificate that nothing is wrong with but what `change` makes wrong.
async fn with_certificate(
    change: impl Fn(&mut CertificateParams),
    self_signed: bool,
) -> (SocketAddr, Upstream) {
    let key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&key).unwrap().pem();
    let leaf_key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new([HOST.to_owned()]).unwrap();
    change(&mut leaf);
    let leaf = if self_signed {
        leaf.self_signed(&leaf_key).unwrap()
    } else {
        leaf.signed_by(&leaf_key, &Issuer::new(root, key)).unwrap()
    };
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], leaf_key.serialize_der().try_into().unwrap())
            .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if read_message(&mut stream).await.is_some() {
                stream.write_all(&response("", b"reached")).await.unwrap();
            }
        }
    });
    (address, Upstream { extra_roots_pem: vec![root_pem], ..Upstream::default() })
}

#[tokio::test]
async fn certificates_are_verified_always() {
    let nothing: fn(&mut CertificateParams) = |_| {};
    let expired: fn(&mut CertificateParams) = |leaf| leaf.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let future: fn(&mut CertificateParams) = |leaf| leaf.not_before = rcgen::date_time_ymd(3000, 1, 1);
    let other: fn(&mut CertificateParams) = |leaf| {
        leaf.subject_alt_names = vec![rcgen::SanType::DnsName("other.test".try_into().unwrap())];
    };
    for (what, change, self_signed) in [
        ("expired", expired, false),
        ("not yet valid", future, false),
        ("for another name", other, false),
        ("self-signed", nothing, true),
    ] {
        let (address, upstream) = with_certificate(change, self_signed).await;
        let leg = Leg::new(vec![route(0, HOST)], &[(HOST, address)], &upstream);
        let denial = leg.get("https://api.test/", PoolIdentity::default()).await.expect_err(what);
        assert_eq!(denial.code, DenialCode::UpstreamCertificate, "{what}");
        assert!(denial.detail.is_some(), "the operator is told which");
    }
    let (address, upstream) = with_certificate(nothing, false).await;
    let leg = Leg::new(vec![route(0, HOST)], &[(HOST, address)], &upstream);
    assert_eq!(leg.text("https://api.test/").await, "reached", "the same without a fault");
}

#[tokio::test]
async fn a_root_that_cannot_be_used_is_an_error_at_the_start() {
    for pem in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let upstream = Upstream { extra_roots_pem: vec![pem.to_owned()], ..Upstream::default() };
        let policy = Arc::new(ArcSwap::new(Arc::new(Policy::default())));
        assert!(Client::new(&upstream, policy, &Limits::default()).is_err(), "{pem}");
    }
}

/// hyper leaves out the body of a GET whose length it does not know; nothing may be left out.
#[tokio::test]
async fn a_body_of_unknown_length_is_sent_whole_with_every_method() {
    let origin = Origin::ok().await;
    let leg = Leg::to(&origin);
    for method in ["GET", "DELETE", "POST"] {
        let mut request = bodiless(method, "https://api.test/");
        *request.body_mut() = pieces(vec![Frame::data("one".into()), Frame::data("two".into())]);
        let permitted = leg.permit(method, "https://api.test/");
        let answer = leg.client.send(&permitted, PoolIdentity::default(), request).await.unwrap();
        assert_eq!(read(answer).await, "ok");
        assert_eq!(origin.heard().last().unwrap().body, b"onetwo", "{method}");
    }
}

#[tokio::test]
async fn the_host_header_is_what_was_judged() {
    let origin = Origin::ok().await;
    let mut other_port = route(0, HOST);
    other_port.port = 8443;
    let leg = Leg::new(vec![other_port], &[(HOST, origin.address)], &trusting(&origin));
    let mut request = bodiless("GET", "https://evil.test/a?b=c");
    request.headers_mut().insert("host", "evil.test".parse().unwrap());
    let permitted = leg.permit("GET", "https://api.test:8443/a?b=c");
    read(leg.client.send(&permitted, PoolIdentity::default(), request).await.unwrap()).await;
    let head = origin.heard()[0].head.to_lowercase();
    assert!(
        head.starts_with("get /a?b=c http/1.1\r\n") && head.contains("\r\nhost: api.test:8443\r\n"),
        "{head}"
    );
    assert!(!head.contains("evil"), "{head}");
}

/// The origin ends every connection after its first answer, at the moment the second request arrives.
async fn ending_after_one() -> (Origin, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let count = count.clone();
        async move {
            if read_message(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(&response("", b"ok")).await.unwrap();
                stream.flush().await.unwrap();
            }
            if read_message(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    (origin, requests)
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_once_and_only_where_twice_does_no_harm() {
    let (origin, requests) = ending_after_one().await;
    let leg = Leg::to(&origin);
    assert_eq!(leg.text("https://api.test/").await, "ok");
    settle().await;
    assert_eq!(leg.text("https://api.test/").await, "ok");
    assert_eq!(requests.load(Ordering::SeqCst), 3, "the second was sent again, on a new connection");
    settle().await;
    let mut request = bodiless("POST", "https://api.test/");
    *request.body_mut() =
        Full::new(Bytes::from_static(b"pay")).map_err(|never| match never {}).boxed_unsync();
    let permitted = leg.permit("POST", "https://api.test/");
    let denial =
        leg.client.send(&permitted, PoolIdentity::default(), request).await.expect_err("not sent twice");
    assert_eq!(denial.code, DenialCode::UpstreamUnreachable);
    assert_eq!(requests.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn the_first_byte_of_a_stream_does_not_wait_for_the_second() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        read_message(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}6\r\nfirst\n\r\n").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        // Nothing more, ever: whoever buffers, waits.
        read_message(&mut stream).await;
    })
    .await;
    let leg = Leg::to(&origin);
    let answer = leg.get("https://api.test/", PoolIdentity::default()).await.unwrap();
    let mut body = answer.response.into_body();
    let first = tokio::time::timeout(Duration::from_secs(5), body.frame()).await.expect("no delay");
    assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "first\n");
}

#[tokio::test]
async fn trailers_pass_both_ways_over_h2() {
    let origin = Origin::tls(&[b"h2"], |stream: Io| async move {
        let echo = service_fn(|request: Request<Incoming>| async move {
            assert_eq!(request.headers()["te"], "trailers");
            let trailers = request.into_body().collect().await.unwrap().trailers().cloned().unwrap();
            let frames =
                [Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), Ok(Frame::trailers(trailers))];
            Ok::<_, Infallible>(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.serve_connection(TokioIo::new(stream), echo).await.ok();
    })
    .await;
    let leg = Leg::to(&origin);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let mut request = bodiless("POST", "https://api.test/pkg.Service/Call");
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    *request.body_mut() = pieces(vec![Frame::data("m".into()), Frame::trailers(trailers.clone())]);
    let permitted = leg.permit("POST", "https://api.test/pkg.Service/Call");
    let answer = leg.client.send(&permitted, PoolIdentity::default(), request).await.unwrap();
    assert_eq!(answer.response.version(), Version::HTTP_2);
    let body = answer.response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&trailers));
}

#[tokio::test]
async fn who_cannot_be_reached_or_does_not_answer_is_said() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let leg = Leg::new(vec![route(0, HOST)], &[(HOST, closed)], &Upstream::default());
    let denial = leg.get("https://api.test/", PoolIdentity::default()).await.expect_err("nobody there");
    assert_eq!(denial.code, DenialCode::UpstreamUnreachable);
    assert!(!denial.sentence.contains("127.0.0.1"), "addresses are for the operator: {}", denial.sentence);
    assert!(denial.detail.unwrap().contains("127.0.0.1"));

    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { handshake_time: Duration::from_millis(200), ..Limits::default() };
    let pins = [(HOST, mute.local_addr().unwrap())];
    let leg = Leg::limited(vec![route(0, HOST)], &pins, &Upstream::default(), &limits);
    let denial = leg.get("https://api.test/", PoolIdentity::default()).await.expect_err("mute");
    assert_eq!(denial.code, DenialCode::UpstreamTimeout);
}

/// An origin that switches to WebSocket, with the right accept value or a wrong one, and echoes.
pub(crate) async fn switching(right: bool) -> Origin {
    Origin::tls(&[b"http/1.1"], move |mut stream: Io| async move {
        let Some(Heard { head, .. }) = read_message(&mut stream).await else { return };
        let lines = head.lines().find(|line| line.to_lowercase().starts_with("sec-websocket-key"));
        let key = lines.unwrap().split_once(": ").unwrap().1;
        let key = if right { key } else { "AAAAAAAAAAAAAAAAAAAAAA==" };
        let accept = egress::upstream::websocket_accept(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut buffer = [0; 4];
        stream.read_exact(&mut buffer).await.unwrap();
        stream.write_all(&buffer).await.unwrap();
        stream.flush().await.unwrap();
    })
    .await
}

pub(crate) async fn websocket(leg: &Leg) -> Result<WsAnswer, Box<Denial>> {
    let permitted = leg.permit("GET", "https://api.test/socket");
    let request = Request::get("https://api.test/socket").body(()).unwrap();
    leg.client.websocket(&permitted, PoolIdentity::default(), request).await
}

pub(crate) async fn assert_echoes(answer: WsAnswer, greeting: &str) {
    let WsAnswer::Switched { head, mut stream, .. } = answer else { panic!("refused") };
    assert_eq!(head.status(), StatusCode::SWITCHING_PROTOCOLS);
    for own in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!head.headers().contains_key(own), "{own} is the hop's");
    }
    let mut seen = vec![0; greeting.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, greeting.as_bytes(), "bytes right behind the head are not lost");
    stream.write_all(b"ping").await.unwrap();
    stream.flush().await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"ping");
}

#[tokio::test]
async fn a_websocket_opens_over_h1_and_a_wrong_accept_does_not() {
    let origin = switching(true).await;
    let answer = websocket(&Leg::to(&origin)).await.unwrap();
    assert_echoes(answer, "hello").await;
    let origin = switching(false).await;
    let denial = websocket(&Leg::to(&origin)).await.err().expect("not believed");
    assert_eq!(denial.code, DenialCode::UpstreamUnreachable);
}

#[tokio::test]
async fn a_refused_websocket_is_an_answer_with_its_body() {
    let origin =
        Origin::answering(|_| b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone".to_vec()).await;
    let WsAnswer::Refused(answer) = websocket(&Leg::to(&origin)).await.unwrap() else { panic!("switched") };
    assert_eq!(answer.response.status(), StatusCode::NOT_FOUND);
    assert_eq!(read(answer).await, "none");
}

#[tokio::test]
async fn a_websocket_opens_over_h2_where_there_is_nothing_else() {
    let origin = Origin::tls(&[b"h2"], |stream: Io| async move {
        let switch = service_fn(|mut request: Request<Incoming>| async move {
            assert_eq!(request.method(), "CONNECT");
            assert_eq!(request.extensions().get::<hyper::ext::Protocol>().unwrap().as_ref(), b"websocket");
            tokio::spawn(async move {
                let mut stream = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
                let mut buffer = [0; 4];
                stream.read_exact(&mut buffer).await.unwrap();
                stream.write_all(&buffer).await.unwrap();
                stream.flush().await.unwrap();
            });
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.enable_connect_protocol().serve_connection(TokioIo::new(stream), switch).await.ok();
    })
    .await;
    let answer = websocket(&Leg::to(&origin)).await.unwrap();
    assert_echoes(answer, "").await;
}
