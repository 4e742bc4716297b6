//! Images of the tests' own: a few programs of this machine with what they link to.
use crate::engine::TestEngine;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As Alpine is built: busybox for everything, and `cert.pem` leads to the bundle of roots.
pub(crate) const ALPINE: &str = "alpine-like:test";
/// As Debian is built: programs of its own for everything.
pub(crate) const DEBIAN: &str = "debian-like:test";
/// What Debian's is made of besides curl; `dash` is its `sh`.
const PROGRAMS: &[&str] = &[
    "cat", "chmod", "chown", "cp", "date", "dash", "env", "find", "getent", "grep", "head", "id", "ls",
    "mkdir", "mv", "ps", "rm", "sed", "sleep", "stat", "tail", "touch", "tr", "uname", "wc",
];

pub(crate) fn alpine(engine: &TestEngine) {
    import(engine, ALPINE, |root| {
        let applets = Command::new("/bin/busybox").arg("--list").output().expect("busybox");
        copy(root, Path::new("/bin/busybox"));
        for applet in String::from_utf8_lossy(&applets.stdout).lines().filter(|name| *name != "busybox") {
            symlink("/bin/busybox", root.join("bin").join(applet)).expect("linked");
        }
        symlink("certs/ca-certificates.crt", root.join("etc/ssl/cert.pem")).expect("linked");
        write(root, "etc/os-release", "ID=alpine\n");
    });
}

pub(crate) fn debian(engine: &TestEngine) {
    import(engine, DEBIAN, |root| {
        for name in PROGRAMS {
            program(root, name);
        }
        symlink("dash", root.join("bin/sh")).expect("linked");
        write(root, "etc/os-release", "ID=debian\n");
    });
}

fn import(engine: &TestEngine, name: &str, fill: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    for part in ["bin", "etc/ssl/certs", "etc/profile.d", "root", "usr/bin", "tmp", "var"] {
        fs::create_dir_all(root.join(part)).expect("made");
    }
    write(&root, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    write(&root, "etc/group", "root:x:0:\n");
    // Both distributions have these lines.
    write(&root, "etc/profile", "for part in /etc/profile.d/*.sh; do\n  [ -r $part ] && . $part\ndone\n");
    // A bundle with a root that no test uses.
    let other = rcgen::generate_simple_self_signed(["another-root.test".to_owned()]).expect("a certificate");
    write(&root, "etc/ssl/certs/ca-certificates.crt", &other.cert.pem());
    fill(&root);
    program(&root, "curl");
    let archive = folder.path().join("root.tar");
    let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
    assert!(packed.is_ok_and(|status| status.success()), "tar");
    engine.ask(&["import", archive.to_str().expect("text"), name]);
}

fn write(root: &Path, path: &str, text: &str) {
    fs::write(root.join(path), text).expect("written");
}

/// A program of this machine with all that it links to.
fn program(root: &Path, name: &str) {
    let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
    let path = found
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no `{name}` on this machine"));
    let linked = Command::new("ldd").arg(&path).output().expect("ldd").stdout;
    let linked = String::from_utf8_lossy(&linked).into_owned();
    let words = linked.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let libraries: BTreeSet<PathBuf> = words.map(PathBuf::from).collect();
    libraries.iter().for_each(|library| copy(root, library));
    fs::copy(&path, root.join("bin").join(name)).expect("copied");
}

/// To the same place; links on the way become what they lead to.
fn copy(root: &Path, file: &Path) {
    let to = root.join(file.strip_prefix("/").expect("absolute"));
    fs::create_dir_all(to.parent().expect("a folder")).expect("made");
    fs::copy(file, to).expect("copied");
}
