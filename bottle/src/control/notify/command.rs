//! One run of the operator's `on_request` command.
use super::Asked;
use crate::style::neutral;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::fs::File;
use std::io::{PipeReader, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may run.
const LIMIT: Duration = Duration::from_secs(30);
/// Bytes of its output that go to the log.
const SHOWN: usize = 4096;
/// Characters of what is asked for, in the environment.
const LONGEST: usize = 2000;

/// What of our environment it gets: where it finds programs, its user's settings and the desktop. Credentials of bottles stand in
/// variables of other names.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
];

/// Variables that are passed on.
pub(super) fn passed() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed))
}

pub(super) fn is_passed(name: &str) -> bool {
    PASSED.contains(&name) || name.starts_with("LC_")
}

/// What is run, and for which petition.
pub(super) struct Job<'a> {
    program: &'a Path,
    argv: &'a [String],
    asked: &'a Asked,
    limit: Duration,
}

impl<'a> Job<'a> {
    pub(super) fn new(program: &'a Path, argv: &'a [String], asked: &'a Asked) -> Job<'a> {
        Job { program, argv, asked, limit: LIMIT }
    }

    #[cfg(test)]
    pub(super) fn within(self, limit: Duration) -> Job<'a> {
        Job { limit, ..self }
    }

    /// Runs it to its end; what it says goes to the log.
    pub(super) fn run(&self) {
        let request = &self.asked.petition.id;
        match self.outcome() {
            Ok((how, said)) => tracing::info!(request, said = neutral(said.trim()), "`on_request` {how}"),
            Err(error) => tracing::warn!(request, %error, "`on_request` cannot be run"),
        }
    }

    /// How it ended, and the beginning of what it said. Whatever it leaves behind in its group ends with it.
    pub(super) fn outcome(&self) -> std::io::Result<(String, String)> {
        let (mut output, child) = self.start()?;
        let child = Reaped(child);
        let deadline = Instant::now() + self.limit;
        let mut said = Vec::new();
        let mut open = true;
        while !child.has_ended() && Instant::now() < deadline {
            if open {
                open = listen(&mut output, &mut said)?;
            } else {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let in_time = child.has_ended();
        while open && in_time && is_ready(&output, Duration::ZERO) {
            open = listen(&mut output, &mut said)?;
        }
        let status = child.end()?;
        let how = if in_time {
            format!("ended: {status}")
        } else {
            format!("was killed: it ran longer than {} s", self.limit.as_secs())
        };
        Ok((how, String::from_utf8_lossy(&said).into_owned()))
    }

    fn start(&self) -> std::io::Result<(PipeReader, Child)> {
        let (output, write) = std::io::pipe()?;
        let petition = &self.asked.petition;
        let mut command = Command::new(self.program);
        if let [name, arguments @ ..] = self.argv {
            command.arg0(name).args(arguments);
        }
        command
            .env_clear()
            .envs(passed())
            .env("BOTTLE_REQUEST_ID", neutral(&petition.id))
            .env("BOTTLE_NAME", neutral(&self.asked.bottle))
            .env("BOTTLE_PROPOSAL", policy::neutral(&petition.proposal.to_string(), LONGEST))
            // As credentials' commands: in a workspace programs read what to do from files that the agent writes.
            .current_dir("/")
            .stdin(self.told()?)
            .stdout(write.try_clone()?)
            .stderr(write)
            .process_group(0);
        Ok((output, command.spawn()?))
    }

    /// The petition, in memory: a pipe would wait for a command that does not read.
    fn told(&self) -> std::io::Result<Stdio> {
        let mut told = serde_json::to_value(&self.asked.petition)?;
        if let Some(fields) = told.as_object_mut() {
            fields.insert("bottle".to_owned(), self.asked.bottle.clone().into());
            fields.insert("name".to_owned(), self.asked.name.clone().into());
        }
        let mut file = File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
        writeln!(file, "{told}")?;
        file.rewind()?;
        Ok(file.into())
    }
}

/// Waits a moment for output and keeps the beginning of all; false when it was closed.
fn listen(output: &mut PipeReader, said: &mut Vec<u8>) -> std::io::Result<bool> {
    if !is_ready(output, Duration::from_millis(50)) {
        return Ok(true);
    }
    let mut buffer = [0; 4096];
    let read = output.read(&mut buffer)?;
    let room = SHOWN.saturating_sub(said.len());
    said.extend(buffer.iter().take(read.min(room)));
    Ok(read > 0)
}

fn is_ready(output: &PipeReader, time: Duration) -> bool {
    let mut watched = [PollFd::new(output, PollFlags::IN)];
    let time = Timespec::try_from(time).ok();
    poll(&mut watched, time.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Until it is reaped, the number of its group is surely its own.
struct Reaped(Child);

impl Reaped {
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(Pid::from_child(&self.0)), options) {
            Ok(status) => status.is_some(),
            Err(error) => error != rustix::io::Errno::INTR,
        }
    }

    fn end(mut self) -> std::io::Result<std::process::ExitStatus> {
        self.kill_group();
        self.0.wait()
    }

    fn kill_group(&self) {
        let _ended_by_itself = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // After `end` there is nothing left to wait for.
        if let Ok(None) = self.0.try_wait() {
            self.kill_group();
            let _lost = self.0.wait();
        }
    }
}
