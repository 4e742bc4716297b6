//! Files that the host will execute or trust later, and that the agent must therefore not write (invariant 7).
//!
//! What exists is mounted over itself read-only, and every folder above it (up to the workspace) over itself, because a
//! mount point can be neither renamed nor removed. What does not exist is held by a placeholder that is made on the
//! host for the time of the run: an empty folder, which git does not see, or a small file where a program would stumble
//! over a folder. What this leaves: repositories that the agent makes in folders of the workspace, and a protected file
//! that someone on the host replaces while the bottle runs (the kernel then drops the mount over it).
mod git;

use super::tree::Tree;
use crate::SandboxError;
use crate::linux::host::{Host, Kind};
use crate::linux::step::Step;
use manifest::plan::SandboxPlan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file that holds a place says so, so that a later run can tell it from a user's own and remove it.
const COMMENT: &str = "# this place is held by bottle while an agent runs\n";
/// The same in JSON, where the spelling has to say it.
const JSON: &str = "{    }\n";

/// What is put where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Dir,
    File(&'static str),
    /// Harmless while absent.
    Nothing,
}

/// In every workspace and writable mount: path, what to hold its place with, who would execute it.
const TRUSTED: &[(&str, Hold, &str)] = &[
    (".envrc", Hold::File(COMMENT), "direnv"),
    (".vscode", Hold::Dir, "tasks, settings and launch configurations of VS Code and its kin"),
    (".idea", Hold::Dir, "run configurations and startup tasks of JetBrains"),
    (".zed", Hold::Dir, "tasks of Zed"),
    (".exrc", Hold::File("\" this place is held by bottle while an agent runs\n"), "vi with 'exrc'"),
    (".nvim.lua", Hold::File("-- this place is held by bottle while an agent runs\n"), "Neovim with 'exrc'"),
    (".devcontainer", Hold::Dir, "commands that run on the host before a container starts"),
    (".devcontainer.json", Hold::Nothing, "the same"),
    (".husky", Hold::Dir, "git hooks"),
    (".githooks", Hold::Dir, "git hooks"),
    (".pre-commit-config.yaml", Hold::Nothing, "pre-commit, once its hook is installed"),
    ("lefthook.yml", Hold::Nothing, "lefthook, once its hook is installed"),
    (".claude", Hold::Dir, "hooks and permissions of Claude Code"),
    (".mcp.json", Hold::File(JSON), "MCP servers that Claude Code starts"),
    (".codex", Hold::Dir, "configuration of Codex"),
    (".gemini", Hold::Dir, "configuration and MCP servers of Gemini CLI"),
    (".cursor", Hold::Dir, "hooks and MCP servers of Cursor"),
    (".windsurf", Hold::Dir, "configuration of Windsurf"),
    (".opencode", Hold::Dir, "plug-ins of opencode"),
    ("opencode.json", Hold::File(JSON), "configuration of opencode"),
    ("opencode.jsonc", Hold::Nothing, "the same"),
    // A mapping, which JSON is to YAML: aider ends at a file without one.
    (".aider.conf.yml", Hold::File(JSON), "lint and test commands of aider"),
    ("bottle.yaml", Hold::Dir, "the manifest: the agent would write its own leave"),
    ("bottle.yml", Hold::Dir, "the same"),
];

/// Steps before and after the workspace is mounted.
pub(super) struct Protection {
    /// On the host.
    pub(super) placeholders: Vec<Step>,
    /// Inside.
    pub(super) pins: Vec<Step>,
    /// Git folders outside of the workspace that it needs (linked worktrees).
    pub(super) mounts: Vec<PathBuf>,
}

pub(super) fn protection(plan: &SandboxPlan, host: &dyn Host) -> Result<Protection, SandboxError> {
    let mut found = Found::new(plan, host);
    found.root(&plan.workspace, &plan.workspace)?;
    for path in &plan.protect {
        found.protect(&plan.workspace, &plan.workspace, &plan.workspace.join(path), Hold::Dir)?;
    }
    for mount in plan.mounts.iter().filter(|mount| mount.writable) {
        if let Some(source) = host.canonical(&mount.path) {
            found.root(&source, &mount.at)?;
        }
    }
    Ok(found.steps())
}

/// A path to be mounted over itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pin {
    /// Cannot be renamed or removed.
    Stays,
    /// Cannot be written either.
    ReadOnly,
}

struct Found<'a> {
    host: &'a dyn Host,
    free: Vec<PathBuf>,
    placeholders: Vec<Step>,
    /// By path inside; a map is in order, parents first.
    pins: BTreeMap<PathBuf, Pin>,
    mounts: Vec<PathBuf>,
    covers: Vec<Step>,
}

impl<'a> Found<'a> {
    fn new(plan: &SandboxPlan, host: &'a dyn Host) -> Self {
        let free = plan.unprotect.iter().map(|path| plan.workspace.join(path)).collect();
        let share = Step::Share { path: plan.workspace.clone() };
        Self {
            host,
            free,
            placeholders: vec![share],
            pins: BTreeMap::new(),
            mounts: Vec::new(),
            covers: Vec::new(),
        }
    }

    /// A folder that the agent may write: `root` on the host, `at` inside.
    fn root(&mut self, root: &Path, at: &Path) -> Result<(), SandboxError> {
        if self.host.kind(root) != Kind::Dir {
            return Ok(());
        }
        for (name, hold, _) in TRUSTED {
            self.protect(root, at, &root.join(name), *hold)?;
        }
        git::protect(self, root, at)
    }

    /// Protects `path` (of the host, below `root`).
    fn protect(&mut self, root: &Path, at: &Path, path: &Path, hold: Hold) -> Result<(), SandboxError> {
        let Ok(below) = path.strip_prefix(root) else { return Ok(()) };
        if self.is_free(path) || below.as_os_str().is_empty() {
            return Ok(());
        }
        match (self.host.kind(path), hold) {
            (Kind::Link(_), _) => return Err(linked(path)),
            (Kind::Absent, Hold::Nothing) => return Ok(()),
            (Kind::Absent, _) if self.host.kind(path.parent().unwrap_or(root)) != Kind::Dir => return Ok(()),
            _ => {}
        }
        self.hold(path, hold);
        self.pin(at, below, Pin::ReadOnly);
        Ok(())
    }

    fn is_free(&self, path: &Path) -> bool {
        self.free.iter().any(|free| path.starts_with(free))
    }

    /// Also for what exists: it may be a placeholder that an earlier run could not remove.
    fn hold(&mut self, path: &Path, hold: Hold) {
        let content = match hold {
            Hold::Dir => None,
            Hold::File(content) => Some(content.to_owned()),
            Hold::Nothing => return,
        };
        self.placeholders.push(Step::Placeholder { path: path.to_owned(), content });
    }

    /// Pins a path and the folders above it.
    fn pin(&mut self, at: &Path, below: &Path, pin: Pin) {
        let mut path = at.to_owned();
        for component in below.parent().into_iter().flat_map(Path::components) {
            path.push(component);
            self.pins.entry(path.clone()).or_insert(Pin::Stays);
        }
        self.pins.insert(at.join(below), pin);
    }

    fn steps(mut self) -> Protection {
        // What lies in something read-only is read-only already.
        let read_only: Vec<_> = self
            .pins
            .iter()
            .filter(|(_, pin)| **pin == Pin::ReadOnly)
            .map(|(path, _)| path.clone())
            .collect();
        self.pins.retain(|path, _| !read_only.iter().any(|above| path != above && path.starts_with(above)));
        let pins = self.pins.into_iter().map(|(path, pin)| Step::Pin { path, writable: pin == Pin::Stays });
        Protection {
            placeholders: self.placeholders,
            pins: pins.chain(self.covers).collect(),
            mounts: self.mounts,
        }
    }
}

fn linked(path: &Path) -> SandboxError {
    SandboxError::new(format!("`{}` is a symbolic link and cannot be write-protected", path.display())).with_hint(
        "the host would execute what the agent puts there: replace the link by what it leads to, or set it free with \
         `unprotect:`",
    )
}

/// Mounts what the workspace's git needs from elsewhere.
pub(super) fn add_mounts(tree: &mut Tree<'_>, protection: &Protection) {
    protection.mounts.iter().for_each(|path| tree.bind_writable(path, path));
}
