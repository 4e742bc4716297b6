//! A launcher that is killed while it writes.
use crate::audit::made::{allowed, step};
use audit::{Auditor, verify};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn child(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "audit::crash::writer_without_end", "--ignored", "--nocapture"])
        .env("AUDIT_TEST_FILE", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}

fn wait_for_growth(path: &Path, from: u64) {
    let begin = Instant::now();
    while length(path) <= from + 10_000 {
        assert!(begin.elapsed() < Duration::from_secs(30), "the child writes nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Threat 24.
#[test]
fn after_sigkill_the_file_opens_verifies_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut lines = 0;
    for round in 0..10 {
        let mut child = child(&path);
        wait_for_growth(&path, length(&path));
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let next = Auditor::open(&path, "dev").unwrap();
        next.record(step("after the crash"));
        drop(next);
        let (count, _) = verify(&path).unwrap();
        assert!(count > lines, "round {round}: {lines} lines before, {count} after");
        lines = count;
    }
}

/// What was flushed is there, whatever happens next.
#[test]
#[ignore = "the child of after_sigkill_the_file_opens_verifies_and_goes_on"]
fn writer_without_end() {
    let path = std::env::var_os("AUDIT_TEST_FILE").unwrap();
    let auditor = Auditor::open(Path::new(&path), "dev").unwrap();
    loop {
        auditor.record(allowed("example.com"));
    }
}
