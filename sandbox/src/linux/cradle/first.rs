//! The bottle's first process: builds, hands over, serves.
use super::{Work, agent, errno};
use crate::linux::perform::Workshop;
use crate::linux::step::Stage;
use crate::linux::wire::{Launch, Order, Reader, Report, send};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{Pid, WaitOptions, WaitStatus, wait, waitpid};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Never returns: what happens after the end of this process is nobody's business inside.
pub(super) fn run(control: Reader, work: Work) -> ! {
    let code = i32::from(First::new(control, work).and_then(First::live).is_err());
    std::process::exit(code)
}

struct First {
    control: Reader,
    work: Work,
    children: SignalFd,
    terminal: Option<OwnedFd>,
    agent: Option<Pid>,
}

impl First {
    fn new(control: Reader, work: Work) -> io::Result<Self> {
        let all = SigSet::all();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None)?;
        let mut wanted = SigSet::empty();
        wanted.add(Signal::SIGCHLD);
        let children = SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { control, work, children, terminal: None, agent: None })
    }

    fn live(mut self) -> io::Result<()> {
        if self.build()? {
            self.serve()?;
        }
        Ok(())
    }

    /// Does the steps and hands over what the launcher needs. The workshop closes with its own copies of the listeners:
    /// without the launcher nobody accepts, and connections are refused at once.
    fn build(&mut self) -> io::Result<bool> {
        let mask = rustix::process::umask(rustix::fs::Mode::empty());
        let mut shop = Workshop::default();
        let built = self.build_from(0, &mut shop)? && self.build_the_rest(&mut shop)?;
        rustix::process::umask(mask);
        if built {
            self.hand_over(shop)?;
        }
        Ok(built)
    }

    fn build_from(&self, number: usize, shop: &mut Workshop) -> io::Result<bool> {
        for (index, step) in self.work.stage(Stage::Walls).filter(|(index, _)| *index >= number) {
            if let Err(error) = shop.build(step) {
                self.tell(&Report::Failed { index, errno: errno(&error) })?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the launcher did not know before. Without the launcher there is no bottle.
    fn build_the_rest(&mut self, shop: &mut Workshop) -> io::Result<bool> {
        if !self.work.more {
            return Ok(true);
        }
        let (steps, lengths) = match self.control.next()? {
            Some(Order::Finish { steps, lengths }) => (steps, lengths),
            None => return Ok(false),
            Some(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        for length in lengths {
            shop.files.push(self.control.bytes(length)?);
        }
        let done = self.work.steps.len();
        self.work.steps.extend(steps);
        self.build_from(done, shop)
    }

    fn hand_over(&mut self, shop: Workshop) -> io::Result<()> {
        for (kind, socket) in &shop.listeners {
            send(self.control.socket(), &Report::Listener(*kind), &[socket.as_fd()])?;
        }
        if let Some([user, mount]) = &shop.namespaces {
            send(self.control.socket(), &Report::Namespaces, &[user.as_fd(), mount.as_fd()])?;
        }
        if let Some(terminal) = shop.terminal {
            send(self.control.socket(), &Report::Terminal, &[terminal.master.as_fd()])?;
            self.terminal = Some(terminal.slave);
        }
        self.tell(&Report::Ready)
    }

    fn tell(&self, report: &Report) -> io::Result<()> {
        send(self.control.socket(), report, &[])
    }

    /// Until the launcher is gone or the agent has ended.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let (order, child) = self.wait_for_something()?;
            if child && self.reap()? {
                return Ok(());
            }
            if order {
                match self.control.next()? {
                    Some(order) => self.obey(order)?,
                    None => return Ok(()),
                }
            }
        }
    }

    fn wait_for_something(&self) -> io::Result<(bool, bool)> {
        let mut fds =
            [PollFd::new(self.control.socket(), PollFlags::IN), PollFd::new(&self.children, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut fds, None))?;
        Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty()))
    }

    /// Reaps every child that has ended; says whether the agent was among them.
    fn reap(&mut self) -> io::Result<bool> {
        while let Ok(Some(_)) = self.children.read_signal() {}
        loop {
            match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(Some((pid, status))) if Some(pid) == self.agent => {
                    if self.report(status)? {
                        return Ok(true);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Ok(false),
            }
        }
    }

    fn report(&self, status: WaitStatus) -> io::Result<bool> {
        let report = match (status.exit_status(), status.terminating_signal(), status.stopping_signal()) {
            (Some(code), ..) => Report::Exited(code),
            (_, Some(signal), _) => Report::Signalled(signal),
            (.., Some(signal)) => Report::Stopped(signal),
            _ => return Ok(false),
        };
        self.tell(&report)?;
        Ok(!matches!(report, Report::Stopped(_)))
    }

    fn obey(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::Launch(launch) => self.launch(&launch),
            Order::Signal(signal) => {
                self.signal(signal);
                Ok(())
            }
            Order::Socket { v6 } => self.socket(v6),
            Order::Build { .. } | Order::Finish { .. } | Order::Watch { .. } => {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn launch(&mut self, launch: &Launch) -> io::Result<()> {
        let stdio = self.stdio(launch)?;
        match agent::start(&self.work, launch, &stdio)? {
            Ok(pid) => {
                self.agent = Some(pid);
                self.terminal = None;
                self.tell(&Report::Launched { pid: pid.as_raw_nonzero().get() })
            }
            Err((index, errno)) => self.tell(&Report::NotLaunched { index, errno }),
        }
    }

    fn stdio(&mut self, launch: &Launch) -> io::Result<[OwnedFd; 3]> {
        match (&self.terminal, launch.terminal) {
            (Some(slave), true) => Ok([slave.try_clone()?, slave.try_clone()?, slave.try_clone()?]),
            (None, false) => Ok([self.control.take_fd()?, self.control.take_fd()?, self.control.take_fd()?]),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// To the agent's whole process group, as a terminal would.
    fn signal(&self, signal: i32) {
        if let (Some(agent), Ok(signal)) = (self.agent, Signal::try_from(signal)) {
            let group = nix::unistd::Pid::from_raw(agent.as_raw_nonzero().get());
            let _ended_already = nix::sys::signal::killpg(group, signal);
        }
    }

    /// Made here, so that it belongs to the bottle's network; connected by the launcher, so that nothing inside can
    /// keep this process waiting.
    fn socket(&self, v6: bool) -> io::Result<()> {
        let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
        match socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None) {
            Ok(socket) => send(self.control.socket(), &Report::Socket, &[socket.as_fd()]),
            Err(error) => self.tell(&Report::NoSocket { errno: error.raw_os_error() }),
        }
    }
}

/// Waits for one child, for good.
pub(super) fn wait_for(pid: Pid) {
    while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
}
