//! What `verify` accepts, and what it notices.
use crate::audit::made::{allowed, step};
use audit::{Auditor, Event, Lifecycle, Record, verify};
use std::path::{Path, PathBuf};

fn written(folder: &tempfile::TempDir, lines: usize) -> PathBuf {
    let path = folder.path().join("audit.jsonl");
    let auditor = Auditor::open(&path, "dev").unwrap();
    (0..lines).for_each(|n| auditor.record(allowed(&format!("host{n}.example"))));
    auditor.flush().unwrap();
    path
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn rewrite(path: &Path, lines: &[String]) {
    std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

fn broken_at(path: &Path) -> u64 {
    verify(path).unwrap_err().line
}

#[test]
fn a_written_file_verifies_and_gives_its_last_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, 5);
    let (count, last) = verify(&path).unwrap();
    assert_eq!(count, 5);
    let records: Vec<Record> = lines(&path).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(records[0].prev, "0".repeat(64));
    assert!(
        records.iter().all(|record| record.v == 1 && record.bottle == "dev" && record.time.ends_with('Z'))
    );
    use sha2::Digest;
    let hash: String =
        sha2::Sha256::digest(&lines(&path)[4]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(last, hash);
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, 3);
    let original = std::fs::read(&path).unwrap();
    let last_line = original.len() - lines(&path)[2].len() - 1;
    for at in 0..last_line {
        let mut changed = original.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(verify(&path).is_err(), "byte {at} was changed and nothing was noticed");
    }
}

#[test]
fn a_removed_a_moved_and_an_added_line_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, 4);
    let original = lines(&path);
    let mut removed = original.clone();
    removed.remove(1);
    rewrite(&path, &removed);
    assert_eq!(broken_at(&path), 2);
    let mut moved = original.clone();
    moved.swap(1, 2);
    rewrite(&path, &moved);
    assert_eq!(broken_at(&path), 2);
    let mut added = original.clone();
    added.insert(2, original[1].clone());
    rewrite(&path, &added);
    assert_eq!(broken_at(&path), 3);
    rewrite(&path, &original[1..]);
    assert_eq!(broken_at(&path), 1);
    rewrite(&path, &original);
    assert_eq!(verify(&path).unwrap().0, 4);
}

#[test]
fn a_second_run_continues_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, 3);
    let again = Auditor::open(&path, "dev").unwrap();
    again.record(step("bottle-started"));
    drop(again);
    assert_eq!(verify(&path).unwrap().0, 4);
}

/// Threats 18 and 22: whoever prints the file prints nothing that the agent could have meant for the terminal.
#[test]
fn a_line_is_printable_ascii_and_reads_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let text = "\u{1b}[2J \u{9b}31m \u{202e}gpj \u{7f} grüße \u{1f600} \"quoted\" \\ end";
    let event = Event::Lifecycle(Lifecycle { step: "agent-said".to_owned(), detail: Some(text.to_owned()) });
    let auditor = Auditor::open(&path, "dev").unwrap();
    auditor.record(event.clone());
    drop(auditor);
    let line = lines(&path).remove(0);
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    assert_eq!(serde_json::from_str::<Record>(&line).unwrap().event, event);
    assert_eq!(verify(&path).unwrap().0, 1);
}

#[test]
fn lines_of_many_threads_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let auditor = Auditor::open(&path, "dev").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let auditor = auditor.clone();
            scope.spawn(move || {
                (0..1000).for_each(|n| auditor.record(allowed(&format!("t{thread}-{n}.example"))))
            });
        }
    });
    drop(auditor);
    assert_eq!(verify(&path).unwrap().0, 8000);
}

#[test]
fn an_empty_file_is_a_chain_and_a_missing_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, 0);
    assert_eq!(verify(&path).unwrap(), (0, "0".repeat(64)));
    assert_eq!(broken_at(&folder.path().join("none")), 0);
}

/// What no line after it vouches for, the hash that was kept elsewhere does.
#[test]
fn a_changed_or_cut_end_shows_in_the_last_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, 3);
    let kept = verify(&path).unwrap();
    let original = lines(&path);
    let mut changed = original.clone();
    changed[2] = changed[2].replace("host2.example", "host9.example");
    assert_ne!(changed, original);
    for other in [&changed[..], &original[..2]] {
        rewrite(&path, other);
        assert_ne!(verify(&path).unwrap(), kept);
    }
    rewrite(&path, &original);
    assert_eq!(verify(&path).unwrap(), kept);
}
