//! Interim answers: relayed where both legs can, clean, bounded, and never in the way of the answer.
use super::wire::{h2_server, h2_text, read_head};
use super::world::{HOST, Io, Origin, SECRET, Setup, World, read_message, response, say};
use egress::Limits;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";

/// The hint arrives while the origin still thinks, without secrets and without what only the egress may say.
#[tokio::test]
async fn hints_are_relayed_at_once_and_clean() {
    let seen = Arc::new(Notify::new());
    let wait = seen.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let wait = wait.clone();
        async move {
            while read_message(&mut stream).await.is_some() {
                let hint = format!(
                    "HTTP/1.1 103 Early Hints\r\nLink: </a?{SECRET}>\r\nBottle-Decision: denied; code=x\r\n\
                     Connection: x-hop\r\nX-Hop: 1\r\nContent-Length: 7\r\nAlt-Svc: h3\r\n\r\n"
                );
                stream.write_all(hint.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                wait.notified().await;
                stream.write_all(&response("", b"body\n")).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    for _ in 0..2 {
        stream.write_all(GET).await.unwrap();
        let hint = read_head(&mut stream).await;
        assert_eq!(hint, format!("HTTP/1.1 103 Early Hints\r\nlink: </a?{}>\r\n\r\n", world.placeholder));
        seen.notify_one();
        let answer = read_message(&mut stream).await.unwrap();
        assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
        assert_eq!(answer.body, b"body\n");
    }
    let events = world.events(2).await;
    assert_eq!(events[0]["findings"][0]["place"], "response header link");
}

/// Five hints in one write with the answer: whatever the legs, the answer is right.
#[tokio::test]
async fn the_answer_after_hints_is_right_on_every_pair_of_legs() {
    let h1 = Origin::answering(|_| [HINT.repeat(5).as_bytes(), &response("", b"body\n")].concat()).await;
    let h2 = Origin::tls(&[b"h2"], |stream| {
        h2_server(stream, |_, mut respond| async move {
            for _ in 0..5 {
                respond.send_informational(hint_head()).unwrap();
            }
            let mut body = respond.send_response(http::Response::new(()), false).unwrap();
            body.send_data("body\n".into(), true).unwrap();
        })
    })
    .await;
    for (origin, hints) in [(&h1, 5), (&h2, 0)] {
        let world = World::with_credential(origin).await;
        let mut stream = world.tls(HOST).await;
        let pipelined = say(&mut stream, &GET.repeat(2)).await;
        assert_eq!(pipelined.matches("HTTP/1.1 103 Early Hints\r\nlink: ").count(), 2 * hints, "{pipelined}");
        let wanted = [vec!["103"; hints], vec!["200"]].concat().repeat(2);
        let said: Vec<&str> =
            pipelined.split("HTTP/1.1 ").skip(1).map(|message| message.split(' ').next().unwrap()).collect();
        assert_eq!(said, wanted, "{pipelined}");
        assert_eq!(pipelined.matches("body").count(), 2, "{pipelined}");
        assert_eq!(h2_text(&world, HOST).await, (200, "body\n".to_owned()), "an agent that speaks h2");
        let old = world.say(HOST, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.0 200") || old.starts_with("HTTP/1.1 200"), "1.0 has no 1xx: {old}");
    }
}

fn hint_head() -> http::Response<()> {
    http::Response::builder().status(103).header("link", "</a.css>").body(()).unwrap()
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
    for h2 in [false, true] {
        let text = if h2 { h2_text(&world, HOST).await.1 } else { world.say(HOST, GET).await };
        assert!(text.contains("more than 32 interim answers"), "{text}");
        let hung_up = tokio::time::timeout(Duration::from_secs(5), ended.notified()).await;
        hung_up.unwrap_or_else(|_| panic!("the origin talks on to nobody (h2: {h2})"));
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    let event = &world.events(2).await[0];
    assert_eq!(event["code"], "upstream-unreachable", "{event}");
}

/// hyper drops an h2 upstream's hints by itself; the time without an answer counts all the same.
#[tokio::test]
async fn a_flood_of_hints_over_h2_ends_in_time() {
    let h2 = Origin::tls(&[b"h2"], |stream| {
        h2_server(stream, |_, mut respond| async move {
            while respond.send_informational(hint_head()).is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    })
    .await;
    let limits = Limits { stream_idle_time: Duration::from_millis(700), ..Limits::default() };
    let world = World::new(&h2, Setup { limits, ..Setup::default() }).await;
    let started = Instant::now();
    let answer = world.say(HOST, GET).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
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
