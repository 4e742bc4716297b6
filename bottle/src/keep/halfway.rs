//! A file that is written in place can be half written when its writer is killed, or the machine stops. So what it said and
//! what it is to say is written down first, in the state folder and down to the disk; whoever reads the file next puts back
//! what it said.
//!
//! Back, not forward: the answer that was to be written down has not been confirmed to anybody.
use crate::failure::Failure;
use crate::places;
use crate::style::neutral;
use crate::whole;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A change that is under way.
#[derive(Debug)]
#[must_use]
pub(super) struct Halfway {
    note: PathBuf,
}

/// What is written down.
#[derive(Serialize, Deserialize)]
struct Note {
    old: String,
    new: String,
}

/// What a file says, held against what was written down.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// All of the one or all of the other.
    Whole,
    /// Some of both.
    Half,
    /// Neither: somebody wrote it since.
    Other,
}

/// Where the notes are.
pub(super) fn folder() -> Result<PathBuf, Failure> {
    Ok(places::state_root()?.join("halfway"))
}

impl Halfway {
    /// From here on a broken-off change can be undone.
    ///
    /// # Errors
    /// When it cannot be written down; then nothing is to be changed.
    pub(super) fn begin(folder: &Path, file: &Path, old: &str, new: &str) -> Result<Halfway, Failure> {
        places::private_folders(folder)?;
        let note = folder.join(name(file));
        let text = serde_json::to_vec(&Note { old: old.to_owned(), new: new.to_owned() })
            .map_err(|error| Failure::new(error.to_string()))?;
        whole::replace(&note, &text, 0o600)?;
        File::open(folder).and_then(|folder| folder.sync_all())?;
        Ok(Halfway { note })
    }

    /// All of it is on the disk.
    pub(super) fn end(self) {
        forget(&self.note);
    }
}

/// Puts a half-written file back, and says so. `file`: where links led.
///
/// # Errors
/// When it is neither what it was nor what it was to be, or cannot be put back: where the old text is kept.
pub(super) fn recover(folder: &Path, file: &Path) -> Result<Option<String>, Failure> {
    let note = folder.join(name(file));
    if !note.exists() {
        return Ok(None);
    }
    let failed = |error: io::Error| lost(file, &note, &error.to_string());
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC;
    let mut open =
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(file).map_err(failed)?;
    // A writer that is alive holds it, and has removed the note when it lets go.
    flock(&open, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    let Ok(text) = std::fs::read(&note) else { return Ok(None) };
    let Ok(Note { old, new }) = serde_json::from_slice(&text) else {
        forget(&note);
        return Ok(None);
    };
    let mut now = Vec::new();
    open.read_to_end(&mut now).map_err(failed)?;
    match state(&now, old.as_bytes(), new.as_bytes()) {
        State::Whole => {
            forget(&note);
            Ok(None)
        }
        State::Half => {
            super::fill(&mut open, &old).map_err(failed)?;
            forget(&note);
            let shown = neutral(&file.display().to_string());
            Ok(Some(format!(
                "a change of `{shown}` was broken off halfway; it says again what it said before"
            )))
        }
        State::Other => {
            let kept = note.with_extension("old");
            whole::replace(&kept, old.as_bytes(), 0o600)?;
            forget(&note);
            Err(lost(file, &kept, "it was written to since"))
        }
    }
}

/// Every byte from one of the two, or never written to the disk. A writer neither shortens the file before all is written
/// nor below the shorter of both.
fn state(now: &[u8], old: &[u8], new: &[u8]) -> State {
    if now == old || now == new {
        return State::Whole;
    }
    let of_one =
        |(at, byte): (usize, &u8)| *byte == 0 || old.get(at) == Some(byte) || new.get(at) == Some(byte);
    let bounds = old.len().min(new.len())..=old.len().max(new.len());
    if bounds.contains(&now.len()) && now.iter().enumerate().all(of_one) { State::Half } else { State::Other }
}

fn lost(file: &Path, kept: &Path, why: &str) -> Failure {
    let [file, kept] = [file, kept].map(|path| neutral(&path.display().to_string()));
    Failure::new(format!("a change of `{file}` was broken off halfway, and cannot be taken back: {why}"))
        .help(format!("what it said before is kept in `{kept}`; look at both, and do this again"))
}

fn name(file: &Path) -> String {
    let digest = Sha256::digest(file.as_os_str().as_bytes());
    let mut name = String::new();
    for byte in digest.iter().take(16) {
        let _cannot_fail = write!(name, "{byte:02x}");
    }
    name + ".json"
}

fn forget(note: &Path) {
    std::fs::remove_file(note).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep::Kept;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    const OLD: &str = "name: dev\nroutes: [a]\n";
    const NEW: &str = "name: dev\nroutes: [b, c]\n";
    /// The test that is this test's writer, when this names its folder.
    const FOLDER: &str = "BOTTLE_TEST_HALFWAY";

    #[test]
    fn wherever_a_writer_stopped_the_old_text_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bottle.yaml");
        for (old, new) in [(OLD, NEW), (NEW, OLD)] {
            for at in 0..=new.len() {
                let mut half = new.as_bytes()[..at].to_vec();
                half.extend(old.as_bytes().iter().skip(at));
                std::fs::write(&file, &half).expect("written");
                let _killed_here = Halfway::begin(folder.path(), &file, old, new).expect("written down");
                let told = recover(folder.path(), &file).expect("recovered");
                let now = std::fs::read_to_string(&file).expect("read");
                match told {
                    Some(told) => assert!(now == old && told.contains("halfway"), "{at}: {now}"),
                    None => assert!(now == old || now == new, "{at}: {now}"),
                }
                assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
            }
        }
    }

    #[test]
    fn what_somebody_wrote_since_stays_and_the_old_text_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bottle.yaml");
        let _killed_here = Halfway::begin(folder.path(), &file, OLD, NEW).expect("written down");
        std::fs::write(&file, "name: mine\n").expect("written");
        let failure = recover(folder.path(), &file).expect_err("it is neither");
        let kept = folder.path().join(name(&file)).with_extension("old");
        assert!(failure.help.expect("a way out").contains(&kept.display().to_string()));
        assert_eq!(std::fs::read_to_string(kept).expect("kept"), OLD);
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "name: mine\n");
        assert_eq!(recover(folder.path(), &file), Ok(None), "told once");
    }

    fn long(letter: &str, length: usize) -> String {
        format!("# {}\nname: dev\n", letter.repeat(length))
    }

    /// Not a test of its own: writes for ever, as the launcher does, until it is killed.
    #[test]
    #[ignore = "the writer that another test kills"]
    fn writer() {
        let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
        let file = folder.join("w/bottle.yaml");
        io::Write::write_all(&mut io::stdout(), b"begins\n").expect("heard");
        for round in 0.. {
            let new = if round % 2 == 0 { long("b", 700_000) } else { long("a", 500_000) };
            let kept = Kept::read_in(&folder.join("state"), &file).expect("read").0;
            kept.write_seen_by(&folder.join("state"), &new, [folder.clone()]).expect("written");
        }
    }

    /// The real writer, killed at any moment, until it was killed halfway at least once.
    #[test]
    fn a_killed_writer_leaves_the_one_text_or_the_other() {
        let place = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" });
        let place = place.expect("a folder");
        let (file, state) = (place.path().join("w/bottle.yaml"), place.path().join("state"));
        std::fs::create_dir_all(place.path().join("w")).expect("made");
        let texts = [long("a", 500_000), long("b", 700_000)];
        let mut halves = 0;
        for round in 0..400_u64 {
            std::fs::write(&file, &texts[0]).expect("written");
            let mut writer = Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "keep::halfway::tests::writer", "--ignored", "--nocapture"])
                .env(FOLDER, place.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a writer");
            let mut line = [0; 1];
            let mut said = writer.stdout.take().expect("its words");
            while said.read(&mut line).expect("read") == 1 && line != *b"b" {}
            std::thread::sleep(Duration::from_micros(1000 + round * 137 % 9000));
            writer.kill().expect("killed");
            writer.wait().expect("gone");
            let half = !texts.contains(&std::fs::read_to_string(&file).unwrap_or_default());
            let told = recover(&state, &file).expect("recovered");
            assert_eq!(told.is_some(), half);
            assert!(texts.contains(&std::fs::read_to_string(&file).expect("read")), "half a text is left");
            halves += u32::from(half);
            if halves > 0 && round >= 5 {
                return;
            }
        }
        panic!("in 400 rounds it was never killed halfway");
    }
}
