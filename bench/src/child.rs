//! Processes that are measured: started, watched, ended. None outlives the value that stands for it.
use crate::clock;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that run now.
static RUNNING: Mutex<BTreeSet<Pid>> = Mutex::new(BTreeSet::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn running() -> MutexGuard<'static, BTreeSet<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on SIGINT, SIGTERM and SIGHUP end all that run, and with it whatever waits for them.
pub(crate) fn end_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            for pid in running().iter() {
                let _gone = kill(*pid, Signal::SIGTERM);
            }
        }
    });
    Ok(())
}

/// An error after such a signal.
pub(crate) fn go_on() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        bail!("interrupted");
    }
    Ok(())
}

/// A running process; ended when it is dropped.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts a command and waits for the line `listening on [http://]ADDRESS`, on standard output or, with `on_stderr`, on
    /// standard error.
    pub(crate) fn listening(mut command: Command, on_stderr: bool) -> Result<(Process, SocketAddr)> {
        command.stdin(Stdio::null());
        let piped = if on_stderr { command.stderr(Stdio::piped()) } else { command.stdout(Stdio::piped()) };
        let mut process = Process::spawn(piped)?;
        let from: Box<dyn Read + Send> = if on_stderr {
            Box::new(process.child.stderr.take().context("no standard error")?)
        } else {
            Box::new(process.child.stdout.take().context("no standard output")?)
        };
        let mut lines = BufReader::new(from).lines();
        let mut said = String::new();
        loop {
            let Some(line) = lines.next() else { bail!("`{command:?}` ended at once: {said}") };
            let line = line?;
            if let Some(address) = line.strip_prefix("listening on ") {
                let address = address.trim_start_matches("http://").parse()?;
                thread::spawn(move || lines.for_each(drop));
                return Ok((process, address));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }

    /// Starts a command.
    pub(crate) fn spawn(command: &mut Command) -> Result<Process> {
        let child = command.spawn().with_context(|| format!("cannot start `{command:?}`"))?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        running().insert(pid);
        Ok(Process { child, pid })
    }

    /// What it used of the processors so far, all threads, user and kernel.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        clock::cpu(self.pid)
    }

    /// Resident memory, in KiB (proc_pid_status(5), `VmRSS`).
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        running().remove(&self.pid);
        let _gone = kill(self.pid, Signal::SIGTERM);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && self.is_running() {
            thread::sleep(Duration::from_millis(5));
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
