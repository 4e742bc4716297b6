//! Upstreams that answer before the request body is through, and an agent whose body then shows what must stay inside.
//! The secret is never whole on the wire, the agent's exchange and the upstream's leg end, and one event says why.
use super::wire::{h2_client, h2_server, h2_text, read_head, read_to_end, write};
use super::world::{Io, Origin, World, response};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OTHER: &str = "other.test";
/// A line end begins no known value, so that nothing of it is held back.
const BEFORE: &str = "harmless\n";

/// How an upstream answers, at once.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Answer {
    /// A head and the first part of a body without an end.
    Begun,
    /// All of it.
    Whole,
}
use Answer::{Begun, Whole};

/// What arrived at an upstream on one connection or stream, and whether it was broken off.
type Arrived = (Vec<u8>, bool);

#[derive(Default, Clone)]
struct Log(Arc<Mutex<Vec<Arrived>>>);

impl Log {
    fn open(&self) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push((Vec::new(), false));
        all.len() - 1
    }
    fn add(&self, at: usize, bytes: &[u8]) {
        self.0.lock().unwrap()[at].0.extend_from_slice(bytes);
    }
    fn broken(&self, at: usize) {
        self.0.lock().unwrap()[at].1 = true;
    }
    fn all(&self) -> Vec<(String, bool)> {
        let all = self.0.lock().unwrap();
        all.iter().map(|(bytes, broken)| (String::from_utf8_lossy(bytes).into_owned(), *broken)).collect()
    }
    /// The first body, once it was broken off.
    async fn first_broken(&self) -> String {
        for _ in 0..250 {
            if let Some((body, true)) = self.all().first() {
                return body.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the upstream's leg goes on: {:?}", self.all());
    }
}

/// HTTP/1.1; `reads` the body after its answer, or never.
async fn h1(answer: Answer, reads: bool) -> (Origin, Log) {
    let log = Log::default();
    let kept = log.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let log = kept.clone();
        async move {
            let _head = read_head(&mut stream).await;
            let at = log.open();
            let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nearly\n\r\n".to_vec();
            write(&mut stream, if answer == Begun { begun } else { response("", b"early\n") }).await;
            if !reads {
                return std::future::pending().await;
            }
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                log.add(at, &buffer[..read]);
            }
            log.broken(at);
        }
    })
    .await;
    (origin, log)
}

async fn h2(answer: Answer) -> (Origin, Log) {
    let log = Log::default();
    let kept = log.clone();
    let origin = Origin::tls(&[b"h2"], move |stream| {
        let log = kept.clone();
        h2_server(stream, move |request, mut respond| {
            let log = log.clone();
            async move {
                let at = log.open();
                let mut out = respond.send_response(http::Response::new(()), false).unwrap();
                out.send_data("early\n".into(), answer == Whole).unwrap();
                let mut body = request.into_body();
                while let Some(Ok(data)) = body.data().await {
                    body.flow_control().release_capacity(data.len()).unwrap();
                    log.add(at, &data);
                }
                if !body.is_end_stream() {
                    log.broken(at);
                }
            }
        })
    })
    .await;
    (origin, log)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: other.test\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sends half of a stray placeholder, waits for the answer, sends the rest and the end.
async fn by_h1(world: &World, answer: Answer) {
    let (left, right) = world.placeholder.split_at(11);
    let mut stream = world.tls(OTHER).await;
    write(&mut stream, format!("{HEAD}{}", chunk(&format!("{BEFORE}{left}")))).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let mut early = String::new();
    while !early.contains("early\n") {
        early.push(char::from(stream.read_u8().await.unwrap()));
    }
    let next = "GET /next HTTP/1.1\r\nHost: other.test\r\n\r\n";
    write(&mut stream, format!("{}0\r\n\r\n{next}", chunk(right))).await;
    let (rest, _) = read_to_end(&mut stream).await;
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(!rest.contains("HTTP/1.1"), "{answer:?}: the next request is not answered: {rest:?}");
    assert!(answer == Whole || !rest.contains("0\r\n\r\n"), "cut, not ended: {rest:?}");
}

async fn by_h2(world: &World, answer: Answer) {
    let (left, right) = world.placeholder.split_at(11);
    let mut client = h2_client(world, OTHER).await;
    let request = http::Request::post("https://other.test/").body(()).unwrap();
    let (head, mut up) = client.send_request(request, false).unwrap();
    up.send_data(Bytes::from(format!("{BEFORE}{left}")), false).unwrap();
    let head = head.await.unwrap();
    assert_eq!(head.status(), 200);
    let mut body = head.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "early\n");
    // A stream that both sides have ended knows no reset.
    up.send_data(Bytes::from(right.to_owned()), answer == Begun).unwrap();
    let reset = tokio::time::timeout(Duration::from_secs(5), async {
        match answer {
            Begun => body.data().await.is_some_and(|data| data.is_err()),
            Whole => std::future::poll_fn(|cx| up.poll_reset(cx)).await.is_ok(),
        }
    });
    assert!(reset.await.expect("the stream ends"), "{answer:?}: by a reset");
}

async fn assert_one_event(world: &World) {
    let _first = world.events(1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let events = world.events(1).await;
    // What came behind it on the same connection was read, and ended with that.
    let (events, next): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event["path"] == "/");
    assert!(next.iter().all(|event| event["decision"] == "aborted"), "{next:?}");
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(
        (&event["decision"], &event["code"]),
        (&"aborted".into(), &"secret-in-request".into()),
        "{event}"
    );
    assert_eq!(event["findings"].as_array().unwrap().len(), 1, "{event}");
    assert_eq!(event["findings"][0]["rule"], "placeholder-astray");
    assert!(!event.to_string().contains(&world.placeholder));
}

/// What the first scan let go, and nothing of the value: it was held back whole.
async fn assert_nothing_left(log: &Log, world: &World) {
    let body = log.first_broken().await;
    assert!(body.contains(BEFORE.trim()), "{body:?}");
    assert!(!body.contains(&world.placeholder[..4]), "{body:?}");
    assert!(!body.ends_with("0\r\n\r\n"), "no end was made up for it: {body:?}");
}

#[tokio::test]
async fn a_secret_after_an_early_answer_breaks_off_both_h1_legs() {
    for answer in [Begun, Whole] {
        let (origin, log) = h1(answer, true).await;
        let world = World::with_credential(&origin).await;
        by_h1(&world, answer).await;
        assert_nothing_left(&log, &world).await;
        assert_one_event(&world).await;
        let again = world.say(OTHER, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
        assert!(again.starts_with("HTTP/1.1 200 "), "{again}");
        assert_eq!(log.all().len(), 2, "the connection with the broken body is not used again");
    }
}

#[tokio::test]
async fn a_secret_after_an_early_answer_breaks_off_both_h2_legs() {
    for answer in [Begun, Whole] {
        let (origin, log) = h2(answer).await;
        let world = World::with_credential(&origin).await;
        by_h2(&world, answer).await;
        assert_nothing_left(&log, &world).await;
        assert_one_event(&world).await;
        if answer == Whole {
            assert_eq!(h2_text(&world, OTHER).await.0, 200, "other streams are unharmed");
        }
    }
}

#[tokio::test]
async fn a_secret_after_an_early_answer_breaks_off_legs_of_two_versions() {
    for answer in [Begun, Whole] {
        let (origin, log) = h1(answer, true).await;
        let world = World::with_credential(&origin).await;
        by_h2(&world, answer).await;
        assert_nothing_left(&log, &world).await;
        assert_one_event(&world).await;
        let (origin, log) = h2(answer).await;
        let world = World::with_credential(&origin).await;
        by_h1(&world, answer).await;
        assert_nothing_left(&log, &world).await;
        assert_one_event(&world).await;
    }
}

/// An upstream that answers and never reads: what is small enough for the buffers on the way is scanned all the same.
#[tokio::test]
async fn a_secret_for_an_upstream_that_never_reads_is_found_too() {
    for answer in [Begun, Whole] {
        let (origin, _) = h1(answer, false).await;
        let world = World::with_credential(&origin).await;
        by_h1(&world, answer).await;
        assert_one_event(&world).await;
        let (origin, _) = h1(answer, false).await;
        let world = World::with_credential(&origin).await;
        by_h2(&world, answer).await;
        assert_one_event(&world).await;
    }
}

/// The same without a secret: an early answer is none of our business.
#[tokio::test]
async fn a_harmless_body_after_an_early_answer_arrives_whole() {
    for answer in [Begun, Whole] {
        let (origin, log) = h1(answer, true).await;
        let world = World::with_credential(&origin).await;
        let mut stream = world.tls(OTHER).await;
        write(&mut stream, format!("{HEAD}{}", chunk(BEFORE))).await;
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        stream.write_all(format!("{}0\r\n\r\n", chunk("the rest\n")).as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        for _ in 0..250 {
            if log.all()[0].0.ends_with("0\r\n\r\n") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(log.all()[0].0.contains("the rest\n"), "{answer:?}: {:?}", log.all());
    }
}
