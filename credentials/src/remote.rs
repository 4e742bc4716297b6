//! A vault away from its sources: the launcher hands the values over and asks for new ones; the sidecar holds them.
//!
//! The wire between them is the caller's. What is serialised here holds secrets in base64: it belongs into a descriptor,
//! never into a file, an argument or a variable.
use crate::held::Held;
use crate::reference::SlotPlan;
use crate::source::answer::Answer;
use crate::source::fetch;
use crate::source::file::Stamp;
use crate::vault::Vault;
use crate::world::{Host, World};
use crate::{Placeholder, Secret, TokenRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// A slot on its way to a sidecar. `Debug` does not show the value.
#[derive(Debug, Serialize, Deserialize)]
pub struct Handed {
    /// Which slot, and where its value comes from.
    pub spec: SlotPlan,
    /// What the agent holds instead.
    placeholder: String,
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    value: Secret,
    /// Milliseconds until it has to be asked for again; `None`: never.
    due_in_ms: Option<u64>,
}

/// A new value from a source. `Debug` does not show it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fresh {
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    value: Secret,
    expires_at: Option<Timestamp>,
}

impl Fresh {
    /// Asks a source of this machine, once. Blocking, for 30 seconds at most.
    /// # Errors
    /// What is wrong and how to mend it; never holds a value.
    pub fn ask(reference: &TokenRef) -> Result<Fresh, String> {
        fetch(reference).map(|answer| Fresh { value: answer.value, expires_at: answer.expires_at })
    }
}

/// A secret that is no slot, on its way to a sidecar: a value that must stay inside. `Debug` does not show it.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedExact {
    /// What it is called in findings.
    pub name: String,
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    /// The value.
    pub value: Secret,
}

/// The launcher, as a sidecar's vault sees it.
pub trait Sources: Send + Sync {
    /// Asks for a new value; blocking.
    /// # Errors
    /// What is wrong with the source, or with the way to it.
    fn ask(&self, reference: &TokenRef) -> Result<Fresh, String>;
    /// How often this file has changed since the start.
    fn changes(&self, path: &Path) -> u64;
}

/// The launcher's side: which files of slots have changed.
#[derive(Debug)]
pub struct Watch {
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Watch {
    /// The files of these slots, as they are now.
    pub fn new(slots: &[SlotPlan]) -> Watch {
        let files = slots.iter().filter_map(|slot| match &slot.source {
            TokenRef::File { path, .. } => Some((path.clone(), Stamp::of(path))),
            TokenRef::Env { .. } | TokenRef::Command { .. } => None,
        });
        Watch { stamps: files.collect() }
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.stamps.is_empty()
    }

    /// Those that have changed since the last look.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, stamp) in &mut self.stamps {
            let now = Stamp::of(path);
            if now != *stamp {
                *stamp = now;
                changed.push(path.clone());
            }
        }
        changed
    }
}

impl Vault {
    /// Every slot with its value, for a sidecar.
    pub fn hand_over(&self) -> Vec<Handed> {
        let handed = |spec: &SlotPlan, placeholder: &Placeholder, held: &Held| Handed {
            spec: spec.clone(),
            placeholder: placeholder.as_str().to_owned(),
            value: held.current_value(),
            due_in_ms: held.due_in(&Host).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        };
        self.map_cells(handed)
    }

    /// The vault of a sidecar.
    pub fn beside(handed: Vec<Handed>, sources: Arc<dyn Sources>) -> Vault {
        let world = Away { sources };
        let cells = handed.into_iter().map(|one| {
            let Handed { spec, placeholder, value, due_in_ms } = one;
            let stamp = match &spec.source {
                TokenRef::File { path, .. } => world.stamp(path),
                TokenRef::Env { .. } | TokenRef::Command { .. } => None,
            };
            let due = due_in_ms.map(|ms| world.uptime() + Duration::from_millis(ms));
            let held = Held::handed(&spec.source, value, due, stamp);
            (spec, Placeholder(placeholder), held)
        });
        Vault::of_held(cells.collect(), Box::new(Away { sources: Arc::clone(&world.sources) }))
    }
}

/// The clock is here, the sources are not.
struct Away {
    sources: Arc<dyn Sources>,
}

impl World for Away {
    fn uptime(&self) -> Duration {
        Host.uptime()
    }
    fn now(&self) -> Timestamp {
        Host.now()
    }
    fn stamp(&self, path: &Path) -> Option<Stamp> {
        Some(Stamp::numbered(self.sources.changes(path)))
    }
    fn fetch(&self, reference: &TokenRef) -> Result<Answer, String> {
        // Counted before the question: a change while it is asked is seen at the next look.
        let stamp = match reference {
            TokenRef::File { path, .. } => self.stamp(path),
            TokenRef::Env { .. } | TokenRef::Command { .. } => None,
        };
        let Fresh { value, expires_at } = self.sources.ask(reference)?;
        Ok(Answer { value, expires_at, stamp })
    }
}

fn write_secret<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    let text = Zeroizing::new(STANDARD.encode(secret.dangerous_expose()));
    serializer.serialize_str(&text)
}

fn read_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    // Never the decoder's own message: it may quote a byte of the value.
    STANDARD.decode(text.as_bytes()).map(Secret::new).map_err(|_| D::Error::custom("a value is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PlaceholderFormat, Resolution, Slot};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A launcher that answers from a list.
    #[derive(Default)]
    struct Launcher {
        answers: Mutex<Vec<Result<Fresh, String>>>,
        changes: AtomicU64,
    }

    impl Sources for Launcher {
        fn ask(&self, _: &TokenRef) -> Result<Fresh, String> {
            self.answers.lock().expect("whole").pop().unwrap_or_else(|| Err("the launcher is gone".into()))
        }
        fn changes(&self, _: &Path) -> u64 {
            self.changes.load(Ordering::Relaxed)
        }
    }

    fn spec(source: TokenRef) -> SlotPlan {
        SlotPlan { slot: Slot(0), source, format: PlaceholderFormat::Opaque, env: vec!["TOKEN".into()] }
    }

    fn over_the_wire(vault: &Vault) -> Vec<Handed> {
        let text = serde_json::to_string(&vault.hand_over()).expect("JSON");
        serde_json::from_str(&text).expect("what was written")
    }

    fn value(vault: &Vault) -> Vec<u8> {
        match vault.current(Slot(0)).expect("a value") {
            Resolution::Current(secret) => secret.dangerous_expose().to_vec(),
            Resolution::RefreshDue => b"due".to_vec(),
        }
    }

    fn fresh(value: &str) -> Fresh {
        Fresh { value: Secret::new(value.into()), expires_at: None }
    }

    #[test]
    fn values_and_placeholders_arrive_and_are_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "the-value-of-slot-zero\n").expect("written");
        let here = Vault::resolve(&[spec(TokenRef::File { path, json_pointer: None })]).expect("resolved");
        let handed = over_the_wire(&here);
        assert!(!format!("{handed:?}").contains("the-value-of-slot-zero"));
        let there = Vault::beside(handed, Arc::new(Launcher::default()));
        assert_eq!(value(&there), b"the-value-of-slot-zero");
        assert_eq!(there.placeholder(Slot(0)), here.placeholder(Slot(0)));
        assert_eq!(there.agent_env(), here.agent_env());
    }

    #[test]
    fn a_changed_file_is_asked_for_again_and_the_old_value_stays_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "the-first-value").expect("written");
        let plans = [spec(TokenRef::File { path: path.clone(), json_pointer: None })];
        let here = Vault::resolve(&plans).expect("resolved");
        let mut watch = Watch::new(&plans);
        assert!(watch.changed().is_empty());
        let launcher = Arc::new(Launcher::default());
        let there = Vault::beside(over_the_wire(&here), Arc::clone(&launcher) as Arc<dyn Sources>);
        assert_eq!(value(&there), b"the-first-value");
        std::fs::write(&path, "the-second-value").expect("written");
        assert_eq!(watch.changed(), [path]);
        launcher.answers.lock().expect("whole").push(Ok(fresh("the-second-value")));
        launcher.changes.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(value(&there), b"due");
        there.refresh(Slot(0)).expect("asked");
        assert_eq!(value(&there), b"the-second-value");
        assert_eq!(there.expose_to_scanner().len(), 2);
    }

    #[test]
    fn a_launcher_that_is_gone_leaves_no_value_past_its_time() {
        let command =
            TokenRef::Command { argv: vec!["echo".into(), "v".into()], ttl_secs: Some(1), stale_secs: 0 };
        let here = Vault::resolve(&[spec(command)]).expect("resolved");
        let there = Vault::beside(over_the_wire(&here), Arc::new(Launcher::default()));
        assert_eq!(value(&there), b"v");
        std::thread::sleep(Duration::from_millis(1100));
        assert!(there.refresh(Slot(0)).expect_err("no value").why.contains("the launcher is gone"));
    }
}
