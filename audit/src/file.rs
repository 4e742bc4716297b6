//! The file: had safely, locked, and cut to whole lines.
use crate::chain::Link;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Longer lines than any event makes; more than this is read for no file that is handed to us.
pub(crate) const MAX_LINE: u64 = 16 * 1024 * 1024;

/// A file that ends in a whole line, and where it goes on.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) link: Link,
    /// Its length.
    pub(crate) length: u64,
    /// Bytes of a torn line that were cut off.
    pub(crate) cut: u64,
}

/// Opens or makes the file; nobody else writes it while it is open.
pub(crate) fn open(path: &Path) -> Result<Opened, String> {
    make_parents(path)?;
    let file = have(path)?;
    check(&file)?;
    lock(&file)?;
    resume(file)
}

fn make_parents(path: &Path) -> Result<(), String> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => DirBuilder::new().recursive(true).mode(0o700).create(parent),
        None => Ok(()),
    }
    .map_err(|error| format!("its folder cannot be made: {error}"))
}

fn have(path: &Path) -> Result<File, String> {
    // Not blocking, so that a pipe put in its place does not hold the start for ever; `check` refuses it.
    let flags = OFlags::RDWR
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::CLOEXEC
        | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => Ok(File::from(fd)),
        Err(rustix::io::Errno::LOOP) => {
            Err("it is a symbolic link; name the file itself in `audit.file`".to_owned())
        }
        Err(error) => Err(format!("it cannot be opened for appending: {}", io::Error::from(error))),
    }
}

fn check(file: &File) -> Result<(), String> {
    let stat = rustix::fs::fstat(file)
        .map_err(|error| format!("it cannot be examined: {}", io::Error::from(error)))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err("it is no regular file; name one in `audit.file`".to_owned());
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user; name another file in `audit.file`".to_owned());
    }
    rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)
        .map_err(|error| format!("it cannot be made private to its owner: {}", io::Error::from(error)))
}

fn lock(file: &File) -> Result<(), String> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        rustix::io::Errno::WOULDBLOCK => {
            "another bottle writes to it; end that one (`bottle ps`, `bottle stop`) or give this one its own `audit.file`"
                .to_owned()
        }
        error => format!("it cannot be locked: {}", io::Error::from(error)),
    })
}

/// Finds the last whole line, cuts what a crash left after it.
fn resume(mut file: File) -> Result<Opened, String> {
    let failed = |error: io::Error| format!("its end cannot be read: {error}");
    let full = file.metadata().map_err(failed)?.len();
    let length = last_feed(&mut file, full).map_err(failed)?.map_or(0, |at| at + 1);
    let link = last_link(&mut file, length)?;
    if length < full {
        file.set_len(length).map_err(|error| format!("its torn last line cannot be cut: {error}"))?;
    }
    Ok(Opened { file, link, length, cut: full - length })
}

fn last_link(file: &mut File, length: u64) -> Result<Link, String> {
    let Some(end) = length.checked_sub(1) else { return Ok(Link::start()) };
    let line =
        read_line_before(file, end).map_err(|error| format!("its last line cannot be read: {error}"))?;
    Link::after(&line).map_err(|why| format!("its last line cannot be continued ({why}); move the file away"))
}

/// The line that ends at `end`, where its line feed stands.
fn read_line_before(file: &mut File, end: u64) -> io::Result<Vec<u8>> {
    let begin = last_feed(file, end)?.map_or(0, |at| at + 1);
    file.seek(SeekFrom::Start(begin))?;
    let mut line = Vec::new();
    file.take(end - begin).read_to_end(&mut line)?;
    Ok(line)
}

/// Where the last line feed before `end` stands. Nearly every line is found in the first, small part.
fn last_feed(file: &mut File, end: u64) -> io::Result<Option<u64>> {
    const FIRST: u64 = 4 * 1024;
    const CHUNK: u64 = 64 * 1024;
    let mut part = FIRST;
    let mut at = end;
    while at > 0 {
        if end - at > MAX_LINE {
            return Err(io::Error::other(
                "a line is longer than any audit line; this is another kind of file",
            ));
        }
        let begin = at.saturating_sub(part);
        part = CHUNK;
        let chunk = read_range(file, begin, at - begin)?;
        if let Some(place) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(begin + place as u64));
        }
        at = begin;
    }
    Ok(None)
}

fn read_range(file: &mut File, begin: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_last_line_feed_is_found_wherever_it_stands() {
        for after in [0, 1, 4095, 4096, 4097, 69_631, 69_632, 69_633, 200_000] {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(b"one\n").expect("written");
            file.write_all(&vec![b'x'; after]).expect("written");
            let end = file.metadata().expect("there").len();
            assert_eq!(last_feed(&mut file, end).expect("read"), Some(3), "{after} bytes after it");
            assert_eq!(last_feed(&mut file, 3).expect("read"), None);
        }
    }
}
