use super::page;
use audit::{Decision, Event, Exchange, Finding, Lifecycle, Record};

fn record(seq: u64, time: &str, event: Event) -> Record {
    Record { v: 1, seq, time: time.to_owned(), bottle: "dev".to_owned(), event, prev: "0".to_owned() }
}

fn exchange(decision: Decision, text: &str) -> Exchange {
    let some = || Some(text.to_owned());
    Exchange {
        id: text.to_owned(),
        decision,
        code: (decision != Decision::Allowed).then(|| text.to_owned()),
        reason: some(),
        protocol: text.to_owned(),
        scheme: some(),
        method: some(),
        host: some(),
        port: Some(443),
        path: some(),
        route: some(),
        policy: some(),
        credential: some(),
        upstream: some(),
        status: Some(200),
        bytes_up: 10,
        bytes_down: u64::MAX,
        duration_ms: 1,
        findings: vec![Finding {
            length: Some(1),
            fingerprint: some(),
            layer: some(),
            reason: some(),
            excerpt: some(),
            ..Finding::new(text, text, text, text)
        }],
    }
}

/// Every text of an audit, with what an agent may put there, in every place that a page has for it.
#[test]
fn what_an_agent_wrote_is_text_and_never_a_tag_or_an_attribute() {
    for evil in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</title></style></svg></td><iframe>",
        "&lt;script&gt;",
        "\u{202e}<b>\u{0}\u{1b}[2J",
        "<!--",
        "]]>`${1}`",
    ] {
        let step = Lifecycle { step: evil.to_owned(), detail: Some(evil.to_owned()) };
        let mut records = vec![record(0, "2026-01-01T00:00:00Z", Event::Lifecycle(step))];
        for decision in [Decision::Allowed, Decision::Denied, Decision::Aborted] {
            records.push(record(1, evil, Event::Exchange(Box::new(exchange(decision, evil)))));
        }
        records.iter_mut().for_each(|record| record.bottle = evil.to_owned());
        let html = page(&records, 0);
        assert_eq!(structure(&html), structure(&page(&plain(records), 0)), "{evil}");
        assert!(!html.contains(evil) && !html.contains('\u{202e}') && !html.contains('\u{1b}'), "{evil}");
    }
}

/// The same run with harmless words.
fn plain(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        record.bottle = "dev".to_owned();
        match &mut record.event {
            Event::Exchange(old) => **old = exchange(old.decision, "word"),
            Event::Lifecycle(step) => {
                *step = Lifecycle { step: "word".to_owned(), detail: Some("word".to_owned()) }
            }
        }
    }
    records
}

/// All tags with their attributes, without numbers, which are measures and times.
fn structure(html: &str) -> Vec<String> {
    let tags = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(""));
    tags.map(|tag| tag.chars().filter(|c| !c.is_ascii_digit()).collect()).collect()
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let html = page(
        &[record(0, "2026-01-01T00:00:00Z", Event::Exchange(Box::new(exchange(Decision::Allowed, "x"))))],
        2,
    );
    assert!(html.contains("default-src 'none'") && html.contains("2 lines of the file are no audit lines"));
    for word in ["<script", "src=", "url(", "@import", "http://", "https://", "<link", "<iframe"] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn a_page_tells_what_happened() {
    let denied = Exchange {
        code: Some("host-not-allowed".to_owned()),
        reason: Some("no route of this bottle allows it".to_owned()),
        host: Some("evil.test".to_owned()),
        method: Some("POST".to_owned()),
        path: Some("/up".to_owned()),
        scheme: Some("https".to_owned()),
        credential: None,
        findings: Vec::new(),
        bytes_up: 0,
        bytes_down: 0,
        policy: Some("0123456789abcdef".to_owned()),
        ..exchange(Decision::Denied, "x")
    };
    let records = [
        record(
            0,
            "2026-01-01T10:00:00Z",
            Event::Lifecycle(Lifecycle { step: "bottle-started".into(), detail: None }),
        ),
        record(1, "2026-01-01T10:00:10Z", Event::Exchange(Box::new(denied.clone()))),
        record(2, "2026-01-01T10:30:00Z", Event::Exchange(Box::new(denied))),
    ];
    let html = page(&records, 0);
    for words in [
        "<h1>dev</h1>",
        "<p>Judged by the policy <code>0123456789abcdef</code></p>",
        ", 30 min</p>",
        "<dt>Denied</dt><dd>2</dd>",
        "<strong>host-not-allowed</strong>",
        "2 times, 1 host",
        "POST https://evil.test/up</code> <span class=\"times\">× 2</span>",
        "no route of this bottle allows it",
        "<strong>bottle-started</strong>",
        "Nothing was found.",
        "None was put on the wire.",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert_eq!(html.matches("<rect class=\"denied\"").count(), 2 + 1, "two bars, and one in the table");
}

#[test]
fn an_empty_run_is_a_page_too() {
    let html = page(&[], 0);
    assert!(html.contains("No line was written.") && html.ends_with("</html>\n"));
}
