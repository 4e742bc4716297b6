//! `bottle demo` and `bottle doctor`, as a newcomer runs them.
use crate::stage::{Ran, as_every_user};
use std::time::{Duration, Instant};

#[test]
fn the_demo_shows_in_seconds_that_a_bottle_holds() {
    as_every_user(|stage| {
        let begun = Instant::now();
        let ran = stage.run(&["demo"]).ended_with(0);
        assert!(begun.elapsed() < Duration::from_secs(10));
        for words in [
            "your credential is the real one",
            "code=host-not-allowed",
            "host's loopback: failed",
            "which the bottle made up",
            "the API saw the real credential 1 time",
            "all of it held",
        ] {
            assert!(ran.out.contains(words), "`{words}` is not in:\n{}", ran.out);
        }
        assert!(!ran.out.contains("real_"), "the real credential came back:\n{}", ran.out);
        assert!(stage.slugs().is_empty());
    });
}

#[test]
fn the_demo_needs_no_other_program() {
    as_every_user(|stage| {
        let output = stage.bottle(&["demo"]).env("PATH", "/nonexistent").output().expect("runs");
        let ran = Ran::of(output).ended_with(0);
        assert!(ran.out.contains("your credential is the real one"), "{}", ran.out);
    });
}

#[test]
fn the_doctor_finds_that_bottles_run_where_they_do() {
    as_every_user(|stage| {
        assert!(stage.run(&["doctor"]).ended_with(0).out.contains("bottles can run on this machine"));
        let checks: serde_json::Value =
            serde_json::from_str(&stage.run(&["doctor", "--json"]).ended_with(0).out).expect("JSON");
        assert!(checks.as_array().is_some_and(|checks| checks.len() > 3), "{checks}");
    });
}
