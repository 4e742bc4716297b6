//! What of the workspace is mounted over itself, and where that is on this machine.
use crate::failure::Failure;
use manifest::plan::SandboxPlan;
use sandbox::docker::spec::{Mount, Source};
use sandbox::linux::Places;
use std::path::{Path, PathBuf};

/// Parents first. What another bottle of this workspace holds already is found twice, and an engine takes a place once:
/// read-only as soon as one of the two says so.
pub(super) fn pins(places: Option<&Places>, sandbox: &SandboxPlan) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let Some(Places { mounts: needed, pins, .. }) = places else { return mounts };
    let needed = needed.iter().map(|path| (path, path.clone(), true));
    let pins = pins.iter().map(|(path, writable)| (path, on_host(path, sandbox), *writable));
    for (path, from, writable) in needed.chain(pins) {
        match mounts.iter_mut().find(|mount| mount.at == *path) {
            Some(known) => known.writable &= writable,
            None => {
                mounts.push(Mount { from: Source::Path(from), at: path.clone(), writable });
            }
        }
    }
    mounts
}

/// Files of ours that lie over lists of what git is not to see, so that `git add --all` inside leaves out the places that are held.
/// They are kept beside the bottle's home, by their content.
pub(super) fn excludes(places: Option<&Places>, sandbox: &SandboxPlan) -> Result<Vec<Mount>, Failure> {
    let Some(folder) = sandbox.home.parent() else { return Ok(Vec::new()) };
    let excludes = places.map(|places| &places.excludes[..]).unwrap_or_default();
    let mount = |(at, text): &(PathBuf, String)| {
        let digest = crate::launcher_label::short_digest(text.as_bytes());
        let path = folder.join(format!("exclude-{digest}"));
        crate::whole::replace(&path, text.as_bytes(), 0o644)?;
        Ok(Mount { from: Source::Path(path), at: at.clone(), writable: false })
    };
    excludes.iter().map(mount).collect()
}

/// Where a place inside is on this machine: a writable mount may have another path there.
fn on_host(path: &Path, sandbox: &SandboxPlan) -> PathBuf {
    let mounts = sandbox.mounts.iter().filter(|mount| mount.writable);
    let areas = mounts.map(|mount| (&mount.at, &mount.path));
    let areas = areas.chain([(&sandbox.workspace, &sandbox.workspace)]);
    let nearest = areas.filter(|(at, _)| path.starts_with(at)).max_by_key(|(at, _)| at.components().count());
    match nearest.map(|(at, real)| (path.strip_prefix(at), real)) {
        Some((Ok(rest), real)) if !rest.as_os_str().is_empty() => real.join(rest),
        Some((Ok(_), real)) => real.clone(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::docker::fixture::{mount, sandbox_with};

    #[test]
    fn a_place_in_a_mount_at_another_path_comes_from_where_it_is() {
        let sandbox = sandbox_with(vec![
            mount("/host/repo", "/repo", true),
            mount("/host/deep", "/w/in", true),
            mount("/m", "/x", false),
        ]);
        for (inside, host) in [
            ("/w/.envrc", "/w/.envrc"),
            ("/repo/.git/config", "/host/repo/.git/config"),
            ("/repo", "/host/repo"),
            ("/w/in/.git", "/host/deep/.git"),
            // Nothing in what is read-only is pinned; a folder whose name begins the same is another one.
            ("/x/a", "/x/a"),
            ("/repository/a", "/repository/a"),
        ] {
            assert_eq!(on_host(Path::new(inside), &sandbox), Path::new(host), "{inside}");
        }
    }
}
