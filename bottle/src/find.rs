//! Which manifest. It names commands that run on the host, so where it comes from matters.
use crate::failure::Failure;
use rustix::process::geteuid;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file that is looked for in the current folder and above it.
pub const FILE_NAME: &str = "bottle.yaml";

/// The manifest for this folder: the one that was named, else the only `bottle.yaml` here or above; `None` when there
/// is none.
pub fn manifest(named: Option<&Path>, folder: &Path) -> Result<Option<PathBuf>, Failure> {
    match named {
        Some(file) => Ok(Some(checked_named(file)?)),
        None => found(folder),
    }
}

fn checked_named(file: &Path) -> Result<PathBuf, Failure> {
    file.canonicalize().map_err(|error| {
        Failure::new(format!("cannot read the manifest `{}`: {error}", file.display()))
            .help("name an existing file, or write one with `bottle init`")
    })
}

/// One below another is refused: the inner one may lie in the workspace of the outer one, where an agent writes.
fn found(folder: &Path) -> Result<Option<PathBuf>, Failure> {
    let all: Vec<PathBuf> =
        folder.ancestors().map(|above| above.join(FILE_NAME)).filter(|file| file.is_file()).collect();
    match all.as_slice() {
        [] => Ok(None),
        [only] => check_owner(only).map(|()| Some(only.clone())),
        [inner, .., outer] => Err(ambiguous(inner, outer)),
    }
}

fn ambiguous(inner: &Path, outer: &Path) -> Failure {
    Failure::new(format!(
        "`{}` lies below `{}`: an agent in the outer one's workspace may have written it",
        inner.display(),
        outer.display()
    ))
    .help(format!("look at both, then choose: `--manifest {}`", inner.display()))
}

/// `/tmp/bottle.yaml` of another user is not our manifest.
fn check_owner(file: &Path) -> Result<(), Failure> {
    let found = file
        .metadata()
        .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", file.display())))?;
    let owner_is_trusted = found.uid() == geteuid().as_raw() || found.uid() == 0;
    if owner_is_trusted && found.mode() & 0o002 == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` belongs to another user, or everybody may write it", file.display()))
        .help(format!(
            "look at it, then either name it with `--manifest {}` or correct its owner and mode",
            file.display()
        )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).expect("made");
        (folder, inner)
    }

    #[test]
    fn the_only_manifest_above_is_found() {
        let (folder, inner) = project();
        assert_eq!(manifest(None, &inner).expect("none"), None);
        let file = folder.path().join(FILE_NAME);
        fs::write(&file, "").expect("written");
        assert_eq!(manifest(None, &inner).expect("one"), Some(file));
    }

    #[test]
    fn a_manifest_that_an_agent_could_have_put_below_another_is_refused() {
        let (folder, inner) = project();
        fs::write(folder.path().join(FILE_NAME), "").expect("written");
        let planted = inner.join(FILE_NAME);
        fs::write(&planted, "").expect("written");
        let failure = manifest(None, &inner).expect_err("two");
        assert!(failure.help.expect("a way out").contains("--manifest"));
        assert!(manifest(Some(&planted), &inner).expect("named").is_some());
    }

    #[test]
    fn a_manifest_that_everybody_may_write_is_refused() {
        let (folder, inner) = project();
        let file = folder.path().join(FILE_NAME);
        fs::write(&file, "").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("set");
        assert!(manifest(None, &inner).is_err());
    }
}
