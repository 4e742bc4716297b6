//! The HTTP/2 legs: what one side does not take the other may not send, what one side breaks off is broken off on the
//! other, and one stream's trouble is no other's.
use super::wire::{h2_client, h2_server, read_head};
use super::world::{HOST, Origin, Setup, World, response};
use bytes::Bytes;
use egress::Limits;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

pub(super) fn get(path: &str) -> Request<()> {
    Request::get(format!("https://api.test{path}")).body(()).unwrap()
}

pub(super) fn post(path: &str) -> Request<()> {
    Request::post(format!("https://api.test{path}")).body(()).unwrap()
}

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("no {what}"))
}

/// Sends so many bytes as the window allows, and counts what it let go.
pub(super) async fn send_all(mut out: SendStream<Bytes>, mut left: usize, sent: &AtomicUsize) {
    let piece = Bytes::from(vec![b'x'; 16 * 1024]);
    while left > 0 {
        out.reserve_capacity(piece.len().min(left));
        let Some(Ok(room)) = poll_fn(|cx| out.poll_capacity(cx)).await else { return };
        if room == 0 {
            // An empty frame says nothing, and a hundred of them end a connection.
            continue;
        }
        let data = piece.slice(..room.min(piece.len()).min(left));
        left -= data.len();
        sent.fetch_add(data.len(), Ordering::SeqCst);
        if out.send_data(data, left == 0).is_err() {
            return;
        }
    }
}

pub(super) async fn take_all(body: &mut RecvStream) -> usize {
    let mut all = 0;
    while let Some(data) = soon("more", body.data()).await {
        let data = data.expect("a whole body");
        body.flow_control().release_capacity(data.len()).unwrap();
        all += data.len();
    }
    all
}

type Ending = fn(SendStream<Bytes>);

/// Says a part of an answer and then what `end` makes of it.
async fn breaking_off(length: Option<usize>, end: Ending) -> Origin {
    Origin::tls(&[b"h2"], move |stream| {
        h2_server(stream, move |_, mut respond| async move {
            let mut head = Response::new(());
            if let Some(length) = length {
                head.headers_mut().insert("content-length", length.into());
            }
            let mut out = respond.send_response(head, false).unwrap();
            out.send_data("half\n".into(), false).unwrap();
            // What is sent at once is read at once.
            tokio::time::sleep(Duration::from_millis(50)).await;
            end(out);
        })
    })
    .await
}

/// The code passes, whatever it is, but for the one that means that all is well.
#[tokio::test]
async fn an_upstream_that_resets_in_the_middle_is_a_reset_for_the_agent() {
    let reasons: [(Ending, Reason, Option<usize>); 5] = [
        (|mut out| out.send_reset(Reason::ENHANCE_YOUR_CALM), Reason::ENHANCE_YOUR_CALM, None),
        (|mut out| out.send_reset(Reason::REFUSED_STREAM), Reason::REFUSED_STREAM, None),
        (|out| drop(out), Reason::CANCEL, None),
        (|mut out| out.send_reset(Reason::NO_ERROR), Reason::INTERNAL_ERROR, None),
        (|mut out| out.send_reset(Reason::NO_ERROR), Reason::INTERNAL_ERROR, Some(9)),
    ];
    for (end, reason, length) in reasons {
        let origin = breaking_off(length, end).await;
        // Without a credential the length that the upstream says is what the agent is told.
        let world = World::new(&origin, Setup::default()).await;
        let mut client = h2_client(&world, HOST).await;
        let (answer, _) = client.send_request(get("/"), true).unwrap();
        let mut body = soon("answer", answer).await.unwrap().into_body();
        assert_eq!(soon("half", body.data()).await.unwrap().unwrap(), "half\n");
        let end = soon("end", body.data()).await.expect("no clean end").expect_err("a reset");
        assert_eq!(end.reason(), Some(reason));
        let event = &world.events(1).await[0];
        assert_eq!(event["decision"], "aborted", "{event}");
        let mut stream = world.tls(HOST).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
        let (all, clean) = super::wire::read_to_end(&mut stream).await;
        let all = String::from_utf8(all).unwrap();
        assert!(all.contains("half\n") && !all.ends_with("0\r\n\r\n") && !clean, "{all}");
    }
}

/// Streams of the upstream's, and what they were ended with.
pub(super) type Resets = Arc<Mutex<Vec<Reason>>>;

/// Answers `/slow` by a hint alone, `/half` by half, and then waits for its reset; counts its connections.
pub(super) async fn waiting() -> (Origin, Resets, Arc<AtomicUsize>) {
    let (resets, connections) = (Resets::default(), Arc::new(AtomicUsize::new(0)));
    let (log, count) = (resets.clone(), connections.clone());
    let origin = Origin::tls(&[b"h2"], move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        let log = log.clone();
        h2_server(stream, move |request, mut respond| {
            let log = log.clone();
            async move {
                let reset = match request.uri().path() {
                    "/slow" => {
                        let hint = Response::builder().status(102).body(()).unwrap();
                        respond.send_informational(hint).unwrap();
                        poll_fn(|cx| respond.poll_reset(cx)).await
                    }
                    "/half" => {
                        let mut out = respond.send_response(Response::new(()), false).unwrap();
                        out.send_data("half\n".into(), false).unwrap();
                        poll_fn(|cx| out.poll_reset(cx)).await
                    }
                    _ => {
                        respond.send_response(Response::new(()), true).unwrap();
                        return;
                    }
                };
                log.lock().unwrap().push(reset.unwrap());
                drop(request);
            }
        })
    })
    .await;
    (origin, resets, connections)
}

pub(super) async fn assert_resets(resets: &Resets, least: usize) {
    for _ in 0..250 {
        if resets.lock().unwrap().len() >= least {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the upstream's streams go on: {:?}", resets.lock().unwrap());
}

/// The upstream has the request, and has not answered.
async fn assert_begun(mut answer: h2::client::ResponseFuture) {
    let hint = soon("hint", poll_fn(|cx| answer.poll_informational(cx))).await;
    assert_eq!(hint.unwrap().unwrap().status(), 102);
}

pub(super) async fn assert_serves(client: &mut SendRequest<Bytes>) {
    let (answer, _) = client.send_request(get("/"), true).unwrap();
    assert_eq!(soon("answer", answer).await.unwrap().status(), 200);
}

/// Before an answer or in it, with or without a body of its own under way: one stream is reset, no other, and no more.
#[tokio::test]
async fn an_agent_that_resets_in_the_middle_is_a_reset_for_the_upstream() {
    let (origin, resets, connections) = waiting().await;
    let world = World::with_credential(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let mut count = 0;
    for path in ["/slow", "/half"] {
        for uploads in [false, true] {
            let (answer, mut up) = client.send_request(post(path), !uploads).unwrap();
            if uploads {
                up.send_data("some\n".into(), false).unwrap();
            }
            if path == "/half" {
                let mut body = soon("answer", answer).await.unwrap().into_body();
                assert_eq!(soon("half", body.data()).await.unwrap().unwrap(), "half\n");
            } else {
                assert_begun(answer).await;
            }
            up.send_reset(Reason::CANCEL);
            drop(up);
            count += 1;
            assert_resets(&resets, count).await;
            assert_serves(&mut client).await;
        }
    }
    assert!(resets.lock().unwrap().iter().all(|reason| *reason == Reason::CANCEL), "{resets:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1, "and the connection goes on");
    let events = world.events(8).await;
    assert_eq!(events.len(), 8, "one each: {events:?}");
    assert_eq!(events.iter().filter(|event| event["decision"] == "aborted").count(), 4, "{events:?}");
}

/// An agent by h1 that hangs up.
#[tokio::test]
async fn an_agent_that_hangs_up_is_a_reset_for_the_upstream() {
    let (origin, resets, connections) = waiting().await;
    let world = World::with_credential(&origin).await;
    for (number, path) in ["/slow", "/half"].into_iter().enumerate() {
        let mut stream = world.tls(HOST).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: api.test\r\nContent-Length: 9\r\n\r\nhalf");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        // Of the hint or of the answer.
        read_head(&mut stream).await;
        drop(stream);
        assert_resets(&resets, number + 1).await;
    }
    assert!(world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// A request body that is broken off with the code for "all is well" is broken off all the same: half a request never
/// looks whole.
#[tokio::test]
async fn half_a_request_is_never_ended_well() {
    let (origin, resets, _) = waiting().await;
    let world = World::with_credential(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let (answer, mut up) = client.send_request(post("/slow"), false).unwrap();
    up.send_data("half\n".into(), false).unwrap();
    assert_begun(answer).await;
    up.send_reset(Reason::NO_ERROR);
    assert_resets(&resets, 1).await;
    assert_ne!(resets.lock().unwrap()[0], Reason::NO_ERROR);
}

/// Trailers of the request and of the answer, through both legs, and an answer that is trailers alone after its head.
#[tokio::test]
async fn trailers_pass_both_ways_through_both_legs() {
    let origin = Origin::tls(&[b"h2"], |stream| {
        h2_server(stream, |request: Request<RecvStream>, mut respond| async move {
            let mut body = request.into_body();
            take_all(&mut body).await;
            let trailers = body.trailers().await.unwrap().expect("the request's");
            let mut out = respond.send_response(Response::new(()), false).unwrap();
            out.send_trailers(trailers).unwrap();
        })
    })
    .await;
    for world in [World::with_credential(&origin).await, World::new(&origin, Setup::default()).await] {
        let mut client = h2_client(&world, HOST).await;
        for data in ["", "some"] {
            let (answer, mut up) = client.send_request(post("/"), false).unwrap();
            if !data.is_empty() {
                up.send_data(data.into(), false).unwrap();
            }
            let trailers: HeaderMap =
                [(http::HeaderName::from_static("grpc-status"), "7".parse().unwrap())].into_iter().collect();
            up.send_trailers(trailers.clone()).unwrap();
            let mut body = soon("answer", answer).await.unwrap().into_body();
            assert_eq!(take_all(&mut body).await, 0);
            assert_eq!(soon("trailers", body.trailers()).await.unwrap(), Some(trailers));
        }
    }
}

/// Answers that have no body end with their head, whatever stands in it; each has a date.
#[tokio::test]
async fn what_has_no_body_ends_with_its_head() {
    let origin = Origin::answering(|heard| {
        let status = if heard.head.contains("/304") { "304 Not Modified" } else { "200 OK" };
        let dated =
            if heard.head.contains("/dated") { "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" } else { "" };
        format!("HTTP/1.1 {status}\r\n{dated}Content-Length: 7\r\n\r\n").into_bytes()
    })
    .await;
    let mut setup = Setup::default();
    setup.routes[0].paths = Some(vec![policy::PathPattern::parse("/ok/**").unwrap()]);
    let world = World::new(&origin, setup).await;
    let mut client = h2_client(&world, HOST).await;
    for (method, path, status) in [
        ("HEAD", "/ok/a", 200),
        ("HEAD", "/ok/dated", 200),
        ("GET", "/ok/304", 304),
        ("HEAD", "/refused", 403),
    ] {
        let mut request = get(path);
        *request.method_mut() = method.parse().unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let answer = soon("answer", answer).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(answer.body().is_end_stream(), "{method} {path}");
        assert_eq!(answer.headers().contains_key("content-length"), status != 403, "{path}: {answer:?}");
        let dates: Vec<_> = answer.headers().get_all("date").iter().collect();
        assert_eq!(dates.len(), 1, "{path}");
        assert_eq!(dates[0] == "Thu, 01 Jan 1970 00:00:00 GMT", path == "/ok/dated");
    }
    let events = world.events(4).await;
    let decisions: Vec<_> = events.iter().map(|event| event["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["allowed", "allowed", "allowed", "denied"]);
}

/// RFC 8441 has no content: a length would make another hop take frames for a body.
#[tokio::test]
async fn a_websocket_over_h2_with_a_length_is_refused() {
    let origin = Origin::answering(|_| response("", b"no")).await;
    let world = World::with_credential(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    while !client.is_extended_connect_protocol_enabled() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut request = Request::connect("https://api.test/ws").header("content-length", "5").body(()).unwrap();
    request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    let (answer, _up) = client.send_request(request, false).unwrap();
    let answer = soon("answer", answer).await.unwrap();
    assert_eq!(answer.headers()["bottle-decision"], "denied; code=malformed-request");
    assert_eq!(origin.heard().len(), 0);
}

/// An agent's connection on which nothing answers is ended, with the streams on it.
#[tokio::test]
async fn an_agent_that_is_gone_without_a_word_is_noticed() {
    let (origin, resets, _) = waiting().await;
    let limits = Limits {
        idle_time: Duration::from_millis(400),
        handshake_time: Duration::from_millis(400),
        ..Limits::default()
    };
    let world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let stream = world.tls_as("api.test:443", HOST, &[b"h2"]).await;
    let (client, mut connection) = h2::client::handshake(stream).await.unwrap();
    let (answer, _) = client.clone().send_request(get("/slow"), true).unwrap();
    // Alive: it answers questions for longer than they may go unanswered.
    tokio::time::timeout(Duration::from_millis(1500), &mut connection).await.expect_err("it goes on");
    assert_eq!(resets.lock().unwrap().len(), 0, "who answers is not ended");
    // From here on nobody reads.
    assert_resets(&resets, 1).await;
    drop((answer, client, connection));
    let event = &world.events(1).await[0];
    assert_eq!(event["decision"], "aborted", "{event}");
}
