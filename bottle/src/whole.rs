//! Files that are written whole or not at all, with their mode from their first moment on.
use crate::failure::Failure;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// In place of what may be there: a client that starts at the same moment never reads half a file. The new file is made
/// beside the old one and must not be there yet, so that nobody's symbolic link is followed.
///
/// # Errors
/// When the folder cannot be written to; then the old file is as it was.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    swap(path, bytes, mode, Keep::OnDisk)
}

/// As [`replace`], for what means nothing when the machine was started anew: nobody waits for the disk.
///
/// # Errors
/// As [`replace`].
pub fn replace_for_now(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    swap(path, bytes, mode, Keep::InMemory)
}

/// Until when a file is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    OnDisk,
    InMemory,
}

fn swap(path: &Path, bytes: &[u8], mode: u32, keep: Keep) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = Path::new(&beside);
    let written = fill(beside, bytes, mode, keep)
        .and_then(|()| fs::rename(beside, path).inspect_err(|_| forget(beside)));
    written.map_err(|error| cannot_write(path, &error))
}

/// Where nothing is yet, no symbolic link either.
///
/// # Errors
/// When something is there, or the folder cannot be written to; then nothing new is there.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    fill(path, bytes, mode, Keep::OnDisk).map_err(|error| cannot_write(path, &error))
}

fn fill(path: &Path, bytes: &[u8], mode: u32, keep: Keep) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    put(&mut file, bytes, mode, keep).inspect_err(|_| forget(path))
}

fn put(file: &mut File, bytes: &[u8], mode: u32, keep: Keep) -> io::Result<()> {
    // Whatever the umask: a file that is to be read is readable.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    if keep == Keep::OnDisk { file.sync_all() } else { Ok(()) }
}

/// What was begun is of no use; when it is not there, that is as well.
fn forget(path: &Path) {
    fs::remove_file(path).ok();
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write `{}`: {error}", path.display()))
        .help("choose a file in a folder that you may write to")
}
