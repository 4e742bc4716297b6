//! The machine's system folders, devices and temporary folders.
use super::tree::Tree;
use crate::linux::host::Kind;
use crate::linux::step::{Access, Step};
use std::path::{Path, PathBuf};

/// Programs and libraries. Never /root, /home, /run, /var: data, sockets and secrets live there.
/// Of Nix the store alone: its daemon's socket would build, and fetch, outside of the bottle.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/var/lib/ca-certificates",
    "/var/cache/fontconfig",
    "/var/lib/dpkg",
    "/var/lib/texmf",
];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
const DEV_LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// What `/proc` says of the machine or its kernel beyond the bottle. All of `/proc` is read-only besides.
const MASKED: &[&str] = &[
    "acpi",
    "asound",
    "bus",
    "config.gz",
    "driver",
    "fs",
    "interrupts",
    "iomem",
    "ioports",
    "irq",
    "kallsyms",
    "kcore",
    "keys",
    "key-users",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "modules",
    "mtrr",
    "sched_debug",
    "schedstat",
    "scsi",
    "slabinfo",
    "sysrq-trigger",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
    "zoneinfo",
];
/// Sizes that runtimes ask for; `/sys` is empty but for these.
const SYS: &[&str] = &["/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage"];

pub(super) fn add(tree: &mut Tree<'_>) {
    tree.tmpfs("/tmp", 0o1777, "50%", true);
    tree.dir("/var", 0o755);
    tree.tmpfs("/var/tmp", 0o1777, "50%", true);
    tree.tmpfs("/run", 0o755, "64m", false);
    link(tree, "/var/run", "../run");
    link(tree, "/var/lock", "../run/lock");
    tree.dir("/run/lock", 0o1777);
    for path in SYSTEM {
        tree.mirror(Path::new(path));
    }
    link_home_folders(tree);
    devices(tree);
    proc(tree);
    SYS.iter().for_each(|path| tree.mirror(Path::new(path)));
}

fn link(tree: &mut Tree<'_>, path: &str, target: &str) {
    tree.steps.push(Step::Symlink { path: path.into(), target: target.into() });
}

/// Where `/home` is a link (to `/var/home`), paths through it must lead on.
fn link_home_folders(tree: &mut Tree<'_>) {
    let home = Path::new("/home");
    if matches!(tree.host.kind(home), Kind::Link(_)) {
        tree.mirror(home);
    }
}

fn devices(tree: &mut Tree<'_>) {
    tree.tmpfs("/dev", 0o755, "64k", false);
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        if tree.host.kind(&path) == Kind::Other {
            tree.mount(&path, &path, Access::Device);
        }
    }
    tree.steps.push(Step::Devpts);
    tree.tmpfs("/dev/shm", 0o1777, "50%", true);
    DEV_LINKS.iter().for_each(|(name, target)| link(tree, &format!("/dev/{name}"), target));
}

fn proc(tree: &mut Tree<'_>) {
    tree.steps.push(Step::Proc);
    for name in MASKED {
        let path = PathBuf::from("/proc").join(name);
        match tree.host.kind(&path) {
            Kind::Absent | Kind::Link(_) => {}
            kind => tree.steps.push(Step::Mask { path, dir: kind == Kind::Dir }),
        }
    }
}
