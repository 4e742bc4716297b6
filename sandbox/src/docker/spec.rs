//! What is asked of an engine, as data of ours: printable, and testable without one.
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Labels, by which a bottle's parts are found again.
pub mod label {
    /// Slug of the bottle.
    pub const SLUG: &str = "bot-bottle.slug";
    /// Its name in the manifest.
    pub const NAME: &str = "bot-bottle.name";
    /// Which part of it: see [`super::Role`].
    pub const ROLE: &str = "bot-bottle.role";
    /// The launcher: boot, PID namespace, pid and start time, joined by `:`.
    pub const LAUNCHER: &str = "bot-bottle.launcher";
    /// Of a volume that is a home: the bottle's name in the manifest.
    pub const HOME: &str = "bot-bottle.home";
    /// Of a volume that is a home: its owner's identity.
    pub const OWNER: &str = "bot-bottle.owner";
    /// Of an image: which build it comes from. Images without it are none of ours to remove.
    pub const BUILT_FOR: &str = "bot-bottle.built-for";
}

/// A part of a bottle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whose network the agent joins.
    Holder,
    /// The sidecar.
    Egress,
    /// What it is all for.
    Agent,
    /// The volume through which listeners are handed over.
    Handover,
    /// The network without a way out.
    Network,
    /// The volume that shows an agent this program, where the engine cannot mount it from the launcher's machine.
    Program,
}

impl Role {
    /// Each one.
    pub const ALL: [Role; 6] =
        [Role::Holder, Role::Egress, Role::Agent, Role::Handover, Role::Network, Role::Program];

    /// As the label has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Holder => "holder",
            Role::Egress => "egress",
            Role::Agent => "agent",
            Role::Handover => "handover",
            Role::Network => "net",
            Role::Program => "program",
        }
    }

    /// The name of this part: `bottle-egress-dev`.
    #[must_use]
    pub fn name(self, slug: &str) -> String {
        format!("bottle-{}-{slug}", self.as_str())
    }
}

/// One thing that is done on the way to a bottle; undone in the opposite order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A volume.
    Volume {
        /// Its name.
        name: String,
        /// What it is for.
        role: Role,
    },
    /// A network that leads nowhere.
    Network {
        /// Its name.
        name: String,
    },
    /// A container, not started.
    Create(Box<Container>),
    /// A second network for a container.
    Connect {
        /// The network.
        network: String,
        /// The container.
        container: String,
        /// What the container is called there.
        alias: String,
    },
    /// Runs a container that was created.
    Start {
        /// The container.
        container: String,
    },
}

/// A container to create. Whatever is not said here is not given: no capability, no privilege, no device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Which part of the bottle.
    pub role: Role,
    /// Made of this image.
    pub image: String,
    /// Instead of the image's entry point and command; empty: the image's own.
    pub command: Vec<String>,
    /// `NAME=VALUE`. Never a secret: anybody who may inspect the container reads it.
    pub env: Vec<String>,
    /// `uid:gid`.
    pub user: String,
    /// Working folder.
    pub folder: Option<PathBuf>,
    /// Host name; none in the network of another container.
    pub hostname: Option<String>,
    /// The engine's name for a network, `none`, `host`, or `container:NAME`.
    pub network: String,
    /// In the process namespace of this container, whose first process takes everything with it when it ends.
    pub processes_of: Option<String>,
    /// What it has of root's power; the rest is dropped.
    pub capabilities: Vec<String>,
    /// Whether nothing but mounts can be written.
    pub read_only: bool,
    /// Memory file systems: path → options.
    pub tmpfs: BTreeMap<String, String>,
    /// Of the engine's machine.
    pub mounts: Vec<Mount>,
    /// Name servers.
    pub dns: Vec<String>,
    /// `name:address`.
    pub hosts: Vec<String>,
    /// Kernel settings of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Bounds.
    pub limits: Bounds,
    /// Whether somebody will speak to its standard input.
    pub stdin: bool,
    /// Whether it has a terminal.
    pub tty: bool,
    /// That terminal's rows and columns, where they are known.
    pub size: Option<(u16, u16)>,
    /// The question for its health, if it can answer one.
    pub health: Option<Vec<String>>,
}

/// What a container may use up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Thousandths of a processor.
    pub millicpus: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
}

/// Something of the engine's machine inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// A path of the engine's machine, or the name of a volume.
    pub from: Source,
    /// Inside.
    pub at: PathBuf,
    /// Whether it may be written.
    pub writable: bool,
}

/// Where a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A path; it must be there.
    Path(PathBuf),
    /// A volume; made when it is not there.
    Volume(String),
}
