//! Other processes: their memory, their signals, their namespaces.
use super::{Attempt, Group, Outcome, World, refused};
use crate::linux::sys::attempt::{in_child, raw};
use nix::errno::Errno;
use std::fs;

const NEW_NAMESPACES: &[(&str, i32)] = &[
    ("user", libc::CLONE_NEWUSER),
    ("net", libc::CLONE_NEWNET),
    ("mnt", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

pub(super) const ATTEMPTS: &[Attempt] = &[
    proc("inherited-descriptors", "descriptors of the launcher", |_| inherited()),
    proc("unshare-user", "capabilities in a user namespace of its own", |_| unshared(libc::CLONE_NEWUSER)),
    proc("unshare-all", "namespaces of its own", |_| each_namespace()),
    proc("clone-user", "the same by clone", |_| {
        child_code(|| {
            i32::from(
                raw(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD).into(), 0, 0, 0, 0]).is_ok(),
            )
        })
    }),
    proc("clone3", "flags that a filter cannot read", |_| {
        refused(raw(libc::SYS_clone3, [0, 0, 0, 0, 0]), &[Errno::ENOSYS, Errno::EPERM])
    }),
    proc("setns-init", "the namespaces of the first process", |_| setns("/proc/1/ns/net")),
    proc("setns-self", "setns at all", |_| setns("/proc/self/ns/net")),
    proc("ptrace-init", "control of the bottle's first process", |_| {
        refused(
            raw(libc::SYS_ptrace, [libc::PTRACE_SEIZE.into(), 1, 0, 0, 0]),
            &[Errno::EPERM, Errno::EACCES, Errno::ESRCH],
        )
    }),
    proc("read-memory-init", "its memory", |_| {
        let mut buffer = [0_u8; 8];
        let local = [buffer.as_mut_ptr() as usize, buffer.len()];
        let remote = [0x40_0000_usize, 8];
        let answer =
            raw(libc::SYS_process_vm_readv, [1, local.as_ptr() as i64, 1, remote.as_ptr() as i64, 1]);
        refused(answer, &[Errno::EPERM, Errno::EACCES, Errno::ESRCH, Errno::ENOSYS])
    }),
    proc("proc-mem-init", "its memory as a file", |_| unreadable("/proc/1/mem")),
    proc("proc-environ-init", "its environment", |_| unreadable("/proc/1/environ")),
    proc("proc-root-init", "its root folder", |_| unlistable("/proc/1/root")),
    proc("proc-cwd-init", "its working folder", |_| unlistable("/proc/1/cwd")),
    proc("proc-fd-init", "its descriptors, the control socket among them", |_| descriptors_of_init()),
    proc("pidfd-getfd-init", "a copy of a descriptor of its", pidfd_getfd),
    proc("kill-init", "the end of the bottle's first process", |_| {
        let _ = raw(libc::SYS_kill, [1, libc::SIGKILL.into(), 0, 0, 0]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        Outcome::Held("init is still there, or nobody would say so".into())
    }),
    proc("see-launcher", "the processes of the host", see_launcher),
    proc("parent", "a parent outside", |_| match nix::unistd::getppid().as_raw() {
        0 => Outcome::Broke("the parent lives in another PID namespace".into()),
        pid => Outcome::Held(format!("the parent is {pid}, inside")),
    }),
    proc("capabilities", "capabilities", |_| capabilities()),
    proc("new-privileges", "set-uid programs", |_| status_is("NoNewPrivs", "1")),
    proc("no-filter", "system calls unfiltered", |_| status_is("Seccomp", "2")),
    proc("setuid", "another user", |_| {
        let other = if nix::unistd::getuid().is_root() { 12345 } else { 0 };
        refused(raw(libc::SYS_setuid, [other, 0, 0, 0, 0]), &[Errno::EPERM, Errno::EINVAL])
    }),
    proc("setgroups", "other groups", |_| {
        let group = [4_u32];
        refused(raw(libc::SYS_setgroups, [1, group.as_ptr() as i64, 0, 0, 0]), &[Errno::EPERM, Errno::EINVAL])
    }),
    proc("secret-in-environments", "a real credential in an environment or command line", secrets_in_proc),
];

const fn proc(name: &'static str, gain: &'static str, run: fn(&World) -> Outcome) -> Attempt {
    Attempt { name, group: Group::Process, gain, run }
}

fn child_code(act: fn() -> i32) -> Outcome {
    match in_child(act) {
        Ok(0) => Outcome::Held("refused".into()),
        Ok(code) if code > 128 => Outcome::Held(format!("ended by signal {}", code - 128)),
        Ok(_) => Outcome::Broke("it was allowed".into()),
        Err(errno) => Outcome::Held(errno.to_string()),
    }
}

fn unshared(flag: i32) -> Outcome {
    match flag {
        libc::CLONE_NEWUSER => {
            child_code(|| i32::from(raw(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0, 0]).is_ok()))
        }
        _ => refused(raw(libc::SYS_unshare, [flag.into(), 0, 0, 0, 0]), &[Errno::EPERM, Errno::ENOSYS]),
    }
}

fn each_namespace() -> Outcome {
    for (name, flag) in NEW_NAMESPACES.iter().skip(1) {
        if let Outcome::Broke(saw) = unshared(*flag) {
            return Outcome::Broke(format!("{name}: {saw}"));
        }
    }
    Outcome::Held("every kind is refused".into())
}

fn setns(path: &str) -> Outcome {
    match fs::File::open(path) {
        Err(error) => Outcome::Held(error.to_string()),
        Ok(file) => {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
            refused(raw(libc::SYS_setns, [fd.into(), 0, 0, 0, 0]), &[Errno::EPERM, Errno::ENOSYS])
        }
    }
}

fn unreadable(path: &str) -> Outcome {
    match fs::File::open(path) {
        Ok(_) => Outcome::Broke(format!("`{path}` opens")),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

fn unlistable(path: &str) -> Outcome {
    match fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            Some(Ok(entry)) => Outcome::Broke(format!("`{}` is seen", entry.path().display())),
            Some(Err(error)) => Outcome::Held(error.to_string()),
            None => Outcome::Broke(format!("`{path}` opens")),
        },
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// That there are some may be seen; what they are, and reading them, may not.
fn descriptors_of_init() -> Outcome {
    let seen = (0..64).map(|number| format!("/proc/1/fd/{number}")).find(|path| fs::read_link(path).is_ok());
    match seen {
        Some(path) => Outcome::Broke(format!("`{path}` can be followed")),
        None => Outcome::Held("none can be followed".into()),
    }
}

fn pidfd_getfd(_: &World) -> Outcome {
    match raw(libc::SYS_pidfd_open, [1, 0, 0, 0, 0]) {
        Err(errno) => Outcome::Held(errno.to_string()),
        Ok(fd) => refused(
            raw(libc::SYS_pidfd_getfd, [fd, 3, 0, 0, 0]),
            &[Errno::EPERM, Errno::EACCES, Errno::ENOSYS],
        ),
    }
}

/// The launcher's number means nothing here, or means something else; no process outside is listed.
fn see_launcher(world: &World) -> Outcome {
    let numbers = fs::read_dir("/proc")
        .map(|d| d.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok()).collect());
    let numbers: Vec<i32> = numbers.unwrap_or_default();
    let name = fs::read_to_string(format!("/proc/{}/comm", world.launcher_pid)).unwrap_or_default();
    let alive = raw(libc::SYS_kill, [world.launcher_pid.into(), 0, 0, 0, 0]).is_ok();
    if numbers.len() > 64 || (alive && numbers.contains(&world.launcher_pid) && name.trim() == "bottle") {
        return Outcome::Broke(format!(
            "{} processes are seen, {} is `{}`",
            numbers.len(),
            world.launcher_pid,
            name.trim()
        ));
    }
    Outcome::Held(format!("{} processes, all inside", numbers.len()))
}

fn status(key: &str) -> String {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value =
        text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':').map(|v| v.trim().to_owned()));
    value.unwrap_or_default()
}

fn status_is(key: &str, wanted: &str) -> Outcome {
    match status(key) {
        value if value == wanted => Outcome::Held(format!("{key} is {value}")),
        value => Outcome::Broke(format!("{key} is `{value}`")),
    }
}

fn capabilities() -> Outcome {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    match sets.into_iter().find(|s| !status(s).bytes().all(|b| b == b'0')) {
        Some(set) => Outcome::Broke(format!("{set} is {}", status(set))),
        None => Outcome::Held("every set is empty".into()),
    }
}

/// Descriptors above 2. This is the first attempt of all, so none of them is this program's own but the one that lists.
fn inherited() -> Outcome {
    let entries = fs::read_dir("/proc/self/fd").map(|d| d.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let foreign = entries.iter().filter_map(|e| {
        let number: i32 = e.file_name().to_str()?.parse().ok()?;
        let to = fs::read_link(e.path()).ok()?.display().to_string();
        (number > 2 && !to.starts_with("/proc/")).then(|| format!("{number} → {to}"))
    });
    match foreign.collect::<Vec<_>>() {
        list if list.is_empty() => Outcome::Held("0, 1 and 2 alone".into()),
        list => Outcome::Broke(list.join(", ")),
    }
}

fn secrets_in_proc(world: &World) -> Outcome {
    let marker = format!("{}{}", world.marker_a, world.marker_b);
    let folders = fs::read_dir("/proc").map(|d| d.flatten().collect::<Vec<_>>()).unwrap_or_default();
    for folder in folders {
        for file in ["environ", "cmdline"] {
            let bytes = fs::read(folder.path().join(file)).unwrap_or_default();
            if String::from_utf8_lossy(&bytes).contains(&marker) {
                return Outcome::Broke(format!(
                    "`{}` holds a real value",
                    folder.path().join(file).display()
                ));
            }
        }
    }
    Outcome::Held("no environment and no command line holds one".into())
}
