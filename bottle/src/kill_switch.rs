//! The kill switch: everything is refused, in every bottle of this user, in those that start later too.
//!
//! The file is the truth. It is written before anybody is told, so a launcher that hangs, or one that is only starting, finds
//! it; who cannot tell whether it is there takes it for turned on.
use crate::failure::Failure;
use crate::places;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Its name in the folder of what lasts.
const NAME: &str = "kill-switch";

/// The file that is there while the switch is on; its text says since when.
/// # Errors
/// When there is no place for state.
pub fn path() -> Result<PathBuf, Failure> {
    Ok(places::state_root()?.join(NAME))
}

/// Whether everything is to be refused. What cannot be known counts as yes.
pub fn is_on() -> bool {
    path().map_or(true, |file| is_on_at(&file))
}

/// Since when it is on; none when it is off, or does not say.
pub fn since() -> Option<jiff::Timestamp> {
    std::fs::read_to_string(path().ok()?).ok()?.trim().parse().ok()
}

/// Turns it, for good: a crash or a restart of the machine changes nothing.
/// # Errors
/// When the file cannot be written or removed; it is as it was then.
pub fn set(on: bool) -> Result<(), Failure> {
    let file = path()?;
    if on {
        places::private_folders(file.parent().unwrap_or(Path::new("/")))?;
    }
    set_at(&file, on).map_err(|error| {
        let what = if on { "write" } else { "remove" };
        Failure::new(format!("cannot {what} `{}`: {error}", file.display())).help(places::WAY_OUT)
    })
}

/// The same for a file of another place. Whatever is there, a link that leads nowhere too, turns it on.
pub fn is_on_at(file: &Path) -> bool {
    match file.symlink_metadata() {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn set_at(file: &Path, on: bool) -> std::io::Result<()> {
    if on {
        write(file)?
    } else {
        remove(file)?
    }
    // The name is on the disk as well.
    File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Whole or not at all. One that is on already keeps the time since when it is.
fn write(file: &Path) -> std::io::Result<()> {
    if file.symlink_metadata().is_ok() {
        return Ok(());
    }
    let new = file.with_extension(format!("new-{}", std::process::id()));
    let mut whole = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(whole, "{}", jiff::Timestamp::now())?;
    whole.sync_all()?;
    std::fs::rename(&new, file)
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(NAME);
        (folder, file)
    }

    #[test]
    fn it_stays_as_it_was_turned_and_turning_it_twice_is_no_mistake() {
        let (folder, file) = place();
        assert!(!is_on_at(&file));
        for on in [true, true, false, false, true] {
            set_at(&file, on).expect("turned");
            assert_eq!(is_on_at(&file), on);
        }
        let left = std::fs::read_dir(folder.path()).expect("read").count();
        assert_eq!(left, 1, "nothing else is left in the folder");
    }

    #[test]
    fn it_remembers_since_when_it_is_on() {
        let (_folder, file) = place();
        set_at(&file, true).expect("on");
        let first = std::fs::read_to_string(&file).expect("read");
        assert!(first.trim().parse::<jiff::Timestamp>().is_ok(), "{first}");
        set_at(&file, true).expect("on again");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), first);
    }

    #[test]
    fn what_cannot_be_known_counts_as_on() {
        let (folder, file) = place();
        std::os::unix::fs::symlink("/nowhere", &file).expect("linked");
        assert!(is_on_at(&file), "a link that leads nowhere");
        let file_as_folder = folder.path().join("plain");
        std::fs::write(&file_as_folder, "").expect("written");
        assert!(is_on_at(&file_as_folder.join(NAME)), "a folder that is none");
        assert!(set_at(&file_as_folder.join(NAME), true).is_err());
    }
}
