//! What happens in a bottle on an ordinary day.
use super::stage::Played;
use audit::{Decision, Event, Exchange, Finding, Lifecycle};
use egress::Live;
use std::sync::Arc;

pub(crate) fn exchange(
    id: &str,
    decision: Decision,
    host: &str,
    change: impl FnOnce(&mut Exchange),
) -> Arc<Event> {
    let mut exchange = Exchange {
        id: id.into(),
        decision,
        code: None,
        reason: None,
        protocol: "h2".into(),
        scheme: Some("https".into()),
        method: Some("GET".into()),
        host: Some(host.into()),
        port: Some(443),
        path: Some("/v1/messages".into()),
        route: Some(host.into()),
        policy: Some("1a2b3c4d5e6f".into()),
        credential: Some("EGRESS_TOKEN_0".into()),
        upstream: Some("203.0.113.7:443".into()),
        status: Some(200),
        bytes_up: 1234,
        bytes_down: 56_789,
        duration_ms: 412,
        findings: Vec::new(),
    };
    change(&mut exchange);
    Arc::new(Event::Exchange(Box::new(exchange)))
}

pub(crate) fn refused(id: &str, host: &str) -> Arc<Event> {
    exchange(id, Decision::Denied, host, |exchange| {
        exchange.code = Some("no-route".into());
        exchange.reason = Some(format!(
            "no route allows GET https://{host}/v1/messages; this is policy, not to be worked around"
        ));
        (exchange.route, exchange.credential, exchange.upstream, exchange.status) = (None, None, None, None);
    })
}

/// An agent's day.
pub(crate) fn busy(played: &Played) {
    let step = |step: &str, detail: &str| {
        Arc::new(Event::Lifecycle(Lifecycle { step: step.into(), detail: Some(detail.into()) }))
    };
    played.hub.see(&step("bottle-started", "linux, policy 1a2b3c4d5e6f"));
    played.hub.see(&step("agent-started", "claude --dangerously-skip-permissions"));
    for number in 0..6 {
        played.hub.see(&exchange(
            &format!("{}-e{number}", played.slug),
            Decision::Allowed,
            "api.anthropic.com",
            |_| {},
        ));
    }
    played.hub.see(&refused(&format!("{}-r1", played.slug), "telemetry.example.net"));
    played.hub.see(&exchange(
        &format!("{}-f1", played.slug),
        Decision::Denied,
        "paste.example.org",
        |exchange| {
            exchange.method = Some("POST".into());
            exchange.code = Some("secret".into());
            exchange.reason = Some("the body holds what looks like a credential".into());
            let mut finding = Finding::new("github-token", "body", "GitHub token", "block");
            finding.fingerprint = Some("0123456789abcdef".into());
            finding.layer = Some("base64".into());
            exchange.findings.push(finding);
        },
    ));
    played.hub.see(&exchange(
        &format!("{}-a1", played.slug),
        Decision::Aborted,
        "registry.npmjs.org",
        |exchange| {
            exchange.code = Some("upstream".into());
            exchange.path = Some(
                "/@scope%2Fa-rather-long-name-of-a-package/-/a-rather-long-name-of-a-package-1.2.3.tgz"
                    .into(),
            );
        },
    ));
    *played.engine.live.lock().expect("not poisoned") =
        vec![live("l1", "api.anthropic.com", Some("api.anthropic.com")), live("l2", "api.example.com", None)];
}

fn live(id: &str, host: &str, route: Option<&str>) -> Live {
    Live {
        id: id.into(),
        protocol: "h2".into(),
        method: Some("POST".into()),
        host: Some(host.into()),
        path: Some("/v1/messages".into()),
        route: route.map(str::to_owned),
        since_ms: 12_345,
        bytes_up: 2048,
        bytes_down: 123_456,
    }
}
