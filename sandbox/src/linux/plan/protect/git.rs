//! What git executes: hooks, and whatever its configuration names.
use super::{Found, Hold, Pin};
use crate::SandboxError;
use crate::linux::host::Kind;
use crate::linux::step::Step;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

/// Submodules of submodules, no deeper.
const DEPTH: usize = 4;
/// A file that makes git read the configuration of another folder; saying "here" changes nothing.
const COMMON_HERE: &str = ".\n";

/// Protects the repository of a writable folder, or holds the place of one: a repository that the agent makes there
/// would be asked for its status by the user's next prompt.
pub(super) fn protect(found: &mut Found<'_>, root: &Path, at: &Path) -> Result<(), SandboxError> {
    let git = root.join(".git");
    let is_repository = found.host.kind(&git.join("HEAD")) == Kind::File;
    match found.host.kind(&git) {
        Kind::Dir if is_repository && !found.is_free(&git) => {
            repository(found, root, at, &git, DEPTH)?;
            named_by_config(found, root, at, &git)?;
            hide_placeholders(found, root, at, &git);
            Ok(())
        }
        Kind::File if !found.is_free(&git) => {
            found.protect(root, at, &git, Hold::Nothing)?;
            linked_worktree(found, &git)
        }
        _ => found.protect(root, at, &git, Hold::Dir),
    }
}

/// A git folder: everything in it can be written but what is executed.
fn repository(
    found: &mut Found<'_>,
    root: &Path,
    at: &Path,
    git: &Path,
    depth: usize,
) -> Result<(), SandboxError> {
    if let Ok(below) = git.strip_prefix(root)
        && !below.as_os_str().is_empty()
    {
        found.pin(at, below, Pin::Stays);
    }
    found.protect(root, at, &git.join("hooks"), Hold::Dir)?;
    found.protect(root, at, &git.join("config"), Hold::File(""))?;
    found.protect(root, at, &git.join("config.worktree"), Hold::File(""))?;
    found.protect(root, at, &git.join("commondir"), Hold::File(COMMON_HERE))?;
    worktrees(found, root, at, git)?;
    submodules(found, root, at, &git.join("modules"), depth)
}

/// Other worktrees of this repository: their folders say where configuration is read from.
fn worktrees(found: &mut Found<'_>, root: &Path, at: &Path, git: &Path) -> Result<(), SandboxError> {
    let all = git.join("worktrees");
    for name in found.host.names(&all) {
        for file in ["commondir", "gitdir"] {
            found.protect(root, at, &all.join(&name).join(file), Hold::Nothing)?;
        }
        found.protect(root, at, &all.join(&name).join("config.worktree"), Hold::File(""))?;
    }
    Ok(())
}

fn submodules(
    found: &mut Found<'_>,
    root: &Path,
    at: &Path,
    dir: &Path,
    depth: usize,
) -> Result<(), SandboxError> {
    if depth == 0 {
        return Ok(());
    }
    for name in found.host.names(dir) {
        let module = dir.join(name);
        if found.host.kind(&module.join("HEAD")) == Kind::File {
            repository(found, root, at, &module, depth - 1)?;
        } else if found.host.kind(&module) == Kind::Dir {
            submodules(found, root, at, &module, depth - 1)?;
        }
    }
    Ok(())
}

/// `core.hooksPath` and included files, where they are in reach of the agent.
fn named_by_config(found: &mut Found<'_>, root: &Path, at: &Path, git: &Path) -> Result<(), SandboxError> {
    let text = found.host.text(&git.join("config")).unwrap_or_default();
    for (key, value) in text.lines().filter_map(setting) {
        match key.as_str() {
            "hookspath" => found.protect(root, at, &normal(&root.join(value)), Hold::Dir)?,
            "path" => found.protect(root, at, &normal(&git.join(value)), Hold::File(""))?,
            _ => {}
        }
    }
    Ok(())
}

/// `key = value` of git's configuration; section names are not needed for the two keys that count.
fn setting(line: &str) -> Option<(String, &str)> {
    let line = line.rsplit(']').next()?;
    let (key, value) = line.split_once('=')?;
    Some((key.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
}

/// Without `.` and `..`, and without asking the file system.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// A worktree whose repository lies elsewhere: that comes along, protected like any other. Git's own proof is asked
/// for: the repository must name this worktree, or a forged `.git` file would mount any folder.
fn linked_worktree(found: &mut Found<'_>, git: &Path) -> Result<(), SandboxError> {
    let Some(own) = found.host.text(git).and_then(|text| gitdir(&text, git)) else { return Ok(()) };
    let back = found.host.text(&own.join("gitdir")).map(|text| PathBuf::from(text.trim()));
    let Some(common) = own.parent().filter(|p| p.ends_with("worktrees")).and_then(Path::parent) else {
        return Ok(());
    };
    if back.as_deref() != Some(git) || found.host.canonical(common).as_deref() != Some(common) {
        return Ok(());
    }
    let common = common.to_owned();
    repository(found, &common, &common, &common, DEPTH)?;
    found.mounts.push(common);
    Ok(())
}

fn gitdir(text: &str, git: &Path) -> Option<PathBuf> {
    let path = text.strip_prefix("gitdir:")?.trim();
    Some(normal(&git.parent()?.join(path)))
}

/// Inside, `git add -A` must not pick the placeholder files up.
fn hide_placeholders(found: &mut Found<'_>, root: &Path, at: &Path, git: &Path) {
    let exclude = git.join("info/exclude");
    if found.host.kind(&exclude) != Kind::File {
        return;
    }
    let mut text = found.host.text(&exclude).unwrap_or_default();
    for step in &found.placeholders {
        if let Step::Placeholder { path, content: Some(_) } = step
            && found.host.kind(path) == Kind::Absent
            && let Ok(below) = path.strip_prefix(root)
            && !below.starts_with(".git")
        {
            let _cannot_fail = write!(text, "\n/{}", below.display());
        }
    }
    let path = at.join(".git/info/exclude");
    found.covers.push(Step::CoverText { path, text: text + "\n" });
}
