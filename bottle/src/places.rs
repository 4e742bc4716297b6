//! Where things are on the host: what lasts (state) and what lives as long as a bottle (runtime).
use crate::failure::Failure;
use rustix::process::geteuid;
use std::fs::{DirBuilder, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// When a folder of ours cannot be used.
pub const WAY_OUT: &str = "make it writable for you and free some space, or name others: `XDG_STATE_HOME` for what lasts, \
                           `XDG_RUNTIME_DIR` for what runs";

/// Folder of everything that lasts: private homes, audit files, logs.
pub fn state_root() -> Result<PathBuf, Failure> {
    if let Some(state) = absolute("XDG_STATE_HOME") {
        return Ok(state.join("bottle"));
    }
    let home = absolute("HOME").ok_or_else(|| {
        Failure::new("`HOME` is not set to an absolute path, so there is no place for the bottle's state")
            .help("set `HOME`, or `XDG_STATE_HOME` to a folder of yours")
    })?;
    Ok(home.join(".local/state/bottle"))
}

/// Folder of the records of running bottles; made when missing, and refused unless it is ours alone.
pub fn runtime_root() -> Result<PathBuf, Failure> {
    let folder = runtime_path();
    private_folder(&folder)?;
    Ok(folder)
}

/// Where that folder is, or will be.
pub fn runtime_path() -> PathBuf {
    match absolute("XDG_RUNTIME_DIR").filter(|folder| is_ours(folder)) {
        Some(runtime) => runtime.join("bottle"),
        None => PathBuf::from(format!("/tmp/bottle-{}", geteuid().as_raw())),
    }
}

/// Makes a folder that only we may enter, or checks that it is one. What another user could have prepared (`/tmp` is
/// everybody's) is refused, symbolic links included.
pub fn private_folder(folder: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check_private(folder),
        Err(error) => Err(unusable(folder, &error)),
    }
}

/// Makes a folder and what leads to it, readable by us alone.
pub fn private_folders(folder: &Path) -> Result<(), Failure> {
    DirBuilder::new().mode(0o700).recursive(true).create(folder).map_err(|error| unusable(folder, &error))
}

fn check_private(folder: &Path) -> Result<(), Failure> {
    let found = folder.symlink_metadata().map_err(|error| unusable(folder, &error))?;
    if is_private(&found) {
        return Ok(());
    }
    let wrong = format!("`{}` is not a folder that only you may enter", folder.display());
    Err(Failure::new(wrong)
        .help("look who made it, then remove it; or set `XDG_RUNTIME_DIR` to a folder of yours"))
}

fn is_private(found: &Metadata) -> bool {
    found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0
}

fn is_ours(folder: &Path) -> bool {
    folder
        .metadata()
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0)
}

fn absolute(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot use the folder `{}`: {error}", folder.display())).help(WAY_OUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_folder_that_another_could_have_prepared_is_refused() {
        let place = tempfile::tempdir().expect("a folder");
        let open = place.path().join("open");
        private_folder(&open).expect("made");
        private_folder(&open).expect("ours already");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).expect("set");
        assert!(private_folder(&open).is_err(), "others may enter it");
        let link = place.path().join("link");
        symlink(place.path(), &link).expect("linked");
        assert!(private_folder(&link).is_err(), "a link leads where its owner wants");
        let file = place.path().join("file");
        std::fs::write(&file, "").expect("written");
        assert!(private_folder(&file).is_err());
    }
}
