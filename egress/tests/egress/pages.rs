//! The agent's side: pages, wishes, waiting. An answer comes from the operator alone.
use super::world::{HOST, Origin, SECRET, Setup, World, say};
use egress::desk::{Answer, Span, State};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const JSON: &str = "content-type: application/json\r\n";
const REFUSED: &str = "GET /x HTTP/1.1\r\nHost: denied.test\r\n\r\n";

async fn attended(origin: &Origin) -> World {
    World::new(
        origin,
        Setup { asking: egress::Asking { attended: true, ..egress::Asking::default() }, ..Setup::default() },
    )
    .await
}

/// One request to the egress itself, as a proxy's client says it: head and body of the answer.
async fn local(world: &World, method: &str, path: &str, headers: &str, body: &str) -> (String, String) {
    let mut stream = world.plain().await;
    let length = body.len();
    let text = format!(
        "{method} http://_egress.local{path} HTTP/1.1\r\nHost: _egress.local\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    let answer = say(&mut stream, text.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

async fn ask(world: &World, wish: Value) -> (u16, Value) {
    let (head, body) = local(world, "POST", "/ask", JSON, &wish.to_string()).await;
    (status(&head), serde_json::from_str(&body).expect("JSON"))
}

async fn look(world: &World, id: &str, query: &str) -> Value {
    let (_, body) = local(world, "GET", &format!("/ask/{id}{query}"), "", "").await;
    serde_json::from_str(&body).expect("JSON")
}

fn wish() -> Value {
    json!({ "url": "https://denied.test/x", "why": "the test needs it" })
}

fn yes(span: Span) -> Answer {
    Answer::Allow { span, narrowed: None, credential: false, word: None }
}

#[tokio::test]
async fn who_is_blocked_asks_is_allowed_and_goes_on_without_a_restart() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let refused = world.say("denied.test", REFUSED).await;
    assert!(
        refused.contains("ask with the tool `egress-block` or POST http://_egress.local/ask"),
        "{refused}"
    );
    let exchange = world.events(1).await[0]["id"].as_str().unwrap().to_owned();
    let (_, why) = local(&world, "GET", &format!("/why/{exchange}"), "", "").await;
    assert!(why.contains("`GET https://denied.test/x`") && why.contains(&exchange), "{why}");

    let (status, asked) = ask(&world, json!({ "exchange": exchange, "why": "the test needs it" })).await;
    assert_eq!((status, &asked["status"]), (202, &json!("open")), "{asked}");
    assert_eq!(asked["asks_for"], "GET https://denied.test/x");
    let id = asked["id"].as_str().unwrap();
    let petition = world.steering().petitions().remove(0);
    assert_eq!(
        (petition.why.as_str(), petition.code.as_deref()),
        ("the test needs it", Some("host-not-allowed"))
    );
    assert_eq!(petition.would_have_allowed, 1);
    assert!(world.say("denied.test", REFUSED).await.starts_with("HTTP/1.1 403"), "asking allows nothing");

    let (waited, began) = tokio::join!(look(&world, id, "?wait=30"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let word = Some("for today".to_owned());
        let answer = Answer::Allow { span: Span::Bottle, narrowed: None, credential: false, word };
        world.steering().answer(id, answer, "the test").expect("open");
        Instant::now()
    });
    assert!(began.elapsed() < Duration::from_secs(5), "who waits hears of it at once");
    assert_eq!((&waited["status"], &waited["word"]), (&json!("allowed"), &json!("for today")), "{waited}");
    assert!(world.say("denied.test", REFUSED).await.starts_with("HTTP/1.1 200"), "it goes out now");
    let (status, again) = ask(&world, wish()).await;
    assert_eq!((status, &again["code"]), (200, &json!("allowed-already")), "{again}");
}

#[tokio::test]
async fn the_same_is_asked_once_and_a_no_is_the_answer_to_it() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let (_, first) = ask(&world, wish()).await;
    let (status, second) =
        ask(&world, json!({ "url": "https://denied.test/x?other=query", "why": "again" })).await;
    assert_eq!((status, &first["id"]), (202, &second["id"]));
    let id = first["id"].as_str().unwrap();
    let no = Answer::Refuse { word: Some("use the mirror".into()) };
    world.steering().answer(id, no, "the test").expect("open");
    let (status, third) = ask(&world, wish()).await;
    assert_eq!(
        (status, &third["id"], &third["word"]),
        (403, &first["id"], &json!("use the mirror")),
        "{third}"
    );
    assert_eq!(world.steering().petitions().len(), 1);
}

#[tokio::test]
async fn a_flood_of_wishes_is_refused_and_says_when() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    for number in 0..10 {
        let url = format!("https://denied.test/{number}");
        assert_eq!(ask(&world, json!({ "url": url, "why": "x" })).await.0, 202, "{number}");
    }
    let body = json!({ "url": "https://denied.test/more", "why": "x" }).to_string();
    let (head, body) = local(&world, "POST", "/ask", JSON, &body).await;
    assert!(head.starts_with("http/1.1 429") && head.contains("retry-after: 60"), "{head}");
    assert!(body.contains("\"code\":\"too-many\""), "{body}");
    assert_eq!(world.steering().petitions().len(), 10);
    assert_eq!(
        ask(&world, json!({ "url": "https://denied.test/0", "why": "x" })).await.0,
        202,
        "known already"
    );
}

#[tokio::test]
async fn with_nobody_there_the_answer_is_no_at_once() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let refused = world.say("denied.test", REFUSED).await;
    assert!(!refused.contains("egress-block"), "there is nobody to ask: {refused}");
    let began = Instant::now();
    let (status, told) = ask(&world, wish()).await;
    assert_eq!((status, &told["code"]), (403, &json!("unattended")), "{told}");
    assert!(began.elapsed() < Duration::from_secs(3));
    let (_, page) = local(&world, "GET", "/", "", "").await;
    assert!(page.contains("Nobody attends to this bottle"), "{page}");
}

#[tokio::test]
async fn waiting_ends_with_its_time_and_what_is_unknown_is_said() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let (_, asked) = ask(&world, wish()).await;
    let (id, began) = (asked["id"].as_str().unwrap(), Instant::now());
    let waited = look(&world, id, "?wait=1").await;
    assert!(waited["status"] == "open" && began.elapsed() >= Duration::from_secs(1), "{waited}");
    assert_eq!(look(&world, id, "?wait=soon").await["code"], "malformed");
    assert_eq!(look(&world, "nobody", "").await["code"], "unknown-id");
}

#[tokio::test]
async fn what_is_no_wish_is_not_asked() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    for (wrong, code) in [
        (json!({ "url": "https://denied.test/" }), "malformed"),
        (json!({ "url": "https://denied.test/", "why": " " }), "malformed"),
        (json!({ "why": "x" }), "malformed"),
        (json!({ "url": "denied.test", "why": "x" }), "malformed"),
        (json!({ "url": "https://denied.test/", "host": "denied.test", "why": "x" }), "malformed"),
        (json!({ "url": "https://denied.test/", "paths": ["/**"], "why": "x" }), "malformed"),
        (json!({ "host": "*", "why": "x" }), "malformed"),
        (json!({ "host": "*.com", "why": "x" }), "malformed"),
        (json!({ "host": "denied.test", "methods": [], "why": "x" }), "malformed"),
        (json!({ "host": "denied.test", "methods": vec!["GET"; 11], "why": "x" }), "malformed"),
        (json!({ "host": "denied.test", "protocol": "tcp", "why": "x" }), "malformed"),
        (json!({ "url": "https://denied.test/", "why": "x", "allow_private": true }), "malformed"),
        (json!({ "url": "https://denied.test/", "why": "x", "answer": "allow" }), "malformed"),
        (json!({ "exchange": "no-such-exchange", "why": "x" }), "malformed"),
        (json!({ "url": "http://127.0.0.1:9/", "why": "x" }), "not-askable"),
        (json!({ "url": "http://169.254.169.254/latest", "why": "x" }), "not-askable"),
        (json!({ "url": "http://[::ffff:10.0.0.1]/", "why": "x" }), "not-askable"),
        (json!({ "url": "http://_egress.local/x", "why": "x" }), "not-askable"),
        (json!({ "url": "http://egress:9099/x", "why": "x" }), "not-askable"),
    ] {
        let (status, told) = ask(&world, wrong.clone()).await;
        assert!([400, 403].contains(&status) && told["code"] == code, "{wrong}: {status} {told}");
    }
    assert_eq!(world.steering().petitions(), []);
}

#[tokio::test]
async fn wishes_are_bounded_in_size_and_kind() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let body = wish().to_string();
    let long = json!({ "url": "https://denied.test/x", "why": "x".repeat(17 * 1024) }).to_string();
    for (method, headers, body, expected) in [
        ("POST", "", &body, 415),
        ("POST", "content-type: text/plain\r\n", &body, 415),
        ("POST", "content-type: application/x-www-form-urlencoded\r\n", &body, 415),
        ("POST", JSON, &long, 413),
        ("POST", JSON, &"{".to_owned(), 400),
        ("PUT", JSON, &body, 405),
        ("OPTIONS", JSON, &body, 405),
        ("DELETE", JSON, &body, 405),
    ] {
        let (head, told) = local(&world, method, "/ask", headers, body).await;
        assert_eq!(status(&head), expected, "{method} {headers}: {told}");
        assert!(!head.contains("access-control-allow"), "{head}");
    }
    assert_eq!(world.steering().petitions(), []);
    let long = json!({ "url": "https://denied.test/x", "why": "y".repeat(2000) });
    assert_eq!(ask(&world, long).await.0, 202);
    assert!(world.steering().petitions()[0].why.chars().count() <= 501, "a reason is cut");
}

/// A browser in the bottle visits a page that wants to ask in the agent's name, or to read what is allowed.
#[tokio::test]
async fn a_page_of_another_site_can_neither_ask_nor_read() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let body = wish().to_string();
    for headers in [
        "origin: http://evil.example\r\n",
        "origin: null\r\n",
        "origin: http://_egress.local.evil.example\r\n",
        "sec-fetch-site: cross-site\r\n",
        "host: evil.example\r\n",
    ] {
        for path in ["/ask", "/mcp"] {
            let (head, told) = local(&world, "POST", path, &format!("{JSON}{headers}"), &body).await;
            assert!([400, 403].contains(&status(&head)), "{path} {headers}: {head} {told}");
        }
    }
    // A name of the attacker's own that leads to the address of `_egress.local`.
    let mut stream = world.plain().await;
    let rebound = "GET http://_egress.local/routes.json HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let answer = say(&mut stream, rebound.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains(HOST), "{answer}");
    assert_eq!(world.steering().petitions(), []);
    let own = format!("{JSON}origin: http://_egress.local\r\nsec-fetch-site: same-origin\r\n");
    assert!(local(&world, "POST", "/ask", &own, &body).await.0.starts_with("http/1.1 202"));
}

/// Whatever is sent to wherever: what was asked stays open until the operator's side answers.
#[tokio::test]
async fn nothing_that_an_agent_reaches_answers_for_the_operator() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let (_, asked) = ask(&world, wish()).await;
    let id = asked["id"].as_str().unwrap();
    let answers = [
        json!({ "answer": "allow", "span": { "for": "bottle" }, "credential": true }),
        json!({ "id": id, "state": { "is": "allowed", "span": { "for": "always" } } }),
        json!({ "url": "https://denied.test/x", "why": "x", "status": "allowed" }),
    ];
    let paths = ["", "/allow", "/approve", "/answer"].map(|end| format!("/ask/{id}{end}"));
    let others =
        ["/ask", "/allow", "/answer", "/petitions", "/control", "/routes", "/", "/mcp", "/why/x", "/rule"];
    for path in paths.iter().map(String::as_str).chain(others) {
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
            for answer in &answers {
                local(&world, method, path, JSON, &answer.to_string()).await;
            }
        }
    }
    let petitions = world.steering().petitions();
    assert!(petitions.len() == 1 && petitions[0].state == State::Open, "{petitions:?}");
    assert!(world.say("denied.test", REFUSED).await.starts_with("HTTP/1.1 403"));
    // The same, answered by who may.
    world.steering().answer(id, yes(Span::Once), "the test").expect("open");
    assert!(world.say("denied.test", REFUSED).await.starts_with("HTTP/1.1 200"));
    assert!(world.say("denied.test", REFUSED).await.starts_with("HTTP/1.1 403"), "once is once");
}

#[tokio::test]
async fn what_no_route_would_change_is_not_asked() {
    let origin = Origin::ok().await;
    let setup = Setup {
        asking: egress::Asking { attended: true, ..egress::Asking::default() },
        secrets: vec![("own", SECRET)],
        ..Setup::default()
    };
    let world = World::new(&origin, setup).await;
    let leak = format!("GET /?key={SECRET} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let refused = world.say(HOST, leak).await;
    assert!(refused.contains("secret-in-request") && !refused.contains("egress-block"), "{refused}");
    let exchange = world.events(1).await[0]["id"].as_str().unwrap().to_owned();
    let (status, told) = ask(&world, json!({ "exchange": exchange, "why": "x" })).await;
    assert_eq!((status, &told["code"]), (403, &json!("not-askable")), "{told}");
    let (_, why) = local(&world, "GET", &format!("/why/{exchange}"), "", "").await;
    assert!(why.contains("No route would change this"), "{why}");
    // Nor is the value shown to the operator by asking for it.
    let (status, told) =
        ask(&world, json!({ "url": format!("https://denied.test/{SECRET}"), "why": "x" })).await;
    assert_eq!((status, &told["code"]), (403, &json!("not-askable")), "{told}");
    ask(&world, json!({ "url": "https://denied.test/y", "why": format!("it is {SECRET}\u{1b}[2J") })).await;
    let petitions = world.steering().petitions();
    let text = serde_json::to_string(&petitions).unwrap();
    assert!(petitions.len() == 1 && !text.contains(SECRET) && !petitions[0].why.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn all_pages_answer_over_tls_and_h2_and_are_not_kept() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let body = wish().to_string();
    let post = format!(
        "POST /ask HTTP/1.1\r\nHost: _egress.local\r\n{JSON}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let over_tls = world.say("_egress.local", post).await;
    assert!(
        over_tls.starts_with("HTTP/1.1 202") && over_tls.contains("cache-control: no-store"),
        "{over_tls}"
    );
    let mut client = super::wire::h2_client(&world, "_egress.local").await;
    for (method, path, expected) in
        [("GET", "/openapi.json", 200), ("POST", "/ask", 202), ("GET", "/nothing", 404)]
    {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("https://_egress.local{path}"))
            .header("content-type", "application/json")
            .body(())
            .unwrap();
        let (answer, mut out) = client.send_request(request, method == "GET").unwrap();
        if method == "POST" {
            out.send_data(body.clone().into(), true).unwrap();
        }
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{method} {path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    }
    assert_eq!(world.steering().petitions().len(), 1, "the same, twice");
}

/// The document names every page that there is, and what it says of them is so.
#[tokio::test]
async fn the_openapi_page_is_true() {
    let origin = Origin::ok().await;
    let world = attended(&origin).await;
    let (_, body) = local(&world, "GET", "/openapi.json", "", "").await;
    let document: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    world.say("denied.test", REFUSED).await;
    let (_, asked) = ask(&world, wish()).await;
    let id = asked["id"].as_str().unwrap();
    let schemas = &document["components"]["schemas"];
    for (path, concrete) in [
        ("/routes.json", "/routes.json".to_owned()),
        ("/why/{id}", "/why/host-not-allowed".to_owned()),
        ("/ask/{id}", format!("/ask/{id}")),
    ] {
        let (head, body) = local(&world, "GET", &concrete, "accept: application/json\r\n", "").await;
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let content = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"];
        let schema = content["schema"]["$ref"].as_str().expect(path).rsplit('/').next().expect("a name");
        for name in answer.as_object().expect("an object").keys() {
            assert!(schemas[schema]["properties"].get(name).is_some(), "{path}: `{name}` is not in {schema}");
        }
        for name in schemas[schema]["required"].as_array().expect("a list") {
            assert!(answer.get(name.as_str().expect("a name")).is_some(), "{path}: no {name}");
        }
    }
}
