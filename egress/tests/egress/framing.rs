//! Threats 1, 2 and 7: requests that two readers could read differently, and clients that dawdle.
use super::world::{HOST, Heard, Origin, Setup, World, listen, response, say};
use egress::Limits;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Every line is a way to smuggle; none may reach the upstream.
#[tokio::test]
async fn ambiguous_requests_never_reach_the_upstream() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    for head in [
        "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: api.test\r\nX: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\nHost: api.test\n\n",
        "GET / HTTP/1.1\r\nHost: api.test\r\nX: a\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: api.test\r\nHost: api.test\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: api.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: api.test\r\nConnection: content-length\r\n\r\n",
    ] {
        let answer = world.say(HOST, head).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert!(answer.contains("bottle-decision: denied; code=malformed-request"), "{head:?}: {answer}");
    }
    assert_eq!(origin.heard().len(), 0, "{:?}", origin.heard());
    assert_eq!(world.events(16).await.len(), 16, "each is one event");
}

#[tokio::test]
async fn ambiguous_chunks_break_the_exchange_off() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    for body in [
        "3;ext=x\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "0\r\nContent-Length: 3\r\n\r\n",
    ] {
        let head = "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = world.say(HOST, format!("{head}{body}")).await;
        assert!(!answer.contains("200 OK"), "{body:?}: {answer}");
    }
    assert_eq!(origin.heard().len(), 0, "no body came to its end: {:?}", origin.heard());
}

/// An upgrade that the origin answers with 200: what follows on that connection is judged like the first request.
#[tokio::test]
async fn after_a_failed_upgrade_requests_are_still_judged() {
    let origin = Origin::ok().await;
    let mut setup = Setup::default();
    setup.routes[0].paths = Some(vec![policy::PathPattern::parse("/allowed").unwrap()]);
    let world = World::new(&origin, setup).await;
    for upgrade in ["websocket", "h2c", "websocket, h2c", "TLS/1.0"] {
        let first = format!(
            "GET /allowed HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let second = "GET /secret HTTP/1.1\r\nHost: api.test\r\n\r\n";
        let answer = world.say(HOST, format!("{first}{second}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{upgrade}: {answer}");
        assert!(answer.contains("code=path-not-allowed"), "{upgrade}: {answer}");
    }
    assert!(
        origin.heard().iter().all(|heard| heard.head.starts_with("GET /allowed")),
        "{:?}",
        origin.heard()
    );
    assert!(
        origin.heard().iter().all(|heard| !heard.head.to_lowercase().contains("h2c")),
        "h2c is never offered upstream"
    );
}

#[tokio::test]
async fn each_request_of_a_kept_connection_is_judged() {
    let origin = Origin::ok().await;
    let mut setup = Setup::default();
    setup.routes[0].methods = Some(vec![policy::Method::parse("GET").unwrap()]);
    let world = World::new(&origin, setup).await;
    let answer = world
        .say(
            HOST,
            concat!(
                "GET /1 HTTP/1.1\r\nHost: api.test\r\n\r\n",
                "DELETE /2 HTTP/1.1\r\nHost: api.test\r\n\r\n",
                "GET /3 HTTP/1.1\r\nHost: api.test\r\n\r\n",
            ),
        )
        .await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert_eq!(answer.matches("code=method-not-allowed").count(), 1, "{answer}");
    let paths: Vec<String> =
        origin.heard().iter().map(|heard| heard.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["GET /1 HTTP/1.1", "GET /3 HTTP/1.1"]);
}

#[tokio::test]
async fn expectations_are_met_and_trailers_pass_both_ways() {
    let origin = Origin::answering(|heard: &Heard| {
        assert!(!heard.head.to_lowercase().contains("expect"));
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n".to_vec()
    })
    .await;
    let world = World::new(&origin, Setup::default()).await;
    let mut stream = world.tls(HOST).await;
    let head = "POST / HTTP/1.1\r\nHost: api.test\r\nTE: trailers\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n";
    let go_on = say(&mut stream, head.as_bytes()).await;
    assert!(go_on.starts_with("HTTP/1.1 100 "), "{go_on}");
    let answer = say(&mut stream, b"5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n").await;
    assert!(answer.contains("grpc-status: 0"), "{answer}");
    let heard = origin.heard();
    assert_eq!(String::from_utf8_lossy(&heard[0].body).to_lowercase(), "hellox-sum: 42\r\n");
}

#[tokio::test]
async fn a_slow_or_endless_head_ends_alone() {
    let origin = Origin::ok().await;
    let limits = Limits { head_time: Duration::from_millis(300), head_bytes: 8192, ..Limits::default() };
    let world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let mut slow = world.tls(HOST).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: api").await.unwrap();
    let answer = world.say(HOST, "GET /other HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "others are unharmed: {answer}");
    let farewell = listen(&mut slow).await;
    assert!(farewell.contains("code=limit-exceeded"), "{farewell}");
    let long = format!("GET / HTTP/1.1\r\nHost: api.test\r\nX: {}\r\n\r\n", "y".repeat(10_000));
    assert!(world.say(HOST, long).await.contains("code=limit-exceeded"));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_the_others_go_on() {
    let origin = Origin::ok().await;
    let limits = Limits { connections: 2, ..Limits::default() };
    let world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let mut first = world.tls(HOST).await;
    let _second = world.plain().await;
    let mut third = world.plain().await;
    let refused = say(&mut third, b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert_eq!(refused, "", "the third is closed");
    let answer = say(&mut first, b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A body beyond every buffer, both ways: nothing is cut (threat 3).
#[tokio::test]
async fn large_bodies_pass_whole() {
    const SIZE: usize = 9 * 1024 * 1024 + 1;
    let origin = Origin::answering(|heard: &Heard| {
        assert_eq!(heard.body.len(), SIZE);
        response("", &heard.body)
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    let head =
        format!("POST / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n");
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let sending = async {
        write.write_all(head.as_bytes()).await.unwrap();
        write.write_all(&vec![b'z'; SIZE]).await.unwrap();
        write.flush().await.unwrap();
    };
    let reading = super::world::read_message(&mut read);
    let ((), answer) = tokio::join!(sending, reading);
    let answer = answer.expect("an answer");
    assert_eq!(answer.body.len(), SIZE, "{}", answer.head);
    assert_eq!(world.events(1).await[0]["bytes_up"], SIZE);
}

/// A ClientHello and nothing after it.
fn client_hello() -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let name = HOST.try_into().unwrap();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Before there is a request, there is a limit too.
#[tokio::test]
async fn who_says_nothing_or_half_of_it_ends_alone() {
    let origin = Origin::ok().await;
    let short = Duration::from_millis(300);
    let limits = Limits { sniff_time: short, handshake_time: short, head_time: short, ..Limits::default() };
    let world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let hello = client_hello();
    for (inside, bytes) in [
        (false, &b""[..]),
        (false, b"G"),
        (false, b"CONNECT api.test:443 HTTP/1.1\r\n"),
        (true, b""),
        (true, b"GE"),
        (true, &hello[..7]),
        (true, &hello[..hello.len() - 1]),
        (true, &hello),
    ] {
        let mut stream = if inside { world.connect("api.test:443").await } else { world.plain().await };
        stream.write_all(bytes).await.unwrap();
        let end = super::wire::read_to_end(&mut stream);
        let ended = tokio::time::timeout(Duration::from_secs(3), end).await;
        assert!(ended.is_ok(), "inside CONNECT: {inside}, {} bytes", bytes.len());
    }
    assert!(world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
}
