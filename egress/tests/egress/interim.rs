//! Interim answers: relayed between every pair of legs, clean, bounded, and never in the way of the answer.
use super::wire::{h2_client, h2_server, h2_text, read_head};
use super::world::{HOST, Heard, Io, Origin, SECRET, Setup, World, read_message, response, say};
use h2::client::ResponseFuture;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";
/// Agents and upstreams by either version.
const BOTH: [bool; 2] = [false, true];

fn hint_head() -> http::Response<()> {
    http::Response::builder().status(103).header("link", "</a.css>").body(()).unwrap()
}

/// Says a hint with this in it after each request, and the answer once it is told to.
async fn hinting(by_h2: bool, hint: [(&'static str, String); 5], go: Arc<Notify>) -> Origin {
    if by_h2 {
        return Origin::tls(&[b"h2"], move |stream| {
            let (hint, go) = (hint.clone(), go.clone());
            h2_server(stream, move |_, mut respond| {
                let (hint, go) = (hint.clone(), go.clone());
                async move {
                    let mut head = http::Response::builder().status(103);
                    for (name, value) in hint {
                        head = head.header(name, value);
                    }
                    respond.send_informational(head.body(()).unwrap()).unwrap();
                    go.notified().await;
                    let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                    body.send_data("body\n".into(), true).unwrap();
                }
            })
        })
        .await;
    }
    Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let (hint, go) = (hint.clone(), go.clone());
        async move {
            while read_message(&mut stream).await.is_some() {
                let lines = hint.clone().map(|(name, value)| format!("{name}: {value}\r\n")).concat();
                let hint =
                    format!("HTTP/1.1 103 Early Hints\r\n{lines}Connection: x-hop\r\nX-Hop: 1\r\n\r\n");
                stream.write_all(hint.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                go.notified().await;
                stream.write_all(&response("", b"body\n")).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    })
    .await
}

async fn next_hint(answer: &mut ResponseFuture) -> Option<http::Response<()>> {
    let next = poll_fn(|cx| answer.poll_informational(cx));
    let next = tokio::time::timeout(Duration::from_secs(5), next).await.expect("a hint or an answer in time");
    next.map(|hint| hint.expect("no reset"))
}

async fn whole(answer: ResponseFuture) -> (u16, String) {
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await.expect("in time");
    let (head, mut body) = answer.expect("an answer").into_parts();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data.expect("a whole body"));
    }
    (head.status.as_u16(), String::from_utf8(all).unwrap())
}

fn get() -> http::Request<()> {
    http::Request::get("https://api.test/").body(()).unwrap()
}

/// The hint arrives while the origin still thinks, without secrets and without what only the egress may say.
#[tokio::test]
async fn hints_are_relayed_at_once_and_clean() {
    for (up, down) in BOTH.into_iter().flat_map(|up| BOTH.map(|down| (up, down))) {
        let go = Arc::new(Notify::new());
        let hint = [
            ("link", format!("</a?{SECRET}>")),
            (SECRET, "1".to_owned()),
            ("bottle-decision", "denied; code=x".to_owned()),
            ("trailer", "x-end".to_owned()),
            ("alt-svc", "h3".to_owned()),
        ];
        let origin = hinting(up, hint, go.clone()).await;
        let world = World::with_credential(&origin).await;
        let clean = format!("</a?{}>", world.placeholder);
        if down {
            let mut client = h2_client(&world, HOST).await;
            for _ in 0..2 {
                let (mut answer, _) = client.send_request(get(), true).unwrap();
                let hint = next_hint(&mut answer).await.expect("a hint");
                assert_eq!(hint.status(), 103);
                assert_eq!(
                    *hint.headers(),
                    [(http::header::LINK, clean.parse().unwrap())].into_iter().collect()
                );
                go.notify_one();
                assert!(next_hint(&mut answer).await.is_none(), "one is one");
                assert_eq!(whole(answer).await, (200, "body\n".to_owned()));
            }
        } else {
            let mut stream = world.tls(HOST).await;
            for _ in 0..2 {
                stream.write_all(GET).await.unwrap();
                let hint = read_head(&mut stream).await;
                assert_eq!(hint, format!("HTTP/1.1 103 Early Hints\r\nlink: {clean}\r\n\r\n"));
                go.notify_one();
                let answer = read_message(&mut stream).await.unwrap();
                assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
                assert_eq!(answer.body, b"body\n");
            }
        }
        let events = world.events(2).await;
        let places: Vec<_> =
            events[0]["findings"].as_array().unwrap().iter().map(|found| found["place"].clone()).collect();
        assert_eq!(places, ["response header name", "response header link"], "upstream h2: {up}");
        assert!(!events[0].to_string().contains(SECRET));
    }
}

/// So many hints in one write with the answer, by either version.
async fn hasty(by_h2: bool, hints: usize) -> Origin {
    if !by_h2 {
        let answer = move |_: &Heard| [HINT.repeat(hints).as_bytes(), &response("", b"body\n")].concat();
        return Origin::answering(answer).await;
    }
    Origin::tls(&[b"h2"], move |stream| {
        h2_server(stream, move |_, mut respond| async move {
            for _ in 0..hints {
                respond.send_informational(hint_head()).unwrap();
            }
            let mut body = respond.send_response(http::Response::new(()), false).unwrap();
            body.send_data("body\n".into(), true).unwrap();
        })
    })
    .await
}

/// As many as are allowed: whatever the legs, all arrive, and the answer behind them is right.
#[tokio::test]
async fn the_answer_after_hints_is_right_on_every_pair_of_legs() {
    for (up, hints) in BOTH.into_iter().flat_map(|up| [5, 32].map(|hints| (up, hints))) {
        let origin = hasty(up, hints).await;
        let world = World::with_credential(&origin).await;
        let mut stream = world.tls(HOST).await;
        let pipelined = say(&mut stream, &GET.repeat(2)).await;
        assert_eq!(pipelined.matches("HTTP/1.1 103 Early Hints\r\nlink: ").count(), 2 * hints, "{pipelined}");
        let wanted = [vec!["103"; hints], vec!["200"]].concat().repeat(2);
        let said: Vec<&str> =
            pipelined.split("HTTP/1.1 ").skip(1).map(|message| message.split(' ').next().unwrap()).collect();
        assert_eq!(said, wanted, "{pipelined}");
        assert_eq!(pipelined.matches("body").count(), 2, "{pipelined}");
        let mut client = h2_client(&world, HOST).await;
        let (mut answer, _) = client.send_request(get(), true).unwrap();
        for number in 0..hints {
            let hint = next_hint(&mut answer).await.unwrap_or_else(|| panic!("only {number}"));
            assert!(hint.status() == 103 && hint.headers().contains_key("link"));
        }
        assert!(next_hint(&mut answer).await.is_none(), "not one more");
        assert_eq!(whole(answer).await, (200, "body\n".to_owned()), "an agent that speaks h2");
        let old = world.say(HOST, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.0 200") || old.starts_with("HTTP/1.1 200"), "1.0 has no 1xx: {old}");
    }
}

/// 33 at once, with the answer behind them: one too many is too many.
#[tokio::test]
async fn one_hint_more_than_is_allowed_ends_the_exchange() {
    for up in BOTH {
        let origin = hasty(up, 33).await;
        let world = World::with_credential(&origin).await;
        assert!(world.say(HOST, GET).await.contains("more than 32 interim answers"), "upstream h2: {up}");
        let (status, text) = h2_text(&world, HOST).await;
        assert!(status == 502 && text.contains("more than 32 interim answers"), "{text}");
    }
}

#[tokio::test]
async fn a_flood_of_hints_ends() {
    let ended = Arc::new(Notify::new());
    let tell = ended.clone();
    let h1 = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let tell = tell.clone();
        async move {
            read_message(&mut stream).await;
            while stream.write_all(HINT.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {}
            tell.notify_one();
        }
    })
    .await;
    let world = World::with_credential(&h1).await;
    let started = Instant::now();
    for h2 in BOTH {
        let text = if h2 { h2_text(&world, HOST).await.1 } else { world.say(HOST, GET).await };
        assert!(text.contains("more than 32 interim answers"), "{text}");
        let hung_up = tokio::time::timeout(Duration::from_secs(5), ended.notified()).await;
        hung_up.unwrap_or_else(|_| panic!("the origin talks on to nobody (h2: {h2})"));
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    let event = &world.events(2).await[0];
    assert_eq!(event["code"], "upstream-unreachable", "{event}");
}

/// The flooding stream is reset, and its connection serves on.
#[tokio::test]
async fn a_flood_of_hints_over_h2_ends_its_own_stream_only() {
    let (ended, connections) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (tell, count) = (ended.clone(), connections.clone());
    let origin = Origin::tls(&[b"h2"], move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        let tell = tell.clone();
        h2_server(stream, move |request, mut respond| {
            let tell = tell.clone();
            async move {
                if request.uri().path() == "/calm" {
                    respond.send_response(http::Response::new(()), true).unwrap();
                    return;
                }
                let reset = loop {
                    let reset = poll_fn(|cx| respond.poll_reset(cx));
                    if let Ok(reset) = tokio::time::timeout(Duration::from_millis(1), reset).await {
                        break reset;
                    }
                    respond.send_informational(hint_head()).unwrap();
                };
                assert_eq!(reset.unwrap(), h2::Reason::CANCEL);
                tell.notify_one();
            }
        })
    })
    .await;
    let world = World::with_credential(&origin).await;
    for h2 in BOTH {
        let text = if h2 { h2_text(&world, HOST).await.1 } else { world.say(HOST, GET).await };
        assert!(text.contains("more than 32 interim answers"), "{text}");
        let reset = tokio::time::timeout(Duration::from_secs(5), ended.notified()).await;
        reset.unwrap_or_else(|_| panic!("the origin talks on to nobody (h2: {h2})"));
    }
    let calm = world.say(HOST, "GET /calm HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(calm.starts_with("HTTP/1.1 200 "), "{calm}");
    assert_eq!(connections.load(Ordering::SeqCst), 1, "all of it on one connection");
}

/// What is said to an agent that reads nothing is bounded in bytes too: large hints beyond that are left unsaid.
#[tokio::test]
async fn large_hints_are_bounded_in_bytes() {
    let origin = Origin::tls(&[b"h2"], |stream| {
        h2_server(stream, |_, mut respond| async move {
            for _ in 0..20 {
                let mut hint = hint_head();
                hint.headers_mut().insert("x-large", "x".repeat(10_000).parse().unwrap());
                respond.send_informational(hint).unwrap();
            }
            respond.send_response(http::Response::new(()), true).unwrap();
        })
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let (mut answer, _) = client.send_request(get(), true).unwrap();
    let mut hints = 0;
    while next_hint(&mut answer).await.is_some() {
        hints += 1;
    }
    assert_eq!(hints, 6, "of 10 kB each in 64 KiB");
    assert_eq!(whole(answer).await.0, 200);
}

/// 100 and 101 of an h2 upstream are not passed on: one is a hop's own, the other is no word of HTTP/2.
#[tokio::test]
async fn what_is_no_hint_is_not_passed_on_from_h2() {
    let origin = Origin::tls(&[b"h2"], |stream| {
        h2_server(stream, |_, mut respond| async move {
            for status in [100, 101, 102] {
                let head = http::Response::builder().status(status).body(()).unwrap();
                respond.send_informational(head).unwrap();
            }
            respond.send_response(http::Response::new(()), true).unwrap();
        })
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let (mut answer, _) = client.send_request(get(), true).unwrap();
    assert_eq!(next_hint(&mut answer).await.expect("one").status(), 102);
    assert!(next_hint(&mut answer).await.is_none());
    assert_eq!(whole(answer).await.0, 200);
    let answer = world.say(HOST, GET).await;
    assert!(answer.starts_with("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 "), "{answer}");
}

/// The same expectation in HTTP/2: met when the request is allowed and its body wanted.
#[tokio::test]
async fn an_expectation_over_h2_is_met_only_for_what_is_allowed() {
    let origin = Origin::answering(|heard| response("", &heard.body)).await;
    let mut setup = Setup::default();
    setup.routes[0].paths = Some(vec![policy::PathPattern::parse("/allowed").unwrap()]);
    let world = World::new(&origin, setup).await;
    let mut client = h2_client(&world, HOST).await;
    let expecting = |path: &str| {
        let request = http::Request::post(format!("https://api.test{path}")).header("expect", "100-continue");
        request.header("content-length", "5").body(()).unwrap()
    };
    let (mut refused, _up) = client.send_request(expecting("/secret"), false).unwrap();
    assert!(next_hint(&mut refused).await.is_none(), "no word but the refusal");
    assert_eq!(whole(refused).await.0, 403);
    let (mut answer, mut up) = client.send_request(expecting("/allowed"), false).unwrap();
    assert_eq!(next_hint(&mut answer).await.expect("the word").status(), 100);
    up.send_data("hello".into(), true).unwrap();
    assert!(next_hint(&mut answer).await.is_none(), "once");
    assert_eq!(whole(answer).await, (200, "hello".to_owned()));
    assert_eq!(origin.heard().len(), 1, "nothing of what was refused");
    assert!(!origin.heard()[0].head.to_lowercase().contains("expect"), "the expectation is met here");
}

/// 100 is the egress's own: once for who asked for it, when the request is allowed; an origin's is not passed on.
#[tokio::test]
async fn an_expectation_is_met_once_and_only_for_what_is_allowed() {
    let origin =
        Origin::answering(|_| [b"HTTP/1.1 100 Continue\r\n\r\n", &response("", b"ok")[..]].concat()).await;
    let mut setup = Setup::default();
    setup.routes[0].paths = Some(vec![policy::PathPattern::parse("/allowed").unwrap()]);
    let world = World::new(&origin, setup).await;
    let unasked = world.say(HOST, "GET /allowed HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(unasked.starts_with("HTTP/1.1 200 "), "{unasked}");
    let expecting = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    };
    let refused = world.say(HOST, expecting("/secret")).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && !refused.contains(" 100 "), "{refused}");
    let mut stream = world.tls(HOST).await;
    assert_eq!(say(&mut stream, expecting("/allowed").as_bytes()).await, "HTTP/1.1 100 Continue\r\n\r\n");
    let answer = say(&mut stream, b"hello").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
    assert_eq!(origin.heard().last().unwrap().body, b"hello");
    assert_eq!(origin.heard().len(), 2, "nothing of what was refused");
}

/// An agent's connection does not switch because an origin says so.
#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_no_answer() {
    let origin = Origin::answering(|_| {
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nanything".to_vec()
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    for _ in 0..2 {
        let answer = say(&mut stream, GET).await;
        assert!(answer.starts_with("HTTP/1.1 502 ") && !answer.contains("anything"), "{answer}");
    }
    assert_eq!(h2_text(&world, HOST).await.0, 502);
}
