//! A host folder with files in it that the host's does not have.
use super::files::Walk;
use super::{content, mounts};
use crate::linux::step::{Access, Added};
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, openat, readlinkat, statat};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Enough for certificates and settings.
const SIZE: &str = "8m";

/// What is to be there.
pub(super) struct Opened<'a> {
    pub(super) from: &'a Path,
    pub(super) path: &'a Path,
    pub(super) added: &'a [Added],
    pub(super) contents: &'a [Vec<u8>],
}

impl Opened<'_> {
    /// In layers where that is wanted and the kernel can: unprivileged since Linux 5.11, and not for every file system.
    pub(super) fn mount(&self, walk: &mut Walk, host: &OwnedFd, layered: bool) -> io::Result<()> {
        if layered && self.layer(walk)? {
            return Ok(());
        }
        mounts::tmpfs(walk, self.path, 0o755, SIZE, false)?;
        self.reproduce(walk, host)?;
        self.write(walk, self.path)
    }

    /// Says whether the kernel could. Nothing can be written: both layers are below.
    fn layer(&self, walk: &mut Walk) -> io::Result<bool> {
        let upper = mounts::lair();
        walk.dir(&upper, 0o755)?;
        self.write(walk, &upper)?;
        let Ok(tree) = mounts::layers(&upper, self.from) else { return Ok(false) };
        mounts::mount(walk, &tree, self.path, true)?;
        Ok(true)
    }

    fn write(&self, walk: &mut Walk, folder: &Path) -> io::Result<()> {
        for Added { at, mode, file } in self.added {
            walk.write(&folder.join(at), *mode, content(self.contents, *file)?)?;
        }
        Ok(())
    }

    /// Links as links, folders and files mounted.
    fn reproduce(&self, walk: &mut Walk, host: &OwnedFd) -> io::Result<()> {
        let folder = mounts::from_host(host, self.from)?;
        for (name, kind) in entries(&folder)? {
            let to = self.path.join(&name);
            match kind {
                FileType::Directory | FileType::RegularFile => {
                    mounts::bind(walk, host, &self.from.join(&name), &to, Access::ReadOnly)?;
                }
                FileType::Symlink => {
                    let target = readlinkat(&folder, &name, Vec::new())?;
                    walk.symlink(&to, Path::new(OsStr::from_bytes(target.as_bytes())))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn entries(folder: &OwnedFd) -> io::Result<Vec<(PathBuf, FileType)>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut found = Vec::new();
    for entry in Dir::new(openat(folder, ".", flags, Mode::empty())?)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            found.push((PathBuf::from(name), kind_of(folder, &entry)?));
        }
    }
    Ok(found)
}

/// Not every file system says it in the list.
fn kind_of(folder: &OwnedFd, entry: &DirEntry) -> io::Result<FileType> {
    match entry.file_type() {
        FileType::Unknown => {
            let about = statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(FileType::from_raw_mode(about.st_mode))
        }
        known => Ok(known),
    }
}
