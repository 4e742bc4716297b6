//! The steps that make a bottle, as data: what will be done, in order, printable and without privilege.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// One thing that is done on the way to a bottle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Host side: an entry that must exist to be mounted over; made when absent, removed when the bottle has ended.
    Placeholder {
        /// Host path.
        path: PathBuf,
        /// What is made.
        held: Held,
    },
    /// Host side: other bottles may use this folder too; placeholders in it go with the last of them.
    Share {
        /// Host path.
        path: PathBuf,
    },
    /// Host side, real root only: the groups of the caller do not come along.
    DropGroups,
    /// Host side: be in this control group (and so are all that come after).
    JoinCgroup {
        /// Host path of the group's folder; made here, removed when the bottle has ended.
        path: PathBuf,
        /// File name → what is written to it.
        settings: Vec<(String, String)>,
    },
    /// User, network, mount, PID, IPC, UTS and control-group namespaces; what follows happens inside them.
    Enter,
    /// Who the agent is: the caller's own ids and no others.
    MapIds {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// The kernel ends the bottle when the process that watches over it dies.
    DieWithParent,
    /// No debugger and no `/proc/1/…` for the agent.
    Undumpable,
    /// The host name.
    HostName {
        /// Letters, digits and `-`.
        name: String,
    },
    /// `lo` goes up: 127.0.0.1 and `::1`.
    LoopbackUp,
    /// Every address of the world is local.
    CaptureRoutes {
        /// IPv6, else IPv4.
        v6: bool,
    },
    /// Every TCP connection goes to the egress, names to its DNS port, anything else is refused at once.
    Redirect {
        /// Where captured TCP goes.
        egress_port: u16,
        /// Where names go.
        dns_port: u16,
    },
    /// A socket for the launcher.
    Listen {
        /// What for.
        kind: ListenKind,
        /// On `::1`, else 127.0.0.1.
        v6: bool,
        /// Port.
        port: u16,
    },
    /// An empty root; the host's is out of the way under `/.host` until `Seal`.
    Root {
        /// A host folder to mount on.
        staging: PathBuf,
    },
    /// A folder of the bottle's own.
    Dir {
        /// Path inside.
        path: PathBuf,
        /// Mode.
        mode: u32,
    },
    /// A symbolic link of the bottle's own.
    Symlink {
        /// Path inside.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// A small file of the bottle's own.
    Text {
        /// Path inside.
        path: PathBuf,
        /// Mode.
        mode: u32,
        /// Content.
        text: String,
    },
    /// An injected file on a file system of the bottle's own.
    File {
        /// Path inside.
        path: PathBuf,
        /// Mode.
        mode: u32,
        /// Which of the spec's files.
        file: usize,
    },
    /// An injected file over a host file, read-only.
    Cover {
        /// Path inside.
        path: PathBuf,
        /// Mode.
        mode: u32,
        /// Which of the spec's files.
        file: usize,
    },
    /// A file of the bottle's own over a host file, read-only.
    CoverText {
        /// Path inside.
        path: PathBuf,
        /// Content.
        text: String,
    },
    /// Memory-backed and empty.
    Tmpfs {
        /// Path inside.
        path: PathBuf,
        /// Mode of its root.
        mode: u32,
        /// Size, in `mount` notation.
        size: String,
        /// Whether programs in it may run.
        exec: bool,
    },
    /// Something of the host, seen inside.
    Bind {
        /// Host path (canonical: no component may be a symbolic link when it is mounted).
        from: PathBuf,
        /// Path inside.
        to: PathBuf,
        /// What may be done with it.
        access: Access,
    },
    /// A host folder with injected files in it that the host's does not have; read-only.
    OpenUp {
        /// Host path (canonical).
        from: PathBuf,
        /// Path inside.
        path: PathBuf,
        /// What it has besides.
        files: Vec<Added>,
        /// By the kernel, which lays one folder over the other, where it can; else by links and mounts, one for each entry.
        layered: bool,
    },
    /// Something that is mounted already, over itself, so that it cannot be renamed, removed or (read-only) written.
    Pin {
        /// Path inside.
        path: PathBuf,
        /// Whether it stays writable.
        writable: bool,
    },
    /// Beside the bottle, while it runs: protection that somebody on the host takes away (a rename over a mount point of
    /// another namespace detaches it, and so does an unlink) is put back.
    Watch {
        /// What is watched over; parents first.
        wards: Vec<Ward>,
    },
    /// A `/proc` that knows this bottle's processes only, read-only.
    Proc,
    /// Terminals of its own.
    Devpts,
    /// A terminal for the agent, which the launcher relays; the first process leads its session.
    Terminal,
    /// Nothing to see: an empty device over a file, an empty folder over a folder.
    Mask {
        /// Path inside.
        path: PathBuf,
        /// Folder, else file.
        dir: bool,
    },
    /// The host's tree goes, the root becomes read-only.
    Seal,
    /// Not one namespace more, whatever else fails.
    ForbidNamespaces,
    /// No set-uid program gives anything.
    NoNewPrivileges,
    /// All capabilities go, from every set, for good.
    DropCapabilities,
    /// Agent: resource limits.
    Limits {
        /// Open files per process.
        open_files: Option<u64>,
        /// Processes and threads.
        processes: Option<u64>,
    },
    /// Agent: a second wall around files, signals and abstract sockets, where the kernel has it.
    Landlock {
        /// Folders that may be written; all else is read-only.
        writable: Vec<PathBuf>,
    },
    /// Agent: system calls that no coding agent needs are refused.
    Seccomp,
    /// Holder: no system call is left but those that hand sockets over, wait and end.
    HolderCalls,
}

/// An injected file in an opened folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// Path below the folder.
    pub at: PathBuf,
    /// Mode.
    pub mode: u32,
    /// Which of the spec's files.
    pub file: usize,
}

/// A protected place that is watched over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ward {
    /// Path inside.
    pub path: PathBuf,
    /// Whether it only has to stay where it is.
    pub writable: bool,
    /// What holds the place when nothing is there.
    pub held: Option<Held>,
}

/// What holds a place on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// An empty folder; git does not see those.
    Dir,
    /// A file with this content.
    File(String),
    /// The node of a Unix socket: git lists files, links and folders only, and whoever opens it is refused at once.
    /// Where the file system has no such nodes, a file with this content.
    Socket(String),
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenKind {
    /// Captured TCP.
    Tcp,
    /// Names over UDP.
    DnsUdp,
    /// Names over TCP.
    DnsTcp,
}

/// What may be done with a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Read, execute, write.
    ReadWrite,
    /// A device node.
    Device,
}

/// Where a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// By the watcher, in the host's namespaces.
    Host,
    /// By the bottle's first process.
    Walls,
    /// By the agent's process, just before it becomes the agent; by a holder, just before it serves.
    Agent,
}

impl Step {
    /// Where this step is done.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Placeholder { .. }
            | Self::Share { .. }
            | Self::DropGroups
            | Self::JoinCgroup { .. }
            | Self::Enter => Stage::Host,
            Self::Limits { .. } | Self::Landlock { .. } | Self::Seccomp | Self::HolderCalls => Stage::Agent,
            _ => Stage::Walls,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placeholder { path, .. } => write!(f, "hold the place of `{}`", path.display()),
            Self::Share { path } => write!(f, "share `{}` with other bottles", path.display()),
            Self::DropGroups => write!(f, "drop the caller's groups"),
            Self::JoinCgroup { path, .. } => write!(f, "join the control group `{}`", path.display()),
            Self::Enter => write!(f, "enter new user, network, mount, pid, ipc, uts and cgroup namespaces"),
            Self::MapIds { uid, gid } => write!(f, "map user {uid} and group {gid} to themselves"),
            Self::DieWithParent => write!(f, "die with the watcher"),
            Self::Undumpable => write!(f, "hide the first process from debuggers"),
            Self::HostName { name } => write!(f, "set the host name `{name}`"),
            Self::LoopbackUp => write!(f, "bring the loopback interface up"),
            Self::CaptureRoutes { v6 } => write!(f, "make every {} address local", family(*v6)),
            Self::Redirect { egress_port, dns_port } => {
                write!(f, "redirect tcp to port {egress_port} and names to port {dns_port} (nf_tables)")
            }
            Self::Listen { kind, v6, port } => {
                write!(f, "listen for {kind} on the {} loopback, port {port}", family(*v6))
            }
            Self::Root { staging } => write!(f, "make an empty root on `{}`", staging.display()),
            Self::Dir { path, .. } => write!(f, "make the folder `{}`", path.display()),
            Self::Symlink { path, target } => {
                write!(f, "link `{}` to `{}`", path.display(), target.display())
            }
            Self::Text { path, .. } | Self::File { path, .. } => write!(f, "write `{}`", path.display()),
            Self::Cover { path, .. } | Self::CoverText { path, .. } => {
                write!(f, "cover `{}`", path.display())
            }
            Self::Tmpfs { path, .. } => write!(f, "mount an empty `{}`", path.display()),
            Self::Bind { from, to, access } => {
                write!(f, "mount `{}` at `{}` ({access})", from.display(), to.display())
            }
            Self::OpenUp { path, files, .. } => {
                write!(f, "put {} files into `{}`", files.len(), path.display())
            }
            Self::Pin { path, writable: true } => write!(f, "pin `{}`", path.display()),
            Self::Pin { path, writable: false } => write!(f, "write-protect `{}`", path.display()),
            Self::Watch { wards } => write!(f, "watch over {} protected places", wards.len()),
            Self::Proc => write!(f, "mount `/proc`"),
            Self::Devpts => write!(f, "mount `/dev/pts`"),
            Self::Terminal => write!(f, "open a terminal of its own"),
            Self::Mask { path, .. } => write!(f, "mask `{}`", path.display()),
            Self::Seal => write!(f, "put the host's files out of reach"),
            Self::ForbidNamespaces => write!(f, "forbid further namespaces"),
            Self::NoNewPrivileges => write!(f, "give up new privileges"),
            Self::DropCapabilities => write!(f, "drop all capabilities"),
            Self::Limits { .. } => write!(f, "set resource limits"),
            Self::Landlock { .. } => write!(f, "restrict files, signals and abstract sockets (landlock)"),
            Self::Seccomp => write!(f, "restrict system calls (seccomp)"),
            Self::HolderCalls => write!(f, "restrict system calls to those of a holder (seccomp)"),
        }
    }
}

impl fmt::Display for ListenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "connections",
            Self::DnsUdp => "names over udp",
            Self::DnsTcp => "names over tcp",
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
            Self::Device => "device",
        })
    }
}

fn family(v6: bool) -> &'static str {
    if v6 { "ipv6" } else { "ipv4" }
}
