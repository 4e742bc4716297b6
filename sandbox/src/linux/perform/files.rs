//! Folders, links and small files of the bottle's own tree, and the one way paths are walked.
//!
//! Parts of the tree (workspace, home) were written by the agent of an earlier run. No path here is ever followed
//! through a symbolic link.
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

pub(crate) fn dir(path: &Path, mode: u32) -> io::Result<()> {
    let parent = folder(parent_of(path)?)?;
    match mkdirat(&parent, name_of(path)?, Mode::from_raw_mode(mode)) {
        Err(Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}

pub(crate) fn symlink(path: &Path, target: &Path) -> io::Result<()> {
    let parent = folder(parent_of(path)?)?;
    Ok(rustix::fs::symlinkat(target, &parent, name_of(path)?)?)
}

/// A new file; an existing one is an error.
pub(crate) fn write(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let parent = folder(parent_of(path)?)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&parent, name_of(path)?, flags, Mode::from_raw_mode(mode))?;
    std::fs::File::from(file).write_all(content)
}

/// Opens a place to mount on, making it and the folders above it where they do not exist.
pub(crate) fn mount_point(path: &Path, is_dir: bool) -> io::Result<OwnedFd> {
    match existing(CWD, path) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
        other => return other,
    }
    if is_dir {
        return folder(path);
    }
    let parent = folder(parent_of(path)?)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&parent, name_of(path)?, flags, Mode::from_raw_mode(0o644))?;
    existing(CWD, path)
}

/// Opens what exists, without following a single link, from `root` or (for absolute paths of the bottle) from `/`.
pub(crate) fn existing(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::io::retry_on_intr(|| openat2(root.as_fd(), path, flags, Mode::empty(), resolve))?)
}

/// Opens a folder, making each missing one on the way.
fn folder(path: &Path) -> io::Result<OwnedFd> {
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

fn name_of(path: &Path) -> io::Result<&std::ffi::OsStr> {
    path.file_name().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
