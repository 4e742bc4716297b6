//! The watcher: does what must be done on the host's side, and undoes it when the bottle has ended, however it ended.
use super::{Work, errno, first, leave};
use crate::linux::step::{Held, Stage, Step};
use crate::linux::sys::{Forked, clone_into};
use crate::linux::wire::{Reader, Report, STARVED, send};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, mkdirat, mknodat, openat, openat2, unlinkat,
};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Does the host's steps up to `Enter`, then waits for the bottle's end. Gives the exit code.
pub(super) fn watch(control: Reader, work: Work) -> io::Result<i32> {
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
    Ok(0)
}

fn enter(index: usize, control: Reader, work: Work, traces: &Traces) -> io::Result<i32> {
    match clone_into(NAMESPACES) {
        Ok(Forked::Child) => first::run(control, work),
        Ok(Forked::Parent { pid, pidfd }) => {
            let told = pidfd.as_ref().map(|fd| send(control.socket(), &Report::Born { pid }, &[fd.as_fd()]));
            // From here on the launcher's end of the socket sees the first process alone.
            drop((told, pidfd, control));
            traces.step_aside();
            wait_for(pid);
            let starved = traces.starved();
            traces.remove();
            Ok(if starved { STARVED } else { 0 })
        }
        Err(error) => {
            traces.remove();
            fail(&control, index, &error)
        }
    }
}

fn fail(control: &Reader, index: usize, error: &io::Error) -> io::Result<i32> {
    send(control.socket(), &Report::Failed { index, errno: errno(error) }, &[]).map(|()| 1)
}

/// A list without `Enter` makes no bottle; the traces stay until the launcher goes.
fn wait_for_the_end(mut control: Reader) {
    let told = send(control.socket(), &Report::Ready, &[]);
    while told.is_ok() && matches!(control.next::<super::Order>(), Ok(Some(_))) {}
}

/// Waits for a child, for good.
pub(super) fn wait_for(pid: i32) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
}

/// What the host's steps left on the host, in the order of their making.
#[derive(Default)]
struct Traces {
    made: Vec<Trace>,
    /// Places that were not empty: the warden holds them should they become so.
    taken: Vec<(PathBuf, Held)>,
    shared: Vec<fs::File>,
}

enum Trace {
    File(PathBuf, String),
    Dir(PathBuf),
    Socket(PathBuf),
    /// The group that was made, and the one that this process came from.
    Cgroup(PathBuf, PathBuf),
}

impl Traces {
    fn leave(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Placeholder { path, held } => self.placeholder(path, held),
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

    fn placeholder(&mut self, path: &Path, held: &Held) -> io::Result<()> {
        match make(path, held) {
            Ok(trace) => self.made.push(trace),
            // It exists, and is protected as it is; a placeholder that was left behind is ours from now on.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match Some(Trace::found(path, held)).filter(Trace::is_untouched) {
                    Some(ours) => self.made.push(ours),
                    None => self.taken.push((path.to_owned(), held.clone())),
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn join_cgroup(&mut self, path: &Path, settings: &[(String, String)]) -> io::Result<()> {
        self.join(path, settings, own_cgroup(path)?)
    }

    fn join(&mut self, path: &Path, settings: &[(String, String)], home: PathBuf) -> io::Result<()> {
        fs::create_dir(path)?;
        self.made.push(Trace::Cgroup(path.to_owned(), home));
        for (name, value) in settings {
            fs::write(path.join(name), value)?;
        }
        fs::write(path.join("cgroup.procs"), "0")
    }

    /// Out of the bottle's group, whose first process is in it by now: the kernel, when the memory of a group is used up,
    /// kills in it whom it likes, and who has to clean up must not be among them.
    fn step_aside(&self) {
        for (_, home) in self.groups() {
            let _or_else_it_stays = fs::write(home.join("cgroup.procs"), "0");
        }
    }

    /// Whether the kernel killed something in the group for want of memory. The group must still be there.
    fn starved(&self) -> bool {
        self.groups().any(|(group, _)| {
            fs::read_to_string(group.join("memory.events")).is_ok_and(|events| killed(&events))
        })
    }

    fn groups(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.made.iter().filter_map(|trace| match trace {
            Trace::Cgroup(group, home) => Some((group.as_path(), home.as_path())),
            _ => None,
        })
    }

    /// Only what is still as it was made goes, and only with the last bottle that uses the folder: removing what is
    /// mounted over in another bottle would take that bottle's protection away.
    fn remove(&self) {
        let alone = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        let last = self.shared.iter().all(|folder| rustix::fs::flock(folder, alone).is_ok());
        let later = self.taken.iter().map(|(path, held)| Trace::found(path, held));
        let later: Vec<_> = later.filter(|trace| last && trace.is_untouched()).collect();
        let made = self.made.iter().rev().filter(|trace| last || matches!(trace, Trace::Cgroup(..)));
        leave::to_the_kernel(later.iter().chain(made).filter_map(Trace::remove).collect());
    }
}

impl Trace {
    /// What a placeholder of this kind is, where something is already.
    fn found(path: &Path, held: &Held) -> Self {
        match held {
            Held::Dir => Self::Dir(path.to_owned()),
            Held::Socket(_) if is_socket(path) => Self::Socket(path.to_owned()),
            Held::File(content) | Held::Socket(content) => Self::File(path.to_owned(), content.clone()),
        }
    }

    fn is_untouched(&self) -> bool {
        match self {
            // Whose it is cannot be told; git does not know empty folders, so that nobody misses one.
            Self::Dir(path) => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
            Self::Cgroup(..) => false,
            // Nobody serves at a name that belongs to a file.
            Self::Socket(path) => is_socket(path),
            Self::File(path, content) => {
                !content.is_empty()
                    && path.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() < 1024)
                    && fs::read(path).is_ok_and(|found| found == content.as_bytes())
            }
        }
    }

    /// Gives what had the name, which its place on the disk goes with.
    fn remove(&self) -> Option<OwnedFd> {
        match self {
            Self::Dir(path) => unlink(path, AtFlags::REMOVEDIR).ok(),
            Self::Socket(path) if is_socket(path) => unlink(path, AtFlags::empty()).ok(),
            Self::Socket(_) => None,
            // A group goes when its last process has left; without a bottle in it that is this one.
            Self::Cgroup(path, home) => {
                let _gone_already =
                    fs::write(home.join("cgroup.procs"), "0").and_then(|()| fs::remove_dir(path));
                None
            }
            Self::File(path, content) => match fs::read(path) {
                Ok(found) if found == content.as_bytes() => unlink(path, AtFlags::empty()).ok(),
                _ => None,
            },
        }
    }
}

fn unlink(path: &Path, flags: AtFlags) -> io::Result<OwnedFd> {
    let (parent, name) = parent_of(path)?;
    let itself = openat(&parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    unlinkat(&parent, name, flags)?;
    Ok(itself)
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.file_type().is_socket())
}

/// Never through a link: another bottle of this workspace may put one in the place of a folder that was looked at.
fn parent_of(path: &Path) -> io::Result<(OwnedFd, &OsStr)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let open = || openat2(CWD, parent, flags, Mode::empty(), resolve);
    Ok((rustix::io::retry_on_intr(open)?, name))
}

fn make_dir(path: &Path) -> io::Result<()> {
    let (parent, name) = parent_of(path)?;
    Ok(mkdirat(&parent, name, Mode::from_raw_mode(0o777))?)
}

/// Holds a place while the bottle runs; the watcher of whichever bottle is the last one here removes it.
pub(super) fn hold(path: &Path, held: &Held) -> io::Result<()> {
    make(path, held).map(drop)
}

fn make(path: &Path, held: &Held) -> io::Result<Trace> {
    match held {
        Held::Dir => make_dir(path).map(|()| Trace::Dir(path.to_owned())),
        Held::File(content) => make_file(path, content),
        Held::Socket(content) => match make_socket(path) {
            Ok(()) => Ok(Trace::Socket(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => make_file(path, content),
        },
    }
}

/// Only the name of a socket; no process has its other end.
fn make_socket(path: &Path) -> io::Result<()> {
    let (parent, name) = parent_of(path)?;
    Ok(mknodat(&parent, name, FileType::Socket, Mode::RUSR | Mode::WUSR, 0)?)
}

fn make_file(path: &Path, content: &str) -> io::Result<Trace> {
    let (parent, name) = parent_of(path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = fs::File::from(openat(&parent, name, flags, Mode::from_raw_mode(0o644))?);
    file.write_all(content.as_bytes())?;
    Ok(Trace::File(path.to_owned(), content.to_owned()))
}

/// `memory.events` counts by name; what was killed to free memory is `oom_kill`.
fn killed(events: &str) -> bool {
    events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
}

/// The group that this process is in: beside the new one.
fn own_cgroup(path: &Path) -> io::Result<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let name =
        own.lines().find_map(|line| line.strip_prefix("0::")).and_then(|own| Path::new(own).file_name());
    Ok(path.with_file_name(name.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a bottle that runs in the same workspace could do between the look and the making.
    #[test]
    fn no_place_is_made_or_removed_through_a_link() {
        let [inside, outside] = [(), ()].map(|()| tempfile::tempdir().expect("a folder"));
        let link = inside.path().join("sub");
        std::os::unix::fs::symlink(outside.path(), &link).expect("a link");
        for held in [Held::Dir, Held::File("x".into()), Held::Socket("x".into())] {
            let error = make(&link.join("config"), &held).err().expect("a link is in the way");
            assert_eq!(error.raw_os_error(), Some(libc::ELOOP), "{held:?}");
        }
        assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
        fs::create_dir(outside.path().join("config")).expect("made");
        Trace::Dir(link.join("config")).remove();
        assert!(outside.path().join("config").exists());
    }

    /// A folder that is no control group: what is written, and in which order it is undone. The kernel would make the
    /// files by itself and refuse to remove a group with processes in it.
    #[test]
    fn a_group_gets_its_limits_before_its_process_and_is_left_before_it_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let [home, group] = ["launcher", "bottle-x"].map(|name| folder.path().join(name));
        fs::create_dir(&home).expect("a folder");
        let settings = [("memory.max", "1073741824"), ("cpu.max", "150000 100000"), ("pids.max", "10")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut traces = Traces::default();
        traces.join(&group, &settings, home.clone()).expect("a group");
        let read = |path: PathBuf| fs::read_to_string(path).expect("a file");
        for (name, value) in &settings {
            assert_eq!(&read(group.join(name)), value);
        }
        assert_eq!(read(group.join("cgroup.procs")), "0");
        for name in ["memory.max", "cpu.max", "pids.max", "cgroup.procs"] {
            fs::remove_file(group.join(name)).expect("as the kernel would");
        }
        traces.remove();
        assert_eq!(read(home.join("cgroup.procs")), "0");
        assert!(!group.exists());
    }

    #[test]
    fn what_was_killed_for_want_of_memory_is_told_from_what_only_waited() {
        assert!(!killed("low 0\nhigh 0\nmax 812\noom 3\noom_kill 0\noom_group_kill 0\n"));
        assert!(killed("low 0\nhigh 0\nmax 812\noom 3\noom_kill 2\noom_group_kill 0\n"));
        assert!(!killed(""));
    }

    #[test]
    fn a_limit_that_the_kernel_does_not_take_stops_the_start_and_leaves_no_group() {
        let folder = tempfile::tempdir().expect("a folder");
        let group = folder.path().join("bottle-x");
        let mut traces = Traces::default();
        let settings = [("no/such/controller.max".to_owned(), "1".to_owned())];
        assert!(traces.join(&group, &settings, folder.path().to_owned()).is_err());
        traces.remove();
        assert!(!group.exists());
    }

    #[test]
    fn a_held_place_is_a_socket_that_goes_and_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".envrc");
        let held = Held::Socket("# held\n".to_owned());
        let mut left_behind = Traces::default();
        left_behind.placeholder(&path, &held).expect("a place");
        assert!(is_socket(&path));
        // The next run finds it, and it is its own.
        let mut next = Traces::default();
        next.placeholder(&path, &held).expect("a place");
        next.remove();
        assert!(!path.exists());
        fs::write(&path, "mine").expect("a file");
        let mut third = Traces::default();
        third.placeholder(&path, &held).expect("a place");
        third.remove();
        left_behind.remove();
        assert_eq!(fs::read_to_string(&path).expect("the file"), "mine");
    }
}
