//! A rule that changes while things are under way: at once, whole, and nothing that it does not allow goes on.
use super::streams::h2;
use super::websockets::{echo, open};
use super::world::{HOST, Io, Origin, Setup, World, read_message, response, route, say};
use bytes::Bytes;
use egress::desk::{Answer, Span};
use egress::{Asking, Unmatched};
use http_body_util::{BodyExt, Full};
use policy::{Protocol, TlsMode};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(5);
const GET: &str = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";

/// An upstream that answers with a body that has no end.
async fn endless() -> Origin {
    Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        if read_message(&mut stream).await.is_none() {
            return;
        }
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let _gone = stream.write_all(head).await;
        while stream.write_all(b"5\r\ndrop \r\n").await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

fn without_host() -> Vec<policy::Route> {
    vec![route(0, "other.test")]
}

/// The beginning of an answer to a request for this; of one that has no end as well.
async fn begins(world: &World, host: &str) -> (Io, String) {
    let mut stream = world.tls(host).await;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut first = vec![0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut first)).await.expect("an answer").unwrap();
    first.truncate(read);
    (stream, String::from_utf8_lossy(&first).to_ascii_lowercase())
}

async fn ends(stream: &mut Io) -> Vec<u8> {
    let mut all = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "it goes on: {} bytes", all.len());
    all
}

#[tokio::test]
async fn an_answer_that_streams_ends_with_its_route() {
    let origin = endless().await;
    let world = World::new(&origin, Setup::default()).await;
    let (mut stream, _) = begins(&world, HOST).await;
    assert_eq!(world.steering().rule(world.rule(without_host(), "b"), "a test"), 1);
    let rest = ends(&mut stream).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "half an answer does not look whole");
    let event = &world.events(1).await[0];
    assert_eq!((&event["decision"], &event["code"]), (&"aborted".into(), &"revoked".into()));
    let refused = world.say(HOST, GET).await;
    assert!(refused.contains("code=host-not-allowed"), "{refused}");
    let changed = world.lines().into_iter().find(|line| line["step"] == "policy-changed").unwrap();
    assert!(changed["detail"].as_str().unwrap().ends_with("to b, by a test"), "{changed}");
}

#[tokio::test]
async fn a_stream_of_http2_ends_and_its_connection_serves_on() {
    let origin = endless().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut sender = h2(&world, HOST).await;
    let ask = || {
        let body = Full::new(Bytes::new()).boxed_unsync();
        http::Request::get("https://api.test/").version(http::Version::HTTP_2).body(body).unwrap()
    };
    let answer = sender.send_request(ask()).await.unwrap();
    let mut body = answer.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(world.steering().rule(world.rule(without_host(), "b"), "a test"), 1);
    let broken = tokio::time::timeout(PATIENCE, async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return true;
            }
        }
        false
    });
    assert_eq!(broken.await, Ok(true));
    let refused = sender.send_request(ask()).await.unwrap();
    assert_eq!(refused.headers()["bottle-decision"], "denied; code=host-not-allowed");
}

#[tokio::test]
async fn a_websocket_ends_with_its_route() {
    let (origin, _, _) = echo().await;
    let world = World::new(&origin, Setup::default()).await;
    let (mut stream, head) = open(&world, HOST).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(world.steering().rule(world.rule(without_host(), "b"), "a test"), 1);
    ends(&mut stream).await;
    let event = &world.events(1).await[0];
    assert_eq!((&event["decision"], &event["code"]), (&"aborted".into(), &"revoked".into()));
}

#[tokio::test]
async fn tunnels_end_with_their_route() {
    for (protocol, tls) in [(Protocol::Tcp, TlsMode::Open), (Protocol::Http, TlsMode::Passthrough)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&upstream_ended);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _reset = stream.read_to_end(&mut Vec::new()).await;
            ended.store(true, Ordering::Relaxed);
        });
        let origin = Origin { address, ..Origin::ok().await };
        let routes = vec![policy::Route { protocol, tls, ..route(0, HOST) }];
        let world = World::new(&origin, Setup { routes, ..Setup::default() }).await;
        let mut stream = world.connect("api.test:443").await;
        stream.write_all(&super::told::client_hello(HOST)).await.unwrap();
        for _ in 0..250 {
            if world.steering().running().iter().any(|live| live.bytes_up > 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(
            world.steering().rule(world.rule(without_host(), "b"), "a test"),
            1,
            "{protocol:?} {tls:?}"
        );
        ends(&mut stream).await;
        let event = &world.events(1).await[0];
        assert_eq!((&event["decision"], &event["code"]), (&"aborted".into(), &"revoked".into()));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(upstream_ended.load(Ordering::Relaxed), "the far side too");
    }
}

/// Looked at when it was opened, read when its first bytes came: a change lies between.
#[tokio::test]
async fn a_connection_that_waited_to_be_read_is_looked_at_again() {
    for locks in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin { address: listener.local_addr().unwrap(), ..Origin::ok().await };
        let routes = vec![policy::Route { tls: TlsMode::Passthrough, ..route(0, HOST) }];
        let world = World::new(&origin, Setup { routes, ..Setup::default() }).await;
        let mut stream = world.connect("api.test:443").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        if locks {
            world.steering().lock(true, "a test");
        } else {
            world.steering().rule(world.rule(without_host(), "b"), "a test");
        }
        stream.write_all(&super::told::client_hello(HOST)).await.unwrap();
        ends(&mut stream).await;
        let event = &world.events(1).await[0];
        let code = if locks { "kill-switch" } else { "revoked" };
        assert_eq!((&event["decision"], &event["code"]), (&"denied".into(), &code.into()));
        let reached = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(reached.is_err(), "nothing was dialled");
    }
}

#[tokio::test]
async fn pooled_connections_end_with_their_rule() {
    let open = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&open);
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let open = Arc::clone(&counted);
        async move {
            open.fetch_add(1, Ordering::Relaxed);
            while read_message(&mut stream).await.is_some() {
                let _gone = stream.write_all(&response("", b"ok")).await;
                let _gone = stream.flush().await;
            }
            open.fetch_sub(1, Ordering::Relaxed);
        }
    })
    .await;
    let world = World::new(&origin, Setup::default()).await;
    assert!(world.say(HOST, GET).await.starts_with("HTTP/1.1 200"));
    assert_eq!(open.load(Ordering::Relaxed), 1, "kept for the next");
    assert_eq!(world.steering().rule(world.rule(without_host(), "b"), "a test"), 0);
    for _ in 0..250 {
        if open.load(Ordering::Relaxed) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still open");
}

#[tokio::test]
async fn what_is_granted_until_a_time_ends_then() {
    let origin = endless().await;
    let asking = Asking { unmatched: Unmatched::Ask { wait: PATIENCE }, attended: true, ..Asking::default() };
    let world = World::new(&origin, Setup { asking, ..Setup::default() }).await;
    let mut stream = world.tls("denied.test").await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: denied.test\r\n\r\n").await.unwrap();
    let petition = loop {
        if let Some(petition) = world.steering().petitions().pop() {
            break petition;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let time = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(700);
    let answer = Answer::Allow { span: Span::Until { time }, narrowed: None, credential: false, word: None };
    world.steering().answer(&petition.id, answer, "a test").unwrap();
    let mut first = [0; 64];
    stream.read_exact(&mut first).await.unwrap();
    ends(&mut stream).await;
    assert_eq!(world.events(1).await[0]["code"], "revoked");
}

#[tokio::test]
async fn the_kill_switch_ends_everything_and_nothing_begins() {
    let origin = endless().await;
    let world = World::new(&origin, Setup::default()).await;
    let (mut stream, _) = begins(&world, HOST).await;
    assert_eq!(world.steering().lock(true, "a test"), 1);
    assert!(world.steering().is_locked());
    ends(&mut stream).await;
    let (_, refused) = begins(&world, HOST).await;
    assert!(refused.starts_with("http/1.1 403") && refused.contains("code=kill-switch"), "{refused}");
    // A rule that is read meanwhile does not turn it off.
    world.steering().rule(world.rule(vec![route(0, HOST)], "b"), "a test");
    let (_, refused) = begins(&world, HOST).await;
    assert!(refused.contains("code=kill-switch"), "{refused}");
    world.steering().lock(false, "a test");
    let (_stream, served) = begins(&world, HOST).await;
    assert!(served.starts_with("http/1.1 200"), "{served}");
    let codes: Vec<_> = world.events(3).await.iter().map(|event| event["code"].clone()).collect();
    assert_eq!(codes[..3], ["kill-switch", "kill-switch", "kill-switch"]);
}

/// Rules change a thousand times under load: what both allow is never lost, and what one of them refuses goes out only under the
/// other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rules_lose_nothing_and_let_nothing_wrong_through() {
    let origin = Origin::ok().await;
    let world = Arc::new(World::new(&origin, Setup::default()).await);
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = |host: &'static str| {
        let (world, done, asked) = (Arc::clone(&world), Arc::clone(&done), Arc::clone(&asked));
        tokio::spawn(async move {
            let (mut passed, mut others) = (0, 0);
            let mut stream = world.tls(host).await;
            while !done.load(Ordering::Relaxed) {
                let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
                let sent = stream.write_all(request.as_bytes()).await.is_ok();
                let heard = if sent { read_message(&mut stream).await } else { None };
                asked.fetch_add(1, Ordering::Relaxed);
                match heard {
                    Some(heard) if heard.head.starts_with("HTTP/1.1 200") => passed += 1,
                    Some(_) => others += 1,
                    // What was taken back in its middle is cut.
                    None => {
                        others += 1;
                        stream = world.tls(host).await;
                    }
                }
            }
            (passed, others)
        })
    };
    let steady = [client("other.test"), client("other.test")];
    let toggled = [client(HOST), client(HOST)];
    let steering = world.steering();
    for number in 0..1000 {
        let routes =
            if number % 2 == 0 { without_host() } else { vec![route(0, HOST), route(1, "other.test")] };
        steering.rule(world.rule(routes, &format!("{number}")), "a test");
        let before = asked.load(Ordering::Relaxed);
        // Something is under way between any two of them.
        for _ in 0..200 {
            if asked.load(Ordering::Relaxed) > before {
                break;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    for client in steady {
        let (passed, others) = client.await.unwrap();
        assert!(passed > 20 && others == 0, "{passed} passed, {others} did not");
    }
    let mut seen = BTreeSet::new();
    for client in toggled {
        let (passed, others) = client.await.unwrap();
        assert!(passed > 0 && others > 0, "{passed} passed, {others} did not");
    }
    for event in world.events(1).await.iter().filter(|event| event["host"] == HOST) {
        let Some(number) = event["policy"].as_str().and_then(|policy| policy.parse::<u32>().ok()) else {
            continue;
        };
        let allows = number % 2 == 1;
        seen.insert(number);
        match event["decision"].as_str().unwrap() {
            "denied" => assert!(!allows, "{event}"),
            "allowed" => assert!(allows, "{event}"),
            // Begun while it was allowed, ended by what came after.
            other => assert!(other == "aborted" && allows, "{event}"),
        }
    }
    assert!(seen.len() > 20, "{} rules judged something", seen.len());
}

#[tokio::test]
async fn a_change_of_rule_forgets_no_budget() {
    let origin = Origin::ok().await;
    let requests = Some(egress::Rate { amount: 2, per: Some(Duration::from_secs(60)) });
    let bottle = egress::Budget { requests, ..egress::Budget::default() };
    let budgets = egress::Budgets { bottle, ..egress::Budgets::default() };
    let world = World::new(&origin, Setup { budgets: budgets.clone(), ..Setup::default() }).await;
    let mut stream = world.tls(HOST).await;
    assert!(say(&mut stream, GET.as_bytes()).await.starts_with("HTTP/1.1 200"));
    let rule = egress::Rule { budgets, ..world.rule(vec![route(7, HOST)], "b") };
    world.steering().rule(rule, "a test");
    assert!(say(&mut stream, GET.as_bytes()).await.starts_with("HTTP/1.1 200"));
    assert!(say(&mut stream, GET.as_bytes()).await.contains("code=budget-exceeded"));
}

/// Half of a value before a change, half after it.
#[tokio::test]
async fn a_change_of_rule_forgets_no_pieces() {
    const OWN: &str = "own-secret-4711-abcdefghijkl";
    let own = || ("own".to_owned(), credentials::Secret::new(OWN.as_bytes().to_vec()));
    let (start, end) = OWN.split_at(14);
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup { secrets: vec![("own", OWN)], ..Setup::default() }).await;
    let ask = |piece: &str| format!("GET /?a={piece} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    assert!(world.say(HOST, ask(end)).await.starts_with("HTTP/1.1 200"));
    let dlp = egress::DlpTerms { secrets: vec![own()], ..egress::DlpTerms::default() };
    world.steering().rule(egress::Rule { dlp, ..world.rule(vec![route(0, HOST)], "b") }, "a test");
    let answer = world.say(HOST, ask(start)).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
}
