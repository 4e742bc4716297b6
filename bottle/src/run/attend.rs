//! The launcher's loop while the agent runs: terminal, signals, published ports, the clock, and the agent's end.
use super::job;
use super::ports::Ports;
use super::relay::{PAUSE, Relay};
use super::signals::Signals;
use crate::control::Hub;
use crate::failure::Failure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use sandbox::{Change, Ended, Running};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTERM, SIGWINCH};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Time that the agent gets after SIGTERM by the clock, or after its operator's terminal went away.
const GRACE: Duration = Duration::from_secs(5);

/// Everything that the loop looks after.
pub struct Attendance {
    /// For an agent with a terminal.
    pub relay: Option<Relay>,
    /// To the launcher.
    pub signals: Signals,
    /// Published ones.
    pub ports: Ports,
    /// When the agent's time is over.
    pub time_limit: Option<Instant>,
    /// The operator's line.
    pub hub: Hub,
    /// Runs the engine and the published ports.
    pub runtime: Handle,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attended {
    /// How the agent ended.
    pub ended: Ended,
    /// Whether the time limit ended it.
    pub timed_out: bool,
    /// Whether something inside was killed because the memory of the bottle was used up.
    pub starved: bool,
}

/// Deadlines and what was asked for already.
#[derive(Debug, Default)]
struct Ending {
    asked: bool,
    timed_out: bool,
    kill_at: Option<Instant>,
}

impl Attendance {
    /// Until the agent has ended.
    pub fn attend(mut self, running: &mut dyn Running) -> Result<Attended, Failure> {
        self.take_terminal(running);
        let mut ending = Ending::default();
        let door = running.door();
        let ended = loop {
            if self.wait(running, &ending)? {
                match running.change() {
                    Change::Ended(ended) => break ended,
                    Change::Stopped(_) => self.suspend(running),
                }
            }
            self.obey_signals(running, &mut ending);
            self.obey_clock(running, &mut ending);
            self.ports.accept(&door, &self.runtime);
            if let Some(relay) = &mut self.relay {
                relay.advance();
            }
        };
        // What is left inside would keep the terminal open.
        running.kill();
        if let Some(relay) = self.relay.take() {
            relay.finish();
        }
        Ok(Attended { ended, timed_out: ending.timed_out, starved: running.starved() })
    }

    /// Waits until something is to be done; true when there is news of the agent.
    fn wait(&self, running: &dyn Running, ending: &Ending) -> Result<bool, Failure> {
        let news = running.news();
        let mut waiting = vec![PollFd::new(&news, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        let ports = self.ports.interest();
        waiting.extend(ports.iter().map(|port| PollFd::new(port, PollFlags::IN)));
        let terminals = self.relay.as_ref().map(Relay::interest);
        // An empty set of flags would still report a hang-up, for ever.
        let wanted = terminals.iter().flatten().filter(|(_, flags)| !flags.is_empty());
        waiting.extend(wanted.map(|(fd, flags)| PollFd::new(fd, *flags)));
        let limit = self.limit(ending).and_then(|time| Timespec::try_from(time).ok());
        retry_on_intr(|| poll(&mut waiting, limit.as_ref()))
            .map_err(|error| Failure::new(format!("cannot wait for the agent: {error}")))?;
        Ok(!waiting[0].revents().is_empty())
    }

    fn limit(&self, ending: &Ending) -> Option<Duration> {
        let deadline = if ending.timed_out { None } else { self.time_limit };
        let next = [deadline, ending.kill_at].into_iter().flatten().min();
        let clock = next.map(|at| at.saturating_duration_since(Instant::now()));
        let pause = self.relay.as_ref().filter(|relay| relay.is_paused()).map(|_| PAUSE);
        [clock, pause].into_iter().flatten().min()
    }

    fn obey_signals(&mut self, running: &mut dyn Running, ending: &mut Ending) {
        for signal in self.signals.pending() {
            match signal {
                SIGWINCH => self.resize(running),
                SIGCONT => self.take_terminal(running),
                SIGTERM if ending.asked => running.kill(),
                SIGHUP if !self.signals.terminal_is_gone() => reload(&self.hub),
                _ => pass_on(running, signal),
            }
            ending.asked |= signal == SIGTERM;
            if signal == SIGHUP && self.signals.terminal_is_gone() {
                ending.kill_at = Some(Instant::now() + GRACE);
            }
        }
    }

    fn obey_clock(&self, running: &mut dyn Running, ending: &mut Ending) {
        let now = Instant::now();
        if !ending.timed_out && self.time_limit.is_some_and(|limit| limit <= now) {
            ending.timed_out = true;
            ending.kill_at = Some(now + GRACE);
            pass_on(running, SIGTERM);
        }
        if ending.kill_at.is_some_and(|at| at <= now) {
            ending.kill_at = None;
            running.kill();
        }
    }

    /// Ctrl-Z: the agent is stopped already; we follow, and go on with it.
    fn suspend(&mut self, running: &dyn Running) {
        if let Some(relay) = &mut self.relay {
            relay.advance();
            relay.terminal().give_back();
        }
        job::suspend();
        self.take_terminal(running);
        pass_on(running, SIGCONT);
    }

    fn take_terminal(&mut self, running: &dyn Running) {
        if let Some(relay) = &mut self.relay {
            relay.terminal().take();
        }
        self.resize(running);
    }

    fn resize(&self, running: &dyn Running) {
        if let Some((rows, columns)) = self.relay.as_ref().and_then(Relay::resize) {
            running.resize(rows, columns);
        }
    }
}

/// On a thread of its own: credentials may have to be asked for, and the terminal waits for nobody.
fn reload(hub: &Hub) {
    let hub = hub.clone();
    std::thread::spawn(move || {
        if let Err(failure) = hub.reload("SIGHUP", false) {
            hub.complain(&failure);
        }
    });
}

/// An agent that is gone needs no signal; its end is news of its own.
fn pass_on(running: &dyn Running, signal: i32) {
    if let Err(error) = running.signal(signal) {
        tracing::debug!(signal, %error, "a signal did not reach the agent");
    }
}
