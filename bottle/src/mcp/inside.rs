//! The tools inside of the bottle: this program itself for `bottle mcp`, and the entries in the private home.
//!
//! The home lasts from run to run and what lies in it is an agent's own: its files are read and written by descriptor, never through
//! a link, and nothing of them changes but our entry.
use super::entries::{self, LARGEST, Own};
use crate::failure::Failure;
use manifest::Plan;
use manifest::plan::MountPlan;
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use sandbox::docker::plan::PROGRAM_INSIDE;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// This program, read-only, for the agents that start their servers as programs. What it can do inside is what every program
/// there can: the sockets of bottles are not there.
#[must_use]
pub fn own_program() -> Option<MountPlan> {
    let path = std::env::current_exe().ok()?;
    Some(MountPlan { path, at: Path::new(PROGRAM_INSIDE).join("bottle"), writable: false, optional: true })
}

/// This program's file, where its path still leads to what runs: it may have been replaced or removed meanwhile.
#[must_use]
pub fn own_file() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    let (running, there) =
        (std::fs::metadata("/proc/self/exe").ok()?, std::fs::symlink_metadata(&path).ok()?);
    ((running.dev(), running.ino()) == (there.dev(), there.ino())).then_some(path)
}

/// Last on the path: a `bottle` that the machine or the image has goes before.
pub fn on_path(env: &mut BTreeMap<String, String>) {
    if let Some(path) = env.get_mut("PATH").filter(|path| !path.is_empty()) {
        path.push(':');
        path.push_str(PROGRAM_INSIDE);
    }
}

/// Sees to the entries in the private home: there for the agents that are to find the tools, gone for the others.
///
/// # Errors
/// When the home cannot be written.
pub fn see_to_home(plan: &Plan) -> Result<(), Failure> {
    let home = &plan.sandbox.home;
    entries::ALL.iter().try_for_each(|own| {
        let wanted = plan.agent.tools.contains(&own.of);
        see_to(home, own, wanted).map_err(|error| {
            let file = home.join(own.path());
            Failure::new(format!("cannot write the bottle's tools into `{}`: {error}", file.display()))
                .help("make it writable for you, or say `tools: false` below `agent`")
        })
    })
}

fn see_to(home: &Path, own: &Own, wanted: bool) -> io::Result<()> {
    let home = open(home, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let Some(folder) = folder_of(home, own, wanted)? else { return Ok(()) };
    let Some(text) = read(&folder, own)? else { return Ok(()) };
    match own.changed(&text, wanted) {
        Some(text) => write(&folder, own, &text),
        None => Ok(()),
    }
}

/// The folder of the file, made where it is needed. `None`: there is none, or something else is there.
fn folder_of(home: OwnedFd, own: &Own, wanted: bool) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = home;
    for name in own.folders {
        folder = match openat(&folder, *name, flags, Mode::empty()) {
            Err(Errno::NOENT) if wanted => {
                mkdirat(&folder, *name, Mode::RWXU)?;
                openat(&folder, *name, flags, Mode::empty())?
            }
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(None),
            opened => opened?,
        };
    }
    Ok(Some(folder))
}

/// What the file holds; empty where there is none. `None`: something else is there, which is not ours to change.
fn read(folder: &OwnedFd, own: &Own) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, own.file, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(Some(String::new())),
        Err(Errno::LOOP) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    let mut text = String::new();
    if !found.is_file() || found.len() > LARGEST || file.take(LARGEST).read_to_string(&mut text).is_err() {
        return Ok(None);
    }
    Ok(Some(text))
}

/// In one step: an agent of the same home that reads meanwhile sees the old or the new.
fn write(folder: &OwnedFd, own: &Own, text: &str) -> io::Result<()> {
    let new = format!("{}.bottle", own.file);
    let _left_by_a_killed_run = unlinkat(folder, &new, AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &new, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(text.as_bytes())?;
    Ok(renameat(folder, &new, folder, own.file)?)
}

#[cfg(test)]
mod tests {
    use super::entries::{CLAUDE, GEMINI, OPENCODE};
    use super::*;
    use sandbox::provision::{TOOLS_NAME, TOOLS_URL};
    use serde_json::{Value, json};
    use std::os::unix::fs::symlink;

    fn held(home: &Path) -> Value {
        let text = std::fs::read_to_string(home.join(CLAUDE.file)).expect("it is there");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn the_entry_comes_once_and_goes_again() {
        let home = tempfile::tempdir().expect("a home");
        see_to(home.path(), &CLAUDE, true).expect("written");
        assert_eq!(held(home.path())["mcpServers"][TOOLS_NAME]["url"], TOOLS_URL);
        let before = std::fs::read(home.path().join(CLAUDE.file)).expect("it is there");
        see_to(home.path(), &CLAUDE, true).expect("as it is");
        assert_eq!(std::fs::read(home.path().join(CLAUDE.file)).expect("it is there"), before);
        see_to(home.path(), &CLAUDE, false).expect("taken out");
        assert_eq!(held(home.path()), json!({ "mcpServers": {} }));
        assert_eq!(std::fs::read_dir(home.path()).expect("the home").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_somebodys_own_stays() {
        let home = tempfile::tempdir().expect("a home");
        let own = json!({ "numStartups": 3, "mcpServers": { "mine": { "command": "x" } }, "z": [1, 2] });
        std::fs::write(home.path().join(CLAUDE.file), own.to_string()).expect("written");
        see_to(home.path(), &CLAUDE, true).expect("written");
        let now = held(home.path());
        assert_eq!((&now["numStartups"], &now["mcpServers"]["mine"]["command"]), (&json!(3), &json!("x")));
        let same_name = json!({ "mcpServers": { TOOLS_NAME: { "command": "mine" } } });
        for wanted in [true, false] {
            std::fs::write(home.path().join(CLAUDE.file), same_name.to_string()).expect("written");
            see_to(home.path(), &CLAUDE, wanted).expect("as it is");
            assert_eq!(held(home.path()), same_name);
        }
        for broken in ["{ not json", "[]", "{\"mcpServers\": []}"] {
            std::fs::write(home.path().join(CLAUDE.file), broken).expect("written");
            see_to(home.path(), &CLAUDE, true).expect("as it is");
            assert_eq!(std::fs::read_to_string(home.path().join(CLAUDE.file)).expect("it is there"), broken);
        }
    }

    /// The agent of the last run may have left a link to a file of the user's.
    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (home, outside) = (folder.path().join("home"), folder.path().join("outside"));
        std::fs::create_dir(&home).expect("made");
        std::fs::write(&outside, "{}").expect("written");
        symlink(&outside, home.join(CLAUDE.file)).expect("linked");
        symlink(&outside, home.join(".claude.json.bottle")).expect("linked");
        see_to(&home, &CLAUDE, true).expect("left alone");
        assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), "{}");
        std::fs::remove_file(home.join(CLAUDE.file)).expect("removed");
        see_to(&home, &CLAUDE, true).expect("written");
        assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), "{}");
    }

    #[test]
    fn a_folder_is_made_where_it_is_needed_and_no_link_to_one_is_followed() {
        let place = tempfile::tempdir().expect("a folder");
        let (home, outside) = (place.path().join("home"), place.path().join("outside"));
        std::fs::create_dir(&home).expect("made");
        std::fs::create_dir(&outside).expect("made");
        see_to(&home, &GEMINI, false).expect("nothing to do");
        assert_eq!(std::fs::read_dir(&home).expect("the home").count(), 0);
        see_to(&home, &GEMINI, true).expect("written");
        let file = home.join(".gemini/settings.json");
        let text = std::fs::read_to_string(&file).expect("it is there");
        let held: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(held["mcpServers"][TOOLS_NAME]["httpUrl"], TOOLS_URL);
        std::fs::remove_dir_all(home.join(".gemini")).expect("removed");
        symlink(&outside, home.join(".gemini")).expect("linked");
        see_to(&home, &GEMINI, true).expect("left alone");
        assert_eq!(std::fs::read_dir(&outside).expect("the folder").count(), 0);
    }

    /// Two of them, one in the other: neither may be a link.
    #[test]
    fn no_link_is_followed_on_the_way_to_a_file() {
        let place = tempfile::tempdir().expect("a folder");
        let (home, outside) = (place.path().join("home"), place.path().join("outside"));
        std::fs::create_dir_all(home.join(".config")).expect("made");
        std::fs::create_dir_all(outside.join("opencode")).expect("made");
        see_to(&home, &OPENCODE, true).expect("written");
        assert!(home.join(".config/opencode/config.json").exists());
        std::fs::remove_dir_all(home.join(".config/opencode")).expect("removed");
        symlink(outside.join("opencode"), home.join(".config/opencode")).expect("linked");
        see_to(&home, &OPENCODE, true).expect("left alone");
        std::fs::remove_dir_all(home.join(".config")).expect("removed");
        symlink(&outside, home.join(".config")).expect("linked");
        see_to(&home, &OPENCODE, true).expect("left alone");
        assert_eq!(std::fs::read_dir(outside.join("opencode")).expect("the folder").count(), 0);
    }
}
