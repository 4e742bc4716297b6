//! What Mercurial and Jujutsu execute by their configuration.
use super::{COMMENT, Found, Hold};
use crate::SandboxError;
use crate::linux::host::Kind;
use crate::linux::survey::Area;
use std::path::Path;

/// Hooks, extensions and aliases; and what says that another folder's configuration is read.
const MERCURIAL: [(&str, Hold); 4] = [
    ("hgrc", Hold::File(COMMENT)),
    ("hgrc-not-shared", Hold::File(COMMENT)),
    ("requires", Hold::Nothing),
    ("sharedpath", Hold::Nothing),
];
/// Aliases, and programs for signing, diffs and watching.
const JUJUTSU: [(&str, Hold); 3] = [
    ("repo/config.toml", Hold::File(COMMENT)),
    ("workspace-config.toml", Hold::File(COMMENT)),
    // In a second workspace it is a file that says where the repository is.
    ("repo", Hold::Nothing),
];

/// Protects a `.hg` or `.jj` folder.
pub(super) fn protect(found: &mut Found<'_>, area: &Area, folder: &Path) -> Result<(), SandboxError> {
    if found.host.kind(folder) != Kind::Dir {
        return found.protect(area, folder, Hold::Nothing);
    }
    let files: &[(&str, Hold)] =
        if folder.file_name().is_some_and(|name| name == ".hg") { &MERCURIAL } else { &JUJUTSU };
    for (name, hold) in files {
        let path = folder.join(name);
        if *name == "repo" && found.host.kind(&path) == Kind::Dir {
            continue;
        }
        found.protect(area, &path, *hold)?;
    }
    Ok(())
}
