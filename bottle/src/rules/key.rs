//! The key of a user's fingerprints.
use crate::failure::Failure;
use crate::places;
use credentials::Secret;
use credentials::remote::HandedExact;
use dlp::FingerprintKey;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of the key.
const KEY: usize = 32;

/// The key of this user's fingerprints, made at the first need. What an allowance of a manifest says means something with the
/// same key only.
///
/// # Errors
/// When there is no key and none can be kept.
pub fn key() -> Result<HandedExact, Failure> {
    let root = places::state_root()?;
    places::private_folders(&root)?;
    let file = root.join("fingerprints.key");
    let value = read(&file).or_else(|error| match error.kind() {
        ErrorKind::NotFound => make(&file),
        _ => Err(error),
    });
    let value = value.map_err(|error| {
        Failure::new(format!("cannot use the key of fingerprints `{}`: {error}", file.display()))
            .help("correct its permissions; without it the fingerprints of allowances mean nothing")
    })?;
    Ok(HandedExact { name: "the key of fingerprints".to_owned(), value: Secret::new(value) })
}

/// As the engine takes it; without one, a key that nobody has.
pub fn fingerprint_key(handed: Option<&HandedExact>) -> FingerprintKey {
    let bytes = handed.and_then(|key| <[u8; KEY]>::try_from(key.value.dangerous_expose()).ok());
    FingerprintKey::new(bytes.unwrap_or_else(rand::random))
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut key = Vec::with_capacity(KEY);
    File::open(file)?.take(KEY as u64 + 1).read_to_end(&mut key)?;
    if key.len() == KEY { Ok(key) } else { Err(std::io::Error::other("it has not 32 bytes; remove it")) }
}

/// Whole or not at all, and never two: of several that start at once the first one's counts.
fn make(file: &Path) -> std::io::Result<Vec<u8>> {
    let own = PathBuf::from(format!("{}.{}", file.display(), std::process::id()));
    let key: [u8; KEY] = rand::random();
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&own)?;
    new.write_all(&key)?;
    new.sync_all()?;
    let linked = std::fs::hard_link(&own, file);
    std::fs::remove_file(&own)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => read(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("fingerprints.key");
        let first = make(&file).expect("made");
        assert_eq!(make(&file).expect("there already"), first);
        assert_eq!(read(&file).expect("read"), first);
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
        std::fs::write(&file, "short").expect("written");
        assert!(read(&file).is_err());
    }
}
