//! What this machine reads, executes or writes for a bottle must not be in the agent's reach: a program that the agent
//! wrote would run outside, a secret that it can read needs no placeholder, and a link that it can change would fetch
//! another file.
use super::Lower;
use super::paths::clean;
use crate::plan::SandboxPlan;
use crate::problem::{Problem, Span};
use std::path::{Path, PathBuf};

/// What this machine does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads a secret from it: not even to be seen.
    Secret,
    /// Executes it.
    Executed,
    /// Writes the audit to it.
    Audit,
    /// Hears its operator there: not even to be seen, for a socket that is seen can be spoken to.
    Control,
    /// Believes what it says (roots, certificates, values to look for): in the workspace it is write-protected.
    Trusted,
}

/// A path of this machine's own, and where the manifest names it.
pub(super) struct HostPath {
    span: Option<Span>,
    path: PathBuf,
    purpose: Purpose,
}

/// A part of the disk that the agent reaches.
struct Part {
    path: PathBuf,
    writable: bool,
    called: String,
}

impl Lower<'_> {
    /// Notes a path to be kept apart once all that the agent sees is known.
    pub(super) fn apart(&mut self, span: Option<Span>, path: &Path, purpose: Purpose) {
        self.host_paths.push(HostPath { span, path: clean(path), purpose });
    }

    /// Protects what can be protected, and tells the rest.
    pub(super) fn keep_apart(&mut self, sandbox: &mut SandboxPlan) {
        let parts = parts(sandbox);
        for own in std::mem::take(&mut self.host_paths) {
            // The name as written and where it leads: who can change either decides what is read.
            let mut names = vec![own.path.clone()];
            names.extend(self.host.canonical(&own.path).filter(|real| *real != own.path));
            for name in names {
                let reached = parts.iter().find(|part| part.reaches(&name, own.purpose));
                match reached {
                    Some(part) if own.purpose == Purpose::Trusted && part.path == sandbox.workspace => {
                        protect(sandbox, name);
                    }
                    Some(part) => {
                        self.problems.push(own.problem(&part.called));
                        break;
                    }
                    None => {}
                }
            }
        }
    }
}

fn protect(sandbox: &mut SandboxPlan, path: PathBuf) {
    if !sandbox.protect.contains(&path) && !sandbox.unprotect.contains(&path) {
        sandbox.protect.push(path);
    }
}

fn parts(sandbox: &SandboxPlan) -> Vec<Part> {
    let part = |path: &Path, writable, called: String| Part { path: path.to_owned(), writable, called };
    let mut parts = vec![
        part(&sandbox.workspace, true, "the workspace".to_owned()),
        part(&sandbox.home, true, "the bottle's private home".to_owned()),
    ];
    for mount in &sandbox.mounts {
        parts.push(part(&mount.path, mount.writable, format!("the mount `{}`", mount.path.display())));
    }
    parts
}

impl Part {
    fn reaches(&self, path: &Path, purpose: Purpose) -> bool {
        (self.writable || matches!(purpose, Purpose::Secret | Purpose::Control))
            && path.starts_with(&self.path)
    }
}

impl HostPath {
    fn problem(&self, place: &str) -> Problem {
        let path = self.path.display();
        let (message, hint) = match self.purpose {
            Purpose::Secret => (
                format!("`{path}` lies in {place}, where the agent could read the secret itself"),
                "move it to where the agent does not look, for example below `~/.config`",
            ),
            Purpose::Executed => (
                format!(
                    "`{path}` lies in {place}: this machine would run or read there what the agent wrote"
                ),
                "move it to where the agent does not write, for example `~/.local/bin`",
            ),
            Purpose::Audit => (
                format!("the audit `{path}` lies in {place}, where the agent could rewrite it"),
                "name a file outside: `audit: { file: … }`; or choose a narrower folder for the agent",
            ),
            Purpose::Control => (
                format!(
                    "{place} holds `{path}`, where bottles are steered: the agent could answer its own requests"
                ),
                "choose a narrower folder for the agent",
            ),
            Purpose::Trusted => (
                format!("`{path}` lies in {place}, where the agent could change what is trusted"),
                "move it to where the agent does not write",
            ),
        };
        let problem = Problem::error(self.span.unwrap_or_default(), message).hint(hint);
        Problem { span: self.span, ..problem }
    }
}
