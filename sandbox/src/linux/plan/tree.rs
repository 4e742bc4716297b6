//! The file tree of a bottle while it is planned: which steps, and which mount covers which path.
use crate::SandboxError;
use crate::linux::host::{Host, Kind};
use crate::linux::step::{Access, Added, Step};
use std::path::{Path, PathBuf};

/// What lies at and below a path.
#[derive(Debug, Clone)]
enum Below {
    /// The bottle's own memory: can be written while the tree is built.
    Own,
    /// This of the host; writable for the agent or not.
    Host { from: PathBuf, writable: bool },
}

pub(super) struct Tree<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) steps: Vec<Step>,
    mounts: Vec<(PathBuf, Below)>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(host: &'a dyn Host) -> Self {
        let staging = ["/tmp", "/var/tmp", "/mnt", "/run"].iter().map(Path::new);
        let staging = staging.into_iter().find(|p| host.kind(p) == Kind::Dir).unwrap_or(Path::new("/proc"));
        let root = Step::Root { staging: staging.to_owned() };
        Self { host, steps: vec![root], mounts: vec![("/".into(), Below::Own)] }
    }

    /// A host path, read-only.
    pub(super) fn bind(&mut self, from: &Path, to: &Path) {
        self.mount(from, to, Access::ReadOnly);
    }

    /// A host path, read-write.
    pub(super) fn bind_writable(&mut self, from: &Path, to: &Path) {
        self.mount(from, to, Access::ReadWrite);
    }

    pub(super) fn mount(&mut self, from: &Path, to: &Path, access: Access) {
        self.steps.push(Step::Bind { from: from.to_owned(), to: to.to_owned(), access });
        let writable = access == Access::ReadWrite;
        self.mounts.push((to.to_owned(), Below::Host { from: from.to_owned(), writable }));
    }

    /// A host path at its own place: links as links, folders and files read-only, nothing when there is nothing.
    pub(super) fn mirror(&mut self, path: &Path) {
        match self.host.kind(path) {
            Kind::Dir | Kind::File => self.bind(path, path),
            Kind::Link(target) => self.steps.push(Step::Symlink { path: path.to_owned(), target }),
            Kind::Absent | Kind::Other => {}
        }
    }

    pub(super) fn tmpfs(&mut self, path: &str, mode: u32, size: &str, exec: bool) {
        self.steps.push(Step::Tmpfs { path: path.into(), mode, size: size.to_owned(), exec });
        self.mounts.push((path.into(), Below::Own));
    }

    pub(super) fn dir(&mut self, path: &str, mode: u32) {
        self.steps.push(Step::Dir { path: path.into(), mode });
    }

    pub(super) fn text(&mut self, path: &str, text: String) {
        self.steps.push(Step::Text { path: path.into(), mode: 0o644, text });
    }

    /// An injected file: written where the tree is the bottle's own, laid over what the host has, or, where the host's
    /// folder lacks it, put into that folder for the bottle alone.
    pub(super) fn inject(&mut self, path: &Path, mode: u32, file: usize) -> Result<(), SandboxError> {
        let path = &self.resolved(path);
        match self.below(path) {
            Below::Own if !self.made(path) => {
                // Of the host's links in places of the bottle's own, this one gives way.
                self.steps.retain(|step| !matches!(step, Step::Symlink { path: p, .. } if p == path));
                self.steps.push(Step::Dir { path: folder_of(path), mode: 0o755 });
                self.steps.push(Step::File { path: path.clone(), mode, file });
            }
            Below::Host { from, writable: false }
                if self.host.kind(&from) == Kind::Absent && !self.made(path) =>
            {
                self.open_up(path, mode, file)?;
            }
            Below::Host { from, .. } if matches!(self.host.kind(&from), Kind::Dir | Kind::Link(_)) => {
                return Err(SandboxError::new(format!("cannot put a file at `{}`", path.display()))
                    .with_hint("something else than a file is there already"));
            }
            _ => self.steps.push(Step::Cover { path: path.clone(), mode, file }),
        }
        Ok(())
    }

    /// A path with the links of the host's read-only folders followed, which inside are the same.
    fn resolved(&self, path: &Path) -> PathBuf {
        match self.below(path) {
            Below::Host { writable: true, .. } => path.to_owned(),
            Below::Host { .. } => self.host.canonical(path).unwrap_or_else(|| self.resolved_folder(path)),
            Below::Own => self.resolved_folder(path),
        }
    }

    fn resolved_folder(&self, path: &Path) -> PathBuf {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
        self.host.canonical(folder).map_or_else(|| path.to_owned(), |folder| folder.join(name))
    }

    /// What covers a path, with the host's own path for it.
    fn below(&self, path: &Path) -> Below {
        let covering =
            self.mounts.iter().rev().find_map(|(at, below)| Some((path.strip_prefix(at).ok()?, below)));
        match covering {
            Some((rest, Below::Host { from, writable })) if rest.as_os_str().is_empty() => {
                Below::Host { from: from.clone(), writable: *writable }
            }
            Some((rest, Below::Host { from, writable })) => {
                Below::Host { from: from.join(rest), writable: *writable }
            }
            _ => Below::Own,
        }
    }

    fn made(&self, path: &Path) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Text { path: p, .. } | Step::File { path: p, .. } => p == path,
            Step::OpenUp { path: folder, files, .. } => {
                path.strip_prefix(folder).is_ok_and(|at| files.iter().any(|added| added.at == at))
            }
            _ => false,
        })
    }

    /// Whether a path of the host is seen inside at its own place.
    pub(super) fn shows(&self, path: &Path) -> bool {
        matches!(self.below(path), Below::Host { from, .. } if from == path)
    }

    /// A host folder's programs alone: what can be executed, and links. What else lies beside them is nobody's business.
    pub(super) fn programs(&mut self, folder: &Path) {
        self.own_folder(folder);
        for name in self.host.names(folder) {
            let path = folder.join(name);
            match self.host.kind(&path) {
                Kind::File if self.host.executable(&path) => self.bind(&path, &path),
                Kind::Link(target) => self.steps.push(Step::Symlink { path, target }),
                _ => {}
            }
        }
    }

    /// A file in the nearest folder above it that the host has.
    fn open_up(&mut self, path: &Path, mode: u32, file: usize) -> Result<(), SandboxError> {
        let (from, folder) = self.host_folder(path)?;
        let Ok(at) = path.strip_prefix(&folder) else { return Ok(()) };
        let added = Added { at: at.to_owned(), mode, file };
        for step in &mut self.steps {
            match step {
                Step::OpenUp { path, files, .. } if *path == folder => {
                    files.push(added);
                    return Ok(());
                }
                _ => {}
            }
        }
        let step =
            Step::OpenUp { from: from.clone(), path: folder.clone(), files: vec![added], layered: true };
        self.steps.push(step);
        self.mounts.push((folder, Below::Host { from, writable: false }));
        Ok(())
    }

    /// On the host and inside.
    fn host_folder(&self, path: &Path) -> Result<(PathBuf, PathBuf), SandboxError> {
        let no_folder = |path: &Path| {
            SandboxError::new(format!("cannot put a file into `{}`", path.display()))
                .with_hint("something else than a folder is there")
        };
        for folder in path.ancestors().skip(1) {
            match self.below(folder) {
                Below::Host { from, .. } => match self.host.kind(&from) {
                    Kind::Absent => {}
                    Kind::Dir => return Ok((from, folder.to_owned())),
                    _ => return Err(no_folder(folder)),
                },
                Below::Own => break,
            }
        }
        Err(no_folder(path))
    }

    fn own_folder(&mut self, folder: &Path) {
        let size = "8m".to_owned();
        self.steps.push(Step::Tmpfs { path: folder.to_owned(), mode: 0o755, size, exec: false });
        self.mounts.push((folder.to_owned(), Below::Own));
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}
