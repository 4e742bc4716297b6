//! What planning wants to know of this machine. A trait, so that plans can be tested for machines that are not at hand.
use super::cgroup::{self, Delegated};
#[cfg(test)]
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What is at a path, without following a link at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Absent,
    File,
    Dir,
    Link(PathBuf),
    Other,
}

/// Facts.
pub(crate) trait Host {
    fn kind(&self, path: &Path) -> Kind;
    /// The path without links; `None` when it does not exist or cannot be reached.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;
    /// Names in a folder, sorted; none when it cannot be read.
    fn names(&self, path: &Path) -> Vec<PathBuf>;
    /// Names and kinds in a folder, in any order and without following links (whose targets are left empty); `None`
    /// when it cannot be read. Quicker than asking for each by itself.
    fn entries(&self, path: &Path) -> Option<Vec<(OsString, Kind)>>;
    /// Whether a file can be executed by somebody.
    fn executable(&self, path: &Path) -> bool;
    /// A small text file.
    fn text(&self, path: &Path) -> Option<String>;
    fn uid(&self) -> u32;
    fn gid(&self) -> u32;
    /// Of the launcher: makes names unique.
    fn pid(&self) -> u32;
    /// Where control groups can be made.
    fn cgroup(&self) -> Option<Delegated>;
}

/// This machine.
pub(crate) struct RealHost {
    uid: u32,
    gid: u32,
}

/// More than this is no configuration file.
const MAX_TEXT: u64 = 1 << 20;

impl RealHost {
    pub(crate) fn new() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }
}

impl Host for RealHost {
    fn kind(&self, path: &Path) -> Kind {
        let Ok(about) = path.symlink_metadata() else { return Kind::Absent };
        match about.file_type() {
            t if t.is_symlink() => std::fs::read_link(path).map_or(Kind::Other, Kind::Link),
            t if t.is_dir() => Kind::Dir,
            t if t.is_file() => Kind::File,
            _ => Kind::Other,
        }
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        // Most of what is asked for is not there: one look, not one for each folder above.
        path.metadata().ok()?;
        path.canonicalize().ok()
    }

    fn names(&self, path: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| PathBuf::from(entry.file_name())).collect();
        names.sort();
        names
    }

    fn entries(&self, path: &Path) -> Option<Vec<(OsString, Kind)>> {
        let entries = std::fs::read_dir(path).ok()?;
        Some(entries.flatten().map(|entry| (entry.file_name(), kind_of(&entry))).collect())
    }

    fn executable(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    }

    fn text(&self, path: &Path) -> Option<String> {
        let about = path.metadata().ok()?;
        let bytes = (about.is_file() && about.len() <= MAX_TEXT).then(|| std::fs::read(path).ok())??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn uid(&self) -> u32 {
        self.uid
    }

    fn gid(&self) -> u32 {
        self.gid
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn cgroup(&self) -> Option<Delegated> {
        cgroup::delegated()
    }
}

fn kind_of(entry: &std::fs::DirEntry) -> Kind {
    match entry.file_type() {
        Ok(t) if t.is_symlink() => Kind::Link(PathBuf::new()),
        Ok(t) if t.is_dir() => Kind::Dir,
        Ok(t) if t.is_file() => Kind::File,
        _ => Kind::Other,
    }
}

/// A machine of a test's making: path → what is there; files have their text.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct PaperHost {
    pub(crate) entries: BTreeMap<PathBuf, (Kind, String)>,
    pub(crate) unreadable: BTreeSet<PathBuf>,
    pub(crate) uid: u32,
}

#[cfg(test)]
impl PaperHost {
    pub(crate) fn with(entries: &[(&str, Kind)]) -> Self {
        let mut host = Self { uid: 1000, ..Self::default() };
        for (path, kind) in entries {
            host.put(path, kind.clone(), "");
        }
        host
    }

    pub(crate) fn put(&mut self, path: &str, kind: Kind, text: &str) {
        for above in Path::new(path).ancestors().skip(1) {
            self.entries.entry(above.to_owned()).or_insert((Kind::Dir, String::new()));
        }
        self.entries.insert(path.into(), (kind, text.to_owned()));
    }
}

#[cfg(test)]
impl Host for PaperHost {
    fn kind(&self, path: &Path) -> Kind {
        self.entries.get(path).map_or(Kind::Absent, |(kind, _)| kind.clone())
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        match self.kind(path) {
            Kind::Absent => None,
            Kind::Link(target) => self.canonical(&path.parent()?.join(target)),
            _ => Some(path.to_owned()),
        }
    }

    fn names(&self, path: &Path) -> Vec<PathBuf> {
        let inside = |p: &&PathBuf| p.parent() == Some(path);
        self.entries.keys().filter(inside).filter_map(|p| p.file_name()).map(PathBuf::from).collect()
    }

    fn entries(&self, path: &Path) -> Option<Vec<(OsString, Kind)>> {
        let bare = |kind| if matches!(kind, Kind::Link(_)) { Kind::Link(PathBuf::new()) } else { kind };
        let entry = |name: PathBuf| (name.clone().into_os_string(), bare(self.kind(&path.join(name))));
        let readable = self.kind(path) == Kind::Dir && !self.unreadable.contains(path);
        readable.then(|| self.names(path).into_iter().map(entry).collect())
    }

    /// A test says so in the text.
    fn executable(&self, path: &Path) -> bool {
        self.text(path).is_some_and(|text| text.starts_with("#!"))
    }

    fn text(&self, path: &Path) -> Option<String> {
        let (kind, text) = self.entries.get(path)?;
        (*kind == Kind::File).then(|| text.clone())
    }

    fn uid(&self) -> u32 {
        self.uid
    }

    fn gid(&self) -> u32 {
        self.uid
    }

    fn pid(&self) -> u32 {
        7
    }

    fn cgroup(&self) -> Option<Delegated> {
        None
    }
}
