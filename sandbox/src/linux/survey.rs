//! What lies in the folders that the agent may write and the host executes or trusts later: repositories, and files
//! of tools. Looked for before the start, to be protected, and after the end, because what the agent makes in a new
//! folder cannot be protected beforehand: it is named, so that a person looks before a tool of the host does.
//!
//! Folders of installed packages are searched for repositories alone (git goes into any of them that an index names);
//! nobody opens an editor in them, and packages bring such files by the hundred.
mod walk;

use super::host::{Host, Kind, RealHost};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use walk::Walk;

/// A writable folder: where it is on the host and where inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) root: PathBuf,
    pub(crate) at: PathBuf,
}

/// What a path is to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// `.git`, `.hg` or `.jj`: folder, file or link.
    Repository,
    /// A folder that git takes for a repository as it is.
    Bare,
    /// A file or folder that some tool executes or trusts.
    Trusted,
}

/// What was found before the start, to be compared with what is there after the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    areas: Vec<Area>,
    /// Paths of the host that are somebody else's: other mounts, and what the manifest sets free.
    aside: Vec<PathBuf>,
    names: Vec<&'static str>,
    found: BTreeMap<PathBuf, (Thing, Kind)>,
    /// Paths of the host that are write-protected inside, and what was there.
    protected: BTreeMap<PathBuf, Option<Stamp>>,
    gaps: Vec<String>,
}

/// What tells a file from every other that has its name: numbers are given again, birthdays are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

impl Stamp {
    /// Of the file itself, links not followed; `None` when there is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Stamp> {
        path.symlink_metadata().ok().map(|about| Stamp::made_of(&about))
    }

    /// Of a file that was looked at.
    #[must_use]
    pub fn made_of(about: &Metadata) -> Stamp {
        Stamp { device: about.dev(), inode: about.ino(), born: about.created().ok() }
    }
}

/// What is there that was not there before, or is another thing now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appeared {
    /// Repositories: git, run in them or above them, obeys their configuration.
    pub repositories: Vec<PathBuf>,
    /// Files and folders that editors, shells and agents execute or trust.
    pub files: Vec<PathBuf>,
    /// Protected ones that were replaced on this machine meanwhile.
    pub replaced: Vec<PathBuf>,
    /// What was not looked at and why, a clause each.
    pub gaps: Vec<String>,
}

impl Survey {
    /// Looks through one more folder for repositories and for these names.
    pub(crate) fn look(&mut self, host: &dyn Host, area: &Area, aside: &[PathBuf], names: &[&'static str]) {
        self.aside.extend_from_slice(aside);
        self.names = names.to_vec();
        self.areas.push(area.clone());
        let mut walk = Walk::new(host, self);
        walk.through(&area.root);
        let Walk { found, gaps, .. } = walk;
        self.found.extend(found);
        self.gaps.extend(gaps);
    }

    /// What was found in this folder, shallow ones as deep ones.
    pub(crate) fn below<'a>(&'a self, area: &'a Area) -> impl Iterator<Item = (&'a Path, Thing)> {
        self.found
            .iter()
            .filter(|(path, _)| path.starts_with(&area.root))
            .map(|(path, (thing, _))| (path.as_path(), *thing))
    }

    /// A thing that cannot be protected, and why.
    pub(crate) fn concede(&mut self, gap: String) {
        self.gaps.push(gap);
    }

    /// A path of the host that is write-protected inside.
    pub(crate) fn protect(&mut self, path: &Path) {
        self.protected.insert(path.to_owned(), None);
    }

    /// Notes what is there now that the places are held.
    pub(crate) fn stamp(&mut self) {
        for (path, stamp) in &mut self.protected {
            *stamp = Stamp::of(path);
        }
    }

    /// Protected files that are not those of the start. Only somebody on this machine can have put others there, but
    /// while that happened the agent could write them: until protection was back, or (in a container, where nothing puts
    /// it back) ever since. What is gone, or holds a place again, is not among them.
    #[must_use]
    pub fn replaced(&self) -> Vec<PathBuf> {
        let host = RealHost::new();
        let others = self.protected.iter().filter(|(path, was)| {
            let now = Stamp::of(path);
            now.is_some() && now != **was && !is_nothing(&host, path, &host.kind(path))
        });
        others.map(|(path, _)| path.clone()).collect()
    }

    /// Repositories and trusted files that were found in folders of the workspace, and are write-protected.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let top = |path: &Path, thing: Thing| {
            let folder = if thing == Thing::Bare { Some(path) } else { path.parent() };
            self.areas.iter().any(|area| folder == Some(&area.root))
        };
        let nested = self.found.iter().map(|(path, (thing, _))| (path, *thing));
        let nested: Vec<_> =
            nested.filter(|(path, thing)| !top(path, *thing)).map(|(_, thing)| thing).collect();
        let files = nested.iter().filter(|thing| **thing == Thing::Trusted).count();
        (nested.len() - files, files)
    }

    /// What was not looked at, or is not protected, and why; a clause each.
    #[must_use]
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// Looks again, when the bottle has ended.
    #[must_use]
    pub fn again(&self) -> Appeared {
        Appeared { replaced: self.replaced(), ..self.compared(&RealHost::new()) }
    }

    fn compared(&self, host: &dyn Host) -> Appeared {
        let mut appeared = Appeared::default();
        for area in &self.areas {
            let mut walk = Walk::new(host, self);
            walk.through(&area.root);
            appeared.gaps.extend(walk.gaps);
            for (path, (thing, kind)) in walk.found {
                if self.found.get(&path) == Some(&(thing, kind.clone())) || is_nothing(host, &path, &kind) {
                    continue;
                }
                match thing {
                    Thing::Repository | Thing::Bare => appeared.repositories.push(path),
                    Thing::Trusted => appeared.files.push(path),
                }
            }
        }
        for list in [&mut appeared.repositories, &mut appeared.files] {
            list.sort();
            list.dedup();
        }
        appeared
    }
}

/// A place that another bottle holds, or that holds nothing.
fn is_nothing(host: &dyn Host, path: &Path, kind: &Kind) -> bool {
    match kind {
        Kind::Dir => host.entries(path).is_some_and(|entries| entries.is_empty()),
        Kind::Other => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::walk::DEEPEST;
    use super::*;
    use crate::linux::host::PaperHost;

    const NAMES: [&str; 2] = [".envrc", ".vscode"];

    fn area() -> Area {
        Area { root: "/w".into(), at: "/w".into() }
    }

    fn looked(host: &PaperHost, aside: &[&str]) -> Survey {
        let mut survey = Survey::default();
        let aside: Vec<_> = aside.iter().map(PathBuf::from).collect();
        survey.look(host, &area(), &aside, &NAMES);
        survey
    }

    fn paths(survey: &Survey) -> Vec<(String, Thing)> {
        let area = area();
        survey.below(&area).map(|(path, thing)| (path.display().to_string(), thing)).collect()
    }

    #[test]
    fn repositories_and_trusted_files_are_found_at_any_depth() {
        let host = PaperHost::with(&[
            ("/w/a/b/.git/HEAD", Kind::File),
            ("/w/a/b/.git/x/.git/HEAD", Kind::File),
            ("/w/sub/.git", Kind::File),
            ("/w/mirror.git/HEAD", Kind::File),
            ("/w/mirror.git/objects", Kind::Dir),
            ("/w/mirror.git/refs", Kind::Dir),
            ("/w/mirror.git/config", Kind::File),
            ("/w/shared/HEAD", Kind::File),
            ("/w/shared/commondir", Kind::File),
            ("/w/docs/HEAD", Kind::File),
            ("/w/pkg/.envrc", Kind::File),
            ("/w/hg/.hg/store", Kind::Dir),
        ]);
        let expected = [
            ("/w/a/b/.git", Thing::Repository),
            ("/w/hg/.hg", Thing::Repository),
            ("/w/mirror.git", Thing::Bare),
            ("/w/mirror.git/config", Thing::Trusted),
            ("/w/pkg/.envrc", Thing::Trusted),
            ("/w/shared", Thing::Bare),
            ("/w/shared/commondir", Thing::Trusted),
            ("/w/sub/.git", Thing::Repository),
        ];
        let expected = expected.map(|(path, thing)| (path.to_owned(), thing));
        assert_eq!(paths(&looked(&host, &[])), expected);
        assert_eq!(looked(&host, &[]).counts(), (5, 3));
    }

    #[test]
    fn installed_packages_are_searched_for_repositories_alone() {
        let host = PaperHost::with(&[
            ("/w/node_modules/p/.vscode", Kind::Dir),
            ("/w/node_modules/p/.git/HEAD", Kind::File),
        ]);
        assert_eq!(paths(&looked(&host, &[])), [("/w/node_modules/p/.git".to_owned(), Thing::Repository)]);
    }

    #[test]
    fn what_is_set_aside_is_not_looked_at() {
        let host = PaperHost::with(&[("/w/a/.envrc", Kind::File), ("/w/b/.git", Kind::Dir)]);
        assert_eq!(paths(&looked(&host, &["/w/a", "/w/b/.git"])), []);
    }

    #[test]
    fn a_bound_that_is_hit_is_said() {
        let mut host = PaperHost::with(&[("/w", Kind::Dir)]);
        let deep: PathBuf = std::iter::once("/w").chain((0..DEEPEST + 2).map(|_| "d")).collect();
        host.put(&deep.join(".git").display().to_string(), Kind::Dir, "");
        let survey = looked(&host, &[]);
        assert_eq!(paths(&survey), []);
        assert_eq!(survey.gaps(), ["not all of `/w` is protected: 1 of its folders lie deeper than 64"]);
    }

    #[test]
    fn too_many_entries_and_unreadable_folders_are_said() {
        let mut host = PaperHost::with(&[("/w/locked", Kind::Dir)]);
        host.unreadable.insert("/w/locked".into());
        assert_eq!(
            looked(&host, &[]).gaps(),
            ["not all of `/w` is protected: 1 of its folders cannot be read"]
        );
        let survey = Survey::default();
        let mut walk = Walk::new(&host, &survey);
        walk.left = 0;
        walk.through(Path::new("/w"));
        assert!(walk.gaps[0].contains("more than 500000 entries"), "{:?}", walk.gaps);
    }

    #[test]
    fn what_appears_or_changes_is_told_and_what_was_there_is_not() {
        let mut host = PaperHost::with(&[
            ("/w/old/.git/HEAD", Kind::File),
            ("/w/link/.envrc", Kind::Link("elsewhere".into())),
        ]);
        let survey = looked(&host, &[]);
        assert_eq!(survey.compared(&host), Appeared::default());
        host.put("/w/new/.git/config", Kind::File, "");
        host.put("/w/link/.envrc", Kind::Link("another".into()), "");
        host.put("/w/held/.vscode", Kind::Dir, "");
        host.put("/w/held/.envrc", Kind::Other, "");
        let appeared = survey.compared(&host);
        assert_eq!(appeared.repositories, [PathBuf::from("/w/new/.git")]);
        assert_eq!(appeared.files, [PathBuf::from("/w/link/.envrc")]);
    }
}
