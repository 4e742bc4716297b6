//! Budgets: bytes, requests and connections, on every path out, however many connections ask.
use super::streams::h2;
use super::websockets::{echo, frame, open};
use super::world::{HOST, Io, Origin, Setup, World, listen, response, route, say};
use bytes::Bytes;
use egress::{Budget, Budgets, Rate};
use http::{Request, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use policy::{Protocol, RouteId, TlsMode};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn in_all(amount: u64) -> Option<Rate> {
    Some(Rate { amount, per: None })
}

fn within(amount: u64, per: Duration) -> Option<Rate> {
    Some(Rate { amount, per: Some(per) })
}

fn of_bottle(bottle: Budget) -> Setup {
    Setup { budgets: Budgets { bottle, ..Budgets::default() }, ..Setup::default() }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";

fn is_used_up(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let lower = answer.to_lowercase();
    assert!(lower.contains("bottle-decision: denied; code=budget-exceeded"), "{answer}");
    assert!(lower.contains("x-should-retry: false"), "{answer}");
}

#[tokio::test]
async fn requests_are_counted_over_all_connections_and_versions() {
    let origin = Origin::ok().await;
    let budget = Budget { requests: within(3, Duration::from_secs(60)), ..Budget::default() };
    let world = World::new(&origin, of_bottle(budget)).await;
    let mut first = world.tls(HOST).await;
    assert!(say(&mut first, GET.as_bytes()).await.starts_with("HTTP/1.1 200"));
    // What is not allowed leaves nothing, and uses nothing up.
    let refused = world.say("denied.test", "GET / HTTP/1.1\r\nHost: denied.test\r\n\r\n").await;
    assert!(refused.contains("host-not-allowed"), "{refused}");
    assert!(say(&mut first, GET.as_bytes()).await.starts_with("HTTP/1.1 200"));
    let mut sender = h2(&world, HOST).await;
    let ask = || {
        let body = Full::new(Bytes::new()).boxed_unsync();
        Request::get("https://api.test/").version(Version::HTTP_2).body(body).unwrap()
    };
    assert_eq!(sender.send_request(ask()).await.unwrap().status(), 200);
    let refused = sender.send_request(ask()).await.unwrap();
    assert_eq!(refused.headers()["bottle-decision"], "denied; code=budget-exceeded");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    let answer = world.say(HOST, GET).await;
    is_used_up(&answer);
    assert!(answer.contains("of this bottle for requests") && answer.contains("again in"), "{answer}");
    assert_eq!(origin.heard().len(), 3);
    let events = world.events(6).await;
    let last = events.last().unwrap();
    assert_eq!((&last["decision"], &last["code"]), (&"denied".into(), &"budget-exceeded".into()));
}

#[tokio::test]
async fn many_connections_at_once_get_no_more_than_one() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, of_bottle(Budget { requests: in_all(5), ..Budget::default() })).await;
    let asked = (0..24).map(|_| world.say(HOST, GET));
    let answers = futures_util::future::join_all(asked).await;
    let passed = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200")).count();
    assert_eq!((passed, origin.heard().len()), (5, 5));
    answers.iter().filter(|answer| !answer.starts_with("HTTP/1.1 200")).for_each(|answer| is_used_up(answer));
}

#[tokio::test]
async fn a_route_has_its_own_budget_besides_that_of_the_bottle() {
    let origin = Origin::ok().await;
    let narrow = Budget { requests: in_all(1), ..Budget::default() };
    let bottle = Budget { requests: in_all(2), ..Budget::default() };
    let budgets = Budgets { bottle, routes: BTreeMap::from([(RouteId(0), narrow)]) };
    let world = World::new(&origin, Setup { budgets, ..Setup::default() }).await;
    let other = "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n";
    assert!(world.say(HOST, GET).await.starts_with("HTTP/1.1 200"));
    let answer = world.say(HOST, GET).await;
    is_used_up(&answer);
    assert!(answer.contains("of the route `api.test`"), "{answer}");
    assert!(world.say("other.test", other).await.starts_with("HTTP/1.1 200"), "it lost nothing by that");
    is_used_up(&world.say("other.test", other).await);
}

#[tokio::test]
async fn there_is_room_again_when_it_was_said() {
    let origin = Origin::ok().await;
    let budget = Budget { requests: within(1, Duration::from_secs(1)), ..Budget::default() };
    let world = World::new(&origin, of_bottle(budget)).await;
    assert!(world.say(HOST, GET).await.starts_with("HTTP/1.1 200"));
    let answer = world.say(HOST, GET).await;
    is_used_up(&answer);
    let wait =
        answer.to_lowercase().split_once("retry-after: ").unwrap().1.split('\r').next().unwrap().to_owned();
    tokio::time::sleep(Duration::from_secs(wait.parse().unwrap())).await;
    assert!(world.say(HOST, GET).await.starts_with("HTTP/1.1 200"));
}

/// What an upstream that reads everything has got, whatever comes.
async fn sink(alpn: &'static [&'static [u8]]) -> (Origin, Arc<AtomicUsize>) {
    let got = Arc::new(AtomicUsize::new(0));
    let count = got.clone();
    let origin = Origin::tls(alpn, move |stream| drink(stream, count.clone())).await;
    (origin, got)
}

async fn drink(mut stream: impl AsyncReadExt + Unpin, count: Arc<AtomicUsize>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        count.fetch_add(read, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_body_that_is_known_to_be_too_large_is_not_begun() {
    let (origin, got) = sink(&[b"http/1.1"]).await;
    let world =
        World::new(&origin, of_bottle(Budget { bytes_up: in_all(10_000), ..Budget::default() })).await;
    let head = "POST /v1 HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10000\r\n\r\n";
    let mut stream = world.tls(HOST).await;
    is_used_up(&say(&mut stream, head.as_bytes()).await);
    assert_eq!(got.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_upload_is_cut_in_its_middle() {
    let (origin, got) = sink(&[b"http/1.1"]).await;
    let budget = Budget { bytes_up: in_all(64 * 1024), ..Budget::default() };
    let world = World::new(&origin, of_bottle(budget)).await;
    let mut stream = world.tls(HOST).await;
    let head = "POST /v1 HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..40 {
        // One at a time: what is cut takes along what was not flushed yet.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let chunk = [b"1000\r\n", &[b'x'; 4096][..], b"\r\n"].concat();
        if stream.write_all(&chunk).await.is_err() || stream.flush().await.is_err() {
            break;
        }
    }
    is_used_up(&listen(&mut stream).await);
    let sent = got.load(Ordering::Relaxed);
    assert!((32 * 1024..66 * 1024).contains(&sent), "{sent}");
    let event = &world.events(1).await[0];
    assert_eq!((&event["decision"], &event["code"]), (&"aborted".into(), &"budget-exceeded".into()));
}

#[tokio::test]
async fn an_upload_over_http2_is_cut_although_its_answer_has_begun() {
    let got = Arc::new(AtomicUsize::new(0));
    let count = got.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let count = count.clone();
        async move {
            let mut head = [0; 512];
            let _head = stream.read(&mut head).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
                .await
                .unwrap();
            stream.flush().await.unwrap();
            drink(stream, count).await;
        }
    })
    .await;
    let budget = Budget { bytes_up: in_all(64 * 1024), ..Budget::default() };
    let world = World::new(&origin, of_bottle(budget)).await;
    let mut sender = h2(&world, HOST).await;
    let (chunks, body) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let body = futures_util::stream::unfold(body, |mut body| async { Some((body.recv().await?, body)) });
    let request = Request::post("https://api.test/up")
        .version(Version::HTTP_2)
        .body(StreamBody::new(Box::pin(body)).boxed_unsync())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    for _ in 0..40 {
        if chunks.send(Ok(Frame::data(Bytes::from(vec![b'x'; 4096])))).await.is_err() {
            break;
        }
    }
    answer.into_body().collect().await.expect_err("the answer does not look whole");
    assert!(got.load(Ordering::Relaxed) < 66 * 1024);
    assert_eq!(world.events(1).await[0]["code"], "budget-exceeded");
}

#[tokio::test]
async fn heads_and_trailers_count_too() {
    let origin = Origin::answering(|_| response("", b"ok")).await;
    let world = World::new(&origin, of_bottle(Budget { bytes_up: in_all(2000), ..Budget::default() })).await;
    let long = "x".repeat(700);
    let by_path = format!("GET /{long} HTTP/1.1\r\nHost: api.test\r\n\r\n");
    let by_header = format!("GET / HTTP/1.1\r\nHost: api.test\r\nX-Data: {long}\r\n\r\n");
    assert!(world.say(HOST, &by_path).await.starts_with("HTTP/1.1 200"));
    assert!(world.say(HOST, &by_header).await.starts_with("HTTP/1.1 200"));
    is_used_up(&world.say(HOST, &by_path).await);
    let world = World::new(&origin, of_bottle(Budget { bytes_up: in_all(500), ..Budget::default() })).await;
    let trailers = format!(
        "POST / HTTP/1.1\r\nHost: api.test\r\nTrailer: x-data\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Data: {long}\r\n\r\n"
    );
    is_used_up(&world.say(HOST, &trailers).await);
}

#[tokio::test]
async fn a_websocket_is_closed_when_its_bytes_are_used_up() {
    let (origin, log, _) = echo().await;
    let world = World::new(&origin, of_bottle(Budget { bytes_up: in_all(2000), ..Budget::default() })).await;
    let (mut stream, _) = open(&world, HOST).await;
    for _ in 0..40 {
        if stream.write_all(&frame(true, 2, &[7; 100])).await.is_err() || stream.flush().await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rest = listen(&mut stream).await;
    assert!(rest.contains("bottle-decision: denied; code=budget-exceeded"), "{rest:?}");
    let heard = log.lock().unwrap().len();
    assert!((1..20).contains(&heard), "{heard} frames of 106 bytes");
    assert_eq!(world.events(1).await[0]["code"], "budget-exceeded");
}

/// An upstream for raw bytes.
async fn raw() -> (Origin, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let got = Arc::new(AtomicUsize::new(0));
    let (address, count) = (listener.local_addr().unwrap(), got.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(drink(stream, count.clone()));
        }
    });
    (Origin { address, ..Origin::ok().await }, got)
}

#[tokio::test]
async fn tunnels_are_cut_at_once() {
    for (protocol, tls) in [(Protocol::Tcp, TlsMode::Open), (Protocol::Http, TlsMode::Passthrough)] {
        let (origin, got) = raw().await;
        let routes = vec![policy::Route { protocol, tls, ..route(0, HOST) }];
        let budget = Budget { bytes_up: in_all(40_000), ..Budget::default() };
        let world = World::new(&origin, Setup { routes, ..of_bottle(budget) }).await;
        let mut stream = world.connect("api.test:443").await;
        let hello = super::told::client_hello(HOST);
        stream.write_all(&hello).await.unwrap();
        for _ in 0..50 {
            if stream.write_all(&[9; 1000]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "the upstream says nothing, and is not waited for");
        assert!((10_000..=40_000).contains(&got.load(Ordering::Relaxed)), "{got:?}");
        let event = &world.events(1).await[0];
        assert_eq!((&event["decision"], &event["code"]), (&"aborted".into(), &"budget-exceeded".into()));
    }
}

#[tokio::test]
async fn new_connections_are_counted_and_kept_ones_are_not() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, of_bottle(Budget { connections: in_all(1), ..Budget::default() })).await;
    for _ in 0..4 {
        assert!(world.say(HOST, GET).await.starts_with("HTTP/1.1 200"));
    }
    is_used_up(&world.say("other.test", "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").await);
    let (origin, got) = raw().await;
    let routes = vec![policy::Route { protocol: Protocol::Tcp, ..route(0, HOST) }];
    let budget = Budget { connections: in_all(2), ..Budget::default() };
    let world = World::new(&origin, Setup { routes, ..of_bottle(budget) }).await;
    for _ in 0..3 {
        let mut stream = world.connect("api.test:443").await;
        let _refused = stream.write_all(b"12345").await;
        let _refused = stream.shutdown().await;
        let _end = stream.read_to_end(&mut Vec::new()).await;
    }
    let events = world.events(3).await;
    assert_eq!(events[2]["code"], "budget-exceeded", "{events:?}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(got.load(Ordering::Relaxed), 10);
}
