//! Folders, links and small files of the bottle's own tree, and the one way paths are walked.
//!
//! Parts of the tree (workspace, home) were written by the agent of an earlier run. No path here is ever followed
//! through a symbolic link.
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// The folder that the last step worked in. The list goes through the tree folder by folder, three hundred links in a row into
/// one of them; each path is walked from `/` once.
#[derive(Default)]
pub(crate) struct Walk {
    last: Option<(PathBuf, OwnedFd)>,
}

impl Walk {
    pub(crate) fn dir(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        match mkdirat(self.parent(path)?, name_of(path)?, Mode::from_raw_mode(mode)) {
            Err(Errno::EXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    pub(crate) fn symlink(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, self.parent(path)?, name_of(path)?)?)
    }

    /// A new file; an existing one is an error.
    pub(crate) fn write(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let file = create(self.parent(path)?, name_of(path)?, mode)?;
        std::fs::File::from(file).write_all(content)
    }

    /// Opens a place to mount on, making it and the folders above it where they do not exist.
    pub(crate) fn mount_point(&mut self, path: &Path, is_dir: bool) -> io::Result<OwnedFd> {
        let (parent, name) = (self.parent(path)?, name_of(path)?);
        match existing(parent, Path::new(name)) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            other => return other,
        }
        if is_dir {
            mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
        } else {
            create(parent, name, 0o644)?;
        }
        existing(parent, Path::new(name))
    }

    /// Something else is at `path` from now on: a mount, or another root.
    pub(crate) fn changed(&mut self, path: &Path) {
        self.last = self.last.take().filter(|(folder, _)| !folder.starts_with(path));
    }

    fn parent(&mut self, path: &Path) -> io::Result<BorrowedFd<'_>> {
        let folder = parent_of(path)?;
        let last = match self.last.take() {
            Some((known, fd)) if known == folder => (known, fd),
            _ => (folder.to_owned(), walk(folder)?),
        };
        Ok(self.last.insert(last).1.as_fd())
    }
}

fn create(parent: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::from_raw_mode(mode))?)
}

/// Opens what exists, without following a single link, from `root` or (for absolute paths of the bottle) from `/`.
pub(crate) fn existing(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::io::retry_on_intr(|| openat2(root.as_fd(), path, flags, Mode::empty(), resolve))?)
}

/// Opens a folder, making each missing one on the way.
fn walk(path: &Path) -> io::Result<OwnedFd> {
    let mut here = existing(CWD, Path::new("/"))?;
    for component in path.components() {
        if let Component::Normal(name) = component {
            here = child(&here, Path::new(name))?;
        }
    }
    Ok(here)
}

fn child(parent: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(parent, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
            Ok(openat(parent, name, flags, Mode::empty())?)
        }
        other => Ok(other?),
    }
}

fn parent_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn name_of(path: &Path) -> io::Result<&OsStr> {
    path.file_name().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// As a mount does it: something else is at the path of a folder that was walked to.
    #[test]
    fn a_folder_that_was_covered_is_walked_to_again() {
        let top = tempfile::tempdir().expect("a folder");
        let at = |path: &str| top.path().join(path);
        let mut walk = Walk::default();
        for (changed, name) in [("a/b", "one"), ("a", "two")] {
            walk.write(&at(&format!("a/b/{name}-before")), 0o600, b"x").expect("written");
            fs::rename(at(changed), at(&format!("{name}-covered"))).expect("moved");
            walk.changed(&at(changed));
            walk.write(&at(&format!("a/b/{name}")), 0o600, b"x").expect("written");
            assert!(at(&format!("a/b/{name}")).is_file(), "{name} is where the path leads now");
        }
        // Beside it nothing has changed.
        walk.changed(&at("a/b/two"));
        assert!(walk.last.is_some_and(|(folder, _)| folder == at("a/b")));
    }
}
