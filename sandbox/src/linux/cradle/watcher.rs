//! The watcher: does what must be done on the host's side, and undoes it when the bottle has ended, however it ended.
use super::{Work, errno, first};
use crate::linux::step::{Stage, Step};
use crate::linux::sys::{Forked, clone_into};
use crate::linux::wire::{Reader, Report, send};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Does the host's steps up to `Enter`, then waits for the bottle's end.
pub(super) fn watch(control: Reader, work: Work) -> io::Result<()> {
    let mut traces = Traces::default();
    let door = work.steps.iter().position(|step| *step == Step::Enter);
    for (index, step) in work.stage(Stage::Host).take_while(|(_, step)| **step != Step::Enter) {
        if let Err(error) = traces.leave(step) {
            traces.remove();
            return fail(&control, index, &error);
        }
    }
    if let Some(index) = door {
        return enter(index, control, work, &traces);
    }
    wait_for_the_end(control);
    traces.remove();
    Ok(())
}

fn enter(index: usize, control: Reader, work: Work, traces: &Traces) -> io::Result<()> {
    match clone_into(NAMESPACES) {
        Ok(Forked::Child) => first::run(control, work),
        Ok(Forked::Parent { pid, pidfd }) => {
            let told = pidfd.as_ref().map(|fd| send(control.socket(), &Report::Born { pid }, &[fd.as_fd()]));
            // From here on the launcher's end of the socket sees the first process alone.
            drop((told, pidfd, control));
            wait_for(pid);
            traces.remove();
            Ok(())
        }
        Err(error) => {
            traces.remove();
            fail(&control, index, &error)
        }
    }
}

fn fail(control: &Reader, index: usize, error: &io::Error) -> io::Result<()> {
    send(control.socket(), &Report::Failed { index, errno: errno(error) }, &[])
}

/// A list without `Enter` makes no bottle; the traces stay until the launcher goes.
fn wait_for_the_end(mut control: Reader) {
    let told = send(control.socket(), &Report::Ready, &[]);
    while told.is_ok() && matches!(control.next::<super::Order>(), Ok(Some(_))) {}
}

fn wait_for(pid: i32) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
}

/// What the host's steps left on the host, in the order of their making.
#[derive(Default)]
struct Traces {
    made: Vec<Trace>,
    shared: Vec<fs::File>,
}

enum Trace {
    File(PathBuf, String),
    Dir(PathBuf),
    /// The group that was made, and the one that this process came from.
    Cgroup(PathBuf, PathBuf),
}

impl Traces {
    fn leave(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Placeholder { path, content } => self.placeholder(path, content.as_deref()),
            Step::Share { path } => self.share(path),
            Step::DropGroups => Ok(nix::unistd::setgroups(&[])?),
            Step::JoinCgroup { path, settings } => self.join_cgroup(path, settings),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Waits only for a bottle that is removing its placeholders right now.
    fn share(&mut self, path: &Path) -> io::Result<()> {
        let folder = fs::File::open(path)?;
        rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockShared)?;
        self.shared.push(folder);
        Ok(())
    }

    fn placeholder(&mut self, path: &Path, content: Option<&str>) -> io::Result<()> {
        match make(path, content) {
            Ok(trace) => self.made.push(trace),
            // It exists, and is protected as it is; a placeholder that was left behind is ours from now on.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.made.extend(Some(Trace::of(path, content)).filter(Trace::is_untouched));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn join_cgroup(&mut self, path: &Path, settings: &[(String, String)]) -> io::Result<()> {
        fs::create_dir(path)?;
        self.made.push(Trace::Cgroup(path.to_owned(), own_cgroup(path)?));
        for (name, value) in settings {
            fs::write(path.join(name), value)?;
        }
        fs::write(path.join("cgroup.procs"), "0")
    }

    /// Only what is still as it was made goes, and only with the last bottle that uses the folder: removing what is
    /// mounted over in another bottle would take that bottle's protection away.
    fn remove(&self) {
        let alone = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        let last = self.shared.iter().all(|folder| rustix::fs::flock(folder, alone).is_ok());
        for trace in self.made.iter().rev() {
            if last || matches!(trace, Trace::Cgroup(..)) {
                trace.remove();
            }
        }
    }
}

impl Trace {
    fn of(path: &Path, content: Option<&str>) -> Self {
        match content {
            Some(content) => Self::File(path.to_owned(), content.to_owned()),
            None => Self::Dir(path.to_owned()),
        }
    }

    fn is_untouched(&self) -> bool {
        match self {
            // Whose it is cannot be told; git does not know empty folders, so that nobody misses one.
            Self::Dir(path) => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
            Self::Cgroup(..) => false,
            Self::File(path, content) => {
                !content.is_empty()
                    && path.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() < 1024)
                    && fs::read(path).is_ok_and(|found| found == content.as_bytes())
            }
        }
    }

    fn remove(&self) {
        let _gone_already = match self {
            Self::Dir(path) => fs::remove_dir(path),
            // A group goes when its last process has left, which is this one.
            Self::Cgroup(path, home) => {
                fs::write(home.join("cgroup.procs"), "0").and_then(|()| fs::remove_dir(path))
            }
            Self::File(path, content) => match fs::read(path) {
                Ok(found) if found == content.as_bytes() => fs::remove_file(path),
                _ => Ok(()),
            },
        };
    }
}

fn make(path: &Path, content: Option<&str>) -> io::Result<Trace> {
    let Some(content) = content else {
        return fs::create_dir(path).map(|()| Trace::Dir(path.to_owned()));
    };
    let mut file = fs::File::options().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(content.as_bytes())?;
    Ok(Trace::File(path.to_owned(), content.to_owned()))
}

/// The group that this process is in: beside the new one.
fn own_cgroup(path: &Path) -> io::Result<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let name =
        own.lines().find_map(|line| line.strip_prefix("0::")).and_then(|own| Path::new(own).file_name());
    Ok(path.with_file_name(name.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?))
}
