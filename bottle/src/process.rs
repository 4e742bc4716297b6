//! A process of this machine that cannot be mistaken for a later one with the same number.
use crate::failure::Failure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Number, start time and boot together name one process for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process number.
    pub pid: i32,
    /// Clock ticks between boot and its start.
    pub start_ticks: u64,
    /// Which boot.
    pub boot: String,
}

impl Identity {
    /// This process.
    pub fn own() -> Result<Identity, Failure> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Identity::of(pid).ok_or_else(|| Failure::new("cannot read `/proc/self/stat`").help("mount /proc"))
    }
    /// Whether that very process still runs.
    pub fn is_alive(&self) -> bool {
        Identity::of(self.pid).as_ref() == Some(self)
    }
    /// Whether a process of that number runs that is not shown to us (`hidepid` of proc(5)): it may be that one.
    pub fn is_hidden(&self) -> bool {
        let shown = std::path::Path::new(&format!("/proc/{}", self.pid)).exists();
        let there = Pid::from_raw(self.pid).is_some_and(|pid| pidfd_open(pid, PidfdFlags::empty()).is_ok());
        !shown && there
    }
    /// A handle that stays with that very process; `None` when it is gone.
    pub fn open(&self) -> Option<Handle> {
        let handle = Handle { pidfd: pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()? };
        // Only now the number cannot pass to another process unseen.
        self.is_alive().then_some(handle)
    }

    fn of(pid: i32) -> Option<Identity> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(Identity { pid, start_ticks: start_ticks(&stat)?, boot: boot.trim().to_owned() })
    }
}

/// Field 22 of `/proc/PID/stat`; a zombie has ended. The second field may hold spaces and brackets.
fn start_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}

/// A process that can be signalled and waited for.
#[derive(Debug)]
pub struct Handle {
    pidfd: OwnedFd,
}

impl Handle {
    /// Sends a signal; nothing happens when the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(Failure::new(format!("cannot signal the launcher: {error}"))),
        }
    }
    /// Waits for the end; false when the time is over first.
    pub fn ended_within(&self, time: Duration) -> bool {
        let mut waiting = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        matches!(retry_on_intr(|| poll(&mut waiting, Some(&limit))), Ok(1..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_does_not_shift_the_fields() {
        let fields: Vec<String> = (4..=30).map(|number| number.to_string()).collect();
        let stat = |state: &str| format!("7 (a) S (b) {state} {}", fields.join(" "));
        assert_eq!(start_ticks(&stat("S")), Some(22));
        assert_eq!(start_ticks(&stat("Z")), None);
        assert_eq!(start_ticks(""), None);
    }

    #[test]
    fn we_are_alive_and_another_start_time_is_not_us() {
        let own = Identity::own().expect("own identity");
        assert!(own.is_alive() && own.open().is_some());
        let later = Identity { start_ticks: own.start_ticks + 1, ..own.clone() };
        assert!(!later.is_alive() && later.open().is_none());
        let other_boot = Identity { boot: "elsewhere".into(), ..own };
        assert!(!other_boot.is_alive());
    }
}
