//! Bottles in the same folders. A container engine mounts by path, as root and following links, some time after the path was
//! looked at: an agent that runs in the same folder could put a link there meanwhile, and show another bottle any folder
//! of the machine. What both bottles hold in its place from their start on cannot be swapped; anything else can.
use crate::failure::Failure;
use crate::registry::{Record, Registry};
use manifest::plan::SandboxPlan;
use std::path::{Path, PathBuf};

/// What the agent may write of this machine.
pub fn writable(sandbox: &SandboxPlan) -> Vec<PathBuf> {
    let mounts = sandbox.mounts.iter().filter(|mount| mount.writable).map(|mount| mount.path.clone());
    std::iter::once(sandbox.workspace.clone()).chain(mounts).collect()
}

/// What a manifest changes of the protection; two bottles of one workspace hold the same places when it is the same.
pub fn protection(sandbox: &SandboxPlan) -> String {
    format!("{:?} {:?}", sandbox.protect, sandbox.unprotect)
}

/// Refuses a start whose mounts another bottle of this user could swap. `mounts` are all paths of this machine that will
/// be mounted; `held` those right below its folders that a bottle of the same workspace and `protection` holds too.
///
/// # Errors
/// Which bottle, which path, and the way out.
pub fn refuse(
    registry: &Registry,
    own: (&str, &str),
    mounts: &[PathBuf],
    held: &[PathBuf],
) -> Result<(), Failure> {
    let (own_slug, protection) = own;
    let others = registry.running()?;
    let others = others.iter().filter(|record| record.slug != own_slug);
    for (other, path) in others.flat_map(|other| mounts.iter().map(move |path| (other, path))) {
        let held = if other.protection == protection { held } else { &[] };
        if could_swap(other, path, held) {
            return Err(Failure::new(format!(
                "the bottle `{}` runs where `{}` lies, and its agent could swap that for a link before the engine mounts it",
                other.slug,
                path.display()
            ))
            .help(format!(
                "stop it first (`bottle stop {}`), give this one a folder of its own, or use `--backend linux`",
                other.slug
            )));
        }
    }
    Ok(())
}

/// Whether an agent of a running bottle could put something else in a file's place.
///
/// # Errors
/// When the registry cannot be read.
pub fn is_swappable(registry: &Registry, own_slug: &str, file: &Path) -> Result<bool, Failure> {
    Ok(is_in_reach(&registry.running()?, own_slug, file))
}

fn is_in_reach(running: &[Record], own_slug: &str, file: &Path) -> bool {
    running.iter().any(|other| other.slug != own_slug && could_swap(other, file, &[]))
}

/// A path below a folder that the other may write can be swapped, unless it is in or below what is held there.
fn could_swap(other: &Record, path: &Path, held: &[PathBuf]) -> bool {
    let below = other.writable.iter().any(|folder| path != folder && path.starts_with(folder));
    let holds = |held: &PathBuf| other.writable.iter().any(|folder| held.parent() == Some(folder));
    let is_held = |held: &PathBuf| holds(held) && path.starts_with(held);
    below && !held.iter().any(is_held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Identity;
    use manifest::plan::Backend;

    fn other(writable: &[&str]) -> Record {
        Record {
            version: 1,
            slug: "other".into(),
            name: "other".into(),
            launcher: Identity::own().expect("own identity"),
            started: jiff::Timestamp::UNIX_EPOCH,
            workspace: writable[0].into(),
            writable: writable.iter().map(PathBuf::from).collect(),
            protection: String::new(),
            command: vec!["true".into()],
            backend: Backend::Docker,
            audit: "/a".into(),
            log: "/l".into(),
            ports: vec![],
        }
    }

    #[test]
    fn what_both_hold_cannot_be_swapped_and_what_lies_deeper_can() {
        let held = [PathBuf::from("/w/.git"), PathBuf::from("/w/.vscode")];
        let same = |path: &str| could_swap(&other(&["/w"]), Path::new(path), &held);
        assert!(!same("/w"), "the folder itself is not the agent's to rename");
        assert!(!same("/w/.git/hooks") && !same("/w/.vscode"));
        assert!(same("/w/sub") && same("/w/sub/.git/config"));
        assert!(!same("/elsewhere"));
    }

    #[test]
    fn a_workspace_in_another_bottles_workspace_can_be_swapped_whole() {
        let held = [PathBuf::from("/w/inner/.git")];
        assert!(could_swap(&other(&["/w"]), Path::new("/w/inner"), &held));
        assert!(could_swap(&other(&["/w"]), Path::new("/w/inner/.git"), &held));
        assert!(could_swap(&other(&["/x", "/w"]), Path::new("/w/inner"), &held));
    }

    #[test]
    fn a_program_that_another_bottles_agent_may_write_is_in_reach_and_ones_own_is_not() {
        let running = [other(&["/w", "/tools"])];
        let reached = |own: &str, file: &str| is_in_reach(&running, own, Path::new(file));
        assert!(reached("mine", "/w/target/bottle") && reached("mine", "/tools/bottle"));
        assert!(!reached("mine", "/usr/bin/bottle") && !reached("mine", "/w-too/bottle"));
        assert!(!reached("other", "/w/target/bottle"), "this bottle's agent does not run yet");
    }
}
