//! Times that several processes must agree on, and what a process used of the processors.
use anyhow::{Context, Result};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, by the clock that all processes of this machine share.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of a process, user and kernel, of all threads that it has and had (clock_getcpuclockid(3)).
pub(crate) fn cpu(pid: Pid) -> Result<Duration> {
    let clock = clock_getcpuclockid(pid).with_context(|| format!("the CPU clock of process {pid}"))?;
    Ok(clock_gettime(clock)?.into())
}
