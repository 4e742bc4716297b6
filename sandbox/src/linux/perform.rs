//! Doing a step. Every function here is called once, by the bottle's first process (or a holder), in the order of the list.
mod agent;
mod files;
mod firewall;
pub(crate) mod mounts;
pub(crate) mod network;
mod opened;
pub(crate) mod process;
mod terminal;

pub(crate) use terminal::Terminal;

use super::step::{ListenKind, Stage, Step};
use std::io;
use std::os::fd::OwnedFd;

/// What the steps leave for each other.
#[derive(Default)]
pub(crate) struct Workshop {
    /// Contents of the injected files.
    pub(crate) files: Vec<Vec<u8>>,
    /// Listeners, to be handed over.
    pub(crate) listeners: Vec<(ListenKind, OwnedFd)>,
    /// The agent's terminal, if it has one.
    pub(crate) terminal: Option<Terminal>,
    /// The user namespace and the mount namespace, for the warden.
    pub(crate) namespaces: Option<[OwnedFd; 2]>,
    /// The host's root, until it goes.
    pub(crate) host: Option<OwnedFd>,
    /// Where the list stands in the tree.
    pub(crate) walk: files::Walk,
}

impl Workshop {
    /// Does a step of the stage `Walls`.
    pub(crate) fn build(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::MapIds { uid, gid } => process::map_ids(*uid, *gid),
            Step::DieWithParent => process::die_with_parent(),
            Step::Undumpable => process::undumpable(),
            Step::HostName { name } => process::host_name(name),
            Step::ForbidNamespaces => process::forbid_namespaces(there(&self.host)?),
            Step::NoNewPrivileges => process::no_new_privileges(),
            Step::DropCapabilities => process::drop_capabilities(),
            Step::LoopbackUp => network::loopback_up(),
            Step::CaptureRoutes { v6 } => network::capture_routes(*v6),
            Step::Redirect { egress_port, dns_port } => firewall::redirect(*egress_port, *dns_port),
            Step::Listen { kind, v6, port } => {
                self.listeners.push((*kind, network::listen(*kind, *v6, *port)?));
                Ok(())
            }
            other => self.build_tree(other),
        }
    }

    fn build_tree(&mut self, step: &Step) -> io::Result<()> {
        let Workshop { walk, host, files, .. } = self;
        match step {
            Step::Root { staging } => {
                self.host = Some(mounts::root(staging)?);
                self.walk = files::Walk::default();
                Ok(())
            }
            Step::Watch { .. } => {
                self.namespaces = Some(process::namespaces()?);
                Ok(())
            }
            Step::Dir { path, mode } => walk.dir(path, *mode),
            Step::Symlink { path, target } => walk.symlink(path, target),
            Step::Text { path, mode, text } => walk.write(path, *mode, text.as_bytes()),
            Step::File { path, mode, file } => walk.write(path, *mode, content(files, *file)?),
            Step::Cover { path, mode, file } => mounts::cover(walk, path, *mode, content(files, *file)?),
            Step::CoverText { path, text } => mounts::cover(walk, path, 0o644, text.as_bytes()),
            Step::Tmpfs { path, mode, size, exec } => mounts::tmpfs(walk, path, *mode, size, *exec),
            Step::Bind { from, to, access } => mounts::bind(walk, there(host)?, from, to, *access),
            Step::OpenUp { from, path, files: added, layered } => {
                let added = opened::Opened { from, path, added, contents: files };
                added.mount(walk, there(host)?, *layered)
            }
            Step::Pin { path, writable } => mounts::pin(walk, path, *writable),
            Step::Proc => mounts::proc(walk),
            Step::Devpts => mounts::devpts(walk),
            Step::Terminal => {
                self.terminal = Some(terminal::open()?);
                Ok(())
            }
            Step::Mask { path, dir } => mounts::mask(walk, path, *dir),
            Step::Seal => {
                self.host = None;
                mounts::seal()
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn there(host: &Option<OwnedFd>) -> io::Result<&OwnedFd> {
    host.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::ENXIO))
}

fn content(files: &[Vec<u8>], index: usize) -> io::Result<&[u8]> {
    let content = files.get(index).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODATA))?;
    Ok(content)
}

/// Does a step of the stage `Agent`.
pub(crate) fn guard(step: &Step) -> io::Result<()> {
    debug_assert_eq!(step.stage(), Stage::Agent);
    match step {
        Step::Limits { open_files, processes } => agent::limits(*open_files, *processes),
        Step::Landlock { writable } => agent::landlock(writable),
        Step::Seccomp => agent::seccomp(),
        Step::HolderCalls => agent::holder_calls(),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}
