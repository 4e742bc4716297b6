//! Threats 18 and 21: values in names and methods, and what the audit and the pages of the egress say of them.
use super::world::{HOST, Origin, SECRET, Setup, World, route, say};
use policy::{PathPattern, Protocol, TlsMode};
use tokio::io::AsyncWriteExt;

const OWN: &str = "own-secret-4711-abcdefghijkl";

fn wild(change: impl FnOnce(&mut policy::Route)) -> Vec<policy::Route> {
    let mut routes = Setup::default().routes;
    let mut wild = route(2, "*.wild.test");
    change(&mut wild);
    routes.push(wild);
    routes
}

async fn world(origin: &Origin, routes: Vec<policy::Route>) -> World {
    let auth = Some(credentials::AuthScheme::Bearer);
    World::new(origin, Setup { routes, auth, secrets: vec![("own", OWN)], ..Setup::default() }).await
}

/// The one finding of an event, and that nothing in it is the value.
fn found(events: &[serde_json::Value], place: &str) {
    assert!(!format!("{events:?}").to_lowercase().contains(SECRET), "{events:?}");
    let places: Vec<_> = events.iter().flat_map(|event| event["findings"].as_array().unwrap()).collect();
    assert!(places.iter().any(|finding| finding["place"] == place), "{events:?}");
}

#[tokio::test]
async fn a_value_does_not_leave_as_a_name_or_a_method() {
    let origin = Origin::ok().await;
    let world = world(&origin, wild(|_| {})).await;
    let host = format!("{SECRET}.wild.test");
    let answer = world.say(&host, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
    found(&world.events(1).await, "host");
    let method = SECRET.to_uppercase();
    let answer = world.say(HOST, format!("{method} / HTTP/1.1\r\nHost: api.test\r\n\r\n")).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
    found(&world.events(2).await[1..], "method");
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn a_value_does_not_leave_as_the_name_of_a_tunnel() {
    for protocol in [Protocol::Tcp, Protocol::Http] {
        let origin = Origin::ok().await;
        let routes = wild(|route| {
            route.protocol = protocol;
            route.tls = if protocol == Protocol::Http { TlsMode::Passthrough } else { TlsMode::Open };
        });
        let world = world(&origin, routes).await;
        let host = format!("{SECRET}.wild.test");
        let mut stream = world.connect(&format!("{host}:443")).await;
        let hello = client_hello(&host);
        let answer = say(&mut stream, &hello).await;
        assert_eq!(answer, "", "{protocol:?}: nothing comes back");
        let events = world.events(1).await;
        found(&events, "host");
        assert_eq!(
            (&events[0]["decision"], &events[0]["code"]),
            (&"denied".into(), &"secret-in-request".into()),
            "{protocol:?}"
        );
        assert!(events[0]["upstream"].is_null(), "it was not even dialled: {events:?}");
    }
}

/// The first bytes of a TLS client that asks for this host.
pub(crate) fn client_hello(host: &str) -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// No look-up leaves this machine, so a name that holds a value is found when a connection follows it.
#[tokio::test]
async fn a_refused_name_that_holds_a_value_is_a_finding() {
    let origin = Origin::ok().await;
    let world = world(&origin, Setup::default().routes).await;
    let host = format!("{SECRET}.evil.test");
    let answer = world.say(&host, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert!(answer.contains("code=host-not-allowed"), "{answer}");
    found(&world.events(1).await, "host");
}

#[tokio::test]
async fn neither_the_audit_nor_a_page_says_a_value() {
    let origin = Origin::ok().await;
    let mut routes = Setup::default().routes;
    routes[0].paths = Some(vec![PathPattern::parse("/v1").unwrap()]);
    let world = world(&origin, routes).await;
    let asked = [
        (HOST, format!("GET /{OWN} HTTP/1.1\r\nHost: api.test\r\n\r\n")),
        (HOST, format!("GET /v1 HTTP/1.1\r\nHost: {OWN}.test\r\n\r\n")),
        ("other.test", format!("GET / HTTP/1.1\r\nHost: other.test\r\nX-{OWN}: 1\r\n\r\n")),
        (HOST, format!("GET\t/{OWN} HTTP/1.1\r\nHost: {OWN}\r\n\r\n")),
    ];
    for (host, request) in asked {
        let answer = world.say(host, request).await;
        assert!(answer.contains("bottle-decision: denied"), "{answer}");
    }
    let mut quiet = world.connect(&format!("{OWN}.test:22")).await;
    quiet.write_all(b"SSH-2.0-x\r\n").await.unwrap();
    let events = format!("{:?}", world.events(5).await);
    assert!(!events.contains(OWN), "{events}");
    for code in ["path-not-allowed", "authority-mismatch", "secret-in-request", "protocol-not-allowed"] {
        let page = world
            .say("_egress.local", format!("GET /why/{code} HTTP/1.1\r\nHost: _egress.local\r\n\r\n"))
            .await;
        assert!(page.starts_with("HTTP/1.1 200") && !page.contains(OWN), "{code}: {page}");
    }
}
