//! Events to record.
use audit::{Decision, Event, Exchange, Lifecycle};

pub(crate) fn step(step: &str) -> Event {
    Event::Lifecycle(Lifecycle { step: step.to_owned(), detail: None })
}

pub(crate) fn exchange(decision: Decision, host: &str, code: Option<&str>) -> Event {
    Event::Exchange(Box::new(Exchange {
        id: uuid::Uuid::now_v7().to_string(),
        decision,
        code: code.map(str::to_owned),
        reason: None,
        protocol: "h1".to_owned(),
        scheme: Some("https".to_owned()),
        method: Some("GET".to_owned()),
        host: Some(host.to_owned()),
        port: Some(443),
        path: Some("/".to_owned()),
        route: None,
        policy: None,
        credential: None,
        upstream: None,
        status: Some(200),
        bytes_up: 10,
        bytes_down: 100,
        duration_ms: 1,
        findings: Vec::new(),
    }))
}

pub(crate) fn allowed(host: &str) -> Event {
    exchange(Decision::Allowed, host, None)
}
