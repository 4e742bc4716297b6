//! The system calls of a bottle, as data. Anything that is not here does not exist inside (`ENOSYS`), so that a new
//! kernel brings nothing that nobody looked at.

/// Calls that are allowed for one reason.
pub(crate) struct Group {
    /// Why a coding agent needs them and why they are harmless.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader and the tests"))]
    pub(crate) reason: &'static str,
    /// Name and number, on every architecture.
    pub(crate) calls: &'static [(&'static str, i64)],
    /// Name and number, only on architectures that still have the older form.
    pub(crate) older: &'static [(&'static str, i64)],
}

// `calls!(read SYS_read, …)` would say everything twice; this pairs a name with its number.
macro_rules! calls {
    ($($number:ident)*) => { &[$((stringify!($number), libc::$number)),*] };
}

/// What a holder does once its network stands. No process, no program, no file and no new socket is among it.
pub(crate) const HOLDER: &[Group] = &[
    Group {
        reason: "one peer is let in, greeted and given the listeners; the socket's name goes",
        calls: calls![
            SYS_accept4 SYS_setsockopt SYS_recvmsg SYS_recvfrom SYS_sendmsg SYS_sendto SYS_read
            SYS_write SYS_close SYS_unlinkat SYS_fcntl
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![SYS_unlink],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "waiting for that peer, for signals and for orphans; then the end",
        calls: calls![
            SYS_ppoll SYS_wait4 SYS_waitid SYS_rt_sigprocmask SYS_rt_sigaction SYS_rt_sigreturn
            SYS_sigaltstack SYS_restart_syscall SYS_exit SYS_exit_group
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![SYS_poll],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "memory of its own",
        calls: calls![SYS_mmap SYS_munmap SYS_mremap SYS_mprotect SYS_madvise SYS_brk SYS_futex],
        older: &[],
    },
];

/// The allowed calls.
pub(crate) const ALLOWED: &[Group] = &[
    Group {
        reason: "reading, writing and arranging files that the mounts and Landlock let it see",
        calls: calls![
            SYS_read SYS_write SYS_close SYS_fstat SYS_lseek SYS_pread64 SYS_pwrite64
            SYS_readv SYS_writev SYS_sendfile SYS_fcntl SYS_flock SYS_fsync SYS_fdatasync
            SYS_truncate SYS_ftruncate SYS_getcwd SYS_chdir SYS_fchdir SYS_fchmod SYS_umask
            SYS_statfs SYS_fstatfs SYS_sync SYS_readahead SYS_getdents64 SYS_fadvise64
            SYS_openat SYS_mkdirat SYS_newfstatat SYS_unlinkat SYS_renameat SYS_linkat
            SYS_symlinkat SYS_readlinkat SYS_fchmodat SYS_faccessat SYS_splice SYS_tee
            SYS_sync_file_range SYS_vmsplice SYS_utimensat SYS_fallocate SYS_preadv
            SYS_pwritev SYS_syncfs SYS_renameat2 SYS_copy_file_range SYS_preadv2
            SYS_pwritev2 SYS_statx SYS_close_range SYS_openat2 SYS_faccessat2 SYS_fchmodat2 SYS_dup
            SYS_dup3 SYS_pipe2 SYS_memfd_create
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![
            SYS_open SYS_stat SYS_lstat SYS_access SYS_getdents SYS_rename SYS_mkdir
            SYS_rmdir SYS_creat SYS_link SYS_unlink SYS_symlink SYS_readlink SYS_chmod
            SYS_utime SYS_utimes SYS_futimesat SYS_dup2 SYS_pipe
        ],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "package managers set owners and special nodes and go on when the kernel, which sees no capability, refuses",
        calls: calls![
            SYS_fchown SYS_fchownat SYS_mknodat SYS_setuid SYS_setgid SYS_setreuid
            SYS_setregid SYS_setgroups SYS_setresuid SYS_setresgid SYS_setfsuid SYS_setfsgid
            SYS_capget SYS_capset
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![
            SYS_chown SYS_lchown SYS_mknod
        ],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "extended attributes, copied by cp, tar and git",
        calls: calls![
            SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_getxattr SYS_lgetxattr
            SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr SYS_removexattr
            SYS_lremovexattr SYS_fremovexattr
        ],
        older: &[],
    },
    Group {
        reason: "waiting for descriptors, files and time",
        calls: calls![
            SYS_pselect6 SYS_ppoll SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_create1
            SYS_epoll_pwait2 SYS_eventfd2 SYS_signalfd4 SYS_timerfd_create
            SYS_timerfd_settime SYS_timerfd_gettime SYS_inotify_add_watch
            SYS_inotify_rm_watch SYS_inotify_init1 SYS_nanosleep SYS_clock_nanosleep
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![
            SYS_poll SYS_select SYS_epoll_create SYS_epoll_wait SYS_eventfd SYS_signalfd
            SYS_inotify_init SYS_pause
        ],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "memory of its own",
        calls: calls![
            SYS_mmap SYS_mprotect SYS_munmap SYS_brk SYS_mremap SYS_msync SYS_mincore
            SYS_madvise SYS_mlock SYS_munlock SYS_mlockall SYS_munlockall SYS_mlock2
            SYS_remap_file_pages SYS_mbind SYS_set_mempolicy SYS_get_mempolicy
            SYS_set_mempolicy_home_node SYS_migrate_pages SYS_move_pages SYS_membarrier
            SYS_pkey_mprotect SYS_pkey_alloc SYS_pkey_free SYS_process_madvise
            SYS_process_mrelease SYS_mseal
        ],
        older: &[],
    },
    Group {
        reason: "programs, threads and jobs; namespaces in `clone` are refused below, `clone3`, whose flags no filter can read, does not exist inside",
        calls: calls![
            SYS_clone SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid
            SYS_kill SYS_tkill SYS_tgkill SYS_getpid SYS_getppid SYS_gettid SYS_getuid
            SYS_geteuid SYS_getgid SYS_getegid SYS_getgroups SYS_getresuid SYS_getresgid
            SYS_setpgid SYS_getpgid SYS_setsid SYS_getsid SYS_set_tid_address
            SYS_set_robust_list SYS_get_robust_list SYS_futex SYS_futex_waitv SYS_rseq
            SYS_prctl SYS_pidfd_open SYS_pidfd_send_signal SYS_personality
            SYS_restart_syscall SYS_uname
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![
            SYS_fork SYS_vfork SYS_getpgrp SYS_arch_prctl SYS_set_thread_area
            SYS_get_thread_area
        ],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "signals; PID namespace and Landlock say to whom",
        calls: calls![
            SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigpending
            SYS_rt_sigtimedwait SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_rt_sigsuspend
            SYS_sigaltstack
        ],
        older: &[],
    },
    Group {
        reason: "debuggers and profilers of its own children; the first process is not dumpable",
        calls: calls![
            SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_kcmp SYS_pidfd_getfd
        ],
        older: &[],
    },
    Group {
        reason: "priorities and limits, which can only be lowered",
        calls: calls![
            SYS_sched_yield SYS_sched_setparam SYS_sched_getparam SYS_sched_setscheduler
            SYS_sched_getscheduler SYS_sched_get_priority_max SYS_sched_get_priority_min
            SYS_sched_rr_get_interval SYS_sched_setaffinity SYS_sched_getaffinity
            SYS_sched_setattr SYS_sched_getattr SYS_getpriority SYS_setpriority
            SYS_ioprio_set SYS_ioprio_get SYS_getrlimit SYS_setrlimit SYS_prlimit64
            SYS_getrusage SYS_getcpu SYS_sysinfo SYS_times
        ],
        older: &[],
    },
    Group {
        reason: "reading clocks and setting timers; no clock can be set",
        calls: calls![
            SYS_gettimeofday SYS_clock_gettime SYS_clock_getres SYS_getitimer SYS_setitimer
            SYS_timer_create SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun
            SYS_timer_delete
        ],
        #[cfg(target_arch = "x86_64")]
        older: calls![
            SYS_time SYS_alarm
        ],
        #[cfg(not(target_arch = "x86_64"))]
        older: &[],
    },
    Group {
        reason: "sockets; which families is said below",
        calls: calls![
            SYS_socket SYS_socketpair SYS_connect SYS_accept SYS_accept4 SYS_bind SYS_listen
            SYS_getsockname SYS_getpeername SYS_setsockopt SYS_getsockopt SYS_sendto
            SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg SYS_recvmmsg SYS_shutdown
        ],
        older: &[],
    },
    Group {
        reason: "System V and POSIX queues, semaphores and shared memory of its own IPC namespace",
        calls: calls![
            SYS_shmget SYS_shmat SYS_shmctl SYS_shmdt SYS_semget SYS_semop SYS_semctl
            SYS_semtimedop SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_mq_open
            SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive SYS_mq_notify
            SYS_mq_getsetattr
        ],
        older: &[],
    },
    Group {
        reason: "old asynchronous input and output: databases; the new kind (io_uring) passes by every filter and is missing",
        calls: calls![
            SYS_io_setup SYS_io_destroy SYS_io_getevents SYS_io_submit SYS_io_cancel
        ],
        older: &[],
    },
    Group { reason: "random numbers", calls: calls![SYS_getrandom], older: &[] },
    Group {
        reason: "giving up more rights: browsers and agents with a sandbox of their own",
        calls: calls![
            SYS_seccomp SYS_landlock_create_ruleset SYS_landlock_add_rule
            SYS_landlock_restrict_self
        ],
        older: &[],
    },
    Group { reason: "terminals; two requests are refused below", calls: calls![SYS_ioctl], older: &[] },
];

/// A test of one argument.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    Is(u64),
    Not(u64),
    Above(u64),
    Below(u64),
    /// These bits are set.
    Bits(u64),
    /// The socket type without its flags.
    Kind(u64),
}

/// Flags of `clone` that make namespaces, one by one: any of them is refused.
pub(crate) const CLONE_NAMESPACES: &[u64] = &[
    0x0002_0000, // CLONE_NEWNS
    0x0200_0000, // CLONE_NEWCGROUP
    0x0400_0000, // CLONE_NEWUTS
    0x0800_0000, // CLONE_NEWIPC
    0x1000_0000, // CLONE_NEWUSER
    0x2000_0000, // CLONE_NEWPID
    0x4000_0000, // CLONE_NEWNET
];

/// Requests of `ioctl` that are refused: name, number, why.
pub(crate) const REFUSED_IOCTLS: &[(&str, u64, &str)] = &[
    ("TIOCSTI", 0x5412, "types into a terminal as if the operator did"),
    ("TIOCLINUX", 0x541c, "pastes into a virtual console"),
    ("TIOCSETD", 0x5423, "loads line disciplines, old and rarely looked at"),
    ("TIOCCONS", 0x541d, "redirects the kernel's console"),
];

/// What `personality` is asked when it is only to tell.
pub(crate) const PERSONALITY_QUERY: u64 = 0xffff_ffff;

/// Bits of `personality` that are refused: name, bit, why. Fixed addresses (`setarch -R`) stay, for debuggers.
pub(crate) const REFUSED_PERSONALITIES: &[(&str, u64, &str)] = &[
    ("MMAP_PAGE_ZERO", 0x10_0000, "maps page zero, where null pointers of the kernel once led"),
    ("ADDR_COMPAT_LAYOUT", 0x20_0000, "an old layout with less randomness"),
    ("READ_IMPLIES_EXEC", 0x40_0000, "makes all data executable"),
];

/// A kind of socket that is refused.
pub(crate) struct RefusedSocket {
    /// All of these hold: argument (0 family, 1 type, 2 protocol) and test.
    pub(crate) tests: &'static [(u8, Test)],
    /// Why.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader and the tests"))]
    pub(crate) reason: &'static str,
}

const UNIX: u64 = 1;
const INET: u64 = 2;
const INET6: u64 = 10;
const NETLINK: u64 = 16;
const RAW: u64 = 3;
const RDM: u64 = 4;
const SEQPACKET: u64 = 5;
const DCCP: u64 = 6;
const PACKET: u64 = 10;

/// Calls that programs try first and do without where they do not exist: an engine that knows no default answer but EPERM
/// (Docker 20.10) has to be told one for each, or threads could not be started (`clone3`).
pub(crate) const TRIED_FIRST: &[&str] = &[
    "clone3",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
    "pidfd_getfd",
    "memfd_secret",
    "process_madvise",
    "map_shadow_stack",
    "futex_waitv",
    "cachestat",
    "landlock_create_ruleset",
];

/// The families that are left when [`REFUSED_SOCKETS`] are gone, for filters that can only say what is allowed.
pub(crate) const SOCKET_FAMILIES: &[u64] = &[UNIX, INET, INET6, NETLINK];

/// What is left: Unix, IPv4 and IPv6 streams and datagrams, and reading routes.
pub(crate) const REFUSED_SOCKETS: &[RefusedSocket] = &[
    RefusedSocket { tests: &[(0, Test::Below(UNIX))], reason: "no family at all" },
    RefusedSocket {
        tests: &[(0, Test::Above(INET)), (0, Test::Below(INET6))],
        reason: "amateur radio, IPX, AppleTalk, X.25: old code that nobody needs",
    },
    RefusedSocket {
        tests: &[(0, Test::Above(INET6)), (0, Test::Below(NETLINK))],
        reason: "DECnet, key management",
    },
    RefusedSocket {
        tests: &[(0, Test::Is(NETLINK)), (2, Test::Not(0))],
        reason: "netlink other than routes (which getifaddrs reads) talks to the firewall, audit, devices",
    },
    RefusedSocket {
        tests: &[(0, Test::Above(NETLINK))],
        reason: "packets, Bluetooth, AF_ALG, AF_VSOCK (a way to the hypervisor), AF_XDP, and what may come",
    },
    RefusedSocket { tests: &[(0, Test::Is(INET)), (1, Test::Kind(RAW))], reason: "raw packets" },
    RefusedSocket { tests: &[(0, Test::Is(INET6)), (1, Test::Kind(RAW))], reason: "raw packets" },
    RefusedSocket { tests: &[(0, Test::Is(INET)), (1, Test::Kind(PACKET))], reason: "raw packets" },
    RefusedSocket { tests: &[(0, Test::Is(INET)), (1, Test::Kind(RDM))], reason: "TIPC and RDS" },
    RefusedSocket { tests: &[(0, Test::Is(INET)), (1, Test::Kind(SEQPACKET))], reason: "SCTP sockets" },
    RefusedSocket { tests: &[(0, Test::Is(INET6)), (1, Test::Kind(SEQPACKET))], reason: "SCTP sockets" },
    RefusedSocket {
        tests: &[(0, Test::Is(INET)), (1, Test::Kind(DCCP))],
        reason: "DCCP: old and rarely looked at",
    },
    RefusedSocket {
        tests: &[(0, Test::Is(INET6)), (1, Test::Kind(DCCP))],
        reason: "DCCP: old and rarely looked at",
    },
    RefusedSocket {
        tests: &[(0, Test::Is(INET)), (2, Test::Above(17))],
        reason: "protocols other than TCP, UDP and ping: SCTP, UDP-Lite, multipath TCP (which falls back)",
    },
    RefusedSocket {
        tests: &[(0, Test::Is(INET6)), (2, Test::Above(17)), (2, Test::Not(58))],
        reason: "the same for IPv6, whose ping is 58",
    },
];
