//! What the agent sees of the machine.
use super::paths::clean;
use super::{Layer, Lower};
use crate::at::At;
use crate::lint;
use crate::plan::{LimitsPlan, MountPlan, PortPlan, SandboxPlan};
use crate::written::{Limits, Manifest, Mode, Mount, Port};
use std::path::{Path, PathBuf};

impl Lower<'_> {
    /// The folder that the agent works in, with every link resolved: what is mounted must be what was looked at.
    pub(super) fn workspace(&mut self, user: &Manifest) -> Option<PathBuf> {
        // What the command line says, or the folder that one is in, has no place in the manifest.
        let written = user.workspace.as_ref().filter(|_| self.place.overrides.workspace.is_none());
        let span = written.map(|written| written.span);
        let path = match (self.place.overrides.workspace, &user.workspace) {
            (Some(path), _) => path.to_path_buf(),
            (None, Some(written)) => self.path(written)?,
            (None, None) => self.place.folder.to_path_buf(),
        };
        let Some(workspace) = self.host.canonical(&path) else {
            let message = format!("the workspace `{}` does not exist", path.display());
            self.error_somewhere(span, message, "name a folder that is there");
            return None;
        };
        let home = self.host.canonical(&self.host.home()).unwrap_or_else(|| self.host.home());
        if home.starts_with(&workspace) || lint::is_system(&workspace) {
            let message = format!("the workspace `{}` would show more than a project", workspace.display());
            self.error_somewhere(
                span,
                message,
                "put the project into a folder of its own and name that: `workspace: ~/project`",
            );
            return None;
        }
        if workspace.to_str().is_none() {
            let message =
                format!("the workspace `{}` has a name that is not UTF-8 text", workspace.display());
            self.error_somewhere(span, message, "give the folder another name");
            return None;
        }
        Some(workspace)
    }

    pub(super) fn sandbox(
        &mut self,
        layers: &[Layer],
        name: Option<&str>,
        workspace: Option<PathBuf>,
    ) -> Option<SandboxPlan> {
        let user = &layers.first()?.manifest;
        let mounts = self.mounts(layers);
        let ports = self.ports(user);
        let limits = self.limits(user.limits.as_ref());
        let workspace = workspace?;
        let mut protect = self.inside(&user.protect, &workspace);
        let unprotect = self.inside(&user.unprotect, &workspace);
        let manifest = self.place.file.and_then(|file| self.host.canonical(file));
        protect.extend(manifest.filter(|file| file.starts_with(&workspace) && !unprotect.contains(file)));
        self.not_both(&user.protect, &unprotect);
        Some(SandboxPlan {
            workspace,
            mounts,
            home: self.host.state().join("bottle").join(name?).join("home"),
            home_inside: self.host.home(),
            protect,
            unprotect,
            ports,
            limits: limits?,
        })
    }

    fn mounts(&mut self, layers: &[Layer]) -> Vec<MountPlan> {
        let mut mounts: Vec<MountPlan> = Vec::new();
        for layer in layers {
            for written in &layer.manifest.mounts {
                let Some(mount) = self.mount(written) else { continue };
                let taken = mounts.iter().any(|earlier| earlier.at == mount.at);
                if taken && layer.preset.is_none() {
                    self.error(written.path.span, format!("two mounts stand at `{}`", mount.at.display()));
                } else if !taken {
                    mounts.push(mount);
                }
            }
        }
        mounts
    }

    fn mount(&mut self, written: &At<Mount>) -> Option<MountPlan> {
        let path = if written.optional {
            self.path(&written.path)?
        } else {
            self.existing(&written.path, "the mount")?
        };
        let at = match &written.at {
            Some(at) => self.inside_path(at)?,
            None => path.clone(),
        };
        let real = self.host.canonical(&path).unwrap_or_else(|| path.clone());
        let writable = written.mode == Some(Mode::Rw);
        lint::mount(&real, &self.host.home(), self.host, writable, written.path.span, &mut self.problems);
        Some(MountPlan { path: real, at, writable, optional: written.optional })
    }

    fn inside_path(&mut self, at: &At<String>) -> Option<PathBuf> {
        if at.starts_with('/') || at.starts_with('~') {
            return self.path(at);
        }
        let message = format!("`{}` is not a place inside the bottle", at.value);
        self.error_hint(at.span, message, "it begins with `/` or `~/`");
        None
    }

    /// Paths of the workspace.
    fn inside(&mut self, written: &[At<String>], workspace: &Path) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for one in written {
            if one.is_empty() || one.starts_with('~') || one.contains('\0') {
                self.error_hint(
                    one.span,
                    format!("`{}` is not a path of the workspace", one.value),
                    RELATIVE,
                );
                continue;
            }
            let path = clean(&workspace.join(&one.value));
            if path == workspace || !path.starts_with(workspace) {
                self.error_hint(one.span, format!("`{}` is not inside the workspace", one.value), RELATIVE);
                continue;
            }
            paths.push(path);
        }
        paths
    }

    fn not_both(&mut self, protect: &[At<String>], unprotect: &[PathBuf]) {
        for one in protect {
            if unprotect.iter().any(|path| path.ends_with(one.trim_start_matches("./"))) {
                self.error(one.span, format!("`{}` stands under `protect` and under `unprotect`", one.value));
            }
        }
    }

    fn ports(&mut self, user: &Manifest) -> Vec<PortPlan> {
        let mut ports: Vec<PortPlan> = Vec::new();
        for written in &user.ports {
            let Some(port) = port(&written.value) else {
                let message = "this is not a port to publish";
                self.error_hint(
                    written.span,
                    message,
                    "write `3000`, or `\"8080:3000\"` for outside and inside",
                );
                continue;
            };
            if ports.iter().any(|earlier| earlier.host == port.host) {
                self.error(written.span, format!("port {} of this machine is published twice", port.host));
            }
            ports.push(port);
        }
        ports
    }

    fn limits(&mut self, limits: Option<&Limits>) -> Option<LimitsPlan> {
        let Some(limits) = limits else { return Some(LimitsPlan::default()) };
        let memory = match &limits.memory {
            Some(memory) => {
                Some(super::units::size(memory).map_err(|why| self.error(memory.span, why)).ok()?)
            }
            None => None,
        };
        let millicpus = match &limits.cpus {
            Some(cpus) => Some(self.millicpus(cpus)?),
            None => None,
        };
        Some(LimitsPlan {
            memory,
            processes: self.at_least_one(limits.processes.as_ref(), "processes"),
            millicpus,
            open_files: self.at_least_one(limits.open_files.as_ref(), "open_files"),
        })
    }

    fn at_least_one(&mut self, limit: Option<&At<u64>>, key: &str) -> Option<u64> {
        let limit = limit?;
        if limit.value == 0 {
            self.error(limit.span, format!("with `{key}: 0` nothing could run"));
        }
        Some(limit.value)
    }

    fn millicpus(&mut self, cpus: &At<f64>) -> Option<u64> {
        let milli = (cpus.value * 1000.0).round();
        if !(1.0..=10_000_000.0).contains(&milli) {
            self.error(cpus.span, format!("`{}` is not a number of processors", cpus.value));
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounded, and from 1 to ten million"
        )]
        Some(milli as u64)
    }
}

const RELATIVE: &str = "write it as it is seen from the workspace folder: `.vscode/tasks.json`";

fn port(written: &Port) -> Option<PortPlan> {
    let (host, inside) = match written {
        Port::Same(port) => (*port, *port),
        Port::Pair(text) => {
            let (host, inside) = text.split_once(':').unwrap_or((text, text));
            (host.parse().ok()?, inside.parse().ok()?)
        }
    };
    (host > 0 && inside > 0).then_some(PortPlan { host, inside })
}
