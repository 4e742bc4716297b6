//! Routes from what was seen: all of it is explained, and little else.
use crate::support::load_here;
use audit::{Decision, Exchange, Finding};
use manifest::edit::Addition;
use manifest::learn::{Learned, from_events};
use policy::{Policy, Request, Route, RouteId, decide};
use proptest::prelude::*;

fn exchange(method: &str, url: &str) -> Exchange {
    let request = Request::from_url(method, url).expect("a request");
    Exchange {
        id: "i".to_owned(),
        decision: Decision::Denied,
        code: Some("host-not-allowed".to_owned()),
        reason: None,
        protocol: "h1".to_owned(),
        scheme: Some(request.scheme.as_str().to_owned()),
        method: Some(method.to_owned()),
        host: Some(request.host.to_string()),
        port: Some(request.port),
        path: Some(request.path.as_str().to_owned()),
        route: None,
        policy: None,
        credential: None,
        upstream: None,
        status: None,
        bytes_up: 0,
        bytes_down: 0,
        duration_ms: 0,
        findings: Vec::new(),
    }
}

fn policy(text: &str) -> Policy {
    load_here(text).unwrap_or_else(|problems| panic!("{problems}")).plan.egress.policy
}

fn learn(exchanges: &[Exchange]) -> Learned {
    from_events(exchanges, &Policy::default())
}

fn seen<'u>(urls: impl IntoIterator<Item = &'u str>) -> Vec<Exchange> {
    urls.into_iter().map(|url| exchange("GET", url)).collect()
}

fn shown(learned: &Learned) -> Vec<String> {
    learned.additions.iter().map(|addition| addition.proposal.to_string()).collect()
}

#[test]
fn one_request_is_one_narrow_route() {
    let learned = learn(&seen(["https://a.test/v1/users"]));
    assert_eq!(shown(&learned), ["GET https://a.test/v1/users"]);
    assert_eq!(learned.additions[0].comments, ["learned from 1 request"]);
}

#[test]
fn methods_share_paths_and_get_no_others() {
    let learned = learn(&[
        exchange("GET", "https://a.test/x"),
        exchange("POST", "https://a.test/x"),
        exchange("POST", "https://a.test/y"),
        exchange("GET", "https://a.test:8443/x"),
        exchange("GET", "http://a.test/x"),
    ]);
    assert_eq!(
        shown(&learned),
        [
            "GET http://a.test/x",
            "GET|POST https://a.test/x",
            "POST https://a.test/y",
            "GET https://a.test:8443/x"
        ]
    );
}

#[test]
fn what_names_one_thing_among_many_becomes_a_star() {
    for (urls, wanted) in [
        (vec!["/s/123e4567-e89b-12d3-a456-426614174000/m"], "/s/*/m"),
        (vec!["/blobs/sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"], "/blobs/*"),
        (vec!["/v1/x"], "/v1/x"),
        (vec!["/v1/x", "/v2/x"], "/*/x"),
        (vec!["/users/7"], "/users/7"),
        (vec!["/users/7", "/users/8"], "/users/*"),
        (vec!["/p/1.2.3.tgz", "/p/1.2.4.tgz"], "/p/*"),
        (vec!["/a", "/b", "/c"], "/a|/b|/c"),
        (vec!["/a/x", "/b/x", "/c/x", "/d/x", "/e/x", "/f/x"], "/*/x"),
        (vec!["/a/x", "/b/x", "/c/x", "/d/x", "/e/x", "/f/y"], "/a/x|/b/x|/c/x|/d/x|/e/x|/f/y"),
        (vec!["/"], "/"),
        (vec!["/x/*/y"], "/x/%2A/y"),
        (vec!["/x//y"], "/x/**"),
        (vec!["/@scope%2Fname"], "/@scope%2Fname"),
    ] {
        let urls: Vec<String> = urls.iter().map(|path| format!("https://a.test{path}")).collect();
        let learned = learn(&seen(urls.iter().map(String::as_str)));
        assert_eq!(shown(&learned), [format!("GET https://a.test{wanted}")], "{urls:?}");
    }
}

#[test]
fn packages_are_one_pattern() {
    let mut urls = Vec::new();
    for name in ["left-pad", "lodash", "react", "express", "chalk", "debug", "semver"] {
        urls.push(format!("https://r.test/{name}"));
        urls.push(format!("https://r.test/{name}/-/{name}-1.2.{}.tgz", name.len()));
    }
    let learned = learn(&seen(urls.iter().map(String::as_str)));
    assert_eq!(shown(&learned), ["GET https://r.test/*|/*/-/*"]);
}

#[test]
fn deep_variety_becomes_what_is_below_and_says_so() {
    let urls: Vec<String> = (0..40)
        .map(|i| {
            format!("https://a.test/docs/{}/{}.html", ["alpha", "beta", "gamma"][i % 3], "x".repeat(i + 1))
        })
        .chain(["https://a.test/other".to_owned()])
        .collect();
    let learned = learn(&seen(urls.iter().map(String::as_str)));
    assert_eq!(shown(&learned), ["GET https://a.test/docs/alpha/*|/docs/beta/*|/docs/gamma/*|/other"]);
    let odd: Vec<String> = (0..20)
        .map(|i| format!("https://a.test/docs/{}/{}", "x".repeat(i + 1), "y".repeat(40 - i)))
        .collect();
    let learned = learn(&seen(odd.iter().map(String::as_str)));
    assert_eq!(shown(&learned), ["GET https://a.test/docs/**"]);
    assert!(
        learned.additions[0]
            .comments
            .contains(&"wider than what was seen: /docs/**: 20 different paths".to_owned()),
        "{learned:?}"
    );
}

#[test]
fn hosts_are_put_together_only_when_many_stand_side_by_side() {
    let learn_hosts = |hosts: &[&str]| {
        let urls: Vec<String> = hosts.iter().map(|host| format!("https://{host}/x")).collect();
        learn(&seen(urls.iter().map(String::as_str)))
    };
    let four = learn_hosts(&["a.cdn.test", "b.cdn.test", "c.cdn.test", "d.cdn.test"]);
    assert_eq!(four.additions.len(), 4);
    let five =
        learn_hosts(&["a.cdn.test", "b.cdn.test", "c.cdn.test", "d.cdn.test", "e.cdn.test", "other.test"]);
    assert_eq!(shown(&five), ["GET https://other.test/x", "GET https://*.cdn.test/x"]);
    let said = "5 names below cdn.test were seen, so all of them are let through: a.cdn.test, b.cdn.test, c.cdn.test, d.cdn.test, e.cdn.test";
    assert!(five.additions[1].comments.contains(&said.to_owned()), "{five:?}");
    for shared in ["github.io", "co.uk", "s3.amazonaws.com", "com"] {
        let names: Vec<String> = (0..9).map(|i| format!("a{i}.{shared}")).collect();
        let apart = learn_hosts(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(apart.additions.len(), 9, "strangers stand below {shared}");
    }
    let addresses = learn_hosts(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    assert_eq!(addresses.additions.len(), 6);
}

#[test]
fn what_is_allowed_already_is_left_out() {
    let policy = policy(
        "egress: { routes: [{ host: a.test, paths: [\"/x/**\"] }, { host: pinned.test, tls: passthrough }] }\n",
    );
    let exchanges = seen(["https://a.test/x/y", "https://a.test/z", "https://pinned.test/"]);
    let learned = from_events(&exchanges, &policy);
    assert_eq!(shown(&learned), ["GET https://a.test/z"]);
    assert_eq!((learned.covered, learned.explained), (2, 1));
}

/// Only what the lack of a route held back, or what went out clean, is learned from.
#[test]
fn nothing_is_learned_from_findings_and_other_refusals() {
    let refused =
        |code: &str| Exchange { code: Some(code.to_owned()), ..exchange("POST", "https://bad.test/x") };
    let codes = [
        "malformed-request",
        "authority-mismatch",
        "address-not-allowed",
        "name-not-resolved",
        "secret-in-request",
        "answer-blocked",
        "budget-exceeded",
        "limit-exceeded",
        "unreadable",
        "upstream-certificate",
        "protocol-not-allowed",
        "credential-unavailable",
        "upstream-unreachable",
        "upstream-timeout",
        "upstream-proxy",
        "egress-failure",
        "from-later",
    ];
    for code in codes {
        for decision in [Decision::Denied, Decision::Aborted] {
            let learned = learn(&[Exchange { decision, ..refused(code) }]);
            assert!(learned.additions.is_empty(), "{code}");
            assert_eq!(learned.left_out.len(), 1, "{code}");
            assert!(learned.left_out[0].line().starts_with("POST https://bad.test/x: "), "{learned:?}");
        }
    }
    let found = |action: &str, decision: Decision| Exchange {
        decision,
        code: None,
        findings: vec![Finding::new("canary", "body", "aws", action)],
        ..exchange("POST", "https://bad.test/x")
    };
    for action in ["block", "redact", "warn"] {
        let learned = learn(&[found(action, Decision::Allowed), found(action, Decision::Aborted)]);
        assert!(learned.additions.is_empty(), "{action}");
        assert_eq!(
            learned.left_out[0].line(),
            "POST https://bad.test/x (2 times): `canary` was found in body"
        );
    }
    for action in ["allow", "scrub"] {
        assert_eq!(learn(&[found(action, Decision::Allowed)]).additions.len(), 1, "{action}");
    }
}

#[test]
fn raw_connections_are_learned_only_when_they_went_out() {
    let raw = |decision| Exchange {
        decision,
        protocol: "tcp".to_owned(),
        scheme: None,
        method: None,
        path: None,
        code: (decision == Decision::Denied).then(|| "protocol-not-allowed".to_owned()),
        ..exchange("GET", "https://db.test:5432/")
    };
    assert_eq!(shown(&learn(&[raw(Decision::Allowed)])), ["raw TCP to db.test:5432"]);
    let learned = learn(&[raw(Decision::Denied)]);
    assert!(learned.additions.is_empty() && learned.left_out[0].why.contains("it is no HTTP"), "{learned:?}");
}

/// An agent can ask for anything, as often as it likes.
#[test]
fn floods_end() {
    let hosts: Vec<String> = (0..3000).map(|i| format!("https://h{i}.x{i}.test/")).collect();
    let learned = learn(&seen(hosts.iter().map(String::as_str)));
    assert_eq!((learned.additions.len(), learned.explained), (500, 500));
    assert_eq!(learned.left_out[0].line(), "others (2500 times): more than 500 hosts were asked for");
    let paths = |make: &dyn Fn(usize) -> String, count: usize| {
        let urls: Vec<String> = (0..count).map(|i| format!("https://a.test{}", make(i))).collect();
        shown(&learn(&seen(urls.iter().map(String::as_str))))
    };
    assert_eq!(paths(&|i| format!("/d/{i};x/{i}"), 3000), ["GET https://a.test/d/**"]);
    assert_eq!(paths(&|i| format!("/{i};x"), 3000), ["GET https://a.test/**"]);
    assert_eq!(paths(&|i| format!("/w{}/x{i}y", "a".repeat(i % 30)), 25_000), ["GET https://a.test/**"]);
    assert_eq!(paths(&|i| "/a".repeat(i + 1), 200).len(), 1);
}

/// What stands in an audit was written by an agent.
#[test]
fn what_is_left_out_stands_in_comments_and_is_neutral() {
    let bad = Exchange {
        path: Some("/x\n  - host: evil.test\u{202e}".to_owned()),
        code: Some("malformed-request".to_owned()),
        ..exchange("GET", "https://bad.test/x")
    };
    let many: Vec<Exchange> = (0..30)
        .map(|i| Exchange {
            code: Some("unreadable".to_owned()),
            ..exchange("GET", &format!("https://b{i}.test/"))
        })
        .chain([bad, exchange("GET", "https://good.test/")])
        .collect();
    let comments = learn(&many).for_manifest("learned 2026-11-27")[0].comments.clone();
    assert_eq!(comments[0], "learned 2026-11-27");
    assert_eq!(comments.len(), 1 + 20 + 1 + 1, "{comments:#?}");
    assert!(comments.contains(&"not learned: 11 more".to_owned()));
    assert!(comments.iter().all(|line| !line.contains(['\n', '\u{202e}'])), "{comments:#?}");
}

fn routes(additions: &[Addition]) -> Policy {
    let route = |(i, addition): (usize, &Addition)| -> Route {
        addition.proposal.route(RouteId(u32::try_from(i).expect("few")), format!("r{i}"))
    };
    Policy::new(additions.iter().enumerate().map(route).collect(), std::collections::BTreeMap::new())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everything that was seen goes out by what was learned; no host, port or method goes out that was not seen.
    #[test]
    fn what_was_seen_is_explained_and_nothing_else_of_its_kind(
        requests in prop::collection::vec(
            ("(GET|POST|PUT)", "[ab]\\.test", "(/([a-c]|[0-9]{1,7}|[0-9a-f]{16}|v[0-9]\\.[0-9]|%2A|x%2Fy|a;b|)){1,5}"),
            1..60,
        ),
        method in "(GET|POST|PUT|DELETE)",
    ) {
        let exchanges: Vec<Exchange> = requests.iter().map(|(m, h, p)| exchange(m, &format!("https://{h}{p}"))).collect();
        let learned = learn(&exchanges);
        let policy = routes(&learned.additions);
        for (m, h, p) in &requests {
            let request = Request::from_url(m, &format!("https://{h}{p}")).expect("a request");
            prop_assert!(decide(&policy, request).is_ok(), "{m} {h}{p} by {:?}", shown(&learned));
        }
        for route in policy.routes() {
            let host = route.host.to_string();
            let of_host: Vec<&str> = requests.iter().filter(|(_, h, _)| *h == host).map(|(m, _, _)| m.as_str()).collect();
            prop_assert!(!of_host.is_empty(), "{host}");
            let methods = route.methods.as_ref().expect("never all");
            prop_assert!(methods.iter().all(|m| of_host.contains(&m.as_str())));
            prop_assert!(methods.iter().all(|m| m.as_str() != method) || of_host.contains(&method.as_str()));
        }
    }
}
