//! One writable folder, searched.
use super::{Survey, Thing};
use crate::linux::host::{Host, Kind};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Entries that are looked at in one writable folder; half a million takes about a second.
const MOST_ENTRIES: usize = 500_000;
/// Folders below one another.
pub(super) const DEEPEST: usize = 64;
/// Things that are protected in one writable folder; each takes a mount for itself and one for each folder above it.
const MOST_FOUND: usize = 2_000;
/// Installed packages: repositories only.
const PACKAGES: [&str; 2] = ["node_modules", "site-packages"];
/// What git reads in a repository without a work tree.
const GIT_READS: [&str; 3] = ["config", "config.worktree", "commondir"];

pub(super) struct Walk<'a> {
    host: &'a dyn Host,
    survey: &'a Survey,
    pub(super) found: BTreeMap<PathBuf, (Thing, Kind)>,
    pub(super) gaps: Vec<String>,
    pub(super) left: usize,
    unread: usize,
    deep: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(host: &'a dyn Host, survey: &'a Survey) -> Self {
        Self {
            host,
            survey,
            found: BTreeMap::new(),
            gaps: Vec::new(),
            left: MOST_ENTRIES,
            unread: 0,
            deep: 0,
        }
    }

    /// Breadth first, so that what a bound leaves out is what lies deepest.
    pub(super) fn through(&mut self, root: &Path) {
        let mut waiting = VecDeque::from([(root.to_owned(), 0, false)]);
        while let Some((folder, depth, packages)) = waiting.pop_front() {
            let Some(entries) = self.host.entries(&folder) else {
                self.unread += 1;
                continue;
            };
            if self.is_over(entries.len()) {
                break;
            }
            self.judge(&folder, &entries, packages);
            for (name, kind) in entries {
                let below = folder.join(&name);
                if kind != Kind::Dir || name == ".git" || self.survey.aside.contains(&below) {
                    continue;
                }
                if depth == DEEPEST {
                    self.deep += 1;
                } else {
                    waiting.push_back((below, depth + 1, packages || is_one_of(&name, &PACKAGES)));
                }
            }
        }
        self.conclude(root);
    }

    fn is_over(&mut self, entries: usize) -> bool {
        let Some(left) = self.left.checked_sub(entries) else {
            self.gaps
                .push(format!("it has more than {MOST_ENTRIES} entries: the deepest were not looked at"));
            return true;
        };
        self.left = left;
        if self.found.len() > MOST_FOUND {
            self.gaps
                .push(format!("it has more than {MOST_FOUND} repositories and files that the host runs"));
        }
        self.found.len() > MOST_FOUND
    }

    fn conclude(&mut self, root: &Path) {
        if self.unread > 0 {
            self.gaps.push(format!("{} of its folders cannot be read", self.unread));
        }
        if self.deep > 0 {
            self.gaps.push(format!("{} of its folders lie deeper than {DEEPEST}", self.deep));
        }
        for gap in &mut self.gaps {
            *gap = format!("not all of `{}` is protected: {gap}", root.display());
        }
    }

    fn judge(&mut self, folder: &Path, entries: &[(OsString, Kind)], packages: bool) {
        let bare = is_bare(entries);
        if bare {
            self.keep(folder.to_owned(), Thing::Bare, Kind::Dir);
        }
        for (name, kind) in entries {
            let thing = match name.to_str() {
                Some(".git" | ".hg" | ".jj") => Thing::Repository,
                Some(name) if bare && GIT_READS.contains(&name) => Thing::Trusted,
                Some(name) if !packages && self.survey.names.contains(&name) => Thing::Trusted,
                _ => continue,
            };
            // Where a link leads is part of what it is.
            let path = folder.join(name);
            let kind = if matches!(kind, Kind::Link(_)) { self.host.kind(&path) } else { kind.clone() };
            self.keep(path, thing, kind);
        }
    }

    fn keep(&mut self, path: PathBuf, thing: Thing, kind: Kind) {
        if !self.survey.aside.iter().any(|aside| path.starts_with(aside)) {
            self.found.insert(path, (thing, kind));
        }
    }
}

/// As git's own test goes: a head, and objects and references here or in a common folder.
fn is_bare(entries: &[(OsString, Kind)]) -> bool {
    let has = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
    has("HEAD") && (has("commondir") || has("objects") && has("refs"))
}

fn is_one_of(name: &OsStr, names: &[&str]) -> bool {
    names.iter().any(|known| name == *known)
}
