//! The first process of a holder: builds, hands over, waits.
use super::door::{Door, hand_over};
use crate::SandboxError;
use crate::linux::host::{Host, RealHost};
use crate::linux::perform::{Workshop, guard};
use crate::linux::step::{ListenKind, Stage, Step};
use crate::linux::{hints, plan};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{WaitOptions, wait};
use serde::Serialize;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What a holder says, a line of JSON each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "holder", rename_all = "kebab-case")]
pub enum News {
    /// The network stands, no capability is left, and the socket waits for the taker. From here on an agent may join.
    Ready {
        /// Whether IPv6 is captured. Where it is not, the container has none: no address, no route.
        v6: bool,
    },
    /// The taker has the listeners; nobody else will get them.
    HandedOver,
}

type Listeners = Vec<(ListenKind, bool, OwnedFd)>;

/// Everything a holder does in its own container, in order. A container of network `none` has IPv6 only where its engine
/// left it on (docker: `--sysctl net.ipv6.conf.all.disable_ipv6=0`).
#[must_use]
pub fn planned() -> Vec<Step> {
    steps(&RealHost::new())
}

fn steps(host: &dyn Host) -> Vec<Step> {
    let off = host.text(Path::new("/proc/sys/net/ipv6/conf/lo/disable_ipv6"));
    let mut steps = plan::network(off.is_some_and(|off| off.trim() == "0"));
    steps.extend(guards());
    steps
}

/// What a holder does that has processes to hold and no network: nobody joins its own.
#[must_use]
pub fn guards() -> Vec<Step> {
    vec![Step::Undumpable, Step::NoNewPrivileges, Step::DropCapabilities, Step::HolderCalls]
}

/// Holds this container's network: rules, routes and listeners; hands the listeners to the first peer at `socket`; then
/// waits for SIGTERM, SIGINT or the taker's end, at which it returns. Nothing can be done with this process afterwards but to end it.
///
/// Needs `CAP_NET_ADMIN` over a network namespace that nobody else has used yet.
/// # Errors
/// Which step failed and how to mend it, or that the first peer was not the taker. The caller ends the process then,
/// and with it everything that was opened.
pub fn hold(socket: &Path, tell: impl FnMut(News)) -> Result<(), SandboxError> {
    hold_steps(&planned(), socket, tell)
}

/// Holds with a list of steps. Whoever leaves a step out has a hole in that place: tests do, to see that each step holds
/// something.
/// # Errors
/// As [`hold`].
pub fn hold_steps(steps: &[Step], socket: &Path, mut tell: impl FnMut(News)) -> Result<(), SandboxError> {
    // First of all: a first process without handlers is deaf to what would end it.
    let signals = Signals::block().map_err(|e| cannot("wait for signals", &e))?;
    let listeners = build(steps)?;
    let door = Door::open(socket).map_err(|e| not_open(socket, &e))?;
    restrict(steps)?;
    tell(News::Ready { v6: listeners.iter().any(|(_, v6, _)| *v6) });
    if let Some(tether) = serve(door, &signals, &listeners)? {
        drop(listeners);
        tell(News::HandedOver);
        // The taker says nothing more: what is to be read is its end, and without it nothing here is of use to anybody.
        while signals.wait(Some(tether.as_fd())).map_err(|e| cannot("wait for the egress", &e))?
            == Event::Other
        {}
    }
    Ok(())
}

fn build(steps: &[Step]) -> Result<Listeners, SandboxError> {
    let mut shop = Workshop::default();
    let mut families = Vec::new();
    for step in steps.iter().filter(|step| step.stage() == Stage::Walls) {
        shop.build(step).map_err(|error| failed(step, &error))?;
        families.extend(if let Step::Listen { v6, .. } = step { Some(*v6) } else { None });
    }
    let pairs = shop.listeners.into_iter().zip(families);
    Ok(pairs.map(|((kind, socket), v6)| (kind, v6, socket)).collect())
}

fn restrict(steps: &[Step]) -> Result<(), SandboxError> {
    let mut last = steps.iter().filter(|step| step.stage() == Stage::Agent);
    last.try_for_each(|step| guard(step).map_err(|error| failed(step, &error)))
}

/// The line to the taker, once it has the listeners; `None` when it is time to end. Our own copies are closed then: with
/// the taker dead nobody accepts, and connections are refused.
fn serve(
    door: Door,
    signals: &Signals,
    listeners: &[(ListenKind, bool, OwnedFd)],
) -> Result<Option<UnixStream>, SandboxError> {
    loop {
        match signals.wait(Some(door.as_fd())).map_err(|e| cannot("wait for the egress", &e))? {
            Event::End => return Ok(None),
            Event::Other => {}
            Event::Peer => break,
        }
    }
    let given = door.let_in().and_then(|peer| hand_over(peer, listeners));
    match given.map_err(|e| cannot("hand the listeners over", &e))? {
        Some(peer) => Ok(Some(peer)),
        None => Err(SandboxError::new("the egress speaks another version than its holder")
            .with_hint("all containers of a bottle must be of one image (`BOTTLE_EGRESS_IMAGE`)")),
    }
}

#[derive(PartialEq, Eq)]
enum Event {
    End,
    Peer,
    Other,
}

/// What ends a holder, and the ends of processes that were left to it.
struct Signals(SignalFd);

impl Signals {
    fn block() -> io::Result<Self> {
        let wanted: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD].into_iter().collect();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&wanted), None)?;
        Ok(Self(SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// Blocks until a signal has come, or there is news of a peer.
    fn wait(&self, peer: Option<BorrowedFd<'_>>) -> io::Result<Event> {
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        fds.extend(peer.map(|peer| PollFd::from_borrowed_fd(peer, PollFlags::IN)));
        rustix::io::retry_on_intr(|| poll(&mut fds, None))?;
        let peer = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if self.heard_the_end()? {
            return Ok(Event::End);
        }
        Ok(if peer { Event::Peer } else { Event::Other })
    }

    fn heard_the_end(&self) -> io::Result<bool> {
        let mut end = false;
        while let Some(info) = self.0.read_signal()? {
            match i32::try_from(info.ssi_signo) {
                Ok(libc::SIGCHLD) => reap(),
                _ => end = true,
            }
        }
        Ok(end)
    }
}

fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

fn failed(step: &Step, error: &io::Error) -> SandboxError {
    hints::failed(Some(step), error.raw_os_error().unwrap_or(libc::EIO))
}

fn cannot(what: &str, error: &io::Error) -> SandboxError {
    SandboxError::new(format!("cannot {what}: {error}"))
}

fn not_open(socket: &Path, error: &io::Error) -> SandboxError {
    cannot(&format!("open the socket `{}`", socket.display()), error).with_hint(
        "it must be a new name in a folder that this user may write: the volume that only the egress shares",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::host::{Kind, PaperHost};

    fn planned_where_ipv6_is(off: Option<&str>) -> Vec<Step> {
        let mut host = PaperHost::default();
        if let Some(off) = off {
            host.put("/proc/sys/net/ipv6/conf/lo/disable_ipv6", Kind::File, off);
        }
        steps(&host)
    }

    #[test]
    fn a_holder_does_the_network_steps_of_every_bottle_and_then_gives_all_up() {
        let steps = planned_where_ipv6_is(Some("0\n"));
        let network = plan::network(true);
        assert_eq!(steps[..network.len()], network);
        assert_eq!(steps[network.len()..], guards());
    }

    #[test]
    fn the_rules_stand_before_any_address_leads_anywhere() {
        let steps = planned_where_ipv6_is(Some("0\n"));
        let place = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).expect("a step");
        let rules = place(|s| matches!(s, Step::Redirect { .. }));
        assert!(rules < place(|s| matches!(s, Step::CaptureRoutes { .. })));
        assert!(rules < place(|s| *s == Step::LoopbackUp));
    }

    #[test]
    fn ipv6_is_taken_only_where_it_is_known_to_be_on() {
        for off in [None, Some("1\n"), Some("")] {
            assert!(planned_where_ipv6_is(off).starts_with(&plan::network(false)), "{off:?}");
        }
    }
}
