//! Files below a folder that an agent owns: by descriptor, step by step, through no link.
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, open, openat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// More than any canary has.
const LARGEST: u64 = 4096;

/// The private home.
pub(super) struct Home(OwnedFd);

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Home {
    pub(super) fn open(path: &Path) -> io::Result<Home> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Home(open(path, flags, Mode::empty())?))
    }

    /// What a file holds, when it is one; something else there counts as something that nobody made here.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let foreign = Some(String::new());
        let (folder, name) = match self.folder(path, false) {
            Ok(found) => found,
            Err(Errno::NOENT) => return None,
            Err(_) => return foreign,
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&folder, name, flags, Mode::empty()) {
            Ok(file) => {
                let mut text = String::new();
                let file = File::from(file);
                let plain = file.metadata().is_ok_and(|found| found.is_file());
                let read = plain.then(|| file.take(LARGEST).read_to_string(&mut text));
                if read.is_some_and(|read| read.is_ok()) { Some(text) } else { foreign }
            }
            Err(Errno::NOENT) => None,
            Err(_) => foreign,
        }
    }

    /// Makes a file that is not there; one that is there stays.
    pub(super) fn make(&self, path: &str, text: &str) -> io::Result<()> {
        let (folder, name) = self.folder(path, true)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&folder, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => File::from(file).write_all(text.as_bytes()),
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file, and its folder when nothing else is in it.
    pub(super) fn remove(&self, path: &str) {
        let Ok((folder, name)) = self.folder(path, false) else { return };
        let _gone = unlinkat(&folder, name, AtFlags::empty());
        if let Some((parent, _)) = path.rsplit_once('/') {
            let _in_use = unlinkat(&self.0, parent, AtFlags::REMOVEDIR);
        }
    }

    /// The folder of a path of at most two parts, and the name in it.
    fn folder<'p>(&self, path: &'p str, make: bool) -> Result<(OwnedFd, &'p str), Errno> {
        let Some((parent, name)) = path.split_once('/') else {
            return Ok((openat(&self.0, ".", FOLDER, Mode::empty())?, path));
        };
        if make {
            match mkdirat(&self.0, parent, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((openat(&self.0, parent, FOLDER, Mode::empty())?, name))
    }
}

/// A file of ours, for us alone.
pub(super) fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR)?;
    File::from(file).write_all(text)
}
