//! The records of running bottles: one folder per slug, locked by its launcher for as long as it lives.
use crate::failure::Failure;
use crate::places;
use crate::process::Identity;
use manifest::plan::{Backend, PortPlan};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bottles of one name at once; a loop that starts bottles is more likely than a person with more.
const MOST_OF_ONE_NAME: u32 = 99;

/// What is written down about a running bottle. No secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Format; 1.
    pub version: u32,
    /// Which bottle.
    pub slug: String,
    /// Name in the manifest; several bottles may share it.
    pub name: String,
    /// The launcher.
    pub launcher: Identity,
    /// When it started, RFC 3339.
    pub started: jiff::Timestamp,
    /// Its workspace.
    pub workspace: PathBuf,
    /// What the agent may write of this machine: the workspace and mounts, canonical.
    #[serde(default)]
    pub writable: Vec<PathBuf>,
    /// What the manifest adds to and takes from what is write-protected there, to compare with another bottle's.
    #[serde(default)]
    pub protection: String,
    /// What runs inside.
    pub command: Vec<String>,
    /// What started it.
    #[serde(default)]
    pub backend: Backend,
    /// Its audit file.
    pub audit: PathBuf,
    /// The launcher's and the engine's log.
    pub log: PathBuf,
    /// Published ports.
    pub ports: Vec<PortPlan>,
}

/// The folder of all records.
#[derive(Debug)]
pub struct Registry {
    root: PathBuf,
}

impl Registry {
    /// Opens it, making it when missing.
    pub fn open() -> Result<Registry, Failure> {
        Ok(Registry { root: places::runtime_root()? })
    }

    /// Takes the first free slug: the name, else `name-2`, `name-3`…
    pub fn claim(&self, name: &str) -> Result<Claim, Failure> {
        for number in 1..=MOST_OF_ONE_NAME {
            if let Some(claim) = self.try_claim(name, number)? {
                return Ok(claim);
            }
        }
        Err(Failure::new(format!("{MOST_OF_ONE_NAME} bottles named `{name}` run already")).help(format!(
            "stop them with `bottle stop {name}`, or give this one another name with `--name`"
        )))
    }

    /// Records of bottles that run, by slug.
    pub fn running(&self) -> Result<Vec<Record>, Failure> {
        let mut records: Vec<Record> = self.folders()?.iter().filter_map(|folder| read(folder)).collect();
        records.retain(|record| record.launcher.is_alive());
        records.sort_by(|one, other| one.slug.cmp(&other.slug));
        Ok(records)
    }

    /// Where the launcher of a slug listens to its operator.
    pub fn control(&self, slug: &str) -> PathBuf {
        self.root.join(slug).join(crate::control::SOCKET)
    }

    /// Removes the folders of launchers that are gone; gives their slugs.
    pub fn prune(&self) -> Result<Vec<String>, Failure> {
        let mut gone = Vec::new();
        for folder in self.folders()? {
            if let Some(lock) = lock(&folder)? {
                remove(&folder, lock);
                gone.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        gone.sort();
        Ok(gone)
    }

    fn try_claim(&self, name: &str, number: u32) -> Result<Option<Claim>, Failure> {
        let slug = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let folder = self.root.join(&slug);
        places::private_folder(&folder)?;
        Ok(lock(&folder)?.map(|lock| Claim { slug, number, folder, lock: Some(lock) }))
    }

    fn folders(&self) -> Result<Vec<PathBuf>, Failure> {
        let entries = std::fs::read_dir(&self.root)
            .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", self.root.display())))?;
        Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
    }
}

/// A slug that is ours until this is dropped or the process dies.
#[derive(Debug)]
pub struct Claim {
    slug: String,
    number: u32,
    folder: PathBuf,
    lock: Option<File>,
}

impl Claim {
    /// The slug.
    pub fn slug(&self) -> &str {
        &self.slug
    }
    /// Where its launcher listens to its operator.
    pub fn control(&self) -> PathBuf {
        self.folder.join(crate::control::SOCKET)
    }
    /// A file of this slug alone: the second bottle of a name has `audit-2.jsonl` where the first has `audit.jsonl`.
    pub fn own_file(&self, path: &Path) -> PathBuf {
        if self.number == 1 {
            return path.to_owned();
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
        path.with_file_name(format!("{stem}-{}{}", self.number, extension.unwrap_or_default()))
    }
    /// Publishes the record, for `ps` and `stop`; and beside the log, where `logs` finds it when the bottle has ended.
    pub fn publish(&self, record: &Record) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(record)?;
        replace(&self.folder.join("bottle.json"), &text)?;
        replace(&record.log.with_extension("json"), &text)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            remove(&self.folder, lock);
        }
    }
}

/// Reads a record; `None` when there is none that can be understood.
pub fn read_record(file: &Path) -> Option<Record> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn read(folder: &Path) -> Option<Record> {
    read_record(&folder.join("bottle.json"))
}

/// Locks a folder; `None` when a living launcher has it. The one who removes a folder does so under its lock, so a
/// lock on a file that is not in the folder any more is worth nothing, and we try again.
fn lock(folder: &Path) -> Result<Option<File>, Failure> {
    let path = folder.join("lock");
    let failed = |error| Failure::new(format!("cannot lock `{}`: {error}", path.display()));
    loop {
        let file = match OpenOptions::new().create(true).append(true).mode(0o600).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                places::private_folder(folder)?;
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock() {
            Ok(()) if is_in_place(&file, &path) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn is_in_place(file: &File, path: &Path) -> bool {
    let inode = |found: std::fs::Metadata| (found.dev(), found.ino());
    file.metadata().ok().map(inode) == path.metadata().ok().map(inode)
}

/// What is in a record's folder is ours to remove; a failure leaves a dead record, which `prune` finds.
fn remove(folder: &Path, lock: File) {
    let _ = std::fs::remove_dir_all(folder);
    drop(lock);
}

/// Readers see the old content or the new one, never a part.
fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot write `{}`: {error}", path.display())).help(places::WAY_OUT)
    };
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        std::io::Write::write_all(&mut file, content)?;
        std::fs::rename(&new, path)
    };
    write().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_owned();
        (folder, Registry { root })
    }

    fn record(slug: &str, log: PathBuf) -> Record {
        Record {
            version: 1,
            slug: slug.into(),
            name: slug.into(),
            launcher: Identity::own().expect("own identity"),
            started: jiff::Timestamp::UNIX_EPOCH,
            workspace: "/w".into(),
            writable: vec![],
            protection: String::new(),
            command: vec!["true".into()],
            backend: Backend::Linux,
            audit: "/a".into(),
            log,
            ports: vec![],
        }
    }

    #[test]
    fn a_taken_name_gets_a_number_and_files_of_its_own() {
        let (_folder, registry) = registry();
        let first = registry.claim("dev").expect("the first");
        let second = registry.claim("dev").expect("the second");
        assert_eq!((first.slug(), second.slug()), ("dev", "dev-2"));
        assert_eq!(first.own_file(Path::new("/s/audit.jsonl")), Path::new("/s/audit.jsonl"));
        assert_eq!(second.own_file(Path::new("/s/audit.jsonl")), Path::new("/s/audit-2.jsonl"));
        drop(first);
        assert_eq!(registry.claim("dev").expect("free again").slug(), "dev");
    }

    #[test]
    fn a_record_is_seen_while_its_launcher_lives_and_leaves_with_it() {
        let (folder, registry) = registry();
        let claim = registry.claim("dev").expect("a claim");
        let log = folder.path().join("dev.log");
        claim.publish(&record("dev", log.clone())).expect("published");
        assert_eq!(registry.running().expect("records").len(), 1);
        assert!(registry.prune().expect("nothing to prune").is_empty());
        drop(claim);
        assert!(registry.running().expect("records").is_empty());
        assert!(!folder.path().join("dev").exists());
        assert!(read_record(&log.with_extension("json")).is_some(), "the copy for `logs` stays");
    }

    #[test]
    fn a_record_whose_pid_was_reused_is_not_running_and_is_pruned() {
        let (folder, registry) = registry();
        let claim = registry.claim("dev").expect("a claim");
        let mut reused = record("dev", folder.path().join("dev.log"));
        reused.launcher.start_ticks += 1;
        claim.publish(&reused).expect("published");
        // As after SIGKILL: the lock goes with the process, the folder stays.
        let mut claim = claim;
        drop(claim.lock.take());
        assert!(registry.running().expect("records").is_empty());
        assert_eq!(registry.prune().expect("pruned"), ["dev"]);
        assert!(registry.prune().expect("idempotent").is_empty());
    }
}
