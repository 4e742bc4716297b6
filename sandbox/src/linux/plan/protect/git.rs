//! What git executes: hooks, and whatever its configuration names.
use super::{COMMENT, Found, Hold};
use crate::SandboxError;
use crate::linux::host::Kind;
use crate::linux::step::{Held, Step};
use crate::linux::survey::Area;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

/// Submodules of submodules, no deeper.
const DEPTH: usize = 4;
/// A file that makes git read the configuration of another folder; saying "here" changes nothing.
const COMMON_HERE: &str = ".\n";

/// Protects the repository of a writable folder, or holds the place of one: a repository that the agent makes there
/// would be asked for its status by the user's next prompt.
pub(super) fn protect(found: &mut Found<'_>, area: &Area) -> Result<(), SandboxError> {
    let git = area.root.join(".git");
    match found.host.kind(&git) {
        Kind::Dir if is_repository(found, &git) && !found.is_free(&git) => {
            repository(found, area, &git, Some(&area.root), DEPTH)?;
            hide_placeholders(found, area, &git, &area.at.join(".git"));
            Ok(())
        }
        Kind::File if !found.is_free(&git) => {
            found.protect(area, &git, Hold::Nothing)?;
            linked_worktree(found, area, &git)
        }
        _ => found.protect(area, &git, Hold::Dir),
    }
}

/// The repository of a folder further down: a checkout that was put there, a submodule, a worktree. Git in the folders
/// above runs in it too, where an index names it.
pub(super) fn nested(found: &mut Found<'_>, area: &Area, git: &Path) -> Result<(), SandboxError> {
    if found.is_free(git) {
        return Ok(());
    }
    match found.host.kind(git) {
        Kind::Dir if is_repository(found, git) => repository(found, area, git, git.parent(), DEPTH),
        Kind::File => {
            found.protect(area, git, Hold::Nothing)?;
            separate(found, area, git)
        }
        // Half a repository could be made whole; a link is refused.
        _ => found.protect(area, git, Hold::Nothing),
    }
}

/// A `.git` file that leads to a folder of the same workspace, wherever it lies.
fn separate(found: &mut Found<'_>, area: &Area, git: &Path) -> Result<(), SandboxError> {
    let own = found.host.text(git).and_then(|text| gitdir(&text, git));
    match own {
        Some(own) if own.starts_with(&area.root) && is_repository(found, &own) => {
            repository(found, area, &own, git.parent(), DEPTH)
        }
        _ => Ok(()),
    }
}

/// A folder that is a repository as it is. Nothing that git would list as new is put into it: such folders are
/// themselves part of some repositories, as data of tests.
pub(super) fn bare(found: &mut Found<'_>, area: &Area, folder: &Path) -> Result<(), SandboxError> {
    if found.is_free(folder) || !found.repositories.insert(folder.to_owned()) {
        return Ok(());
    }
    if let Ok(below) = folder.strip_prefix(&area.root)
        && !below.as_os_str().is_empty()
    {
        found.pin(area, below, super::Pin::Stays);
    }
    found.protect(area, &folder.join("hooks"), Hold::Dir)?;
    for file in ["config", "config.worktree", "commondir"] {
        found.protect(area, &folder.join(file), Hold::Nothing)?;
    }
    named_by_config(found, area, folder, None)?;
    worktrees(found, area, folder)?;
    submodules(found, area, &folder.join("modules"), DEPTH)
}

fn is_repository(found: &Found<'_>, git: &Path) -> bool {
    found.host.kind(&git.join("HEAD")) == Kind::File
}

/// A git folder: everything in it can be written but what is executed.
fn repository(
    found: &mut Found<'_>,
    area: &Area,
    git: &Path,
    worktree: Option<&Path>,
    depth: usize,
) -> Result<(), SandboxError> {
    if found.is_free(git) || !found.repositories.insert(git.to_owned()) {
        return Ok(());
    }
    if let Ok(below) = git.strip_prefix(&area.root)
        && !below.as_os_str().is_empty()
    {
        found.pin(area, below, super::Pin::Stays);
    }
    found.protect(area, &git.join("hooks"), Hold::Dir)?;
    found.protect(area, &git.join("config"), Hold::File(""))?;
    found.protect(area, &git.join("config.worktree"), Hold::File(""))?;
    found.protect(area, &git.join("commondir"), Hold::File(COMMON_HERE))?;
    named_by_config(found, area, git, worktree)?;
    worktrees(found, area, git)?;
    submodules(found, area, &git.join("modules"), depth)
}

/// Other worktrees of this repository: their folders say where configuration is read from.
fn worktrees(found: &mut Found<'_>, area: &Area, git: &Path) -> Result<(), SandboxError> {
    let all = git.join("worktrees");
    for name in found.host.names(&all) {
        for file in ["commondir", "gitdir"] {
            found.protect(area, &all.join(&name).join(file), Hold::Nothing)?;
        }
        found.protect(area, &all.join(&name).join("config.worktree"), Hold::File(""))?;
    }
    Ok(())
}

fn submodules(found: &mut Found<'_>, area: &Area, dir: &Path, depth: usize) -> Result<(), SandboxError> {
    if depth == 0 {
        return Ok(());
    }
    for name in found.host.names(dir) {
        let module = dir.join(name);
        if is_repository(found, &module) {
            repository(found, area, &module, None, depth - 1)?;
        } else if found.host.kind(&module) == Kind::Dir {
            submodules(found, area, &module, depth - 1)?;
        }
    }
    Ok(())
}

/// `core.hooksPath` and included files, where they are in reach of the agent. Hooks are sought from the work tree,
/// which a submodule's own configuration names.
fn named_by_config(
    found: &mut Found<'_>,
    area: &Area,
    git: &Path,
    worktree: Option<&Path>,
) -> Result<(), SandboxError> {
    let text = found.host.text(&git.join("config")).unwrap_or_default();
    let settings: Vec<_> = text.lines().filter_map(setting).collect();
    let named = settings.iter().find(|(key, _)| key == "worktree").map(|(_, value)| normal(&git.join(value)));
    let from = worktree.map(Path::to_owned).or(named).unwrap_or_else(|| git.to_owned());
    for (key, value) in settings {
        match key.as_str() {
            "hookspath" => found.protect(area, &normal(&from.join(value)), Hold::Dir)?,
            "path" => found.protect(area, &normal(&git.join(value)), Hold::File(""))?,
            _ => {}
        }
    }
    Ok(())
}

/// `key = value` of git's configuration; section names are not needed for the keys that count.
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
fn linked_worktree(found: &mut Found<'_>, area: &Area, git: &Path) -> Result<(), SandboxError> {
    let Some(own) = found.host.text(git).and_then(|text| gitdir(&text, git)) else { return Ok(()) };
    let back = found.host.text(&own.join("gitdir")).map(|text| PathBuf::from(text.trim()));
    let Some(common) = own.parent().filter(|p| p.ends_with("worktrees")).and_then(Path::parent) else {
        return Ok(());
    };
    if back.as_deref() != Some(git) || found.host.canonical(common).as_deref() != Some(common) {
        return Ok(());
    }
    let common = common.to_owned();
    let elsewhere = Area { root: common.clone(), at: common.clone() };
    repository(found, &elsewhere, &common, None, DEPTH)?;
    hide_placeholders(found, area, &common, &common);
    found.mounts.push(common);
    Ok(())
}

fn gitdir(text: &str, git: &Path) -> Option<PathBuf> {
    let path = text.strip_prefix("gitdir:")?.trim();
    Some(normal(&git.parent()?.join(path)))
}

/// Inside, where held places are files, `git add -A` must not pick them up. `git` is on the host, `at` the same inside.
fn hide_placeholders(found: &mut Found<'_>, area: &Area, git: &Path, at: &Path) {
    let exclude = git.join("info/exclude");
    let held = match found.host.kind(&exclude) {
        Kind::File => None,
        Kind::Absent if found.host.kind(&git.join("info")) == Kind::Dir => {
            Some(Held::File(COMMENT.to_owned()))
        }
        _ => return,
    };
    found.placeholders.extend(held.map(|held| Step::Placeholder { path: exclude.clone(), held }));
    let mut text = found.host.text(&exclude).unwrap_or_default();
    for step in &found.covers {
        if let Step::CoverText { path, .. } = step
            && let Ok(below) = path.strip_prefix(&area.at)
        {
            let _cannot_fail = write!(text, "\n/{}", below.display());
        }
    }
    found.excludes.push((at.join("info/exclude"), text + "\n"));
}
