//! Threats 16, 17, 18 and 21: what looks like a credential, on every way out and back; by rule, route and value.
use super::secrets::{gzip, post};
use super::websockets::{echo, frame, open};
use super::world::{HOST, Origin, SECRET, Setup, World, everywhere, listen, route, say};
use base64::Engine as _;
use credentials::{PlaceholderFormat, Secret};
use dlp::{Fingerprint, FingerprintKey, OwnRule, RuleSet};
use egress::{Allowance, DlpAction, DlpTerms, RouteTerms, RuleAction, RuleActions};
use policy::{HostPattern, Protocol, RouteId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Made for this test: nobody's.
pub(super) const TOKEN: &str = "glpat-3Kd9sLq0Zx7Vb2Nw5Ty8";
pub(super) const RULE: &str = "gitlab-personal-token";
const BAIT: &str = "Q7wE9rT2yU4iO6pA8sD1fG3hJ5kL";

pub(super) fn terms() -> DlpTerms {
    DlpTerms { rules: RuleSet::built_in(), key: FingerprintKey::new([9; 32]), ..DlpTerms::default() }
}

pub(super) fn with(terms: DlpTerms) -> Setup {
    Setup { terms, ..Setup::default() }
}

pub(super) fn actions(out: Option<RuleAction>, inward: Option<RuleAction>) -> BTreeMap<String, RuleActions> {
    BTreeMap::from([(RULE.to_owned(), RuleActions { out, inward })])
}

fn fingerprint() -> Fingerprint {
    FingerprintKey::new([9; 32]).fingerprint(TOKEN.as_bytes())
}

pub(super) fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: api.test\r\n{headers}\r\n")
}

#[tokio::test]
async fn what_looks_like_a_credential_does_not_leave_from_any_place() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, with(terms())).await;
    let hex: String = TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let asked = [
        ("path", get(&format!("/x/{TOKEN}"), "")),
        ("query", get(&format!("/x?a=1&b={TOKEN}"), "")),
        ("query", get(&format!("/x?{TOKEN}=1"), "")),
        ("query", get(&format!("/x?a={hex}"), "")),
        ("header x-note", get("/", &format!("X-Note: {TOKEN}\r\n"))),
        ("header user-agent", get("/", &format!("User-Agent: agent/1 ({TOKEN})\r\n"))),
        ("body", String::from_utf8(post(HOST, "", format!("{{\"a\":\"{TOKEN}\"}}").as_bytes())).unwrap()),
    ];
    for (place, request) in asked {
        let answer = world.say(HOST, &request).await;
        assert!(answer.contains("code=secret-in-request"), "{place}: {answer}");
        assert!(answer.contains(RULE) && answer.contains(&fingerprint().to_string()), "{place}: {answer}");
        assert!(!answer.contains(TOKEN), "{place}: {answer}");
    }
    let trailer = format!(
        "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: {TOKEN}\r\n\r\n"
    );
    assert!(world.say(HOST, trailer).await.contains("code=secret-in-request"));
    let splunk = get("/", "Authorization: Splunk 3b9ac9ff-41d2-4e7a-9c3e-5a8b7d6f1e20\r\n");
    let answer = world.say(HOST, splunk).await;
    assert!(answer.contains("splunk-hec-header"), "told by name and value together: {answer}");
    assert!(world.say(HOST, get("/x?glpat-short", "X-Note: glpat-\r\n")).await.starts_with("HTTP/1.1 200"));
    for heard in origin.heard() {
        assert!(!heard.head.contains(TOKEN) && !heard.body.windows(20).any(|w| w == &TOKEN.as_bytes()[..20]));
    }
    let events = world.events(10).await;
    assert!(!format!("{events:?}").contains(TOKEN), "the audit holds no value: {events:?}");
    let finding = &events[0]["findings"][0];
    assert_eq!(
        (&finding["rule"], &finding["place"], &finding["action"]),
        (&RULE.into(), &"path".into(), &"block".into())
    );
    assert_eq!(
        (&finding["length"], &finding["fingerprint"]),
        (&26.into(), &fingerprint().to_string().into())
    );
}

/// A reader of multipart passes over what stands before the first boundary and after the last one; so does who looks for parts.
#[tokio::test]
async fn a_multipart_body_is_read_from_its_first_byte_to_its_last() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, with(terms())).await;
    let body = |preamble: &str, headers: &str, value: &str, epilogue: &str| {
        format!(
            "{preamble}\r\n--b\r\nContent-Disposition: form-data; {headers}\r\n\r\n{value}\r\n--b--\r\n{epilogue}"
        )
    };
    let quoted = |file: &str| format!("name=\"f\"; filename=\"{file}\"");
    let coded = base64::engine::general_purpose::STANDARD.encode(format!("key={TOKEN}"));
    let kind = "Content-Type: multipart/form-data; boundary=b\r\n";
    for sent in [
        body(TOKEN, "name=a", "1", ""),
        body("", "name=a", "1", TOKEN),
        body("", "name=a", TOKEN, ""),
        body("", &format!("name=\"{TOKEN}\""), "1", ""),
        body("", &quoted(TOKEN), "1", ""),
        body("", &format!("name=a\r\nX-More: {TOKEN}"), "1", ""),
        body("", "name=a\r\nContent-Transfer-Encoding: base64", &coded, ""),
    ] {
        let answer = world.say(HOST, post(HOST, kind, sent.as_bytes())).await;
        assert!(answer.contains("code=secret-in-request") && answer.contains(RULE), "{sent}\n{answer}");
    }
    let harmless = body("preamble", &quoted("glpat-short"), "1", "epilogue");
    assert!(world.say(HOST, post(HOST, kind, harmless.as_bytes())).await.starts_with("HTTP/1.1 200"));
    assert!(origin.heard().iter().all(|heard| !String::from_utf8_lossy(&heard.body).contains(TOKEN)));
}

#[tokio::test]
async fn what_is_redacted_arrives_with_a_typed_stand_in_and_right_framing() {
    let origin = Origin::ok().await;
    let setup = with(DlpTerms { actions: actions(Some(RuleAction::Redact), None), ..terms() });
    let world = World::new(&origin, setup).await;
    let body = format!("{{\"a\":\"{TOKEN}\",\"b\":1}}");
    let request = post(HOST, &format!("X-Note: my {TOKEN}\r\n"), body.as_bytes());
    let mut stream = world.tls(HOST).await;
    assert!(say(&mut stream, &request).await.starts_with("HTTP/1.1 200"));
    assert!(
        say(&mut stream, get("/", "").as_bytes()).await.starts_with("HTTP/1.1 200"),
        "the connection goes on"
    );
    let heard = origin.heard();
    assert_eq!(heard[0].body, format!("{{\"a\":\"[redacted:{RULE}]\",\"b\":1}}").as_bytes());
    assert!(
        heard[0].head.to_lowercase().contains(&format!("x-note: my [redacted:{RULE}]")),
        "{}",
        heard[0].head
    );
    let answer = world.say(HOST, get(&format!("/{TOKEN}"), "")).await;
    assert!(answer.contains("code=secret-in-request"), "a target cannot be rewritten: {answer}");
    let coded = gzip(body.as_bytes()).await;
    let answer = world.say(HOST, post(HOST, "Content-Encoding: gzip\r\n", &coded)).await;
    assert!(answer.contains("code=secret-in-request"), "nor can what is coded: {answer}");
}

#[tokio::test]
async fn the_rule_on_the_route_goes_before_all_others() {
    let origin = Origin::ok().await;
    let own = RouteTerms { actions: actions(Some(RuleAction::Warn), None), ..RouteTerms::default() };
    let off = RouteTerms { actions: actions(Some(RuleAction::Off), None), ..RouteTerms::default() };
    let routes = BTreeMap::from([(RouteId(0), own), (RouteId(1), off)]);
    let world = World::new(&origin, with(DlpTerms { routes, ..terms() })).await;
    assert!(world.say(HOST, post(HOST, "", TOKEN.as_bytes())).await.starts_with("HTTP/1.1 200"));
    assert!(
        world.say("other.test", post("other.test", "", TOKEN.as_bytes())).await.starts_with("HTTP/1.1 200")
    );
    let events = world.events(2).await;
    let of = |host: &str| events.iter().find(|event| event["host"] == host).unwrap().clone();
    assert_eq!(of(HOST)["findings"][0]["action"], "warn");
    assert!(of("other.test")["findings"].is_null(), "what is off is not told");
    assert_eq!(origin.heard()[0].body, TOKEN.as_bytes());
}

#[tokio::test]
async fn one_value_is_allowed_by_its_fingerprint_on_one_route_with_a_reason() {
    let origin = Origin::ok().await;
    let allowance = Allowance {
        route: Some(RouteId(0)),
        rule: RULE.into(),
        fingerprint: fingerprint(),
        reason: "a key of the demo".into(),
    };
    let world = World::new(&origin, with(DlpTerms { allow: vec![allowance], ..terms() })).await;
    assert!(world.say(HOST, post(HOST, "", TOKEN.as_bytes())).await.starts_with("HTTP/1.1 200"));
    let other = TOKEN.replace("3Kd9", "7Kd9");
    assert!(world.say(HOST, post(HOST, "", other.as_bytes())).await.contains("code=secret-in-request"));
    let elsewhere = world.say("other.test", post("other.test", "", TOKEN.as_bytes())).await;
    assert!(elsewhere.contains("code=secret-in-request"), "{elsewhere}");
    let finding = &world.events(3).await[0]["findings"][0];
    assert_eq!((&finding["action"], &finding["reason"]), (&"allow".into(), &"a key of the demo".into()));
}

/// Placeholders look like what they stand for, or clients would refuse them.
#[tokio::test]
async fn a_placeholder_that_looks_like_a_token_is_swapped_and_no_finding() {
    let origin = Origin::ok().await;
    let setup = Setup { auth: Some(everywhere()), format: PlaceholderFormat::Gitlab, ..with(terms()) };
    let world = World::new(&origin, setup).await;
    let held = world.placeholder.clone();
    assert!(held.starts_with("glpat-"), "{held}");
    let request = post(
        HOST,
        &format!("Private-Token: {held}\r\nContent-Type: application/json\r\n"),
        format!("{{\"t\":\"{held}\"}}").as_bytes(),
    );
    assert!(world.say(HOST, request).await.starts_with("HTTP/1.1 200"));
    let heard = origin.heard().pop().unwrap();
    assert!(heard.head.contains(SECRET) && String::from_utf8_lossy(&heard.body).contains(SECRET));
    let answer = world.say("other.test", post("other.test", "", held.as_bytes())).await;
    assert!(answer.contains("placeholder of EGRESS_TOKEN_0"), "elsewhere it is astray: {answer}");
    assert!(world.events(2).await[0]["findings"].is_null());
}

#[tokio::test]
async fn a_canary_is_blocked_whatever_the_action_and_however_it_is_spelled() {
    let origin = Origin::ok().await;
    let canaries = vec![("~/.aws/credentials".to_owned(), Secret::new(BAIT.as_bytes().to_vec()))];
    for action in [DlpAction::Warn, DlpAction::Redact, DlpAction::Block] {
        let terms = DlpTerms { canaries: canaries.clone(), ..DlpTerms::default() };
        let world = World::new(&origin, Setup { action, ..with(terms) }).await;
        let hex: String = BAIT.bytes().map(|byte| format!("{byte:02x}")).collect();
        for body in [BAIT.as_bytes().to_vec(), hex.into_bytes(), gzip(BAIT.as_bytes()).await] {
            let answer = world.say(HOST, post(HOST, "", &body)).await;
            assert!(answer.contains("code=secret-in-request"), "{action:?}: {answer}");
            assert!(answer.contains("~/.aws/credentials") && !answer.contains(BAIT), "{answer}");
        }
        let answer = world.say(HOST, get(&format!("/?q={BAIT}"), "")).await;
        assert!(answer.contains("code=secret-in-request"), "{action:?}: {answer}");
        let finding = &world.events(4).await[0]["findings"][0];
        assert_eq!((&finding["rule"], &finding["action"]), (&"canary".into(), &"block".into()));
    }
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_websocket_ends_before_a_credential_is_whole_in_any_frame() {
    for opcode in [1, 2] {
        let (origin, log, _) = echo().await;
        let world = World::new(&origin, with(terms())).await;
        let (mut stream, _) = open(&world, HOST).await;
        let (start, end) = TOKEN.as_bytes().split_at(12);
        stream.write_all(&frame(true, opcode, b"harmless")).await.unwrap();
        stream.write_all(&frame(false, opcode, start)).await.unwrap();
        stream.write_all(&frame(true, 0, end)).await.unwrap();
        let rest = listen(&mut stream).await;
        assert!(rest.contains("code=secret-in-request"), "{rest:?}");
        let heard: Vec<u8> = log.lock().unwrap().iter().flat_map(|(_, payload)| payload.clone()).collect();
        assert!(!heard.windows(20).any(|window| window == &TOKEN.as_bytes()[..20]));
    }
}

/// A value of the operator's own, in two pieces of which the second comes first where order could matter.
const OWN: &str = "own-secret-4711-abcdefghijkl";

async fn with_own(origin: &Origin) -> World {
    World::new(origin, Setup { secrets: vec![("own", OWN)], ..Setup::default() }).await
}

#[tokio::test]
async fn a_value_in_pieces_is_seen_over_the_places_of_a_request() {
    let origin = Origin::ok().await;
    let (start, end) = OWN.split_at(14);
    let json = format!("{{\"b\":\"{end}\",\"x\":1,\"a\":\"{start}\"}}");
    let parts = format!(
        "--b\r\nContent-Disposition: form-data; name=\"{end}\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{start}\r\n--b--\r\n"
    );
    for request in [
        get(&format!("/x?a={start}&b={end}"), ""),
        get(&format!("/x?a={end}&b={start}"), ""),
        get(&format!("/{end}/and/{start}"), ""),
        get("/", &format!("X-A: {end}\r\nX-B: {start}\r\n")),
        get(&format!("/?q={end}"), &format!("Cookie: a={start}\r\n")),
        String::from_utf8(post(HOST, &format!("X-A: {end}\r\n"), start.as_bytes())).unwrap(),
        String::from_utf8(post(HOST, "Content-Type: application/json\r\n", json.as_bytes())).unwrap(),
        String::from_utf8(post(HOST, "Content-Type: multipart/form-data; boundary=b\r\n", parts.as_bytes()))
            .unwrap(),
    ] {
        let world = with_own(&origin).await;
        let answer = world.say(HOST, &request).await;
        assert!(answer.contains("code=secret-in-request") && !answer.contains(start), "{request}\n{answer}");
        let event = &world.events(1).await[0];
        let rules: Vec<_> =
            event["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
        assert!(
            rules.contains(&&"split-secret".into()) || rules.contains(&&"known-secret".into()),
            "{event}"
        );
    }
}

#[tokio::test]
async fn a_value_in_pieces_is_seen_over_requests_to_one_host_and_messages() {
    let origin = Origin::ok().await;
    let (start, end) = OWN.split_at(14);
    let world = with_own(&origin).await;
    assert!(world.say(HOST, get(&format!("/?a={end}"), "")).await.starts_with("HTTP/1.1 200"));
    let other = format!("GET /?a={start} HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert!(world.say("other.test", other).await.starts_with("HTTP/1.1 200"), "another host");
    assert!(world.say(HOST, get("/?a=nothing-of-note", "")).await.starts_with("HTTP/1.1 200"));
    let answer = world.say(HOST, post(HOST, "", start.as_bytes())).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
    let events = world.events(4).await;
    assert_eq!(events[3]["findings"][0]["rule"], "split-secret", "{events:?}");
    assert!(!format!("{events:?}").contains(start));
    let (origin, _, _) = echo().await;
    let world = with_own(&origin).await;
    let (mut stream, _) = open(&world, HOST).await;
    stream.write_all(&frame(true, 1, end.as_bytes())).await.unwrap();
    stream.write_all(&frame(true, 1, b"between")).await.unwrap();
    stream.write_all(&frame(true, 2, start.as_bytes())).await.unwrap();
    let rest = listen(&mut stream).await;
    assert!(rest.contains("code=secret-in-request"), "{rest:?}");
}

#[tokio::test]
async fn raw_bytes_are_read_where_the_route_says_so() {
    for inspect in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, got) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = got.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    kept.lock().unwrap().extend_from_slice(&buffer[..read]);
                }
            }
        });
        let origin = Origin { address, ..Origin::ok().await };
        let routes = BTreeMap::from([(RouteId(0), RouteTerms { inspect, ..RouteTerms::default() })]);
        let raw = vec![policy::Route { protocol: Protocol::Tcp, ..route(0, HOST) }];
        let world = World::new(&origin, Setup { routes: raw, ..with(DlpTerms { routes, ..terms() }) }).await;
        let mut stream = world.connect("api.test:443").await;
        let (start, end) = TOKEN.as_bytes().split_at(12);
        stream.write_all(b"LOGIN ").await.unwrap();
        stream.write_all(start).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let _cut = stream.write_all(&[end, b" and more\r\n"].concat()).await;
        if inspect {
            let mut rest = Vec::new();
            let ended =
                tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut rest));
            let _reset = ended.await.expect("it is cut");
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            drop(stream);
        }
        let event = &world.events(1).await[0];
        let got = String::from_utf8(got.lock().unwrap().clone()).unwrap();
        assert_eq!(got.contains(TOKEN), !inspect, "{got}");
        assert!(got.starts_with("LOGIN "), "{got}");
        if inspect {
            assert_eq!(
                (&event["decision"], &event["code"]),
                (&"aborted".into(), &"secret-in-request".into())
            );
            assert_eq!(event["findings"][0]["place"], "tcp");
        }
    }
}

#[tokio::test]
async fn rules_of_ones_own_and_of_files_are_sought_beside_ours() {
    let origin = Origin::ok().await;
    let own = OwnRule { id: "acme-key".into(), pattern: "acme_[a-z0-9]{12}".into(), ..OwnRule::default() };
    let file = "[extend]\nuseDefault = true\n[[rules]]\nid = \"corp-id\"\nregex = 'corp-([A-Z]{8})'\n";
    let own = RuleSet::of_own(&[own]).unwrap();
    let rules = RuleSet::from_gitleaks(file).unwrap().rules.with(&own);
    let world = World::new(&origin, with(DlpTerms { rules, ..terms() })).await;
    for (rule, value) in [("acme-key", "acme_k3j4h5g6f7d8"), ("corp-id", "corp-QWERTZUI"), (RULE, TOKEN)] {
        let coded = value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for request in [
            get(&format!("/x?a={value}"), ""),
            get("/", &format!("X-Note: {value}\r\n")),
            String::from_utf8(post(HOST, "", value.as_bytes())).unwrap(),
            String::from_utf8(post(HOST, "", coded.as_bytes())).unwrap(),
        ] {
            let answer = world.say(HOST, &request).await;
            assert!(answer.contains("code=secret-in-request") && answer.contains(rule), "{rule}: {answer}");
        }
        let twin = &value[..value.len() - 2];
        assert!(
            world.say(HOST, get(&format!("/x?a={twin}"), "")).await.starts_with("HTTP/1.1 200"),
            "{twin}"
        );
    }
    assert!(origin.heard().iter().all(|heard| heard.head.starts_with("GET /x?a=")), "only the twins arrive");
}

#[tokio::test]
async fn what_looks_random_in_names_and_targets_is_told_or_refused() {
    let origin = Origin::ok().await;
    let random = "q7Zx2LkP9vRt4WmY8sBn3HcJ6fGd1TaE";
    let mut wild = route(2, HOST);
    wild.host = HostPattern::parse("*.wild.test").unwrap();
    let routes = || vec![route(0, HOST), wild.clone()];
    for (entropy, passes) in [(RuleAction::Off, true), (RuleAction::Warn, true), (RuleAction::Block, false)] {
        let setup = Setup { routes: routes(), ..with(DlpTerms { entropy, ..DlpTerms::default() }) };
        let world = World::new(&origin, setup).await;
        for target in [format!("/a/{random}"), format!("/a?x={random}")] {
            let answer = world.say(HOST, get(&target, "")).await;
            assert_eq!(answer.starts_with("HTTP/1.1 200"), passes, "{entropy:?} {target}: {answer}");
        }
        let answer = world.say(HOST, get("/a/550e8400-e29b-41d4-a716-446655440000?page=2", "")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let host = "mfrggzdfmztwq2lknnwg23tpobyxe43u.wild.test";
        let answer = world.say(host, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.contains("egress.dlp.entropy"), !passes, "{answer}");
        let events = world.events(4).await;
        let found = events.iter().filter(|event| event["findings"][0]["rule"] == "random-text").count();
        assert_eq!(found, if entropy == RuleAction::Off { 0 } else { 3 }, "{events:?}");
    }
}
