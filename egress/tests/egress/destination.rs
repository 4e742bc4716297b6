//! Threats 8, 9, 12 and 14: one connection, one destination; what is not allowed is refused where it can be read.
use super::world::{HOST, Heard, Origin, Setup, World, response, route, say};
use credentials::AuthScheme;
use policy::Scheme;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn names_that_do_not_agree_are_refused_inside_tls() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let get = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";
    let mut other_name = world.tls_as("api.test:443", "other.test", &[]).await;
    let answer = say(&mut other_name, get.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("code=authority-mismatch"), "{answer}");
    for head in [
        "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: api.test:8443\r\n\r\n",
        "GET https://other.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
        "GET https://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n",
        "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
    ] {
        let answer = world.say(HOST, head).await;
        assert!(answer.contains("bottle-decision: denied; code="), "{head:?}: {answer}");
    }
    let mut plain = world.plain().await;
    let absolute = b"GET http://api.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n";
    assert!(say(&mut plain, absolute).await.contains("code=authority-mismatch"));
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn hosts_that_are_not_allowed_get_a_leaf_and_a_refusal() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let answer = world.say("denied.test", "GET /x?key=1 HTTP/1.1\r\nHost: denied.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("code=host-not-allowed"), "{answer}");
    assert!(answer.contains("content-type: text/plain"), "{answer}");
    let event = &world.events(1).await[0];
    assert_eq!((&event["decision"], &event["host"]), (&"denied".into(), &"denied.test".into()));
    assert!(!event.to_string().contains("key=1"), "a query is never recorded");
    assert!(answer.contains(event["id"].as_str().unwrap()), "the refusal shows the event's id");
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn no_routes_allow_nothing() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup { routes: Vec::new(), ..Setup::default() }).await;
    let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.contains("code=host-not-allowed"), "{answer}");
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn another_port_or_scheme_of_an_allowed_host_is_refused() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut stream = world.tls_as("api.test:8443", HOST, &[]).await;
    let answer = say(&mut stream, b"GET / HTTP/1.1\r\nHost: api.test:8443\r\n\r\n").await;
    assert!(answer.contains("code=port-not-allowed"), "{answer}");
    let mut plain = world.connect("api.test:80").await;
    let answer = say(&mut plain, b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.contains("bottle-decision: denied"), "plain HTTP inside CONNECT is read: {answer}");
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn a_credential_never_goes_out_without_tls() {
    let origin = Origin::ok().await;
    let mut plain_route = route(0, HOST);
    (plain_route.scheme, plain_route.port) = (Scheme::Http, 80);
    let setup = Setup { routes: vec![plain_route], auth: Some(AuthScheme::Bearer), ..Setup::default() };
    let world = World::new(&origin, setup).await;
    let mut stream = world.plain().await;
    let answer = say(&mut stream, b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.contains("code=credential-needs-tls"), "{answer}");
    assert_eq!(origin.heard().len(), 0);
}

/// The redirect is the agent's to follow; the credential stays with its own route.
#[tokio::test]
async fn a_redirect_does_not_take_the_credential_along() {
    let origin = Origin::answering(|heard: &Heard| {
        if heard.head.contains("Host: other.test") || heard.head.contains("host: other.test") {
            return response("", b"other");
        }
        b"HTTP/1.1 302 Found\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n".to_vec()
    })
    .await;
    let world = World::with_credential(&origin).await;
    let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
    let answer = world.say("other.test", "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
    assert!(answer.contains("other"), "{answer}");
    let heard = origin.heard();
    assert!(heard[0].head.contains(super::world::SECRET), "bound here");
    assert!(!heard[1].head.to_lowercase().contains("authorization"), "and only here: {}", heard[1].head);
}

#[tokio::test]
async fn other_protocols_are_closed_and_recorded() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let mut stream = world.connect("api.test:443").await;
    assert_eq!(say(&mut stream, b"SSH-2.0-OpenSSH_9.6\r\n").await, "");
    assert_eq!(world.events(1).await[0]["code"], "protocol-not-allowed");
    let mut broken = world.connect("api.test:443").await;
    broken.write_all(b"\x16\x03\x01\x00\x05\x02\0\0\x01\0").await.unwrap();
    assert_eq!(world.events(2).await.len(), 2);
}

#[tokio::test]
async fn connect_leads_nowhere_else() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let inside = world
        .say(HOST, "CONNECT other.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\nGET / HTTP/1.1\r\n")
        .await;
    assert!(inside.contains("code=malformed-request") && !inside.contains(" 200 "), "{inside}");
    for target in ["api.test", "api.test:0", "user@api.test:443", "0x7f.1:443", "api.test:443:443"] {
        let mut stream = world.plain().await;
        let answer =
            say(&mut stream, format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{target}: {answer}");
    }
    // A bottle's egress is reached as a proxy, never through itself.
    let own = world.proxy;
    let mut stream = world.connect(&own.to_string()).await;
    let answer = say(&mut stream, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert!(answer.contains("bottle-decision: denied"), "{answer}");
}

#[tokio::test]
async fn the_egress_explains_itself_without_secrets() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let denied = world
        .say("denied.test", "GET / HTTP/1.1\r\nHost: denied.test\r\nAccept: application/json\r\n\r\n")
        .await;
    assert!(denied.contains("\"code\":\"host-not-allowed\""), "{denied}");
    let id = world.events(1).await[0]["id"].as_str().unwrap().to_owned();
    for path in ["/", "/routes", "/why/host-not-allowed", &format!("/why/{id}")] {
        let mut stream = world.plain().await;
        let text = format!("GET http://_egress.local{path} HTTP/1.1\r\nHost: _egress.local\r\n\r\n");
        let answer = say(&mut stream, text.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        assert!(!answer.contains(super::world::SECRET), "{path}: {answer}");
    }
    let mut stream = world.plain().await;
    let direct = say(&mut stream, b"GET / HTTP/1.1\r\nHost: egress:9099\r\n\r\n").await;
    assert!(direct.contains("api.test"), "{direct}");
    let mut stream = world.plain().await;
    let post = say(
        &mut stream,
        b"POST http://_egress.local/ HTTP/1.1\r\nHost: _egress.local\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(!post.starts_with("HTTP/1.1 200"), "there is nothing to change: {post}");
    let over_tls = world.say("_egress.local", "GET / HTTP/1.1\r\nHost: _egress.local\r\n\r\n").await;
    assert!(over_tls.starts_with("HTTP/1.1 200"), "{over_tls}");
}

#[tokio::test]
async fn an_upstream_cannot_speak_as_the_egress() {
    let origin =
        Origin::answering(|_| b"HTTP/1.1 403 Forbidden\r\nBottle-Decision: denied; code=x\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 2\r\n\r\nno".to_vec())
            .await;
    let world = World::new(&origin, Setup::default()).await;
    let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 403")
            && !answer.contains("bottle-decision")
            && !answer.contains("alt-svc"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_an_outage_not_a_policy() {
    let origin = Origin::ok().await;
    let dead = Origin {
        address: "127.0.0.1:1".parse().unwrap(),
        root_pem: origin.root_pem.clone(),
        heard: origin.heard.clone(),
    };
    let world = World::new(&dead, Setup::default()).await;
    let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 502 ") && answer.contains("failed; code=upstream-unreachable"),
        "{answer}"
    );
}

/// Bytes that follow a CONNECT before its answer are the tunnel's, whatever they are.
#[tokio::test]
async fn what_follows_a_connect_at_once_is_inside_it() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let connect = "CONNECT denied.test:80 HTTP/1.1\r\nHost: denied.test\r\n\r\n";
    let mut stream = world.plain().await;
    let early = format!("{connect}GET /inside HTTP/1.1\r\nHost: denied.test\r\n\r\n");
    let answer = say(&mut stream, early.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("code=host-not-allowed"), "{answer}");
    let mut stream = world.plain().await;
    let answer = say(&mut stream, format!("{connect}SSH-2.0-x\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let events = world.events(2).await;
    assert_eq!((&events[0]["host"], &events[0]["path"]), (&"denied.test".into(), &"/inside".into()));
    assert_eq!(events[1]["code"], "protocol-not-allowed");
}
