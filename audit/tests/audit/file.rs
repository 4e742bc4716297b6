//! The file itself: whose it is, who may write it, what happens when nobody can.
use crate::audit::made::{allowed, step};
use audit::{Auditor, verify};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusal(path: &Path) -> String {
    Auditor::open(path, "dev").unwrap_err().to_string()
}

#[test]
fn the_file_and_its_folders_are_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/audit.jsonl");
    drop(Auditor::open(&path, "dev").unwrap());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    assert_eq!(mode(&folder.path().join("a/b")), 0o700);
}

#[test]
fn a_file_that_others_could_read_becomes_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    drop(Auditor::open(&path, "dev").unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn two_bottles_never_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let first = Auditor::open(&path, "one").unwrap();
    let message = refusal(&path);
    assert!(message.contains("another bottle writes to it"), "{message}");
    assert!(message.contains("audit.jsonl") && message.contains("`audit.file`"), "{message}");
    drop(first);
    drop(Auditor::open(&path, "two").unwrap());
}

#[test]
fn a_link_a_pipe_and_a_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("elsewhere");
    std::fs::write(&target, "").unwrap();
    let link = folder.path().join("link");
    symlink(&target, &link).unwrap();
    assert!(refusal(&link).contains("symbolic link"));
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(refusal(&pipe).contains("no regular file"));
    assert!(refusal(folder.path()).contains("cannot be opened"));
    assert_eq!(std::fs::read(&target).unwrap(), b"");
}

#[test]
fn a_file_of_another_kind_is_never_continued_nor_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "my notes\nmore notes\n").unwrap();
    let message = refusal(&path);
    assert!(message.contains("cannot be continued") && message.contains("move the file away"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), b"my notes\nmore notes\n");
}

/// Every place at which a crash can tear the last line.
#[test]
fn a_torn_line_is_cut_and_that_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let auditor = Auditor::open(&path, "dev").unwrap();
    (0..3).for_each(|_| auditor.record(allowed("example.com")));
    drop(auditor);
    let whole = std::fs::read(&path).unwrap();
    let second_end = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    for length in second_end + 1..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(verify(&path).is_err());
        drop(Auditor::open(&path, "dev").unwrap());
        assert_eq!(verify(&path).unwrap().0, 3);
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        let said = format!("a crash left {} bytes", length - second_end);
        assert!(last.contains("audit-torn-line-cut") && last.contains(&said), "{last}");
    }
}

#[test]
fn a_file_that_is_one_torn_line_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, "{\"v\":1,\"se").unwrap();
    drop(Auditor::open(&path, "dev").unwrap());
    assert_eq!(verify(&path).unwrap().0, 1);
}

/// A full disk, by a file size limit, which needs a process of its own that the limit's signal does not end.
#[test]
fn a_write_that_fails_is_told_and_leaves_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 20; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "audit::file::writer_with_a_full_disk", "--ignored", "--nocapture"])
        .env("AUDIT_TEST_FILE", &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "the child of a_write_that_fails_is_told_and_leaves_whole_lines"]
fn writer_with_a_full_disk() {
    let path = std::env::var_os("AUDIT_TEST_FILE").unwrap();
    let auditor = Auditor::open(Path::new(&path), "dev").unwrap();
    let mut written = 0;
    while auditor.flush().is_ok() {
        assert!(!auditor.failed() && written < 1000, "the limit does not hold");
        auditor.record(step("filling"));
        written += 1;
    }
    assert!(auditor.failed());
    let message = auditor.flush().unwrap_err().to_string();
    assert!(message.contains("cannot be written"), "{message}");
    let (count, _) = verify(Path::new(&path)).unwrap();
    assert!(count > 5, "{count} lines were written before the disk was full");
    // Room again, and yet: a line after the missing one would hide that it is missing.
    std::fs::write(&path, "").unwrap();
    auditor.record(step("after the failure"));
    assert!(auditor.flush().is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"");
}
