//! Looks at the manifest and the kill switch twice a second.
//!
//! Looked at, not listened to: editors replace files, links are turned to other files, folders may be remote, and what tells of
//! changes tells of one name in one folder. A file that is looked at is seen whatever became of it.
use crate::control::Hub;
use crate::kill_switch;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(500);

/// What tells one state of a file from another: following links, so that a link that leads elsewhere is a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let of = |found: Metadata| Stamp {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        };
        path.metadata().ok().map(of)
    }
}

/// A file that changes; told when it has been the same for two looks, so that half a file is not read.
struct Watched {
    path: PathBuf,
    known: Option<Stamp>,
    seen: Option<Stamp>,
}

impl Watched {
    fn new(path: PathBuf) -> Watched {
        let known = Stamp::of(&path);
        Watched { path, known, seen: known }
    }

    /// Whether there is something new to read. A file that is gone is between two states, or was taken away: neither is one.
    fn look(&mut self) -> bool {
        let now = Stamp::of(&self.path);
        let settled = now.is_some() && now == self.seen && now != self.known;
        self.seen = now;
        if settled {
            self.known = now;
        }
        settled
    }
}

/// Looks until this goes.
pub(super) struct Lookout {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    pub(super) fn begin(hub: Hub, manifest: Option<PathBuf>, switch: Option<PathBuf>) -> Lookout {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let mut manifest = manifest.map(Watched::new);
        let mut was = hub.is_locked();
        let looking = move || {
            while !ended.load(Ordering::Relaxed) {
                look(&hub, manifest.as_mut(), switch.as_deref(), &mut was);
                std::thread::park_timeout(EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("lookout".to_owned()).spawn(looking);
        let thread = thread.inspect_err(|error| tracing::error!(%error, "nobody watches the manifest")).ok();
        Lookout { end, thread }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _panicked = thread.join();
        }
    }
}

/// `was`: how the switch stood at the last look. A bottle that was locked by itself stays so while the switch of all is off,
/// and none serves while that is on.
fn look(hub: &Hub, manifest: Option<&mut Watched>, switch: Option<&Path>, was: &mut bool) {
    if let Some(switch) = switch {
        let on = kill_switch::is_on_at(switch);
        let turned_off = std::mem::replace(was, on) && !on;
        if on != hub.is_locked()
            && (on || turned_off)
            && let Err(failure) = hub.lock(on, "the kill switch")
        {
            tracing::error!(why = %failure.what, "the kill switch could not be obeyed");
        }
    }
    if manifest.is_some_and(Watched::look) {
        match hub.reload("the manifest was changed", false) {
            Ok(_) => tracing::info!("the manifest was read again"),
            Err(failure) => hub.complain(&failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_and_a_turned_link_are_changes_and_half_a_file_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("one"), "1").expect("written");
        std::os::unix::fs::symlink(path("one"), path("link")).expect("linked");
        let mut watched = Watched::new(path("link"));
        assert!(!watched.look());
        std::fs::write(path("new"), "2").expect("written");
        std::fs::rename(path("new"), path("one")).expect("replaced");
        assert!(!watched.look(), "seen once: it may still be written");
        assert!(watched.look());
        assert!(!watched.look(), "told once");
        std::fs::write(path("two"), "3").expect("written");
        std::fs::remove_file(path("link")).expect("gone");
        assert!(!watched.look() && !watched.look(), "what is gone is no manifest");
        std::os::unix::fs::symlink(path("two"), path("link")).expect("linked");
        assert!(!watched.look());
        assert!(watched.look());
    }
}
