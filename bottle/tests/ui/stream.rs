//! What pages are told.
use super::http::Page;
use super::stage::{Stage, soon};
use audit::{Event, Lifecycle};

fn step(step: &str, detail: &str) -> Event {
    Event::Lifecycle(Lifecycle { step: step.into(), detail: Some(detail.into()) })
}

#[test]
fn a_page_hears_of_every_bottle_from_its_beginning_to_its_end() {
    let stage = Stage::new();
    let (one, page) = (stage.bottle("one"), Page::open(&stage));
    let mut stream = page.listen();
    assert_eq!(stream.until("roster")["bottles"], serde_json::json!(["one"]));
    assert_eq!(stream.until("snapshot")["bottle"], "one");
    let two = stage.bottle("two");
    assert_eq!(stream.until("roster")["bottles"], serde_json::json!(["one", "two"]));
    assert_eq!(stream.until("snapshot")["bottle"], "two");
    two.hub.see(&step("agent-started", "claude").into());
    let seen = stream.until("seen");
    assert_eq!((&seen["bottle"], &seen["event"]["step"]), (&"two".into(), &"agent-started".into()));
    one.ask("abc123", "GET", "https://a.example/x", "why not");
    let asked = stream.until("petition");
    assert_eq!(asked["petition"]["shows"], "GET https://a.example/x");
    one.answered_elsewhere("abc123");
    assert_eq!(stream.until("petition")["petition"]["became"], "allowed as long as this bottle lives");
    stage.end(&one);
    assert_eq!(stream.until("ended")["bottle"], "one");
    assert_eq!(stream.until("roster")["bottles"], serde_json::json!(["two"]));
}

/// Who is not there is not asked.
#[test]
fn bottles_are_attended_as_long_as_a_page_is_open() {
    let stage = Stage::new();
    let (played, page) = (stage.bottle("dev"), Page::open(&stage));
    let attended = || *played.engine.attended.lock().expect("not poisoned");
    assert!(!attended(), "an open link is nobody");
    let mut stream = page.listen();
    stream.until("snapshot");
    soon("attended", attended);
    drop(stream);
    soon("left alone", || !attended());
}

#[test]
fn a_page_that_comes_back_gets_how_it_stands() {
    let stage = Stage::new();
    let (played, page) = (stage.bottle("dev"), Page::open(&stage));
    let mut stream = page.listen();
    stream.until("snapshot");
    drop(stream);
    played.ask("abc123", "GET", "https://a.example/x", "");
    played.hub.see(&step("meanwhile", "").into());
    let snapshot = page.listen().until("snapshot");
    assert_eq!(snapshot["petitions"][0]["id"], "abc123");
    assert_eq!(snapshot["seen"][0]["event"]["step"], "meanwhile");
}

#[test]
fn a_bottle_that_does_not_listen_is_said() {
    let stage = Stage::new();
    let (played, page) = (stage.bottle("dev"), Page::open(&stage));
    drop(played);
    assert_eq!(page.listen().until("deaf")["bottle"], "dev");
}

#[test]
fn the_end_is_said_and_nothing_answers_then() {
    let stage = Stage::new();
    let (_played, page) = (stage.bottle("dev"), Page::open(&stage));
    let mut stream = page.listen();
    stream.until("snapshot");
    drop(stage);
    stream.until("farewell");
    assert_eq!(stream.next(), None, "nothing follows");
    assert!(std::net::TcpStream::connect(("127.0.0.1", page.port)).is_err());
}

/// An agent's text is text before it leaves for the page, too.
#[test]
fn agents_write_nothing_but_text() {
    let stage = Stage::new();
    let (played, page) = (stage.bottle("dev"), Page::open(&stage));
    let mut stream = page.listen();
    stream.until("snapshot");
    played.ask(
        "abc123",
        "GET",
        "https://a.example/x",
        "<script>a</script>\u{202e}\u{1b}[2J\u{200b}\ndata: {\"say\":\"ended\"}\n\n",
    );
    let why = stream.until("petition")["petition"]["why"].clone();
    let harmless =
        "<script>a</script>\\u{202e}\\u{1b}[2J\\u{200b}\\u{a}data: {\"say\":\"ended\"}\\u{a}\\u{a}";
    assert_eq!(why, harmless);
    played.hub.see(&step("odd\u{7}\u{2066}", "\u{feff}x").into());
    let seen = stream.until("seen")["event"].clone();
    assert_eq!((&seen["step"], &seen["detail"]), (&"odd\\u{7}\\u{2066}".into(), &"\\u{feff}x".into()));
}
