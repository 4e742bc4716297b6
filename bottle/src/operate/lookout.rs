//! Looks at the manifest and the kill switch twice a second.
//!
//! Looked at, not listened to: editors replace files, links are turned to other files, folders may be remote, and what tells of
//! changes tells of one name in one folder. A file that is looked at is seen whatever became of it.
use crate::control::{Hub, Switch};
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
        let looking = move || {
            while !ended.load(Ordering::Relaxed) {
                look(&hub, manifest.as_mut(), switch.as_deref());
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

/// A bottle that was locked by itself stays so when the switch of all is turned off, and none serves while that is on.
fn look(hub: &Hub, manifest: Option<&mut Watched>, switch: Option<&Path>) {
    if let Some(switch) = switch {
        let on = kill_switch::is_on_at(switch);
        if on != hub.is_switched()
            && let Err(failure) = hub.lock(Switch::All, on, "the kill switch")
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
    use crate::control::hub::{Keeper, Reloaded};
    use crate::control::{Snapshot, Steer, steer};
    use crate::failure::Failure;
    use egress::Live;
    use egress::desk::{Answer, AnswerError, Petition};
    use policy::Proposal;
    use std::sync::Mutex;

    /// An engine and a manifest that do as they are told.
    #[derive(Default)]
    struct Played(Mutex<Vec<bool>>);

    impl Steer for Played {
        fn answer(&self, id: &str, _: Answer, _: &str) -> Result<Petition, AnswerError> {
            Err(AnswerError::Unknown(id.into()))
        }
        fn lock(&self, on: bool, _: &str) -> Result<usize, Failure> {
            self.0.lock().expect("not poisoned").push(on);
            Ok(0)
        }
        fn attend(&self, _: bool) {}
        fn running(&self) -> Vec<Live> {
            Vec::new()
        }
        fn rule(&self, _: steer::Change, _: &str) -> Result<usize, Failure> {
            Err(Failure::new("none is read here"))
        }
    }

    impl Keeper for Played {
        fn reload(&self, _: &str, _: bool) -> Result<Reloaded, Failure> {
            Err(Failure::new("none is read here"))
        }
        fn keep(&self, _: &Proposal, _: &str, _: &str) -> Result<(), Failure> {
            Err(Failure::new("none is read here"))
        }
    }

    fn hub(played: &Arc<Played>) -> Hub {
        let plan = serde_json::from_value(serde_json::json!({
            "policy": { "routes": [], "resolve": {} }, "bindings": {}, "slots": [],
            "dlp": { "action": "block", "routes": {}, "secrets": [] }, "upstream_roots": [], "upstream_proxy": null,
        }));
        let about = Snapshot {
            slug: "dev".into(),
            name: "dev".into(),
            backend: manifest::plan::Backend::Linux,
            started: jiff::Timestamp::now(),
            workspace: "/w".into(),
            command: vec!["sh".into()],
            manifest: None,
            audit: "/a.jsonl".into(),
            policy: "1a2b3c4d5e6f".into(),
            locked: false,
            petitions: Vec::new(),
            seen: Vec::new(),
            live: Vec::new(),
        };
        let hub = Hub::new(about, plan.expect("a plan"), false, true, None);
        hub.steered_by(played.clone(), played.clone());
        hub
    }

    /// Whether it is locked when it was locked by itself (or not) before the switch of all goes on and off again.
    #[test]
    fn a_bottle_that_was_locked_by_itself_stays_so_when_the_switch_of_all_goes_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let switch = folder.path().join("kill-switch");
        for alone in [true, false] {
            let played = Arc::new(Played::default());
            let hub = hub(&played);
            let turn = |on| hub.lock(Switch::Alone, on, "uid 0, bottle ui").expect("turned");
            turn(alone);
            look(&hub, None, Some(&switch));
            assert_eq!(hub.is_locked(), alone);
            std::fs::write(&switch, "").expect("on");
            look(&hub, None, Some(&switch));
            assert!(hub.is_locked());
            turn(false);
            assert!(hub.is_locked(), "none serves while that is on");
            turn(alone);
            std::fs::remove_file(&switch).expect("off");
            look(&hub, None, Some(&switch));
            assert_eq!(
                (hub.is_locked(), played.0.lock().expect("not poisoned").last()),
                (alone, Some(&alone))
            );
            turn(false);
            assert!(!hub.is_locked());
        }
    }

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
