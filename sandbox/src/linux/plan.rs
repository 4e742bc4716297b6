//! From a spec to the list of steps. Nothing here touches the machine; what it knows of it comes from a [`Host`].
mod etc;
mod home;
mod protect;
mod system;
mod tree;

use super::cgroup;
use super::host::{Host, Kind};
use super::step::{ListenKind, Step};
use super::survey::Survey;
use crate::{SandboxError, Spec, Stdio};
use manifest::plan::{MountPlan, SandboxPlan};
use std::path::{Path, PathBuf};
use tree::Tree;

/// Where captured TCP goes, and where the egress answers as an explicit proxy.
pub(crate) const EGRESS_PORT: u16 = 9099;
/// Where names go.
pub(crate) const DNS_PORT: u16 = 9053;

/// Everything that is done to make this bottle, in order.
pub(crate) fn steps(spec: &Spec, host: &dyn Host) -> Result<Vec<Step>, SandboxError> {
    let ground = Ground::plan(&spec.sandbox, &spec.slug, host)?;
    let rest = ground.rest(spec, host)?;
    Ok([ground.steps, rest].concat())
}

/// What comes first, and depends neither on the agent nor on its files: it can be done while those are seen to.
pub(crate) struct Ground {
    /// On the host, then the namespaces and the network in them.
    pub(crate) steps: Vec<Step>,
    protection: protect::Protection,
}

impl Ground {
    pub(crate) fn plan(sandbox: &SandboxPlan, slug: &str, host: &dyn Host) -> Result<Ground, SandboxError> {
        refuse_wide_workspace(sandbox, host)?;
        let protection = protect::protection(sandbox, host)?;
        let mut steps = protection.placeholders.clone();
        if host.uid() == 0 {
            steps.push(Step::DropGroups);
        }
        let name = format!("bottle-{slug}-{}", host.pid());
        steps.extend(cgroup::step(&name, &sandbox.limits, host.uid() == 0, host.cgroup())?);
        steps.push(Step::Enter);
        steps.extend(identity(slug, host));
        steps.extend(network(host.kind(Path::new("/proc/sys/net/ipv6")) == Kind::Dir));
        Ok(Ground { steps, protection })
    }

    /// The files, and what the agent is held by.
    pub(crate) fn rest(&self, spec: &Spec, host: &dyn Host) -> Result<Vec<Step>, SandboxError> {
        let mut steps = file_system(spec, &self.protection, host)?;
        steps.extend([Step::NoNewPrivileges, Step::DropCapabilities]);
        steps.extend(guards(spec, &self.protection));
        Ok(steps)
    }

    /// What was found in the workspace.
    pub(crate) fn survey(self) -> Survey {
        self.protection.survey
    }
}

/// What is done on the host, and what must lie over the workspace, when the walls are somebody else's: a container's.
pub(crate) struct Places {
    /// Steps of the host.
    pub(crate) steps: Vec<Step>,
    /// Paths to mount over themselves, parents first, and whether each stays writable.
    pub(crate) pins: Vec<(PathBuf, bool)>,
    /// Texts to mount over what git is not to see: the path inside, and what is to be read there.
    pub(crate) excludes: Vec<(PathBuf, String)>,
    /// Folders outside of the workspace that its git needs.
    pub(crate) mounts: Vec<PathBuf>,
    /// What was found in the workspace.
    pub(crate) survey: Survey,
}

pub(crate) fn places(plan: &SandboxPlan, host: &dyn Host) -> Result<Places, SandboxError> {
    refuse_wide_workspace(plan, host)?;
    let protection = protect::protection(plan, host)?;
    let protect::Protection { placeholders, pins, excludes, mounts, survey, .. } = protection.plain();
    let pins = pins.into_iter().filter_map(|step| match step {
        Step::Pin { path, writable } => Some((path, writable)),
        _ => None,
    });
    Ok(Places { steps: placeholders, pins: pins.collect(), excludes, mounts, survey })
}

/// With $HOME or more in the workspace nothing would be out of sight.
fn refuse_wide_workspace(plan: &SandboxPlan, host: &dyn Host) -> Result<(), SandboxError> {
    let workspace = &plan.workspace;
    let home = host.canonical(&plan.home_inside).unwrap_or_else(|| plan.home_inside.clone());
    if home.starts_with(workspace) || plan.home_inside.starts_with(workspace) {
        return Err(SandboxError::new(format!(
            "the workspace `{}` holds the whole home folder",
            workspace.display()
        ))
        .with_hint("run it in the folder of one project, or name one with `workspace:`"));
    }
    if host.kind(workspace) != Kind::Dir || host.canonical(workspace).as_ref() != Some(workspace) {
        return Err(SandboxError::new(format!("the workspace `{}` is not a folder", workspace.display()))
            .with_hint("name an existing folder with `workspace:`"));
    }
    Ok(())
}

fn identity(slug: &str, host: &dyn Host) -> Vec<Step> {
    vec![
        Step::MapIds { uid: host.uid(), gid: host.gid() },
        Step::DieWithParent,
        Step::Undumpable,
        Step::HostName { name: slug.to_owned() },
    ]
}

/// What every bottle's network consists of, a container's as well. Order matters: the rules stand before the interface is
/// up. Where it is up already (a container's), they stand before the routes: until then no address but loopback leads
/// anywhere, and the rules leave loopback alone.
pub(crate) fn network(v6: bool) -> Vec<Step> {
    let families: &[bool] = if v6 { &[false, true] } else { &[false] };
    let mut steps = vec![Step::Redirect { egress_port: EGRESS_PORT, dns_port: DNS_PORT }, Step::LoopbackUp];
    for &v6 in families {
        steps.push(Step::CaptureRoutes { v6 });
        steps.push(Step::Listen { kind: ListenKind::Tcp, v6, port: EGRESS_PORT });
        steps.push(Step::Listen { kind: ListenKind::DnsUdp, v6, port: DNS_PORT });
        steps.push(Step::Listen { kind: ListenKind::DnsTcp, v6, port: DNS_PORT });
    }
    steps
}

fn file_system(
    spec: &Spec,
    protection: &protect::Protection,
    host: &dyn Host,
) -> Result<Vec<Step>, SandboxError> {
    let mut tree = Tree::new(host);
    // First, while the host's `/proc` is there to take the namespaces from.
    tree.steps.insert(0, protection.watch());
    system::add(&mut tree);
    etc::add(&mut tree, spec);
    home::add(&mut tree, &spec.sandbox)?;
    tree.bind_writable(&spec.sandbox.workspace, &spec.sandbox.workspace);
    protect::add_mounts(&mut tree, protection);
    for mount in &spec.sandbox.mounts {
        add_mount(&mut tree, mount)?;
    }
    tree.steps.extend(protection.pins.iter().cloned());
    let excludes = protection.excludes.iter().cloned();
    tree.steps.extend(excludes.map(|(path, text)| Step::CoverText { path, text }));
    for (index, file) in spec.files.iter().enumerate() {
        tree.inject(&file.path, file.mode, index)?;
    }
    if spec.stdio == Stdio::Pty {
        tree.steps.push(Step::Terminal);
    }
    tree.steps.extend([Step::ForbidNamespaces, Step::Seal]);
    Ok(tree.steps)
}

fn add_mount(tree: &mut Tree<'_>, mount: &MountPlan) -> Result<(), SandboxError> {
    let Some(source) = tree.host.canonical(&mount.path) else {
        return if mount.optional { Ok(()) } else { Err(missing(&mount.path)) };
    };
    if !mount.at.is_absolute()
        || RESERVED.iter().any(|r| mount.at.starts_with(r))
        || mount.at == Path::new("/")
    {
        return Err(SandboxError::new(format!("cannot mount anything at `{}`", mount.at.display()))
            .with_hint("`at:` must be absolute, and not `/` or in /proc, /sys or /dev"));
    }
    if mount.writable {
        tree.bind_writable(&source, &mount.at);
    } else {
        tree.bind(&source, &mount.at);
    }
    Ok(())
}

const RESERVED: &[&str] = &["/proc", "/sys", "/dev"];

fn missing(path: &Path) -> SandboxError {
    SandboxError::new(format!("the mount `{}` does not exist", path.display()))
        .with_hint("create it, or take it out of `mounts:`")
}

fn guards(spec: &Spec, protection: &protect::Protection) -> [Step; 3] {
    let limits = &spec.sandbox.limits;
    [
        Step::Limits {
            open_files: limits.open_files,
            processes: Some(limits.processes.unwrap_or(cgroup::PROCESSES)),
        },
        Step::Landlock { writable: writable(&spec.sandbox, protection) },
        Step::Seccomp,
    ]
}

fn writable(plan: &SandboxPlan, protection: &protect::Protection) -> Vec<PathBuf> {
    let own = ["/tmp", "/var/tmp", "/run", "/dev", "/proc"].map(PathBuf::from);
    let mounts = plan.mounts.iter().filter(|m| m.writable).map(|m| m.at.clone());
    own.into_iter()
        .chain([plan.home_inside.clone(), plan.workspace.clone()])
        .chain(mounts)
        .chain(protection.mounts.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests;
