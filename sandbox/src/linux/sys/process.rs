//! Making processes.
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Which side of a fork this is.
pub(crate) enum Forked {
    /// The new process.
    Child,
    /// The old one, with the child's pid and (from `clone_into`) a descriptor of it.
    Parent { pid: i32, pidfd: Option<OwnedFd> },
}

/// A fork whose child is in new namespaces. Only for single-threaded callers, which the cradle is.
pub(crate) fn clone_into(namespaces: i32) -> io::Result<Forked> {
    let mut pidfd: RawFd = -1;
    let flags = i64::from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has a copy of this memory and goes on from here, as after fork(2); no other
    // thread exists whose locks could be copied in a held state. The null stack means "the caller's own" and the
    // third argument is where the kernel stores the pid descriptor, valid for this call.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone, flags, 0_usize, std::ptr::from_mut(&mut pidfd), 0_usize, 0_usize)
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent {
            pid: i32::try_from(pid).map_err(io::Error::other)?,
            // SAFETY: the kernel has just opened this descriptor for us and nobody else knows it.
            pidfd: Some(unsafe { OwnedFd::from_raw_fd(pidfd) }),
        }),
    }
}

/// A plain fork. Only for single-threaded callers, which the bottle's first process is.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: no other thread exists whose locks could be copied in a held state.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent { pid, pidfd: None }),
    }
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: called before this process has opened any descriptor of its own beyond standard error.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Every signal back to its default, none blocked: what a program expects to be born with.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: setting a default disposition runs no code of ours; numbers that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is read.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Which version of Landlock the kernel has.
pub(crate) fn landlock_abi() -> io::Result<i64> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no address and makes nothing; it answers with a number.
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION)
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
