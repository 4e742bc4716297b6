//! Reach, refuse, inject, scrub: what a request from inside meets.
use crate::Scenario;
use crate::ground::{Ground, SECRET, TOKEN};
use crate::world::{API, OPEN};
use base64::Engine as _;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("reach::an_allowed_request_arrives_by_both_versions", reached),
    ("reach::what_ignores_the_variables_is_captured_or_reaches_nothing", captured),
    ("reach::a_name_is_answered_by_the_egress_and_not_looked_up", names),
    ("refuse::what_no_route_allows_is_refused_inside_tls_and_never_sent", refused),
    ("inject::the_credential_is_on_the_wire_and_not_inside", injected),
    ("scrub::a_credential_that_comes_back_is_taken_out", scrubbed),
];

/// `https://HOST/PATH`, with a path that no other scenario asks for.
fn url(host: &str, name: &str, what: &str) -> String {
    format!("https://{host}/{what}-{name}")
}

fn reached(ground: Ground) {
    let scene = ground.scene("");
    for (version, expected) in [("h1", http::Version::HTTP_11), ("h2", http::Version::HTTP_2)] {
        let said = scene.probe(&["get", version, "variables", &url(OPEN, &scene.name, version)]);
        assert!(said.starts_with(&format!("ok {expected:?} 200 decision: none")), "{said}");
        let seen = ground.world().seen(&format!("/{version}-{}", scene.name));
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}

fn captured(ground: Ground) {
    let scene = ground.scene("");
    let said = scene.probe(&["get", "h2", "captured", &url(OPEN, &scene.name, "captured")]);
    let arrived = ground.world().seen(&scene.name).len();
    if ground.captures() {
        assert!(said.starts_with("ok HTTP/2.0 200"), "{said}");
        assert_eq!(arrived, 1);
    } else {
        assert!(said.starts_with("no "), "{said}");
        assert_eq!(arrived, 0);
    }
}

fn names(ground: Ground) {
    let scene = ground.scene("");
    // Allowed or not: the answer is the egress's own, from the range for benchmarks, and says nothing.
    for name in [OPEN, "secret-data.refused.test"] {
        let said = scene.probe(&["resolve", name]);
        assert!(said.starts_with("ok 198.18.") || said.starts_with("ok 198.19."), "{name}: {said}");
    }
}

fn refused(ground: Ground) {
    let scene = ground.scene("");
    let get = |version: &str, host: &str| {
        format!("probe get {version} variables {}\n", url(host, &scene.name, "refuse"))
    };
    let said = scene.sh(&[get("h1", "refused.test"), get("h2", "refused.test")].concat()).ended_with(0).out;
    assert_eq!(said.matches(" 403 decision: denied; code=host-not-allowed").count(), 2, "{said}");
    assert_eq!(said.matches("no route of this bottle allows the host `refused.test`").count(), 2, "{said}");
    // The allowed one alone, as the proof that a refused one would have been seen.
    let said = scene.sh(&get("h1", OPEN)).ended_with(0).out;
    assert!(said.contains(" 200 decision: none"), "{said}");
    assert_eq!(ground.world().seen(&format!("/refuse-{}", scene.name)).len(), 1);
}

fn injected(ground: Ground) {
    let scene = ground.scene("");
    let said = scene.sh(&format!(
        "env; cat /proc/self/environ; probe get h2 variables {}; \
         probe get h1 variables {} \"authorization: Bearer ${TOKEN}\"",
        url(API, &scene.name, "bare"),
        url(API, &scene.name, "held"),
    ));
    let said = said.ended_with(0).out;
    let held = said.lines().find_map(|line| line.strip_prefix(&format!("{TOKEN}="))).expect("a placeholder");
    assert!(held.len() > 20 && !said.contains(SECRET), "{said}");
    for what in ["bare", "held"] {
        let seen = ground.world().seen(&format!("/{what}-{}", scene.name));
        assert_eq!(seen.len(), 1, "{said}");
        assert_eq!(seen[0].authorization, format!("Bearer {SECRET}"), "{what}");
    }
}

fn scrubbed(ground: Ground) {
    let scene = ground.scene("");
    for version in ["h1", "h2"] {
        let said = scene.probe(&["get", version, "variables", &url(API, &scene.name, version)]);
        // The server says what it was sent: everything but the value comes through.
        assert!(said.contains("with Bearer ") && said.contains("bytes"), "{said}");
        let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
        assert!(!said.contains(SECRET) && !said.contains(&encoded), "{said}");
        assert_eq!(ground.world().seen(&format!("/{version}-{}", scene.name)).len(), 1);
    }
}
