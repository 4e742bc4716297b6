//! What a page asks for, and what comes of it.
use super::http::Page;
use super::stage::{Played, Stage};
use bottle::failure::Failure;
use egress::desk::{Answer, Span, State};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const URL: &str = "https://api.example.com/v1/users";

fn ready() -> (Stage, Played, Page) {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let page = Page::open(&stage);
    (stage, played, page)
}

#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn answer(page: &Page, id: &str, more: Value) -> (u16, Value) {
    let mut order = json!({ "bottle": "dev", "id": id });
    order.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let reply = page.post("/answer", &order.to_string());
    (reply.status, reply.json())
}

fn allowed(played: &Played) -> (Span, Option<String>, bool, Option<String>) {
    match played.answers().pop().expect("answered").1 {
        Answer::Allow { span, narrowed, credential, word } => {
            (span, narrowed.map(|narrowed| narrowed.to_string()), credential, word)
        }
        refused @ Answer::Refuse { .. } => panic!("{refused:?}"),
    }
}

#[test]
fn each_answer_arrives_as_it_was_given() {
    let (_stage, played, page) = ready();
    played.ask("aaa111", "GET", URL, "");
    let (status, said) = answer(&page, "aaa111", json!({ "verdict": "once" }));
    assert_eq!(
        (status, &said["what"]),
        (200, &json!("aaa111: GET https://api.example.com/v1/users is allowed, once"))
    );
    assert_eq!(allowed(&played), (Span::Once, None, false, None));
    assert!(
        played.answers()[0].2.ends_with(", bottle ui"),
        "the audit says from where: {}",
        played.answers()[0].2
    );

    played.ask("aaa112", "GET", URL, "");
    answer(&page, "aaa112", json!({ "verdict": "bottle", "credential": true, "word": "go on" }));
    assert_eq!(allowed(&played), (Span::Bottle, None, true, Some("go on".into())));

    played.ask("aaa113", "GET", URL, "");
    answer(&page, "aaa113", json!({ "verdict": { "minutes": 60 } }));
    let Span::Until { time } = allowed(&played).0 else { panic!("not until a time") };
    let left = time.duration_since(Timestamp::now());
    assert!(left > SignedDuration::from_mins(59) && left <= SignedDuration::from_mins(60), "{left:?}");

    played.ask("aaa114", "POST", URL, "");
    let narrowed = json!({ "wider": true, "methods": ["GET", "HEAD"], "paths": ["/v1/users/*"] });
    answer(&page, "aaa114", json!({ "verdict": "bottle", "narrowed": narrowed }));
    assert_eq!(allowed(&played).1.as_deref(), Some("GET|HEAD https://api.example.com/v1/users/*"));

    played.ask("aaa115", "GET", URL, "");
    answer(&page, "aaa115", json!({ "verdict": "refuse", "word": "use the cache" }));
    let refused = Answer::Refuse { word: Some("use the cache".into()) };
    assert_eq!(played.answers().pop().expect("answered").1, refused);
}

#[test]
fn always_is_written_down() {
    let (_stage, played, page) = ready();
    played.ask("aaa111", "GET", URL, "lists the users");
    let (status, _) = answer(&page, "aaa111", json!({ "verdict": "always" }));
    assert_eq!(status, 200);
    let kept = played.book.kept.lock().expect("not poisoned").clone();
    assert_eq!(kept, [("GET https://api.example.com/v1/users".to_owned(), "lists the users".to_owned())]);
}

#[test]
fn what_cannot_be_understood_changes_nothing() {
    let (_stage, played, page) = ready();
    played.ask("aaa111", "GET", URL, "");
    for odd in [
        json!({ "verdict": "yes" }),
        json!({}),
        json!({ "verdict": { "minutes": 0 } }),
        json!({ "verdict": { "minutes": 100_000 } }),
        json!({ "verdict": "once", "narrowed": { "methods": ["get it"], "paths": null } }),
        json!({ "verdict": "once", "narrowed": { "methods": [], "paths": null } }),
        json!({ "verdict": "once", "narrowed": { "methods": null, "paths": ["no slash"] } }),
        json!({ "verdict": "once", "span": "always" }),
        json!({ "verdict": "once", "narrowed": { "methods": ["GET", "POST"], "paths": ["/v1/users"] } }),
        json!({ "verdict": "once", "narrowed": { "methods": ["GET"], "paths": ["/v1/*"] } }),
        json!({ "verdict": "once", "narrowed": { "methods": null, "paths": null } }),
    ] {
        let (status, said) = answer(&page, "aaa111", odd.clone());
        assert!(status == 400 && said["what"].is_string(), "{odd}: {status} {said}");
    }
    assert_eq!(answer(&page, "bbb222", json!({ "verdict": "once" })).0, 422, "no such request");
    assert_eq!(
        page.post("/answer", "{\"bottle\":\"../x\",\"id\":\"aaa111\",\"verdict\":\"once\"}").status,
        422
    );
    assert!(played.answers().is_empty());
}

#[test]
fn a_late_answer_is_said_to_be_late_and_changes_nothing() {
    let (_stage, played, page) = ready();
    played.ask("aaa111", "GET", URL, "");
    played.answered_elsewhere("aaa111");
    let (status, said) = answer(&page, "aaa111", json!({ "verdict": "refuse" }));
    assert_eq!((status, &said["late"]), (409, &json!(true)));
    assert_eq!(said["what"], "allowed as long as this bottle lives");
    assert_eq!(played.answers().len(), 1, "the first one holds");
    let gone = played.ask_with("aaa112", "GET", URL, "", |petition| petition.state = State::Withdrawn);
    assert_eq!(answer(&page, &gone.id, json!({ "verdict": "once" })).1["what"], "whoever asked is gone");
}

#[test]
fn an_answer_to_one_bottle_is_none_to_another() {
    let (stage, played, page) = ready();
    let other = stage.bottle("other");
    other.ask("aaa111", "GET", "https://other.example/", "");
    assert_eq!(answer(&page, "aaa111", json!({ "verdict": "once" })).0, 422, "it waits elsewhere");
    assert!(played.answers().is_empty() && other.answers().is_empty());
}

#[test]
fn the_kill_switch_is_one_bottles_or_everybodys() {
    let (stage, played, page) = ready();
    let other = stage.bottle("other");
    let locks = |played: &Played| -> Vec<bool> {
        played.engine.locks.lock().expect("not poisoned").iter().map(|(on, _)| *on).collect()
    };
    assert_eq!(page.post("/lock", "{\"bottle\":\"dev\",\"on\":true}").status, 200);
    assert_eq!((locks(&played), locks(&other)), (vec![true], vec![]));
    assert!(!stage.is_switched(), "one bottle's is no other's, nor of those to come");
    assert_eq!(page.post("/lock", "{\"on\":true}").status, 200);
    assert_eq!((locks(&played), locks(&other)), (vec![true, true], vec![true]));
    assert!(stage.is_switched(), "bottles that start later find it on");
    let one = page.post("/lock", "{\"bottle\":\"dev\",\"on\":false}");
    assert_eq!((one.status, locks(&played)), (422, vec![true, true]), "none serves while it is on");
    drop(played);
    let half = page.post("/lock", "{\"on\":false}");
    assert_eq!((half.status, locks(&other)), (422, vec![true, false]), "one is gone, the other was told");
    assert!(!stage.is_switched());
    assert!(half.json()["what"].as_str().expect("a sentence").contains("dev"), "{}", half.body);
    assert_eq!(page.post("/lock", "{\"bottle\":\"dev\"}").status, 400, "on or off must be said");
}

#[test]
fn a_reload_shows_what_changed_and_what_is_weaker() {
    let (_stage, played, page) = ready();
    let changes = vec!["+ any method https://new.example/**".to_owned()];
    let notes = vec!["weaker: `new.example` is allowed whole".to_owned()];
    *played.book.next.lock().expect("not poisoned") = Some(Ok((changes.clone(), notes.clone())));
    let reply = page.post("/reload", "{\"bottle\":\"dev\"}");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!((&reply.json()["changes"], &reply.json()["warnings"]), (&json!(changes), &json!(notes)));
    *played.book.next.lock().expect("not poisoned") =
        Some(Err(Failure::new("line 3: `hots` is no key").help("did you mean `host`?")));
    let wrong = page.post("/reload", "{\"bottle\":\"dev\"}");
    assert_eq!((wrong.status, &wrong.json()["what"]), (422, &json!("line 3: `hots` is no key")));
    assert_eq!(wrong.json()["help"], "did you mean `host`?");
    let nothing = page.post("/reload", "{\"bottle\":\"dev\"}").json();
    assert_eq!((&nothing["changes"], &nothing["warnings"]), (&json!([]), &json!([])));
    assert!(
        played
            .book
            .reloads
            .lock()
            .expect("not poisoned")
            .iter()
            .all(|(by, looked)| by.ends_with(", bottle ui") && !looked)
    );
    page.post("/reload", "{\"bottle\":\"dev\",\"looked\":true}");
    assert!(
        played.book.reloads.lock().expect("not poisoned").last().expect("reloaded").1,
        "only when it was said"
    );
}

#[test]
fn the_routes_in_force_are_shown() {
    let (_stage, _played, page) = ready();
    let routes = page.post("/routes", "{\"bottle\":\"dev\"}").json();
    assert_eq!(
        routes["routes"],
        json!([{ "name": "models <b>", "shows": "GET https://api.example.com/v1/models" }])
    );
}
