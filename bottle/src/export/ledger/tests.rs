use super::super::prometheus;
use super::*;
use crate::process::Identity;
use crate::registry::Record;
use audit::Finding;
use egress::desk::{How, Span};
use manifest::plan::Backend;
use policy::{Proposal, Request};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn found(id: BottleId, slug: &str) -> News {
    let launcher = Identity::own().expect("ourselves");
    News::Found(
        id,
        Box::new(Record {
            version: 1,
            slug: slug.into(),
            name: slug.into(),
            launcher,
            started: at(1),
            workspace: "/work".into(),
            writable: Vec::new(),
            protection: String::new(),
            command: Vec::new(),
            backend: Backend::Linux,
            audit: "/audit.jsonl".into(),
            log: "/log".into(),
            ports: Vec::new(),
        }),
    )
}

fn seen(second: i64, host: &str, change: impl FnOnce(&mut Exchange)) -> Seen {
    let mut exchange: Exchange = serde_json::from_value(serde_json::json!({
        "id": format!("e{second}"), "decision": "allowed", "protocol": "h1", "host": host, "path": "/secret-path",
        "bytes_up": 10, "bytes_down": 100, "duration_ms": 5,
    }))
    .expect("an exchange");
    change(&mut exchange);
    Seen { time: at(second), event: Event::Exchange(Box::new(exchange)) }
}

fn said(id: BottleId, seen: Seen) -> News {
    News::Said(id, Say::Seen(Box::new(seen)))
}

fn snapshot(id: BottleId, seen: Vec<Seen>, petitions: Vec<Petition>) -> News {
    News::Said(
        id,
        Say::Snapshot(Box::new(Snapshot {
            slug: "dev".into(),
            name: "dev".into(),
            backend: Backend::Linux,
            started: at(1),
            workspace: "/work".into(),
            command: Vec::new(),
            manifest: None,
            audit: "/audit.jsonl".into(),
            policy: "1a2b".into(),
            locked: false,
            petitions,
            seen,
            live: Vec::new(),
        })),
    )
}

fn petition(id: &str, second: i64, state: State) -> Petition {
    let request = Request::from_url("GET", "https://api.example.com/").expect("a request");
    Petition {
        id: id.into(),
        asked: at(second),
        proposal: Proposal::of(&request),
        why: "please".into(),
        how: How::Asked,
        exchange: None,
        code: None,
        would_have_allowed: 0,
        near: None,
        state,
    }
}

#[track_caller]
fn has(ledger: &Ledger, lines: &[&str]) {
    let text = prometheus::text(ledger.sheet());
    for line in lines {
        assert!(text.lines().any(|there| there == *line), "no `{line}` in\n{text}");
    }
}

#[test]
fn what_was_before_does_not_count_and_what_was_missed_counts_once() {
    let mut ledger = Ledger::new(at(100), false);
    ledger.hear(found(1, "dev"));
    has(&ledger, &["bottle_up{bottle=\"dev\"} 0"]);
    let told =
        ledger.hear(snapshot(1, vec![seen(99, "a.test", |_| {}), seen(101, "a.test", |_| {})], vec![]));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(ledger.hear(said(1, seen(102, "a.test", |_| {}))).len(), 1);
    let again = vec![seen(101, "a.test", |_| {}), seen(102, "a.test", |_| {}), seen(103, "a.test", |_| {})];
    let told = ledger.hear(snapshot(1, again, vec![]));
    assert_eq!((told.len(), told[0].time), (1, at(103)));
    has(
        &ledger,
        &[
            "bottle_up{bottle=\"dev\"} 1",
            "bottle_exchanges_total{bottle=\"dev\",decision=\"allowed\",code=\"\"} 3",
            "bottle_bytes_up_total{bottle=\"dev\"} 30",
            "bottle_bytes_down_total{bottle=\"dev\"} 300",
        ],
    );
}

#[test]
fn refusals_findings_and_credentials_are_counted_and_no_host_or_path_is_told() {
    let mut ledger = Ledger::new(at(100), false);
    ledger.hear(found(1, "dev"));
    ledger.hear(said(
        1,
        seen(101, "odd\"host.test", |exchange| {
            exchange.decision = Decision::Denied;
            exchange.code = Some("secret-found".into());
            exchange.findings = vec![Finding::new("can\"ary", "body", "name", "block"); 2];
            exchange.credential = Some("EGRESS_TOKEN_0".into());
        }),
    ));
    has(
        &ledger,
        &[
            "bottle_exchanges_total{bottle=\"dev\",decision=\"denied\",code=\"secret-found\"} 1",
            "bottle_findings_total{bottle=\"dev\",rule=\"can\\\"ary\",action=\"block\"} 2",
            "bottle_credential_uses_total{bottle=\"dev\",slot=\"EGRESS_TOKEN_0\"} 1",
        ],
    );
    let text = prometheus::text(ledger.sheet());
    assert!(!text.contains("host.test") && !text.contains("secret-path"), "{text}");
}

/// An agent that asks for ten thousand hosts makes a thousand lines, not ten thousand.
#[test]
fn hosts_are_told_when_asked_for_and_are_a_thousand_at_most() {
    let mut ledger = Ledger::new(at(0), true);
    ledger.hear(found(1, "dev"));
    for number in 0..3000 {
        ledger.hear(said(1, seen(1, &format!("h{number}.test"), |_| {})));
    }
    has(
        &ledger,
        &[
            "bottle_exchanges_total{bottle=\"dev\",decision=\"allowed\",code=\"\",host=\"h999.test\"} 1",
            "bottle_exchanges_total{bottle=\"dev\",decision=\"allowed\",code=\"\",host=\"(others)\"} 2000",
            "bottle_bytes_down_total{bottle=\"dev\",host=\"(others)\"} 200000",
        ],
    );
    let text = prometheus::text(ledger.sheet());
    assert_eq!(text.matches("\nbottle_exchanges_total{").count(), HOSTS + 1);
}

#[test]
fn a_state_of_a_petition_counts_once() {
    let mut ledger = Ledger::new(at(100), false);
    ledger.hear(found(1, "dev"));
    let allowed = || State::Allowed { span: Span::Once, narrowed: None, word: None };
    let old = vec![petition("old", 50, State::Open), petition("done", 51, allowed())];
    ledger.hear(snapshot(1, vec![], old.clone()));
    has(&ledger, &["bottle_petitions_waiting{bottle=\"dev\"} 1"]);
    for state in [State::Open, State::Open, allowed(), allowed()] {
        ledger.hear(News::Said(1, Say::Petition(Box::new(petition("new", 101, state)))));
    }
    ledger.hear(News::Said(1, Say::Petition(Box::new(petition("old", 50, State::Expired)))));
    ledger.hear(snapshot(1, vec![], vec![petition("missed", 102, State::Withdrawn)]));
    has(
        &ledger,
        &[
            "bottle_petitions_waiting{bottle=\"dev\"} 0",
            "bottle_petitions_total{bottle=\"dev\",state=\"open\"} 2",
            "bottle_petitions_total{bottle=\"dev\",state=\"allowed\"} 1",
            "bottle_petitions_total{bottle=\"dev\",state=\"expired\"} 1",
            "bottle_petitions_total{bottle=\"dev\",state=\"withdrawn\"} 1",
        ],
    );
}

#[test]
fn bottles_that_ended_go_on_where_they_were_and_a_hundred_are_remembered() {
    let mut ledger = Ledger::new(at(100), false);
    for id in 1..=2 {
        ledger.hear(found(id, "dev"));
        ledger.hear(said(id, seen(101, "a.test", |_| {})));
        ledger.hear(News::Said(id, Say::Locked { on: true }));
        ledger.hear(News::Said(id, Say::Ended));
        ledger.hear(News::Gone(id));
    }
    has(
        &ledger,
        &[
            "bottle_up{bottle=\"dev\"} 0",
            "bottle_locked{bottle=\"dev\"} 0",
            "bottle_exchanges_total{bottle=\"dev\",decision=\"allowed\",code=\"\"} 2",
        ],
    );
    for id in 3..103 {
        ledger.hear(found(id, &format!("b{id}")));
        ledger.hear(News::Gone(id));
    }
    let text = prometheus::text(ledger.sheet());
    assert!(!text.contains("\"dev\""), "the one that ended first is forgotten:\n{text}");
    assert_eq!(text.matches("\nbottle_up{").count(), ENDED);
    assert!(ledger.runs.is_empty());
}

/// Nobody takes spans from the queue: what does not fit is dropped and counted, and the numbers go on.
#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted_and_keeps_nobody() {
    let ledger = std::sync::Arc::new(std::sync::Mutex::new(Ledger::new(at(0), false)));
    let (tell, heard) = std::sync::mpsc::channel();
    let (teller, mut waiting) = tokio::sync::mpsc::channel(3);
    for news in [found(1, "dev"), snapshot(1, vec![], vec![])] {
        tell.send(news).expect("heard");
    }
    for second in 1..=10 {
        tell.send(said(1, seen(second, "a.test", |_| {}))).expect("heard");
    }
    drop(tell);
    let (done, is_done) = std::sync::mpsc::channel();
    let counted = std::sync::Arc::clone(&ledger);
    std::thread::spawn(move || {
        super::super::count(&heard, &counted, Some(&teller));
        done.send(()).expect("waited for");
    });
    is_done.recv_timeout(std::time::Duration::from_secs(20)).expect("it waits for the queue");
    let ledger = ledger.lock().expect("not poisoned");
    assert_eq!(ledger.dropped(), 7);
    has(&ledger, &["bottle_export_spans_total{fate=\"dropped\"} 7"]);
    let all = prometheus::text(ledger.sheet());
    assert!(
        all.lines().any(|line| line.starts_with("bottle_exchanges_total{") && line.ends_with(" 10")),
        "{all}"
    );
    assert_eq!(std::iter::from_fn(|| waiting.try_recv().ok()).count(), 3);
}
