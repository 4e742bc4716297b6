//! Requests that wait for the operator, and what an answer lets through: that, and nothing else.
use super::world::{HOST, Io, Origin, Setup, World, listen, route, say};
use credentials::AuthScheme;
use egress::desk::{Answer, AnswerError, How, Petition, Span, State};
use egress::{Asking, Steering, Unmatched};
use policy::PathPattern;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const WAIT: Duration = Duration::from_secs(20);

fn asks(wait: Duration) -> Setup {
    let asking = Asking { unmatched: Unmatched::Ask { wait }, attended: true, ..Asking::default() };
    Setup { asking, ..Setup::default() }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: denied.test\r\n\r\n")
}

fn allow(span: Span) -> Answer {
    Answer::Allow { span, narrowed: None, credential: false, word: None }
}

/// Once there are so many, the last of them.
async fn petitions(steering: &Steering, least: usize) -> Petition {
    for _ in 0..500 {
        let all = steering.petitions();
        if all.len() >= least {
            return all.last().unwrap().clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("fewer than {least}: {:?}", steering.petitions());
}

/// A request that is under way.
async fn begin(world: &World, request: &str) -> Io {
    let mut stream = world.tls("denied.test").await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

#[tokio::test]
async fn a_request_waits_and_goes_once_it_is_allowed_and_the_next_does_not() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(WAIT)).await;
    let steering = world.steering();
    let mut held = begin(&world, &get("/x?q=1")).await;
    let petition = petitions(&steering, 1).await;
    assert_eq!(petition.proposal.to_string(), "GET https://denied.test/x");
    assert_eq!((petition.how, petition.would_have_allowed), (How::Held, 1));
    assert!(origin.heard().is_empty(), "nothing goes before the answer");
    assert_eq!(steering.running().len(), 1, "it is seen to wait");
    steering.answer(&petition.id, allow(Span::Once), "a test").unwrap();
    assert!(listen(&mut held).await.starts_with("HTTP/1.1 200"));
    assert_eq!(origin.heard().len(), 1);
    // The same again is asked again.
    let mut held = begin(&world, &get("/x?q=1")).await;
    let second = petitions(&steering, 2).await;
    assert_ne!(second.id, petition.id);
    assert!(matches!(
        steering.answer(&petition.id, allow(Span::Once), "a test"),
        Err(AnswerError::Closed(_))
    ));
    let word = Some("ask \u{1b}]0;me\u{7} tomorrow".to_owned());
    steering.answer(&second.id, Answer::Refuse { word }, "a test").unwrap();
    let refused = listen(&mut held).await;
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("code=not-granted"), "{refused}");
    assert!(refused.contains("tomorrow") && !refused.contains('\u{1b}'), "{refused}");
    // A no holds for a while, without another question.
    let again = world.say("denied.test", get("/x?q=1")).await;
    assert!(again.contains("code=not-granted"), "{again}");
    assert_eq!((steering.petitions().len(), origin.heard().len()), (2, 1));
    let events = world.events(3).await;
    assert_eq!(events[0]["route"], format!("granted {}", petition.id));
    assert_eq!(events[1]["code"], "not-granted");
    let steps: Vec<_> = world.lines().into_iter().filter(|line| line["event"] == "lifecycle").collect();
    assert!(
        steps.iter().any(|step| step["step"] == "petition-allowed"
            && step["detail"].as_str().unwrap().contains("by a test"))
    );
}

#[tokio::test]
async fn of_two_that_wait_for_the_same_one_goes() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(WAIT)).await;
    let steering = world.steering();
    let (mut one, mut other) = (begin(&world, &get("/x")).await, begin(&world, &get("/x")).await);
    let petition = petitions(&steering, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(steering.petitions().len(), 1, "the same is asked once");
    steering.answer(&petition.id, allow(Span::Once), "a test").unwrap();
    let again = petitions(&steering, 2).await;
    steering.answer(&again.id, Answer::Refuse { word: None }, "a test").unwrap();
    let answers = [listen(&mut one).await, listen(&mut other).await];
    assert_eq!(origin.heard().len(), 1);
    let passed = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200")).count();
    assert_eq!((passed, origin.heard().len()), (1, 1), "{answers:?}");
}

#[tokio::test]
async fn what_was_asked_is_what_is_granted() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(Duration::from_millis(300))).await;
    let steering = world.steering();
    let mut held = begin(&world, &get("/x")).await;
    let petition = petitions(&steering, 1).await;
    let narrowed = policy::Proposal {
        paths: Some(vec![PathPattern::parse("/x/*").unwrap()]),
        ..petition.proposal.clone()
    };
    let answer =
        Answer::Allow { span: Span::Bottle, narrowed: Some(narrowed), credential: false, word: None };
    steering.answer(&petition.id, answer, "a test").unwrap();
    let refused = listen(&mut held).await;
    assert!(refused.contains("code=not-granted"), "narrowed beside it: {refused}");
    assert!(world.say("denied.test", get("/x/y")).await.starts_with("HTTP/1.1 200"));
    for other in [get("/x"), get("/y/z"), get("/x/y/z"), get("/x/y").replace("GET", "DELETE")] {
        assert!(!world.say("denied.test", &other).await.starts_with("HTTP/1.1 200"), "{other}");
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_attends() {
    let origin = Origin::ok().await;
    let asking = Asking { unmatched: Unmatched::Ask { wait: WAIT }, ..Asking::default() };
    let world = World::new(&origin, Setup { asking, ..Setup::default() }).await;
    let began = std::time::Instant::now();
    let refused = world.say("denied.test", get("/x")).await;
    assert!(began.elapsed() < WAIT / 2);
    assert!(refused.contains("code=host-not-allowed") && refused.contains("nobody attends"), "{refused}");
    assert!(world.steering().petitions().is_empty());
    world.steering().attend(true);
    let mut held = begin(&world, &get("/x")).await;
    let petition = petitions(&world.steering(), 1).await;
    assert_eq!(petition.would_have_allowed, 2, "the one before counts");
    world.steering().answer(&petition.id, allow(Span::Once), "a test").unwrap();
    assert!(listen(&mut held).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_does_not_answer_has_not_allowed() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(Duration::from_millis(200))).await;
    let refused = world.say("denied.test", get("/x")).await;
    assert!(refused.contains("code=not-granted") && refused.contains("did not answer"), "{refused}");
    let petition = petitions(&world.steering(), 1).await;
    assert_eq!(petition.state, State::Expired);
    let late = world.steering().answer(&petition.id, allow(Span::Bottle), "a test");
    assert_eq!(late, Err(AnswerError::Closed(petition.id)));
    assert!(!world.say("denied.test", get("/x")).await.starts_with("HTTP/1.1 200"));
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn who_gives_up_waiting_asks_no_more() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(WAIT)).await;
    let held = super::streams::h2(&world, "denied.test").await;
    let mut sender = held;
    let request = http::Request::get("https://denied.test/x").version(http::Version::HTTP_2);
    let body = http_body_util::BodyExt::boxed_unsync(http_body_util::Full::new(bytes::Bytes::new()));
    let asked = tokio::spawn(async move { sender.send_request(request.body(body).unwrap()).await });
    let petition = petitions(&world.steering(), 1).await;
    asked.abort();
    for _ in 0..200 {
        if petitions(&world.steering(), 1).await.state == State::Withdrawn {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let late = world.steering().answer(&petition.id, allow(Span::Bottle), "a test");
    assert_eq!(late, Err(AnswerError::Closed(petition.id)));
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_flood_of_requests_asks_ten_times_a_minute() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(Duration::from_secs(5))).await;
    let paths: Vec<String> = (0..30).map(|number| get(&format!("/{number}"))).collect();
    let asked = paths.iter().map(|path| world.say("denied.test", path));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(world.steering().petitions().len(), 10);
    let too_many = answers.iter().filter(|answer| answer.contains("ten a minute")).count();
    assert_eq!((too_many, origin.heard().len()), (20, 0));
}

#[tokio::test]
async fn a_credential_goes_where_the_operator_gives_it_and_nowhere_else() {
    let origin = Origin::ok().await;
    let asking = Asking { unmatched: Unmatched::Ask { wait: WAIT }, attended: true, ..Asking::default() };
    let paths = Some(vec![PathPattern::parse("/own/**").unwrap()]);
    let routes = vec![policy::Route { paths, ..route(0, HOST) }];
    let auth = Some(AuthScheme::Bearer);
    let world = World::new(&origin, Setup { routes, auth, asking, ..Setup::default() }).await;
    let steering = world.steering();
    for (number, credential) in [(1, false), (2, true)] {
        let mut stream = world.tls(HOST).await;
        let request = format!("GET /more/{number} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let petition = petitions(&steering, number).await;
        let near = petition.near.clone().unwrap();
        assert_eq!((near.route.as_str(), near.credential.as_deref()), (HOST, Some("EGRESS_TOKEN_0")));
        let answer = Answer::Allow { span: Span::Bottle, narrowed: None, credential, word: None };
        steering.answer(&petition.id, answer, "a test").unwrap();
        assert!(listen(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    let heard = origin.heard();
    let carries = |number: usize| heard[number].head.to_lowercase().contains("authorization: bearer");
    assert_eq!((carries(0), carries(1)), (false, true));
    // A host that has none is given none.
    let mut held = begin(&world, &get("/x")).await;
    let petition = petitions(&steering, 3).await;
    let answer = Answer::Allow { span: Span::Once, narrowed: None, credential: true, word: None };
    assert!(matches!(steering.answer(&petition.id, answer, "a test"), Err(AnswerError::Impossible(_))));
    steering.answer(&petition.id, allow(Span::Once), "a test").unwrap();
    assert!(listen(&mut held).await.starts_with("HTTP/1.1 200"), "a refused answer left it open");
}

#[tokio::test]
async fn what_is_granted_does_not_reach_this_machine() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(WAIT)).await;
    let port = origin.address.port();
    let mut stream = world.plain().await;
    let request = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let petition = petitions(&world.steering(), 1).await;
    world.steering().answer(&petition.id, allow(Span::Bottle), "a test").unwrap();
    let refused = listen(&mut stream).await;
    assert!(refused.contains("code=address-not-allowed"), "{refused}");
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn what_is_learned_from_goes_out_and_is_searched_all_the_same() {
    let origin = Origin::ok().await;
    let asking = Asking { unmatched: Unmatched::Learn, ..Asking::default() };
    let secrets = vec![("the secret", "s3cret-value-0123456789")];
    let world = World::new(&origin, Setup { asking, secrets, ..Setup::default() }).await;
    assert!(world.say("denied.test", get("/x")).await.starts_with("HTTP/1.1 200"));
    let refused = world.say("denied.test", get("/s3cret-value-0123456789")).await;
    assert!(refused.contains("code=secret-in-request"), "{refused}");
    let refused =
        say(&mut world.plain().await, b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n").await;
    assert!(refused.contains("code=address-not-allowed"), "{refused}");
    assert_eq!(origin.heard().len(), 1);
    assert_eq!(world.events(1).await[0]["route"], egress::LEARNING);
    // A manifest that is read meanwhile ends no run that learns.
    world.steering().rule(world.rule(Vec::new(), "b"), "a test");
    assert!(world.say("denied.test", get("/y")).await.starts_with("HTTP/1.1 200"));
}

/// The agent's pages can be read. Nothing that it says there, or anywhere, is an answer.
#[tokio::test]
async fn nothing_that_an_agent_says_is_an_answer() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, asks(Duration::from_secs(3))).await;
    let mut held = begin(&world, &get("/x")).await;
    let petition = petitions(&world.steering(), 1).await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
        for path in ["allow", "answer", "approve", "petitions", "control", "requests"] {
            let body = format!("{{\"id\":\"{}\",\"answer\":\"allow\",\"for\":\"bottle\"}}", petition.id);
            let request = format!(
                "{method} http://_egress.local/{path}/{} HTTP/1.1\r\nHost: _egress.local\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                petition.id,
                body.len()
            );
            let _whatever_it_says = say(&mut world.plain().await, request.as_bytes()).await;
        }
    }
    assert!(
        petitions(&world.steering(), 1).await.state
            != State::Allowed { span: Span::Bottle, narrowed: None, word: None }
    );
    assert!(listen(&mut held).await.contains("code=not-granted"));
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn what_holds_a_secret_is_not_asked_for() {
    let origin = Origin::ok().await;
    let secrets = vec![("the secret", "s3cret-value-0123456789")];
    let world = World::new(&origin, Setup { secrets, ..asks(Duration::from_secs(2)) }).await;
    let refused = world.say("denied.test", get("/s3cret-value-0123456789")).await;
    assert!(refused.contains("code=host-not-allowed"), "{refused}");
    assert!(world.steering().petitions().is_empty());
    assert!(world.say("denied.test", get("/other")).await.contains("did not answer"));
    assert_eq!(world.steering().petitions().len(), 1);
}
