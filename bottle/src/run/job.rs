//! Job control: stop like any other program of the shell's job, and only when a shell is there to go on with us.
use rustix::process::{Pid, Signal, getpgid, getpid, getsid, kill_process};

/// Suspends the launcher until it is told to go on. Nothing happens where nobody would ever tell it: the agent decides
/// when it stops, and must not be able to freeze a launcher that a service manager started.
pub(super) fn suspend() {
    if somebody_resumes_us() {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

/// The kernel's own test for an orphaned process group, seen from our line of ancestors: one of them is in our session
/// and in another group, as a shell with job control is.
fn somebody_resumes_us() -> bool {
    let (Ok(session), Ok(group)) = (getsid(None), getpgid(None)) else { return false };
    let mut ancestor = rustix::process::getppid();
    while let Some(pid) = ancestor {
        if getsid(Some(pid)) != Ok(session) {
            return false;
        }
        if getpgid(Some(pid)) != Ok(group) {
            return true;
        }
        ancestor = parent(pid);
    }
    false
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    Pid::from_raw(stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?)
}
