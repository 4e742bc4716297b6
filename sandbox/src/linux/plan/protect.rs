//! Files that the host will execute or trust later, and that the agent must therefore not write (invariant 7).
//!
//! What exists is mounted over itself read-only, and every folder above it (up to the workspace) over itself, because a
//! mount point can be neither renamed nor removed. What does not exist is held by a placeholder that is made on the
//! host for the time of the run and that git does not see: an empty folder, or the node of a socket, over which a file
//! is mounted inside.
//!
//! In folders of the workspace, repositories get the same as the workspace's own, and files that exist are
//! write-protected; nothing is held there, for a place could be held in every folder. What the agent makes there is
//! named at the end ([`Survey::again`]). What this leaves: what the host runs before that end.
//!
//! A mount goes when somebody on the host replaces the file below it. So all of it is watched over ([`Step::Watch`]), and
//! what was replaced is named ([`Survey::replaced`]): for a moment the agent could have written it.
mod git;
mod others;

use super::tree::Tree;
use crate::SandboxError;
use crate::linux::host::{Host, Kind};
use crate::linux::step::{Held, Step, Ward};
use crate::linux::survey::{Area, Survey, Thing};
use manifest::plan::SandboxPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a held file says inside.
const COMMENT: &str = "# this place is held by bottle while an agent runs\n";
/// The same in JSON, where the spelling has to say it.
const JSON: &str = "{    }\n";

/// What is put where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Dir,
    /// A file that the host's own tools may read meanwhile.
    File(&'static str),
    /// A file inside; on the host something that git does not see.
    Unseen(&'static str),
    /// Harmless while absent, or named at the end when it is made.
    Nothing,
}

/// In every workspace and writable mount: path, what to hold its place with, who would execute it.
const TRUSTED: &[(&str, Hold, &str)] = &[
    (".envrc", Hold::Unseen(COMMENT), "direnv"),
    (".vscode", Hold::Dir, "tasks, settings and launch configurations of VS Code and its kin"),
    (".idea", Hold::Dir, "run configurations and startup tasks of JetBrains"),
    (".zed", Hold::Dir, "tasks of Zed"),
    (".exrc", Hold::Unseen("\" this place is held by bottle while an agent runs\n"), "vi with 'exrc'"),
    (
        ".nvim.lua",
        Hold::Unseen("-- this place is held by bottle while an agent runs\n"),
        "Neovim with 'exrc'",
    ),
    (".nvimrc", Hold::Nothing, "the same"),
    (".devcontainer", Hold::Dir, "commands that run on the host before a container starts"),
    (".devcontainer.json", Hold::Nothing, "the same"),
    (".husky", Hold::Dir, "git hooks"),
    (".githooks", Hold::Dir, "git hooks"),
    (".pre-commit-config.yaml", Hold::Nothing, "pre-commit, once its hook is installed"),
    ("lefthook.yml", Hold::Nothing, "lefthook, once its hook is installed"),
    ("lefthook.yaml", Hold::Nothing, "the same"),
    (".lefthook.yml", Hold::Nothing, "the same"),
    ("lefthook-local.yml", Hold::Nothing, "the same"),
    (".claude", Hold::Dir, "hooks and permissions of Claude Code"),
    (".mcp.json", Hold::Unseen(JSON), "MCP servers that Claude Code starts"),
    (".codex", Hold::Dir, "configuration of Codex"),
    (".gemini", Hold::Dir, "configuration and MCP servers of Gemini CLI"),
    (".cursor", Hold::Dir, "hooks and MCP servers of Cursor"),
    (".windsurf", Hold::Dir, "configuration of Windsurf"),
    (".opencode", Hold::Dir, "plug-ins of opencode"),
    ("opencode.json", Hold::Unseen(JSON), "configuration of opencode"),
    ("opencode.jsonc", Hold::Nothing, "the same"),
    // A mapping, which JSON is to YAML: aider ends at a file without one.
    (".aider.conf.yml", Hold::Unseen(JSON), "lint and test commands of aider"),
    ("bottle.yaml", Hold::Dir, "the manifest: the agent would write its own leave"),
    ("bottle.yml", Hold::Dir, "the same"),
];

/// Steps before and after the workspace is mounted.
pub(super) struct Protection {
    /// On the host.
    pub(super) placeholders: Vec<Step>,
    /// Inside.
    pub(super) pins: Vec<Step>,
    /// Lists of what git is not to see, inside: where, and what they say there.
    pub(super) excludes: Vec<(PathBuf, String)>,
    /// Git folders outside of the workspace that it needs (linked worktrees).
    pub(super) mounts: Vec<PathBuf>,
    /// What there is to protect, to be compared at the end.
    pub(super) survey: Survey,
    /// By path inside: what holds the place when nothing is there.
    held: BTreeMap<PathBuf, Held>,
}

impl Protection {
    /// All of it is watched over while the bottle runs.
    pub(super) fn watch(&self) -> Step {
        let ward = |path: &PathBuf, writable| Ward {
            path: path.clone(),
            writable,
            held: self.held.get(path).cloned(),
        };
        let wards = self.pins.iter().filter_map(|step| match step {
            Step::Pin { path, writable } => Some(ward(path, *writable)),
            Step::CoverText { path, .. } => Some(ward(path, false)),
            _ => None,
        });
        Step::Watch { wards: wards.collect() }
    }

    /// The same for walls that can only mount what is on the host over itself: held places are files there, which git
    /// on the host sees.
    pub(super) fn plain(mut self) -> Self {
        for step in &mut self.placeholders {
            if let Step::Placeholder { held: held @ Held::Socket(_), .. } = step
                && let Held::Socket(text) = held.clone()
            {
                *held = Held::File(text);
            }
        }
        // Where they are inside, which in a mount at another path is not where they are on the host.
        for step in &mut self.pins {
            if let Step::CoverText { path, .. } = step {
                *step = Step::Pin { path: path.clone(), writable: false };
            }
        }
        self
    }
}

pub(super) fn protection(plan: &SandboxPlan, host: &dyn Host) -> Result<Protection, SandboxError> {
    let mut found = Found::new(plan, host);
    let workspace = Area { root: plan.workspace.clone(), at: plan.workspace.clone() };
    found.area(&workspace, plan)?;
    for path in &plan.protect {
        found.protect(&workspace, &plan.workspace.join(path), Hold::Dir)?;
    }
    for mount in plan.mounts.iter().filter(|mount| mount.writable) {
        if let Some(root) = host.canonical(&mount.path) {
            found.area(&Area { root, at: mount.at.clone() }, plan)?;
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
    held: BTreeMap<PathBuf, Held>,
    excludes: Vec<(PathBuf, String)>,
    /// Git folders that were seen to.
    repositories: BTreeSet<PathBuf>,
    survey: Survey,
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
            held: BTreeMap::new(),
            excludes: Vec::new(),
            repositories: BTreeSet::new(),
            survey: Survey::default(),
        }
    }

    /// A folder that the agent may write.
    fn area(&mut self, area: &Area, plan: &SandboxPlan) -> Result<(), SandboxError> {
        if self.host.kind(&area.root) != Kind::Dir {
            return Ok(());
        }
        for (name, hold, _) in TRUSTED {
            self.protect(area, &area.root.join(name), *hold)?;
        }
        git::protect(self, area)?;
        self.below(area, plan)
    }

    /// What lies in folders of it.
    fn below(&mut self, area: &Area, plan: &SandboxPlan) -> Result<(), SandboxError> {
        let names: Vec<_> = TRUSTED.iter().map(|(name, ..)| *name).collect();
        let aside = [self.free.clone(), others_mounts(area, plan)].concat();
        self.survey.look(self.host, area, &aside, &names);
        let things: Vec<_> = self.survey.below(area).map(|(path, thing)| (path.to_owned(), thing)).collect();
        for (path, thing) in things {
            match thing {
                Thing::Repository => self.repository(area, &path)?,
                Thing::Bare => git::bare(self, area, &path)?,
                Thing::Trusted => self.trusted(area, &path)?,
            }
        }
        Ok(())
    }

    fn repository(&mut self, area: &Area, path: &Path) -> Result<(), SandboxError> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some(".git") if path.parent() == Some(&area.root) => Ok(()),
            Some(".git") => git::nested(self, area, path),
            _ => others::protect(self, area, path),
        }
    }

    /// A link is not refused here as it is at the top: of those there are many, and all but the link is protected.
    fn trusted(&mut self, area: &Area, path: &Path) -> Result<(), SandboxError> {
        let top = path.parent() == Some(&area.root);
        match self.host.kind(path) {
            // Held by another bottle; seen to already.
            Kind::Other if top => Ok(()),
            Kind::Link(_) if !top => {
                let path = path.display();
                self.survey.concede(format!("`{path}` is a symbolic link and not protected"));
                Ok(())
            }
            _ => self.protect(area, path, Hold::Nothing),
        }
    }

    /// Protects `path` (of the host, below the area's root).
    fn protect(&mut self, area: &Area, path: &Path, hold: Hold) -> Result<(), SandboxError> {
        let Ok(below) = path.strip_prefix(&area.root) else { return Ok(()) };
        if self.is_free(path) || below.as_os_str().is_empty() {
            return Ok(());
        }
        let kind = self.host.kind(path);
        match (&kind, hold) {
            (Kind::Link(_), _) => return Err(linked(path)),
            (Kind::Absent, Hold::Nothing) => return Ok(()),
            (Kind::Absent, _) if self.host.kind(path.parent().unwrap_or(&area.root)) != Kind::Dir => {
                return Ok(());
            }
            _ => {}
        }
        self.hold(path, &area.at.join(below), hold);
        self.survey.protect(path);
        match (kind, hold) {
            (Kind::Absent | Kind::Other, Hold::Unseen(text)) => self.cover(area, below, text),
            _ => self.pin(area, below, Pin::ReadOnly),
        }
        Ok(())
    }

    fn is_free(&self, path: &Path) -> bool {
        self.free.iter().any(|free| path.starts_with(free))
    }

    /// Also for what exists: it may be a placeholder that an earlier run could not remove.
    fn hold(&mut self, path: &Path, inside: &Path, hold: Hold) {
        let held = match hold {
            Hold::Dir => Held::Dir,
            Hold::File(content) => Held::File(content.to_owned()),
            Hold::Unseen(content) => Held::Socket(content.to_owned()),
            Hold::Nothing => return,
        };
        self.held.insert(inside.to_owned(), held.clone());
        self.placeholders.push(Step::Placeholder { path: path.to_owned(), held });
    }

    /// A file inside, where the host has a held place.
    fn cover(&mut self, area: &Area, below: &Path, text: &str) {
        self.pin_above(area, below);
        self.covers.push(Step::CoverText { path: area.at.join(below), text: text.to_owned() });
    }

    /// Pins a path and the folders above it.
    fn pin(&mut self, area: &Area, below: &Path, pin: Pin) {
        self.pin_above(area, below);
        let path = area.at.join(below);
        let stronger = self.pins.get(&path) == Some(&Pin::ReadOnly);
        self.pins.insert(path, if stronger { Pin::ReadOnly } else { pin });
    }

    fn pin_above(&mut self, area: &Area, below: &Path) {
        let mut path = area.at.clone();
        for component in below.parent().into_iter().flat_map(Path::components) {
            path.push(component);
            self.pins.entry(path.clone()).or_insert(Pin::Stays);
        }
    }

    fn steps(mut self) -> Protection {
        // What lies in something read-only is read-only already.
        let read_only: BTreeSet<_> = self
            .pins
            .iter()
            .filter(|(_, pin)| **pin == Pin::ReadOnly)
            .map(|(path, _)| path.clone())
            .collect();
        self.pins.retain(|path, _| !path.ancestors().skip(1).any(|above| read_only.contains(above)));
        let pins = self.pins.into_iter().map(|(path, pin)| Step::Pin { path, writable: pin == Pin::Stays });
        Protection {
            placeholders: self.placeholders,
            pins: pins.chain(self.covers).collect(),
            excludes: self.excludes,
            mounts: self.mounts,
            survey: self.survey,
            held: self.held,
        }
    }
}

/// Places below this folder where something else is mounted inside: by their paths on the host.
fn others_mounts(area: &Area, plan: &SandboxPlan) -> Vec<PathBuf> {
    let places = plan.mounts.iter().map(|mount| &mount.at).filter(|at| **at != area.at);
    places.filter_map(|at| Some(area.root.join(at.strip_prefix(&area.at).ok()?))).collect()
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
