//! System calls made as an attacker would make them: by number, with whatever arguments, past every library's checks.
//! Used by `crate::attack` alone, which runs inside a bottle.
use nix::errno::Errno;

/// Calls the kernel by number.
///
/// # Errors
/// The kernel's answer.
pub(crate) fn raw(number: libc::c_long, arguments: [libc::c_long; 5]) -> Result<i64, Errno> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: every caller passes integers, null, or addresses of live buffers that the call at most reads or writes in
    // their stated length; calls that would end or replace this process are never made with valid arguments.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, 0_i64) };
    Errno::result(answer)
}

/// `ioctl` with an integer or an address as its argument.
///
/// # Errors
/// The kernel's answer.
pub(crate) fn ioctl(fd: i32, request: libc::c_ulong, argument: libc::c_long) -> Result<i64, Errno> {
    // SAFETY: as above; the requests of the attack module read at most the bytes of a live buffer.
    let answer = unsafe { libc::ioctl(fd, request, argument) };
    Errno::result(i64::from(answer))
}

/// The child's verdict of something that must not be done in this process: runs `act` in a fork and gives its exit code, or
/// 128 + the signal that ended it.
///
/// # Errors
/// When the fork fails.
pub(crate) fn in_child(act: fn() -> i32) -> Result<i32, Errno> {
    // SAFETY: the attack program has one thread, so the child may run ordinary code; it leaves by `_exit`.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => {
            let code = act();
            // SAFETY: `_exit` runs no handlers of the parent's.
            unsafe { libc::_exit(code) }
        }
        nix::unistd::ForkResult::Parent { child } => match nix::sys::wait::waitpid(child, None)? {
            nix::sys::wait::WaitStatus::Exited(_, code) => Ok(code),
            nix::sys::wait::WaitStatus::Signaled(_, signal, _) => Ok(128 + signal as i32),
            _ => Ok(-1),
        },
    }
}

/// Asks for a 32-bit system call (`int 0x80`), which a filter for the native table does not see unless it looks at the
/// architecture. Gives the answer of `getpid`.
#[cfg(target_arch = "x86_64")]
pub(crate) fn thirty_two_bit_getpid() -> i32 {
    let answer: i64;
    // SAFETY: call 20 of the 32-bit table is getpid: no arguments, no memory.
    unsafe {
        core::arch::asm!("push rbx", "int 0x80", "pop rbx", inlateout("rax") 20_i64 => answer, options(nomem));
    }
    i32::try_from(answer).unwrap_or(-1)
}
