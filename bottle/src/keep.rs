//! A manifest that is read, changed (`manifest::edit`) and written again, while others may look at it.
//!
//! It is replaced whole: a new file beside it, then a rename. Not so where a running bottle's agent may write in that
//! folder: there the file is mounted read-only over itself, and a rename on the host takes that mount away (rename(2) of a
//! mount point of another namespace detaches it), so that the agent could write the manifest from then on. Such a file keeps
//! its inode and is written in place, in one go, and what it said is written down elsewhere before ([`halfway`]).
mod halfway;

use crate::failure::Failure;
use crate::load::{self, Choice, Written};
use crate::registry::Registry;
use crate::say;
use crate::style::neutral;
use crate::whole;
use halfway::Halfway;
use manifest::LARGEST;
use manifest::edit::Addition;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Adds routes to the file of a manifest that was found, for good: to what stands there now, every other byte as it is.
///
/// # Errors
/// When there is no file, it is wrong or cannot be added to, or cannot be written; then it is as it was.
pub fn add_routes(choice: &Choice<'_>, found: &Written, additions: &[Addition]) -> Result<(), Failure> {
    let Some(file) = &found.file else {
        return Err(Failure::new(
            "there is no manifest to write into: presets were named on the command line",
        )
        .help("write one with `bottle init`, and start the bottle with it"));
    };
    let kept = Kept::read(file)?;
    let now = Written { text: kept.text().to_owned(), ..found.clone() };
    match load::with_routes(choice, &now, additions)? {
        Ok(new) => kept.write(&new),
        Err(error) => Err(Failure::new(&error.what).help(&error.help)),
    }
}

/// A manifest's text, and the file that it came from.
#[derive(Debug)]
pub struct Kept {
    /// Where links led.
    file: PathBuf,
    text: String,
    owner: (u32, u32),
    mode: u32,
    inode: (u64, u64),
}

/// How a file gets its new content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Replaced,
    InPlace,
}

impl Kept {
    /// Reads it; a link is followed to the file that it names.
    ///
    /// # Errors
    /// When it cannot be read, or is no manifest's text.
    pub fn read(file: &Path) -> Result<Kept, Failure> {
        let (kept, told) = Kept::read_in(&halfway::folder()?, file)?;
        warn(told);
        Ok(kept)
    }

    /// Also what became of a change that was broken off.
    fn read_in(notes: &Path, file: &Path) -> Result<(Kept, Option<String>), Failure> {
        let file = file.canonicalize().map_err(|error| unreadable(file, &error))?;
        let told = halfway::recover(notes, &file)?;
        let mut open = File::open(&file).map_err(|error| unreadable(&file, &error))?;
        let found = open.metadata().map_err(|error| unreadable(&file, &error))?;
        let text = text(&mut open).map_err(|error| unreadable(&file, &error))?;
        let (owner, mode) = ((found.uid(), found.gid()), found.permissions().mode() & 0o7777);
        Ok((Kept { file, text, owner, mode, inode: inode(&found) }, told))
    }

    /// What stood there.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file itself.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Puts a new text in its place. Mode and owner stay.
    ///
    /// # Errors
    /// When it was changed since it was read, or cannot be written; then it is as it was.
    pub fn write(&self, new: &str) -> Result<(), Failure> {
        let writable = Registry::open()?.running()?.into_iter().flat_map(|record| record.writable);
        self.write_seen_by(&halfway::folder()?, new, writable)
    }

    fn write_seen_by(
        &self,
        notes: &Path,
        new: &str,
        writable: impl IntoIterator<Item = PathBuf>,
    ) -> Result<(), Failure> {
        let how = match writable.into_iter().any(|folder| self.file.starts_with(folder)) {
            true => How::InPlace,
            false => How::Replaced,
        };
        let failed = |error: io::Error| {
            Failure::new(format!("cannot write `{}`: {error}", self.file.display()))
                .help("nothing was changed; see whether you may write the file and its folder")
        };
        // Two that write at once: the later one sees what the earlier one wrote.
        let options =
            OpenOptions::new().read(true).write(how == How::InPlace).custom_flags(NOFOLLOW).open(&self.file);
        let mut file = options.map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        self.unchanged(&mut file)?;
        match how {
            How::InPlace => {
                let halfway = Halfway::begin(notes, &self.file, &self.text, new)?;
                // What could not be put back either is put back by who reads it next.
                self.overwrite(&mut file, new).map_err(failed)?;
                halfway.end();
                Ok(())
            }
            How::Replaced => self.replace(new),
        }
    }

    /// The very file that was read, with the very text.
    fn unchanged(&self, file: &mut File) -> Result<(), Failure> {
        let here = std::fs::symlink_metadata(&self.file).map(|found| inode(&found));
        let same = file.metadata().is_ok_and(|found| inode(&found) == self.inode)
            && here.is_ok_and(|here| here == self.inode)
            && text(file).is_ok_and(|now| now == self.text);
        if same {
            return Ok(());
        }
        Err(Failure::new(format!("`{}` was changed by somebody else just now", self.file.display()))
            .help("nothing was written; look at it and do this again"))
    }

    fn replace(&self, new: &str) -> Result<(), Failure> {
        let us = rustix::process::geteuid();
        if self.owner.0 != us.as_raw() && !us.is_root() {
            return Err(Failure::new(format!("`{}` belongs to another user", self.file.display()))
                .help("nothing was written: it would become yours; ask its owner"));
        }
        whole::replace(&self.file, new.as_bytes(), self.mode)?;
        // Root works on a user's file, and the user keeps it.
        chown(&self.file, Some(self.owner.0), Some(self.owner.1)).ok();
        Ok(())
    }

    /// All of it in one call; what cannot be written is put back.
    fn overwrite(&self, file: &mut File, new: &str) -> io::Result<()> {
        fill(file, new).inspect_err(|_| {
            let _as_far_as_it_goes = fill(file, &self.text);
        })
    }
}

/// A manifest that was left half written is put back before anybody reads it.
///
/// # Errors
/// When it cannot be; the message says where the old text is.
pub fn mend(file: &Path) -> Result<(), Failure> {
    let Ok(file) = file.canonicalize() else { return Ok(()) };
    let Ok(notes) = halfway::folder() else { return Ok(()) };
    warn(halfway::recover(&notes, &file)?);
    Ok(())
}

fn warn(told: Option<String>) {
    if let Some(told) = told {
        tracing::warn!("{told}");
        say::err(&format!("bottle: warning: {told}\n"));
    }
}

const NOFOLLOW: i32 = nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC;

fn fill(file: &mut File, text: &str) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

fn text(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.take(LARGEST as u64 + 1).read_to_string(&mut text)?;
    if text.len() > LARGEST {
        return Err(io::Error::other(format!("a manifest has at most {LARGEST} bytes")));
    }
    Ok(text)
}

fn inode(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read the manifest `{}`: {error}", neutral(&file.display().to_string())))
        .help("correct its permissions, or name another file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn made(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().canonicalize().expect("there").join("bottle.yaml");
        fs::write(&file, text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
        (folder, file)
    }

    fn notes() -> PathBuf {
        std::env::temp_dir().join(format!("bottle-notes-{}", std::process::id()))
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn a_manifest_is_replaced_whole_and_keeps_its_mode() {
        let (folder, file) = made("old", 0o640);
        let before = inode(&fs::metadata(&file).expect("there"));
        Kept::read(&file).expect("read").write_seen_by(&notes(), "new", []).expect("written");
        let after = fs::metadata(&file).expect("there");
        assert_eq!(fs::read_to_string(&file).expect("read"), "new");
        assert_eq!(after.permissions().mode() & 0o7777, 0o640);
        assert_ne!(inode(&after), before, "another file, by a rename");
        assert_eq!(names(folder.path()), 1, "nothing is left beside it");
    }

    /// A rename would take away the read-only mount that keeps the agent from writing it.
    #[test]
    fn a_manifest_that_a_bottle_sees_keeps_its_inode() {
        for (old, new) in [("old and longer", "new"), ("old", "new and longer")] {
            let (folder, file) = made(old, 0o600);
            let before = inode(&fs::metadata(&file).expect("there"));
            let workspace = file.parent().expect("a folder").to_owned();
            Kept::read(&file).expect("read").write_seen_by(&notes(), new, [workspace]).expect("written");
            assert_eq!(fs::read_to_string(&file).expect("read"), new);
            assert_eq!(inode(&fs::metadata(&file).expect("there")), before);
            assert_eq!(names(folder.path()), 1);
        }
    }

    #[test]
    fn a_link_is_followed_to_its_file_and_stays_a_link() {
        let (folder, file) = made("old", 0o600);
        let link = folder.path().join("linked.yaml");
        std::os::unix::fs::symlink("bottle.yaml", &link).expect("linked");
        let kept = Kept::read(&link).expect("read");
        assert_eq!((kept.text(), kept.file()), ("old", file.as_path()));
        kept.write_seen_by(&notes(), "new", []).expect("written");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_to_string(&file).expect("read"), "new");
    }

    #[test]
    fn what_was_changed_meanwhile_is_left_as_it_is() {
        for writable in [vec![], vec![PathBuf::from("/")]] {
            let (_folder, file) = made("old", 0o600);
            let kept = Kept::read(&file).expect("read");
            fs::write(&file, "theirs").expect("written");
            let failure = kept.write_seen_by(&notes(), "new", writable.clone()).expect_err("changed");
            assert!(failure.what.contains("changed by somebody else"), "{}", failure.what);
            assert_eq!(fs::read_to_string(&file).expect("read"), "theirs");
            let kept = Kept::read(&file).expect("read");
            fs::rename(&file, file.with_extension("was")).expect("moved");
            fs::write(&file, "theirs").expect("another file with the same text");
            kept.write_seen_by(&notes(), "new", writable).expect_err("replaced");
            assert_eq!(fs::read_to_string(&file).expect("read"), "theirs");
        }
    }

    /// What was written since the bottle started counts, and a mistake in it is told and left.
    #[test]
    fn routes_are_added_to_what_stands_there_now() {
        let (_folder, file) = made("name: dev # mine\n", 0o600);
        let choice = Choice { manifest: Some(&file), ..Choice::default() };
        let (found, _) = load::load(&choice).unwrap_or_else(|no| panic!("{no:?}"));
        fs::write(&file, "name: dev # still mine\n").expect("written");
        let request = policy::Request::from_url("GET", "https://a.test/x").expect("a request");
        let addition = Addition::of(policy::Proposal::of(&request));
        add_routes(&choice, &found, std::slice::from_ref(&addition)).expect("added");
        let text = fs::read_to_string(&file).expect("read");
        assert!(text.starts_with("name: dev # still mine\n") && text.contains("- host: a.test\n"), "{text}");
        let again = add_routes(&choice, &found, &[addition]).expect_err("it is there");
        assert!(again.what.contains("no request ever comes") && again.help.is_some(), "{again:?}");
        assert_eq!(fs::read_to_string(&file).expect("read"), text);
        let nowhere = Written { file: None, ..found };
        assert!(add_routes(&choice, &nowhere, &[]).is_err());
    }

    #[test]
    fn a_link_that_took_its_place_is_not_followed() {
        let (folder, file) = made("old", 0o600);
        let kept = Kept::read(&file).expect("read");
        let other = folder.path().join("other");
        fs::rename(&file, &other).expect("moved");
        std::os::unix::fs::symlink(&other, &file).expect("linked");
        kept.write_seen_by(&notes(), "new", []).expect_err("a link");
        assert_eq!(fs::read_to_string(&other).expect("read"), "old");
    }
}
