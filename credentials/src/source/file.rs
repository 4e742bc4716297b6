//! Files that hold a secret.
use super::answer::{Answer, Json};
use super::fit;
use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use zeroize::Zeroizing;

/// A token file is small; a larger one is another file.
const LARGEST: usize = 64 * 1024;
/// Who rewrites a file in place shows it empty or half for a moment.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(40);

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The file's state now; `None` when it cannot be seen.
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        std::fs::metadata(path).ok().as_ref().map(Stamp::from)
    }

    /// The state of a file of another machine, of which only the number of its changes is known.
    pub(crate) fn numbered(changes: u64) -> Stamp {
        Stamp { place: (0, 0), size: changes, modified: (0, 0), changed: (0, 0) }
    }
}

impl From<&Metadata> for Stamp {
    fn from(file: &Metadata) -> Stamp {
        Stamp {
            place: (file.dev(), file.ino()),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// The secret in a file: the trimmed text, or the text at a place of its JSON.
pub(crate) fn fetch(path: &Path, json_pointer: Option<&str>) -> Result<Answer, String> {
    for _ in 1..ATTEMPTS {
        if let Ok(answer) = fetch_once(path, json_pointer) {
            return Ok(answer);
        }
        sleep(PAUSE);
    }
    fetch_once(path, json_pointer)
}

fn fetch_once(path: &Path, json_pointer: Option<&str>) -> Result<Answer, String> {
    let shown = path.display();
    let (text, stamp) = read(path, LARGEST)?;
    let text = match json_pointer {
        None => Zeroizing::new(text.trim_ascii().to_vec()),
        Some(pointer) => at_pointer(&text, pointer).ok_or_else(|| {
            format!("`{shown}` holds no JSON with a text at `{pointer}`; put the secret there")
        })?,
    };
    let value =
        fit(&text).map_err(|why| format!("the secret in `{shown}` {why}; write the bare secret there"))?;
    Ok(Answer { stamp: Some(stamp), ..Answer::lasting(value) })
}

fn at_pointer(text: &[u8], pointer: &str) -> Option<Zeroizing<Vec<u8>>> {
    Json::read(text)?.take_string(pointer)
}

/// The whole of a regular file, and its state when it was opened.
pub(crate) fn read(path: &Path, largest: usize) -> Result<(Zeroizing<Vec<u8>>, Stamp), String> {
    let shown = path.display();
    let told =
        |error: io::Error| format!("`{shown}` cannot be read: {}; write the secret there", reason(&error));
    let (file, metadata) = open(path).map_err(told)?;
    if !metadata.is_file() {
        return Err(format!("`{shown}` is not a regular file; name the file that holds the secret"));
    }
    let size = usize::try_from(metadata.len()).unwrap_or(largest);
    let text = all(&file, size, largest).map_err(told)?;
    if text.len() > largest {
        return Err(format!(
            "`{shown}` is larger than {largest} bytes; name the file that holds the secret alone"
        ));
    }
    Ok((text, Stamp::from(&metadata)))
}

/// At most one byte more than `largest`. A growing buffer leaves copies behind: so there is room for all of it from the start, and
/// what is larger than it said (files of `/proc` say nothing) moves once, into a buffer that takes everything.
fn all(file: &File, size: usize, largest: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let limit = size.min(largest) + 1;
    let mut text = room(limit);
    file.take(limit as u64).read_to_end(&mut text)?;
    if text.len() < limit || limit > largest {
        return Ok(text);
    }
    let mut whole = room(largest + 1);
    whole.extend_from_slice(&text);
    file.take((largest + 1 - limit) as u64).read_to_end(&mut whole)?;
    Ok(whole)
}

/// With that much room behind, nothing is read through a buffer of the library's own first.
const SPARE: usize = 64;

fn room(bytes: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(bytes + SPARE))
}

/// Without waiting: opening a pipe would.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// In the words of the house.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_larger_than_it_said_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for length in [0, 1, 31, 32, 33, 99, 100, 101, 5000] {
            let text: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            std::fs::write(&path, &text).unwrap();
            for said in [0, 1, length / 2, length, length + 1, 9000] {
                let (file, _) = open(&path).unwrap();
                let read = all(&file, said, 100).unwrap();
                assert_eq!(*read, text[..length.min(101)], "{length} bytes, {said} were told");
            }
        }
    }
}
