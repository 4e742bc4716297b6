//! Threats 4 and 5: HTTP/2 streams are judged one by one; what streams is not held back, cut or stripped.
use super::world::{HOST, Heard, Io, Origin, SECRET, Setup, World, response};
use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) type Sender = SendRequest<http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>>;

pub(crate) async fn h2(world: &World, host: &str) -> Sender {
    let stream: Io = world.tls_as(&format!("{host}:443"), host, &[b"h2"]).await;
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) =
        builder.timer(TokioTimer::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(uri: &str) -> Request<http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>> {
    Request::builder().version(Version::HTTP_2).uri(uri).body(Empty::new().boxed_unsync()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn each_stream_is_judged_and_authorities_do_not_coalesce() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut sender = h2(&world, HOST).await;
    assert_eq!(sender.send_request(get("https://api.test/1")).await.unwrap().status(), 200);
    for uri in ["https://other.test/", "https://denied.test/", "https://api.test:8443/", "http://api.test/"] {
        let refused = sender.send_request(get(uri)).await.unwrap();
        assert!(refused.headers()["bottle-decision"].to_str().unwrap().starts_with("denied"), "{uri}");
    }
    let mut with_host = get("https://api.test/");
    with_host.headers_mut().insert("host", "other.test".parse().unwrap());
    let refused = sender.send_request(with_host).await.unwrap();
    assert_eq!(refused.headers()["bottle-decision"], "denied; code=authority-mismatch");
    assert_eq!(
        sender.send_request(get("https://api.test/2")).await.unwrap().status(),
        200,
        "the others are unharmed"
    );
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn connect_inside_http2_is_refused() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut sender = h2(&world, HOST).await;
    let mut connect = get("other.test:443");
    *connect.method_mut() = Method::CONNECT;
    let refused = sender.send_request(connect).await.unwrap();
    assert_eq!(refused.headers()["bottle-decision"], "denied; code=malformed-request");
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn many_streams_share_a_connection_and_keep_their_bodies_apart() {
    let origin = Origin::answering(|heard: &Heard| response("", &heard.body)).await;
    let world = World::with_credential(&origin).await;
    let sender = h2(&world, HOST).await;
    let exchanges = (0..40_u32).map(|number| {
        let mut sender = sender.clone();
        async move {
            let body = Full::new(Bytes::from(format!("number {number}"))).boxed_unsync();
            let request = Request::post("https://api.test/").version(Version::HTTP_2).body(body).unwrap();
            assert_eq!(text(sender.send_request(request).await.unwrap()).await, format!("number {number}"));
        }
    });
    futures_util::future::join_all(exchanges).await;
    assert_eq!(origin.heard().len(), 40);
}

fn grpc_call() -> Request<http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>> {
    let message =
        futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\0")))]);
    Request::post("https://api.test/svc/Method")
        .version(Version::HTTP_2)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(StreamBody::new(message).boxed_unsync())
        .unwrap()
}

/// No length, `te: trailers`, and the status in the trailers: what a gRPC server is and sees.
async fn grpc_server(stream: Io) {
    let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
        assert_eq!(request.headers()["te"], "trailers");
        assert!(request.headers()["authorization"].to_str().unwrap().contains(SECRET));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let trailers = http::HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            "7".parse().unwrap(),
        )]);
        let frames = [Ok::<_, Infallible>(Frame::data(body)), Ok(Frame::trailers(trailers))];
        Ok::<_, Infallible>(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // The engine's pool ends its connections when it pleases.
    let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn grpc_keeps_its_trailers() {
    let origin = Origin::tls(&[b"h2"], grpc_server).await;
    let world = World::with_credential(&origin).await;
    let mut sender = h2(&world, HOST).await;
    let collected = sender.send_request(grpc_call()).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "7");
    assert_eq!(collected.to_bytes().as_ref(), b"\0\0\0\0\0");
}

#[tokio::test]
async fn trailers_pass_between_the_versions() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\0\0\0\0\0\r\n0\r\ngrpc-status: 7\r\n\r\n"
            .to_vec()
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut sender = h2(&world, HOST).await;
    let collected = sender.send_request(grpc_call()).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "7");
}

#[tokio::test]
async fn rapid_reset_ends_its_own_connection_only() {
    let origin = Origin::answering(|_| {
        std::thread::sleep(Duration::from_millis(5));
        response("", b"ok")
    })
    .await;
    let world = World::new(&origin, Setup::default()).await;
    let mut good = h2(&world, HOST).await;
    let stream = world.tls_as("api.test:443", HOST, &[b"h2"]).await;
    let (client, connection) = ::h2::client::handshake(stream).await.unwrap();
    let ended = tokio::spawn(connection);
    let mut ready = client.ready().await.ok();
    for _ in 0..2000 {
        let Some(mut client) = ready.take() else { break };
        let request = Request::get("https://api.test/").body(()).unwrap();
        let Ok((answer, mut stream)) = client.send_request(request, false) else { break };
        stream.send_reset(::h2::Reason::CANCEL);
        drop(answer);
        ready = client.ready().await.ok();
        tokio::task::yield_now().await;
    }
    let outcome =
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("it does not go on for ever");
    let refusal = outcome.unwrap().expect_err("the connection was ended for it");
    // The GOAWAY may be lost with the bytes that were under way.
    let calm = [None, Some(::h2::Reason::ENHANCE_YOUR_CALM)];
    assert!(calm.contains(&refusal.reason()), "{refusal}");
    assert_eq!(good.send_request(get("https://api.test/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_huge_header_list_is_refused() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut sender = h2(&world, HOST).await;
    let mut request = get("https://api.test/");
    for number in 0..40 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        request.headers_mut().insert(name, "y".repeat(4096).parse().unwrap());
    }
    let answer = sender.send_request(request).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| !answer.status().is_success()));
    assert_eq!(origin.heard().len(), 0);
}

/// Each event arrives when it is sent, scrubbed, although the answer has no end yet.
#[tokio::test]
async fn server_sent_events_are_not_delayed() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        let _head = super::world::read_message(&mut stream).await;
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            .await
            .unwrap();
        for number in 0..3 {
            let event = format!("data: {number} {SECRET}\n\n");
            stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        // A reader that has enough may have gone.
        let _gone = stream.write_all(b"0\r\n\r\n").await;
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    let started = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    for number in 0..3_u32 {
        while !seen.contains(&format!("data: {number} {}\n\n", world.placeholder)) {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        let late = started.elapsed().saturating_sub(Duration::from_millis(400) * number);
        assert!(late < Duration::from_millis(350), "event {number} came {late:?} late");
    }
    assert!(!seen.contains(SECRET));
}

/// What the agent sends of a stream arrives before the stream has ended (a line end begins no known value, so nothing is
/// held back).
#[tokio::test]
async fn uploads_stream_too() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        let mut seen = Vec::new();
        while !seen.ends_with(b"first\n\r\n") {
            seen.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await.unwrap();
        stream.flush().await.unwrap();
        while !seen.ends_with(b"0\r\n\r\n") {
            seen.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"3\r\nend\r\n0\r\n\r\n").await.unwrap();
        stream.flush().await.unwrap();
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    let head = "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n";
    let answer = super::world::say(&mut stream, head.as_bytes()).await;
    assert!(answer.contains("hi") && !answer.contains("end"), "{answer}");
    let rest = super::world::say(&mut stream, b"0\r\n\r\n").await;
    assert!(rest.contains("end"), "{rest}");
}

#[tokio::test]
async fn the_end_leaves_running_exchanges_their_grace_and_then_cuts() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        let request = super::world::read_message(&mut stream).await.unwrap();
        if request.head.starts_with("GET /never") {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The engine may have cut this one.
        let _cut = stream.write_all(&response("", b"in time")).await;
        let _cut = stream.flush().await;
    })
    .await;
    let limits = egress::Limits { grace: Duration::from_secs(1), ..egress::Limits::default() };
    let mut world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let (mut soon, mut never) = (world.tls(HOST).await, world.tls(HOST).await);
    soon.write_all(b"GET /soon HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
    never.write_all(b"GET /never HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let started = Instant::now();
    let (answer, ()) = tokio::join!(super::world::listen(&mut soon), world.shutdown());
    assert!(answer.contains("in time"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(tokio::net::TcpStream::connect(world.proxy).await.is_err(), "nothing listens any more");
    let events = world.events(2).await;
    let cut = events.iter().find(|event| event["path"] == "/never").expect("the cut one has its event");
    assert_eq!(cut["decision"], "aborted");
}

/// RFC 9110 section 10.1.4: `TE` is a hop's own, so it is made anew with the `Connection` that says so; codings that
/// nobody here asks for are not asked for.
#[tokio::test]
async fn te_trailers_is_kept_towards_h1_and_other_codings_are_dropped() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let mut sender = h2(&world, HOST).await;
    assert_eq!(sender.send_request(grpc_call()).await.unwrap().status(), 200);
    for te in ["trailers", "deflate;q=0.5, Trailers", "gzip", "trailersx"] {
        let head =
            format!("GET / HTTP/1.1\r\nHost: api.test\r\nTE: {te}\r\nConnection: TE, keep-alive\r\n\r\n");
        assert!(world.say(HOST, head).await.starts_with("HTTP/1.1 200 "), "{te}");
    }
    let heads: Vec<String> = origin.heard().into_iter().map(|heard| heard.head.to_lowercase()).collect();
    for (head, kept) in heads.iter().zip([true, true, true, false, false]) {
        assert_eq!(head.contains("\r\nte: trailers\r\n"), kept, "{head}");
        assert_eq!(head.contains("\r\nconnection: te\r\n"), kept, "{head}");
        assert!(
            !head.contains("gzip") && !head.contains("deflate") && !head.contains("keep-alive"),
            "{head}"
        );
    }
}

/// HTTP/1.1 wants trailers announced; gRPC has the same ones always.
#[tokio::test]
async fn grpc_trailers_reach_an_h1_agent_announced_or_not() {
    let h1 = Origin::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\n\0\0\0\0\0\r\n0\r\ngrpc-status: 7\r\n\r\n"
            .to_vec()
    })
    .await;
    let h2 = Origin::tls(&[b"h2"], |stream| {
        super::wire::h2_server(stream, |_, mut respond| async move {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut body = respond.send_response(head, false).unwrap();
            body.send_data(Bytes::from_static(b"\0\0\0\0\0"), false).unwrap();
            let trailers = [(http::HeaderName::from_static("grpc-status"), "7".parse().unwrap())];
            body.send_trailers(trailers.into_iter().collect()).unwrap();
        })
    })
    .await;
    for origin in [h1, h2] {
        let world = World::with_credential(&origin).await;
        let head = "POST /svc/Method HTTP/1.1\r\nHost: api.test\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n";
        let answer = world.say(HOST, head).await;
        assert!(
            answer.contains("trailer: grpc-status, ") && answer.ends_with("0\r\ngrpc-status: 7\r\n\r\n"),
            "{answer}"
        );
    }
}

/// A header list that never ends (CVE-2024-27316): each CONTINUATION is a frame of its own, and none says anything.
#[tokio::test]
async fn continuations_without_end_end_their_own_connection_only() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut good = h2(&world, HOST).await;
    let mut stream = world.tls_as("api.test:443", HOST, &[b"h2"]).await;
    let (settings, headers) = ([0, 0, 0, 4, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0, 1]);
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &headers].concat()).await.unwrap();
    let continuations = [0, 0, 0, 9, 0, 0, 0, 0, 1].repeat(1000);
    let flood = async {
        for _ in 0..1000 {
            if stream.write_all(&continuations).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
        panic!("a million of them were taken");
    };
    tokio::time::timeout(Duration::from_secs(20), flood).await.expect("it ends");
    assert_eq!(good.send_request(get("https://api.test/")).await.unwrap().status(), 200);
}
