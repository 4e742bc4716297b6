//! The counts at the end of a run.
use crate::audit::made::{allowed, exchange, step};
use audit::{Auditor, Decision};

#[test]
fn reached_refused_and_broken_off_are_counted_apart() {
    let auditor = Auditor::discarding("dev");
    auditor.record(allowed("a.example"));
    auditor.record(allowed("a.example"));
    auditor.record(exchange(Decision::Aborted, "a.example", Some("secret-in-request")));
    auditor.record(exchange(Decision::Denied, "b.example", Some("host-not-allowed")));
    auditor.record(step("agent-ended"));
    let summary = auditor.summary();
    assert_eq!(summary.reached["a.example"], (3, 30, 300));
    assert_eq!(summary.refused["b.example"]["host-not-allowed"], 1);
    assert!(!summary.refused.contains_key("a.example") && !summary.reached.contains_key("b.example"));
    auditor.flush().unwrap();
    assert!(!auditor.failed());
}

/// Threat 7: ten thousand names.
#[test]
fn names_without_end_take_memory_with_an_end() {
    let auditor = Auditor::discarding("dev");
    for n in 0..10_000 {
        auditor.record(exchange(Decision::Denied, &format!("h{n}.example"), Some("host-not-allowed")));
    }
    let refused = auditor.summary().refused;
    assert_eq!(refused.len(), 1001);
    assert_eq!(refused["(others)"]["host-not-allowed"], 9000);
}
