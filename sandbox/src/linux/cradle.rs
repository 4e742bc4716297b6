//! The re-executed binary. It becomes the *watcher*, which stays in the host's namespaces and cleans up, and starts the
//! bottle's first process, which builds the walls, starts the agent and serves the launcher until one of them ends.
//!
//! A copy of it, made before it has heard anything, becomes the bottle's *warden*, which puts back what protection the host takes
//! away.
//!
//! Whoever dies first, the others follow: the launcher's death closes the control socket, on which the first process
//! ends itself; the watcher's death kills the first process by the kernel's hand; and the end of the first process is
//! the end of everything in its PID namespace.
mod agent;
mod first;
mod leave;
mod warden;
mod watcher;

use super::step::{Stage, Step};
use super::sys::{self, Forked};
use super::wire::{Order, Reader};
use rustix::fs::FileType;
use rustix::io::fcntl_dupfd_cloexec;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The re-executed binary's main; never returns to the caller.
pub fn cradle_main() -> ! {
    std::process::exit(enter().unwrap_or(1))
}

/// Gives the exit code.
fn enter() -> io::Result<i32> {
    let (control, beside) = isolate()?;
    let Some(beside) = beside else { return obey(control) };
    match sys::fork()? {
        Forked::Child => {
            drop(control);
            let _session = rustix::process::setsid();
            warden::stand_by(beside)
        }
        Forked::Parent { pid, .. } => {
            drop(beside);
            let code = obey(control);
            // It ends with the bottle; nobody else would take leave of it.
            watcher::wait_for(pid);
            code
        }
    }
}

fn obey(mut control: Reader) -> io::Result<i32> {
    let Some(Order::Build { steps, more }) = control.next()? else { return Ok(0) };
    watcher::watch(control, Work { steps, more })
}

/// What there is to do.
pub(crate) struct Work {
    pub(crate) steps: Vec<Step>,
    /// The first process hears the rest.
    pub(crate) more: bool,
}

impl Work {
    /// The steps of a stage, with their numbers.
    pub(crate) fn stage(&self, stage: Stage) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(move |(_, step)| step.stage() == stage)
    }
}

/// Nothing of the launcher comes along but the control socket, which arrives as standard input, and the warden's, as standard
/// output, where there is to be one: no descriptor, no folder, no terminal, no session.
fn isolate() -> io::Result<(Reader, Option<Reader>)> {
    sys::close_from(3)?;
    rustix::process::chdir("/")?;
    let _session = rustix::process::setsid();
    let control = taken(rustix::stdio::stdin())?;
    let beside = is_socket(rustix::stdio::stdout())?.then(|| taken(rustix::stdio::stdout())).transpose()?;
    let nothing = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(nothing.as_fd())?;
    rustix::stdio::dup2_stdout(nothing.as_fd())?;
    rustix::stdio::dup2_stderr(nothing.as_fd())?;
    Ok((control, beside))
}

fn taken(stdio: BorrowedFd<'_>) -> io::Result<Reader> {
    Ok(Reader::new(UnixStream::from(fcntl_dupfd_cloexec(stdio, 3)?)))
}

fn is_socket(stdio: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(stdio)?.st_mode) == FileType::Socket)
}

/// The number to report an error by.
pub(crate) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
