//! From a spec to steps. Nothing here touches an engine.
use super::spec::{Bounds, Container, Mount, Role, Source, Step};
use crate::linux::holder::{HOLD, PROCESSES};
use manifest::plan::{LimitsPlan, NetworkLayout, SandboxPlan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the volume is that a holder hands its listeners over in.
pub const HANDOVER: &str = "/handover";
/// The socket there.
pub const HANDOVER_SOCKET: &str = "/handover/listeners.sock";
/// Where our image has this program once more, in a folder that a new volume is filled from.
pub(super) const PROGRAM: &str = "/program";
/// Where an agent's container has it.
pub const PROGRAM_INSIDE: &str = "/run/bottle/bin";
/// The sidecar's own user, in the image.
pub(super) const SIDECAR_USER: &str = "65532:65532";
/// In the range of the egress's own answers; every address leads to it.
pub const RESOLVER: &str = "198.18.0.1";
/// Enough for any build, and an end for a fork bomb: as on Linux.
const PROCESSES_INSIDE: u64 = 8192;
/// The sidecar's memory: bounded buffers for thousands of connections.
const SIDECAR_MEMORY: u64 = 1024 * 1024 * 1024;
/// A holder does nothing, but every connection to a published port is a process in it of 2 MiB, and the launcher lets 512
/// be at once: when the kernel ends the holder for want of memory, the agent ends with it.
const HOLDER_MEMORY: u64 = 1536 * 1024 * 1024;

/// What the containers of one bottle depend on.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Slug of the bottle.
    pub slug: String,
    /// Sealed or internal.
    pub network: NetworkLayout,
    /// The network through which the egress reaches the world.
    pub outward: String,
    /// Holder's and sidecar's image.
    pub image: String,
    /// Where the egress answers as a proxy, in the layout `internal`.
    pub port: u16,
    /// Where the agent's container has this program from.
    pub program: Program,
}

/// Where an agent's container has this program from: `bottle mcp` is one of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// This file of the engine's machine.
    File(PathBuf),
    /// Our own image, by way of a volume: whatever machine the engine is on, it can run that.
    Image,
}

/// How an egress is made: what both containers need, then the two at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Network and volume.
    pub first: Vec<Step>,
    /// The holder, up to its start.
    pub holder: Vec<Step>,
    /// The sidecar, which waits for the holder by itself; its start comes after somebody listens.
    pub sidecar: Vec<Step>,
}

impl Layout {
    /// Everything up to a sidecar that waits for its briefing.
    #[must_use]
    pub fn egress(&self) -> Egress {
        match self.network {
            NetworkLayout::Sealed => self.sealed(),
            NetworkLayout::Internal => self.internal(),
        }
    }

    fn sealed(&self) -> Egress {
        let sidecar = self.sidecar(&["engine", "--handover", HANDOVER_SOCKET], &self.outward);
        Egress {
            first: self.volumes(),
            holder: made_and_started(self.holder()),
            sidecar: vec![Step::Create(Box::new(sidecar))],
        }
    }

    fn internal(&self) -> Egress {
        let network = Role::Network.name(&self.slug);
        let (proxy, names) = (format!("0.0.0.0:{}", self.port), "0.0.0.0:53");
        let command = ["engine", "--listen", &proxy, "--names", names, "--tether", HANDOVER_SOCKET];
        let mut sidecar = self.sidecar(&command, &self.outward);
        // The agent's engine asks here for every name; a port below 1024 needs no privilege in a network of one's own.
        sidecar.sysctls.insert("net.ipv4.ip_unprivileged_port_start".into(), "0".into());
        // It stands on two networks, and is no way from one to the other.
        sidecar.sysctls.insert("net.ipv4.ip_forward".into(), "0".into());
        let container = sidecar.name.clone();
        Egress {
            // The network is what an engine runs out of.
            first: [vec![Step::Network { name: network.clone() }], self.volumes()].concat(),
            holder: made_and_started(self.holder_of_processes()),
            sidecar: vec![
                Step::Create(Box::new(sidecar)),
                Step::Connect { network, container, alias: crate::provision::EGRESS_HOST.into() },
            ],
        }
    }

    fn volumes(&self) -> Vec<Step> {
        let program = (self.program == Program::Image).then_some(Role::Program);
        let roles = std::iter::once(Role::Handover).chain(program);
        roles.map(|role| Step::Volume { name: role.name(&self.slug), role }).collect()
    }

    /// An engine fills a new volume with what the image has at its place, for the first container that it is mounted in.
    fn holders_mounts(&self) -> Vec<Mount> {
        let at = |role: Role, at| mount_of_volume(&role.name(&self.slug), at);
        let program = (self.program == Program::Image).then(|| at(Role::Program, PROGRAM));
        std::iter::once(at(Role::Handover, HANDOVER)).chain(program).collect()
    }

    fn holder(&self) -> Container {
        let role = Role::Holder;
        Container {
            command: words(&["/bottle", HOLD, HANDOVER_SOCKET]),
            user: "0:0".into(),
            hostname: Some(self.slug.clone()),
            capabilities: vec!["NET_ADMIN".into()],
            mounts: self.holders_mounts(),
            dns: vec![RESOLVER.into()],
            hosts: vec![format!("{}:127.0.0.1", crate::provision::EGRESS_HOST)],
            limits: Bounds {
                memory: Some(HOLDER_MEMORY),
                processes: Some(PROCESSES_INSIDE),
                ..Bounds::default()
            },
            ..self.own(role, "none")
        }
    }

    /// The agent's first process and end, where it has a network of its own: a first process without handlers would hear
    /// no signal, and not every engine has an init to give.
    fn holder_of_processes(&self) -> Container {
        Container {
            command: words(&["/bottle", HOLD, HANDOVER_SOCKET, PROCESSES]),
            mounts: self.holders_mounts(),
            limits: Bounds {
                memory: Some(HOLDER_MEMORY),
                processes: Some(PROCESSES_INSIDE),
                ..Bounds::default()
            },
            ..self.own(Role::Holder, "none")
        }
    }

    fn sidecar(&self, command: &[&str], network: &str) -> Container {
        Container {
            command: [&["/bottle"], command].concat().into_iter().map(str::to_owned).collect(),
            user: SIDECAR_USER.into(),
            tmpfs: BTreeMap::from([("/run".into(), "rw,noexec,nosuid,nodev,size=1m,mode=0777".into())]),
            limits: Bounds { memory: Some(SIDECAR_MEMORY), processes: Some(512), ..Bounds::default() },
            mounts: vec![mount_of_volume(&Role::Handover.name(&self.slug), HANDOVER)],
            stdin: true,
            health: Some(words(&["CMD", "/bottle", "engine", "--health"])),
            ..self.own(Role::Egress, network)
        }
    }

    /// A container of ours, with nothing yet.
    fn own(&self, role: Role, network: &str) -> Container {
        Container {
            name: role.name(&self.slug),
            role,
            image: self.image.clone(),
            command: Vec::new(),
            env: Vec::new(),
            user: SIDECAR_USER.into(),
            folder: None,
            hostname: None,
            network: network.into(),
            processes_of: None,
            capabilities: Vec::new(),
            read_only: true,
            tmpfs: BTreeMap::new(),
            mounts: Vec::new(),
            dns: Vec::new(),
            hosts: Vec::new(),
            sysctls: BTreeMap::new(),
            limits: Bounds::default(),
            stdin: false,
            tty: false,
            size: None,
            health: None,
        }
    }

    /// Never writable: what an agent puts there its next start would run.
    fn program(&self) -> Mount {
        let (from, at) = match &self.program {
            Program::File(path) => (Source::Path(path.clone()), Path::new(PROGRAM_INSIDE).join("bottle")),
            Program::Image => (Source::Volume(Role::Program.name(&self.slug)), PROGRAM_INSIDE.into()),
        };
        Mount { from, at, writable: false }
    }

    /// The agent's container.
    #[must_use]
    pub fn agent(&self, agent: &Agent<'_>) -> Container {
        let sealed = self.network == NetworkLayout::Sealed;
        let addresses = agent.egress_address.iter().filter(|_| !sealed);
        let holder = format!("container:{}", Role::Holder.name(&self.slug));
        let network = if sealed { holder.clone() } else { Role::Network.name(&self.slug) };
        Container {
            image: agent.image.to_owned(),
            command: agent.command.to_vec(),
            env: agent.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            user: agent.user.clone(),
            folder: Some(agent.sandbox.workspace.clone()),
            hostname: (!sealed).then(|| self.slug.clone()),
            processes_of: Some(holder),
            read_only: false,
            mounts: agent.mounts().into_iter().chain([self.program()]).collect(),
            // Names of a holder's network are the holder's; here the egress answers every one but its own.
            dns: addresses.clone().cloned().collect(),
            hosts: addresses.map(|address| format!("{}:{address}", crate::provision::EGRESS_HOST)).collect(),
            limits: bounds(&agent.sandbox.limits),
            stdin: true,
            tty: agent.tty,
            size: agent.size,
            ..self.own(Role::Agent, &network)
        }
    }
}

/// What the agent's container depends on, besides the layout.
#[derive(Debug, Clone)]
pub struct Agent<'a> {
    /// The user's image, by its identity.
    pub image: &'a str,
    /// Program and arguments; empty: the image's own.
    pub command: &'a [String],
    /// The whole environment, besides the image's.
    pub env: &'a BTreeMap<String, String>,
    /// `uid:gid`.
    pub user: String,
    /// From the plan.
    pub sandbox: &'a SandboxPlan,
    /// Where the private home is kept.
    pub home: Source,
    /// Paths over which something read-only lies, or that are only kept in their place; parents first.
    pub pins: Vec<Mount>,
    /// With a terminal.
    pub tty: bool,
    /// The window's rows and columns, where they are known.
    pub size: Option<(u16, u16)>,
    /// The sidecar's address on the internal network.
    pub egress_address: Option<String>,
}

impl Agent<'_> {
    fn mounts(&self) -> Vec<Mount> {
        let SandboxPlan { workspace, mounts, home_inside, .. } = self.sandbox;
        let own = [
            Mount { from: self.home.clone(), at: home_inside.clone(), writable: true },
            mount_of_path(workspace, workspace, true),
        ];
        let wanted = mounts.iter().filter(|mount| !mount.optional || mount.path.exists());
        let more = wanted.map(|mount| mount_of_path(&mount.path, &mount.at, mount.writable));
        own.into_iter().chain(more).chain(self.pins.iter().cloned()).collect()
    }
}

fn made_and_started(container: Container) -> Vec<Step> {
    let start = Step::Start { container: container.name.clone() };
    vec![Step::Create(Box::new(container)), start]
}

fn bounds(limits: &LimitsPlan) -> Bounds {
    Bounds {
        memory: limits.memory,
        processes: Some(limits.processes.unwrap_or(PROCESSES_INSIDE)),
        millicpus: limits.millicpus,
        open_files: limits.open_files,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn mount_of_volume(name: &str, at: &str) -> Mount {
    Mount { from: Source::Volume(name.to_owned()), at: at.into(), writable: true }
}

fn mount_of_path(from: &Path, at: &Path, writable: bool) -> Mount {
    Mount { from: Source::Path(from.to_owned()), at: PathBuf::from(at), writable }
}

#[cfg(test)]
mod tests;
