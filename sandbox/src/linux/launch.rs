//! The launcher's side: start a cradle, tell it the steps, take what it hands over.
use super::host::RealHost;
use super::spare::{Blank, Spare};
use super::step::{ListenKind, Step};
use super::survey::Survey;
use super::warden::Warden;
use super::wire::{Launch, Order, Reader, Report, STARVED, send, write_all};
use super::{hints, plan, running};
use crate::{InjectedFile, LaunchFault, SandboxError, Spec, Stdio};
use manifest::plan::{LimitsPlan, SandboxPlan};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Child;

/// argv[1] of the re-executed binary that becomes the bottle's first process. The launcher's memory, which holds
/// secrets, is thereby never shared with anything inside.
pub const CRADLE: &str = "__cradle";

/// Sockets that were opened inside the bottle's network namespace.
#[derive(Default)]
pub struct InsideListeners {
    /// All captured TCP.
    pub tcp: Vec<TcpListener>,
    /// Names over UDP.
    pub dns_udp: Vec<UdpSocket>,
    /// Names over TCP.
    pub dns_tcp: Vec<TcpListener>,
}

impl InsideListeners {
    pub(crate) fn add(&mut self, kind: ListenKind, socket: OwnedFd) {
        match kind {
            ListenKind::Tcp => self.tcp.push(socket.into()),
            ListenKind::DnsUdp => self.dns_udp.push(socket.into()),
            ListenKind::DnsTcp => self.dns_tcp.push(socket.into()),
        }
    }
}

/// A bottle whose walls stand and whose agent does not run yet. Dropping it leaves nothing.
pub struct Prepared {
    cradle: Cradle,
    launch: Launch,
    steps: Vec<Step>,
    listeners: InsideListeners,
    terminal: Option<OwnedFd>,
    survey: Survey,
}

/// Walls whose ground is being laid while the rest is thought of. Dropping it leaves nothing.
pub struct Begun {
    cradle: Cradle,
    ground: plan::Ground,
}

impl Spare {
    /// Lays the ground: what is done on the host, the namespaces and the network.
    /// # Errors
    /// When the plan asks for what cannot be had safely, or nobody is there to do it.
    pub fn begin(self, sandbox: &SandboxPlan, slug: &str) -> Result<Begun, SandboxError> {
        let ground = plan::Ground::plan(sandbox, slug, &RealHost::new())?;
        let cradle = Cradle::of(self.blank)?;
        cradle.build(&ground.steps, true)?;
        Ok(Begun { cradle, ground })
    }
}

/// Builds the walls: namespaces, network, file system; opens the listeners.
/// # Errors
/// Which step failed and how to mend it; nothing is left behind.
pub fn prepare(spec: &Spec) -> Result<Prepared, SandboxError> {
    prepare_on(Spare::start()?.begin(&spec.sandbox, &spec.slug)?, spec)
}

/// As [`prepare`], where the ground of the same bottle was laid before.
/// # Errors
/// Which step failed and how to mend it; nothing is left behind.
pub fn prepare_on(begun: Begun, spec: &Spec) -> Result<Prepared, SandboxError> {
    let Begun { cradle, ground } = begun;
    let rest = ground.rest(spec, &RealHost::new())?;
    cradle.finish(&rest, &spec.files);
    let mut prepared = Prepared::of(cradle, spec, [ground.steps.clone(), rest].concat());
    prepared.take_reports()?;
    prepared.survey = ground.survey();
    prepared.survey.stamp();
    Ok(prepared)
}

/// The steps that [`prepare`] would do on this machine.
/// # Errors
/// When the spec asks for what no list of steps can give safely.
pub fn planned(spec: &Spec) -> Result<Vec<Step>, SandboxError> {
    plan::steps(spec, &RealHost::new())
}

/// Builds the walls from a list of steps. Whoever leaves a step out has a bottle with a hole in that place: tests do,
/// to see that each step holds something.
/// # Errors
/// Which step failed and how to mend it; nothing is left behind.
pub fn prepare_steps(spec: &Spec, steps: Vec<Step>) -> Result<Prepared, SandboxError> {
    let cradle = Cradle::of(Spare::start()?.blank)?;
    let tree = steps.iter().position(|step| matches!(step, Step::Watch { .. } | Step::Root { .. }));
    let (ground, rest) = steps.split_at(tree.unwrap_or(steps.len()));
    let more = ground.contains(&Step::Enter);
    cradle.build(ground, more)?;
    if more {
        cradle.finish(rest, &spec.files);
    }
    let mut prepared = Prepared::of(cradle, spec, steps);
    prepared.take_reports()?;
    Ok(prepared)
}

/// Does these steps and ends.
pub(crate) fn attempt(steps: &[Step]) -> Result<(), SandboxError> {
    let mut cradle = Cradle::start()?;
    cradle.build(steps, false)?;
    loop {
        match cradle.report()? {
            Report::Born { pid } => cradle.born(pid)?,
            Report::Terminal => drop(cradle.take_fd()?),
            Report::Ready => return Ok(()),
            Report::Failed { index, errno } => return Err(hints::failed(steps.get(index), errno)),
            _ => return Err(out_of_order()),
        }
    }
}

/// The workspace's places, held without a bottle of this backend: what the host executes is there to be mounted over.
/// Dropping it gives them back; so does the launcher's death.
pub struct Places {
    _cradle: Cradle,
    /// Paths to mount over themselves, parents first, and whether each stays writable.
    pub pins: Vec<(PathBuf, bool)>,
    /// Files to mount something over, and what is to be read there: lists of what git is not to see.
    pub excludes: Vec<(PathBuf, String)>,
    /// Folders outside of the workspace that its git needs, to be mounted writable.
    pub mounts: Vec<PathBuf>,
    /// What was found in the workspace: for the preflight, and to be compared at the end.
    pub survey: Survey,
}

/// Holds them for a backend whose walls are somebody else's.
/// # Errors
/// What cannot be protected, and how to mend it; nothing is left behind.
pub fn hold_places(sandbox: &SandboxPlan) -> Result<Places, SandboxError> {
    let plan::Places { steps, pins, excludes, mounts, mut survey } = plan::places(sandbox, &RealHost::new())?;
    let mut cradle = Cradle::start()?;
    cradle.build(&steps, false)?;
    match cradle.report()? {
        Report::Ready => {
            survey.stamp();
            Ok(Places { _cradle: cradle, pins, excludes, mounts, survey })
        }
        Report::Failed { index, errno } => Err(hints::failed(steps.get(index), errno)),
        _ => Err(out_of_order()),
    }
}

fn launch_of(spec: &Spec) -> Launch {
    Launch {
        command: spec.command.clone(),
        env: spec.env.clone(),
        folder: spec.sandbox.workspace.clone(),
        terminal: spec.stdio == Stdio::Pty,
    }
}

impl Prepared {
    fn of(cradle: Cradle, spec: &Spec, steps: Vec<Step>) -> Prepared {
        let (listeners, survey) = (InsideListeners::default(), Survey::default());
        Prepared { cradle, launch: launch_of(spec), steps, listeners, terminal: None, survey }
    }

    fn take_reports(&mut self) -> Result<(), SandboxError> {
        loop {
            match self.cradle.report()? {
                Report::Born { pid } => self.cradle.born(pid)?,
                Report::Listener(kind) => self.listeners.add(kind, self.cradle.take_fd()?),
                Report::Terminal => self.terminal = Some(self.cradle.take_fd()?),
                Report::Namespaces => {
                    let namespaces = [self.cradle.take_fd()?, self.cradle.take_fd()?];
                    self.cradle.warden.as_mut().ok_or_else(out_of_order)?.learn(namespaces);
                }
                Report::Ready => return Ok(()),
                Report::Failed { index, errno } => return Err(hints::failed(self.steps.get(index), errno)),
                _ => return Err(out_of_order()),
            }
        }
    }

    /// The listeners, once.
    pub fn take_listeners(&mut self) -> InsideListeners {
        std::mem::take(&mut self.listeners)
    }

    /// Master side of the PTY, when the spec asked for one (take it once). It is there before the agent, so that the
    /// first thing the agent asks for, the window's size, is right.
    pub fn take_pty(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// What was found in the workspace, once: for the preflight, and to be compared at the end.
    pub fn take_survey(&mut self) -> Survey {
        std::mem::take(&mut self.survey)
    }

    /// How the limits that were asked for are kept, a clause each.
    #[must_use]
    pub fn limits(&self, asked: &LimitsPlan) -> Vec<String> {
        super::cgroup::said(asked, &self.steps)
    }

    /// Host pid of the watcher, the parent of the bottle's first process: tests kill it.
    #[must_use]
    pub fn watcher_pid(&self) -> u32 {
        self.cradle.child.id()
    }

    /// Before the agent is there to write anything.
    fn begin_watch(&mut self) -> Result<(), SandboxError> {
        let wards = self.steps.iter().find_map(|step| match step {
            Step::Watch { wards } => Some(wards.clone()),
            _ => None,
        });
        let Cradle { warden, first, .. } = &mut self.cradle;
        match (warden, wards, first) {
            (Some(warden), Some(wards), Some((_, first))) => warden.begin(wards, first),
            _ => Ok(()),
        }
    }

    /// Starts the agent.
    /// # Errors
    /// When the program cannot be executed (not found, not executable), or what is protected cannot be watched over.
    pub fn launch(mut self) -> Result<running::Running, SandboxError> {
        self.begin_watch()?;
        let stdio = if self.launch.terminal { None } else { Some(super::stdio::Inherited::new()?) };
        let fds: Vec<_> = stdio.iter().flat_map(|s| s.fds()).collect();
        let socket = self.cradle.reader.socket();
        send(socket, &Order::Launch(self.launch.clone()), &fds).map_err(|e| gone(&e))?;
        loop {
            match self.cradle.report()? {
                Report::Born { pid } => self.cradle.born(pid)?,
                Report::Launched { .. } => break,
                Report::NotLaunched { index: Some(index), errno } => {
                    return Err(hints::failed(self.steps.get(index), errno));
                }
                Report::NotLaunched { index: None, errno } => {
                    return Err(not_executed(&self.launch.command, errno));
                }
                _ => return Err(out_of_order()),
            }
        }
        running::Running::new(self.cradle, stdio)
    }
}

fn not_executed(command: &[String], errno: i32) -> SandboxError {
    let name = command.first().map_or("", String::as_str);
    let fault = if errno == libc::ENOENT { LaunchFault::NotFound } else { LaunchFault::NotExecutable };
    let reason = std::io::Error::from_raw_os_error(errno);
    let mut error = SandboxError::new(format!("cannot execute `{name}` inside the bottle: {reason}")).with_hint(
        "the bottle sees the system's folders, the usual tool folders of $HOME, and the workspace; give others under \
         `mounts:`",
    );
    error.fault = Some(fault);
    error
}

/// The watcher's process and the socket to the bottle.
pub(crate) struct Cradle {
    pub(crate) child: Child,
    pub(crate) reader: Reader,
    pub(crate) first: Option<(i32, OwnedFd)>,
    /// Whether the kernel killed something inside for want of memory: known from the end on.
    pub(crate) starved: bool,
    pub(crate) warden: Option<Warden>,
    /// Why the warden gave up: known from the end on.
    pub(crate) unguarded: Option<std::io::Error>,
}

impl Cradle {
    fn start() -> Result<Self, SandboxError> {
        Self::of(Blank::start()?)
    }

    fn of(blank: Blank) -> Result<Self, SandboxError> {
        let (child, ours, beside) = blank.take()?;
        Ok(Self {
            child,
            reader: Reader::new(ours),
            first: None,
            starved: false,
            warden: beside.map(Warden::at),
            unguarded: None,
        })
    }

    fn build(&self, steps: &[Step], more: bool) -> Result<(), SandboxError> {
        let order = Order::Build { steps: steps.to_vec(), more };
        send(self.reader.socket(), &order, &[]).map_err(|e| gone(&e))
    }

    fn finish(&self, steps: &[Step], files: &[InjectedFile]) {
        let lengths = files.iter().map(|file| file.content.len()).collect();
        let order = Order::Finish { steps: steps.to_vec(), lengths };
        let socket = self.reader.socket();
        let files = files.iter().map(|file| write_all(socket.as_fd(), &file.content));
        // Whoever does not take it has failed before, and its report says at what.
        let _taken: std::io::Result<()> = send(socket, &order, &[]).and_then(|()| files.collect());
    }

    fn report(&mut self) -> Result<Report, SandboxError> {
        match self.reader.next() {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Err(self.why_gone()),
            Err(error) => Err(gone(&error)),
        }
    }

    /// Without a word, that is: killed.
    fn why_gone(&mut self) -> SandboxError {
        self.end();
        if self.starved {
            SandboxError::new("the bottle itself does not fit into the memory that it was given")
                .with_hint(hints::SMALL)
        } else {
            SandboxError::new("the bottle's first process has gone")
        }
    }

    fn born(&mut self, pid: i32) -> Result<(), SandboxError> {
        self.first = Some((pid, self.take_fd()?));
        Ok(())
    }

    fn take_fd(&mut self) -> Result<OwnedFd, SandboxError> {
        self.reader.take_fd().map_err(|e| gone(&e))
    }

    /// Kills everything inside and waits until the watcher has cleaned up.
    pub(crate) fn end(&mut self) {
        let _closed_already = self.reader.socket().shutdown(std::net::Shutdown::Both);
        if let Some((_, pidfd)) = &self.first {
            let _dead_already = rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL);
        }
        if let Some(warden) = self.warden.take() {
            self.unguarded = warden.failure();
        }
        let last_word = self.child.wait();
        self.starved = last_word.is_ok_and(|status| status.code() == Some(STARVED));
    }
}

impl Drop for Cradle {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) fn gone(error: &std::io::Error) -> SandboxError {
    SandboxError::new(format!("cannot talk to the bottle: {error}"))
}

pub(crate) fn out_of_order() -> SandboxError {
    SandboxError::new("the bottle's first process answered out of order")
}
