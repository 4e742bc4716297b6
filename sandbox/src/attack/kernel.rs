//! Kernel interfaces that no agent needs. Arguments are such that a call which gets past the guard is refused by the
//! kernel's own code with another error, and nothing happens.
use super::{Attempt, Group, Outcome, World, refused};
use crate::linux::sys::attempt::raw;
use nix::errno::Errno;
use std::fs;

pub(super) const ATTEMPTS: &[Attempt] = &[
    kern("bpf", "programs in the kernel", |_| call(libc::SYS_bpf, [-1, 0, 0, 0, 0])),
    kern("perf-event-open", "the kernel's counters and traces", |_| {
        call(libc::SYS_perf_event_open, [0, 0, -1, -1, 0])
    }),
    kern("userfaultfd", "races held open", |_| call(libc::SYS_userfaultfd, [-1, 0, 0, 0, 0])),
    kern("io-uring", "system calls past the filter", |_| call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0])),
    kern("add-key", "the kernel's keyrings", |_| call(libc::SYS_add_key, [0, 0, 0, 0, 0])),
    kern("request-key", "a helper of the host, started by the kernel", |_| {
        call(libc::SYS_request_key, [0, 0, 0, 0, 0])
    }),
    kern("keyctl", "the session's keys", |_| call(libc::SYS_keyctl, [0, -3, 0, 0, 0])),
    kern("kexec-load", "another kernel", |_| call(libc::SYS_kexec_load, [0, -1, 0, -1, 0])),
    kern("init-module", "a kernel module", |_| call(libc::SYS_init_module, [0, 0, 0, 0, 0])),
    kern("finit-module", "a kernel module from a file", |_| call(libc::SYS_finit_module, [-1, 0, 0, 0, 0])),
    kern("delete-module", "a kernel module less", |_| call(libc::SYS_delete_module, [0, 0, 0, 0, 0])),
    kern("reboot", "the machine's end", |_| call(libc::SYS_reboot, [0, 0, 0, 0, 0])),
    kern("swapon", "swap", |_| call(libc::SYS_swapon, [0, 0, 0, 0, 0])),
    kern("acct", "process accounting", |_| call(libc::SYS_acct, [1, 0, 0, 0, 0])),
    kern("syslog", "the kernel's log", |_| call(libc::SYS_syslog, [3, 0, 0, 0, 0])),
    kern("clock-settime", "the clock", |_| call(libc::SYS_clock_settime, [0, 0, 0, 0, 0])),
    kern("adjtimex", "the clock's rate", adjtimex),
    kern("fanotify", "what other processes open", |_| call(libc::SYS_fanotify_init, [-1, 0, 0, 0, 0])),
    kern("open-by-handle", "files by number, past every mount", |_| {
        call(libc::SYS_open_by_handle_at, [-100, 0, 0, 0, 0])
    }),
    kern("name-to-handle", "the numbers for it", |_| {
        refused(
            raw(libc::SYS_name_to_handle_at, [-100, c".".as_ptr() as i64, 0, 0, 0]),
            &[Errno::EPERM, Errno::ENOSYS],
        )
    }),
    kern("quotactl", "quotas of the host", |_| call(libc::SYS_quotactl, [0, 0, 0, 0, 0])),
    kern("sethostname", "another host name", |_| {
        call(libc::SYS_sethostname, [c"x".as_ptr() as i64, 1, 0, 0, 0])
    }),
    kern("personality", "memory laid out as the attacker wants", |_| {
        let answer = raw(libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0]);
        refused(answer, &[Errno::EPERM, Errno::ENOSYS])
    }),
    kern("thirty-two-bit", "system calls of the 32-bit table", |_| thirty_two_bit()),
    kern("x32", "system calls of the x32 table", |_| x32()),
    kern("kcmp", "pointers of the kernel", |_| call(libc::SYS_kcmp, [1, 1, 0, 0, 0])),
    kern("sysv-shm-host", "shared memory of the host", |_| sysv()),
    kern("raise-limits", "limits raised again", |_| raise_limit()),
    kern("core-dumps", "memory written to a file, or to the host's handler", |_| core_limit()),
    kern("sysctl-write", "settings of the kernel", |_| {
        unwritable(&[
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/hostname",
            "/proc/sys/net/ipv4/ip_forward",
            "/proc/sys/vm/overcommit_memory",
        ])
    }),
    kern("sysrq", "the machine's emergency keys", |_| unwritable(&["/proc/sysrq-trigger"])),
    kern("kernel-memory", "the kernel's memory", |_| {
        unopenable(&["/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg"])
    }),
    kern("disks", "the machine's disks", |_| {
        unopenable(&[
            "/dev/sda",
            "/dev/vda",
            "/dev/nvme0n1",
            "/dev/dm-0",
            "/dev/loop0",
            "/dev/loop-control",
            "/dev/fuse",
        ])
    }),
    kern("virtual-machines", "a virtual machine of its own", |_| {
        unopenable(&["/dev/kvm", "/dev/vhost-net", "/dev/vhost-vsock", "/dev/vsock"])
    }),
    kern("cgroup-escape", "another cgroup, or a release agent", |_| {
        unwritable(&[
            "/sys/fs/cgroup/cgroup.procs",
            "/sys/fs/cgroup/release_agent",
            "/sys/kernel/uevent_helper",
        ])
    }),
    kern("bind-mount-debug", "the kernel's debug and trace files", |_| {
        unopenable(&["/sys/kernel/debug", "/sys/kernel/tracing/trace", "/sys/firmware"])
    }),
];

const fn kern(name: &'static str, gain: &'static str, run: fn(&World) -> Outcome) -> Attempt {
    Attempt { name, group: Group::Kernel, gain, run }
}

fn call(number: libc::c_long, arguments: [libc::c_long; 5]) -> Outcome {
    refused(raw(number, arguments), &[Errno::EPERM, Errno::ENOSYS, Errno::EACCES])
}

/// Reading the clock's state is anybody's; setting it with mode bits is what is tried.
fn adjtimex(_: &World) -> Outcome {
    let mut state = [0_u64; 64];
    state[0] = 0x4000; // ADJ_TICK, with a tick of 0 that the kernel would refuse as invalid
    call(libc::SYS_adjtimex, [state.as_mut_ptr() as i64, 0, 0, 0, 0])
}

#[cfg(target_arch = "x86_64")]
fn thirty_two_bit() -> Outcome {
    use crate::linux::sys::attempt::{in_child, thirty_two_bit_getpid};
    match in_child(|| i32::from(thirty_two_bit_getpid() > 0)) {
        Ok(0) => Outcome::Held("refused".into()),
        Ok(code) if code > 128 => Outcome::Held(format!("ended by signal {}", code - 128)),
        Ok(_) => Outcome::Broke("getpid answered".into()),
        Err(errno) => Outcome::Held(errno.to_string()),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn thirty_two_bit() -> Outcome {
    Outcome::Skipped("this machine has no such table".into())
}

#[cfg(target_arch = "x86_64")]
fn x32() -> Outcome {
    use crate::linux::sys::attempt::in_child;
    const X32: libc::c_long = 0x4000_0000;
    match in_child(|| i32::from(raw(X32 + libc::SYS_getpid, [0, 0, 0, 0, 0]).is_ok())) {
        Ok(0) => Outcome::Held("refused".into()),
        Ok(code) if code > 128 => Outcome::Held(format!("ended by signal {}", code - 128)),
        Ok(_) => Outcome::Broke("getpid answered".into()),
        Err(errno) => Outcome::Held(errno.to_string()),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn x32() -> Outcome {
    Outcome::Skipped("this machine has no such table".into())
}

fn sysv() -> Outcome {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    match table.lines().count() {
        0 | 1 => Outcome::Held("no segment is seen".into()),
        n => Outcome::Broke(format!("{} segments are seen", n - 1)),
    }
}

fn raise_limit() -> Outcome {
    let (_, hard) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE).unwrap_or((0, 0));
    match nix::sys::resource::setrlimit(
        nix::sys::resource::Resource::RLIMIT_CORE,
        1 << 20,
        (1 << 20).max(hard),
    ) {
        Ok(()) => Outcome::Broke("the hard limit was raised".into()),
        Err(errno) => Outcome::Held(errno.to_string()),
    }
}

fn core_limit() -> Outcome {
    match nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE) {
        Ok((_, 0)) => Outcome::Held("the limit is 0".into()),
        Ok((_, hard)) => Outcome::Broke(format!("the limit is {hard}")),
        Err(errno) => Outcome::Broke(errno.to_string()),
    }
}

/// Opens for writing and writes nothing.
fn unwritable(paths: &[&str]) -> Outcome {
    match paths.iter().find(|p| fs::File::options().write(true).open(p).is_ok()) {
        Some(path) => Outcome::Broke(format!("`{path}` opens for writing")),
        None => Outcome::Held("none opens for writing".into()),
    }
}

/// A file that opens and has a first byte, or a folder with an entry.
fn unopenable(paths: &[&str]) -> Outcome {
    use std::io::Read as _;
    let gives = |path: &&&str| {
        let folder = fs::read_dir(path).is_ok_and(|mut d| d.next().is_some());
        let device = path.starts_with("/dev/") && fs::File::open(path).is_ok();
        folder || device || fs::File::open(path).is_ok_and(|mut f| f.read(&mut [0; 1]).is_ok_and(|n| n > 0))
    };
    match paths.iter().find(gives) {
        Some(path) => Outcome::Broke(format!("`{path}` opens")),
        None => Outcome::Held("none is there".into()),
    }
}
