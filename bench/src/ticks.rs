//! A clock that ticks to the microsecond: the runtime's own counts milliseconds.
use anyhow::Result;
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// Ticks of one length (timerfd_create(2)).
pub(crate) struct Ticks {
    timer: AsyncFd<OwnedFd>,
    gap: Duration,
    next: Instant,
    /// Ticks that the timer told of and nobody took yet.
    ahead: u64,
}

impl Ticks {
    /// The first tick is one gap from now. Within a runtime only.
    #[expect(deprecated, reason = "unsound where the descriptor may change: an owned one does not")]
    pub(crate) fn start(gap: Duration) -> Result<Ticks> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        timer.set(Expiration::Interval(TimeSpec::from_duration(gap)), TimerSetTimeFlags::empty())?;
        let next = Instant::now() + gap;
        Ok(Ticks { timer: AsyncFd::new(timer.into())?, gap, next, ahead: 0 })
    }

    /// Waits for the next tick; when it was due.
    pub(crate) async fn next(&mut self) -> Result<Instant> {
        while self.ahead == 0 {
            let mut ready = self.timer.readable().await?;
            let mut count = [0; 8];
            match ready.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), &mut count)?)) {
                Ok(read) => {
                    read?;
                    self.ahead = u64::from_ne_bytes(count);
                }
                Err(_not_yet) => {}
            }
        }
        self.ahead -= 1;
        let due = self.next;
        self.next += self.gap;
        Ok(due)
    }
}
