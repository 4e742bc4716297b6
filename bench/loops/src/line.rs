//! An event on its way to the audit file: counted, queued, formatted, chained and written.
use audit::{Auditor, Decision, Event, Exchange};

pub(crate) fn line(count: u32) {
    let folder = std::env::temp_dir().join(format!("loops-{}", std::process::id()));
    let auditor =
        Auditor::open(&folder.join("audit.jsonl"), "loops").expect("a file in the temporary folder");
    for _ in 0..count {
        auditor.record(Event::Exchange(Box::new(exchange())));
    }
    auditor.flush().expect("written");
    drop(auditor);
    std::fs::remove_dir_all(folder).expect("the folder that was made");
}

fn exchange() -> Exchange {
    let text = |text: &str| Some(text.to_owned());
    Exchange {
        id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        decision: Decision::Allowed,
        code: None,
        reason: None,
        protocol: "h1".to_owned(),
        scheme: text("https"),
        method: text("GET"),
        host: text("api.example.com"),
        port: Some(443),
        path: text("/repos/acme/widgets/contents/src/main.rs"),
        route: text("api.example.com /repos/acme/**"),
        policy: text("0123456789abcdef"),
        credential: text("EGRESS_TOKEN_0"),
        upstream: text("192.0.2.7:443"),
        status: Some(200),
        bytes_up: 0,
        bytes_down: 1024,
        duration_ms: 12,
        findings: Vec::new(),
    }
}
