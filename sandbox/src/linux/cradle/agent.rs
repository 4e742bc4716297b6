//! From the first process's fork to the agent's first instruction.
use super::{Work, errno, first};
use crate::linux::perform::guard;
use crate::linux::step::Stage;
use crate::linux::sys::{Forked, fork, reset_signals};
use crate::linux::wire::Launch;
use rustix::process::Pid;
use std::ffi::CString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where programs are sought when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// The guard that failed (by number; `None`: executing), and the kernel's answer.
type Failure = (Option<usize>, i32);

/// Starts the agent, and waits until it runs its own program.
pub(super) fn start(work: &Work, launch: &Launch, stdio: &[OwnedFd; 3]) -> io::Result<Result<Pid, Failure>> {
    let (mut reader, writer) = io::pipe()?;
    match fork()? {
        Forked::Child => {
            drop(reader);
            become_agent(work, launch, stdio, writer)
        }
        Forked::Parent { pid, .. } => {
            drop(writer);
            let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer)?;
            Ok(verdict(pid, &answer))
        }
    }
}

/// The pipe closes by itself when the program starts; anything in it is a failure.
fn verdict(pid: Pid, answer: &[u8]) -> Result<Pid, Failure> {
    if answer.is_empty() {
        return Ok(pid);
    }
    first::wait_for(pid);
    Err(serde_json::from_slice(answer).unwrap_or((None, libc::EIO)))
}

fn become_agent(work: &Work, launch: &Launch, stdio: &[OwnedFd; 3], mut writer: io::PipeWriter) -> ! {
    let failure = settle(launch, stdio)
        .map_err(|error| (None, errno(&error)))
        .and_then(|()| raise_guards(work))
        .map(|()| (None, errno(&execute(launch))))
        .unwrap_or_else(|failure| failure);
    let told = serde_json::to_vec(&failure).map(|bytes| writer.write_all(&bytes));
    std::process::exit(i32::from(told.is_err()) + 126)
}

/// Descriptors, folder, process group, signals.
fn settle(launch: &Launch, stdio: &[OwnedFd; 3]) -> io::Result<()> {
    rustix::stdio::dup2_stdin(stdio[0].as_fd())?;
    rustix::stdio::dup2_stdout(stdio[1].as_fd())?;
    rustix::stdio::dup2_stderr(stdio[2].as_fd())?;
    rustix::process::chdir(&launch.folder)?;
    // A group of its own inside the first process's session: with the whole session to itself it would be an
    // orphaned group, and those ignore Ctrl-Z.
    rustix::process::setpgid(None, None)?;
    if launch.terminal {
        rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpgrp())?;
    }
    reset_signals();
    Ok(())
}

fn raise_guards(work: &Work) -> Result<(), Failure> {
    for (index, step) in work.stage(Stage::Agent) {
        guard(step).map_err(|error| (Some(index), errno(&error)))?;
    }
    Ok(())
}

/// Returns only when the program cannot be executed.
fn execute(launch: &Launch) -> io::Error {
    let Some(prepared) = Program::new(launch) else { return io::ErrorKind::InvalidInput.into() };
    let mut answer = io::Error::from_raw_os_error(libc::ENOENT);
    for candidate in prepared.candidates() {
        let error = prepared.execute(&candidate);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // Something by that name exists: that is what to complain about, unless another folder has a good one.
            Some(libc::EACCES) => answer = error,
            _ => return error,
        }
    }
    answer
}

struct Program<'a> {
    name: &'a str,
    path: &'a str,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl<'a> Program<'a> {
    fn new(launch: &'a Launch) -> Option<Self> {
        let argv = launch.command.iter().map(|a| CString::new(a.as_str())).collect::<Result<_, _>>().ok()?;
        let env = launch
            .env
            .iter()
            .map(|(k, v)| CString::new(format!("{k}={v}")))
            .collect::<Result<_, _>>()
            .ok()?;
        let path = launch.env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        Some(Self { name: launch.command.first()?, path, argv, env })
    }

    fn candidates(&self) -> Vec<PathBuf> {
        if self.name.contains('/') {
            return vec![self.name.into()];
        }
        self.path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(self.name)).collect()
    }

    fn execute(&self, file: &Path) -> io::Error {
        let Ok(path) = CString::new(file.as_os_str().as_bytes()) else {
            return io::ErrorKind::InvalidInput.into();
        };
        match nix::unistd::execve(&path, &self.argv, &self.env) {
            Err(nix::errno::Errno::ENOEXEC) => self.execute_script(&path),
            Err(error) => error.into(),
            Ok(never) => match never {},
        }
    }

    /// A script without its first line is the shell's, as with execvp(3).
    fn execute_script(&self, path: &CString) -> io::Error {
        let shell = [c"/bin/sh".to_owned(), path.clone()];
        let argv: Vec<_> = shell.iter().chain(self.argv.iter().skip(1)).collect();
        match nix::unistd::execve(c"/bin/sh", &argv, &self.env) {
            Err(error) => error.into(),
            Ok(never) => match never {},
        }
    }
}
