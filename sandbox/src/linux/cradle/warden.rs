//! The warden: puts protection back that the host takes away.
//!
//! A rename over a mount point of another namespace, or an unlink of it, succeeds and takes the mount away
//! (mount_namespaces(7)); a rename of the mount point takes it along. The warden stands in the bottle's user and mount
//! namespaces, where it may mount, and in no other of its namespaces, so that nothing inside sees or reaches it. It hears of
//! what happens in the folders of its wards and looks at all of them, and mounts over what is there now. It knows paths and
//! kinds of files; what is in them it does not read.
//!
//! What it cannot do: between the host's rename and the new mount the agent may write, and it may write into a file before
//! that is renamed. So what was replaced is told to the operator besides ([`crate::linux::Survey::replaced`]).
use super::{errno, leave, watcher};
use crate::linux::perform::mounts;
use crate::linux::step::{Held, Ward};
use crate::linux::wire::{Order, Reader, Report, send};
use nix::sched::{CloneFlags, setns};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// All wards are looked at this often, whatever was heard: folders come and go, and the kernel gives no more ears than its
/// limits allow.
const EVERY: Duration = Duration::from_millis(500);
/// The same when there are no ears.
const EVERY_WITHOUT_EARS: Duration = Duration::from_millis(20);
/// A program that replaces a file may unlink it first; a place that is held in between would be in its way.
const GRACE: Duration = Duration::from_millis(250);
/// A detached mount is a namespace to the kernel, and the bottle's user namespace may have none.
const MOUNT_NAMESPACES: &str = "sys/user/max_mnt_namespaces";

/// Waits for its order; the launcher's end is this one's. Gives the exit code.
pub(super) fn stand_by(mut control: Reader) -> io::Result<i32> {
    match control.next()? {
        Some(Order::Watch { wards }) => watch(control, wards),
        _ => Ok(0),
    }
}

/// Until the launcher or the bottle's first process is gone.
fn watch(mut control: Reader, wards: Vec<Ward>) -> io::Result<i32> {
    let [user, mount, first] = [control.take_fd()?, control.take_fd()?, control.take_fd()?];
    let mut warden = match Warden::enter(wards, &user, &mount) {
        Ok(warden) => warden,
        Err(error) => return fail(&control, &error),
    };
    drop((user, mount));
    send(control.socket(), &Report::Ready, &[])?;
    let code = match warden.stay(&control, &first) {
        Ok(()) => Ok(0),
        Err(error) => fail(&control, &error),
    };
    leave::to_the_kernel(warden.ears.into_iter().collect());
    code
}

/// The bottle ends with its warden.
fn fail(control: &Reader, error: &io::Error) -> io::Result<i32> {
    send(control.socket(), &Report::Failed { index: 0, errno: errno(error) }, &[]).map(|()| 1)
}

struct Warden {
    wards: Vec<Ward>,
    names: BTreeSet<OsString>,
    ears: Option<OwnedFd>,
    /// The host's `/proc`.
    proc: OwnedFd,
    /// Wards by number whose place is empty, and since when.
    gone: BTreeMap<usize, Instant>,
    looked: Instant,
}

impl Warden {
    fn enter(wards: Vec<Ward>, user: &OwnedFd, mount: &OwnedFd) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, "/proc", flags, Mode::empty())?;
        setns(user, CloneFlags::CLONE_NEWUSER)?;
        setns(mount, CloneFlags::CLONE_NEWNS)?;
        let ears = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        let names = wards.iter().filter_map(|ward| ward.path.file_name()).map(OsString::from).collect();
        let mut warden = Self { wards, names, ears, proc, gone: BTreeMap::new(), looked: Instant::now() };
        warden.listen();
        warden.look(|| true)?;
        Ok(warden)
    }

    fn stay(&mut self, control: &Reader, first: &OwnedFd) -> io::Result<()> {
        loop {
            let heard = self.wait(control, first)?;
            if heard.over {
                return Ok(());
            }
            if heard.look {
                self.look(|| !is_ready(first))?;
            }
        }
    }

    fn wait(&self, control: &Reader, first: &OwnedFd) -> io::Result<Heard> {
        let ends = [PollFd::new(control.socket(), PollFlags::IN), PollFd::new(first, PollFlags::IN)];
        let mut fds: Vec<_> = ends.into_iter().collect();
        fds.extend(self.ears.as_ref().map(|ears| PollFd::new(ears, PollFlags::IN)));
        let every = match (&self.ears, self.gone.is_empty()) {
            (None, _) => EVERY_WITHOUT_EARS,
            (_, false) => GRACE / 4,
            _ => EVERY,
        };
        let limit = every.saturating_sub(self.looked.elapsed());
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        rustix::io::retry_on_intr(|| poll(&mut fds, Some(&limit)))?;
        let over = fds.iter().take(2).any(|end| !end.revents().is_empty());
        // By the clock too: an agent could make so much noise that there is never silence.
        Ok(Heard { over, look: self.hear() || self.looked.elapsed() >= every })
    }

    /// Whether something became of a name that counts. When the kernel had too much to say, something may have.
    fn hear(&self) -> bool {
        let Some(ears) = &self.ears else { return false };
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(ears, &mut space);
        let mut ours = false;
        while let Ok(event) = reader.next() {
            ours |= event
                .file_name()
                .is_none_or(|name| self.names.contains(std::ffi::OsStr::from_bytes(name.to_bytes())));
        }
        ours
    }

    /// Ears for every folder that a ward lies in. One that cannot be had is made up for by looking.
    fn listen(&mut self) {
        let folders: BTreeSet<_> = self.wards.iter().filter_map(|ward| ward.path.parent()).collect();
        let what = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ONLYDIR;
        let Some(ears) = &self.ears else { return };
        let full = |folder: &Path| inotify::add_watch(ears, folder, what) == Err(Errno::NOSPC);
        if folders.into_iter().any(full) {
            self.ears = None;
        }
    }

    fn look(&mut self, alive: impl Fn() -> bool) -> io::Result<()> {
        let mut mended = false;
        self.looked = Instant::now();
        for number in 0..self.wards.len() {
            match self.see_to(number, &alive) {
                Ok(done) => mended |= done,
                // It went, or its folder did, while it was looked at: there will be news of it.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {}
                Err(error) => return Err(error),
            }
        }
        if mended {
            self.listen();
        }
        Ok(())
    }

    /// Says whether something was mended.
    fn see_to(&mut self, number: usize, alive: &impl Fn() -> bool) -> io::Result<bool> {
        let Some(place) = place(&self.wards[number].path)? else { return self.hold(number, alive) };
        self.gone.remove(&number);
        if mounts::is_mounted(&place)? {
            return Ok(false);
        }
        let ward = &self.wards[number];
        self.allow_detached(true)?;
        let done = protect(&place, ward);
        self.allow_detached(false)?;
        done.map(|()| true)
    }

    fn hold(&mut self, number: usize, alive: &impl Fn() -> bool) -> io::Result<bool> {
        let ward = &self.wards[number];
        let Some(held) = ward.held.clone() else { return Ok(false) };
        let since = *self.gone.entry(number).or_insert_with(Instant::now);
        if since.elapsed() < GRACE || !alive() {
            return Ok(false);
        }
        match watcher::hold(&ward.path, &held) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.see_to_what_is_there(number, alive),
        }
    }

    fn see_to_what_is_there(&mut self, number: usize, alive: &impl Fn() -> bool) -> io::Result<bool> {
        self.gone.remove(&number);
        self.see_to(number, alive)
    }

    /// For as long as it takes to mount. The agent has no capability to make a namespace with, and may have no user namespace
    /// that would give it one.
    fn allow_detached(&self, allow: bool) -> io::Result<()> {
        let file = openat(&self.proc, MOUNT_NAMESPACES, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        std::fs::File::from(file).write_all(if allow { b"64" } else { b"0" })
    }
}

struct Heard {
    over: bool,
    look: bool,
}

fn is_ready(first: &OwnedFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(first, PollFlags::IN)], Some(&now)) != Ok(0)
}

/// What is there, without following a link: neither on the way nor at its end. A link on the way is nothing: the folder is a
/// ward itself.
fn place(path: &Path) -> io::Result<Option<OwnedFd>> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::io::retry_on_intr(|| openat2(CWD, path, flags, Mode::empty(), resolve)) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        place => Ok(Some(place?)),
    }
}

fn protect(place: &OwnedFd, ward: &Ward) -> io::Result<()> {
    match FileType::from_raw_mode(fstat(place.as_fd())?.st_mode) {
        FileType::RegularFile | FileType::Directory => mounts::pin_open(place, ward.writable),
        _ => mounts::cover_late(place, words(ward).as_bytes()),
    }
}

fn words(ward: &Ward) -> &str {
    match &ward.held {
        Some(Held::File(text) | Held::Socket(text)) => text,
        _ => "",
    }
}
