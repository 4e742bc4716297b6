//! Every attempt of the attack program, and for each the guard without which it succeeds: the same program runs in a
//! whole bottle, in bottles with holes, and (where no hole lets it through) outside any bottle.
use crate::Scenario;
use crate::bottle::{PROBE, TestBottle, hear};
use crate::witness::Witness;
use sandbox::attack::{Outcome, Report, World};
use sandbox::linux::Step;
use std::collections::BTreeSet;
use std::path::Path;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("escape::a_whole_bottle_holds_against_every_attempt", whole),
    ("escape::each_guard_holds_what_it_is_there_for", holes),
    ("escape::roots_capabilities_are_held_too", roots_holes),
    ("escape::what_a_bottle_does_not_have_is_reached_outside", outside),
    ("escape::sixty_attempts_are_shown_both_ways", enough),
];

/// What `bottle doctor --attack` needs an engine for: shown there and on the wire.
fn needs_engine(name: &str) -> bool {
    name.starts_with("proxy-")
}

/// A guard and the attempts that succeed without it.
struct Hole {
    name: &'static str,
    steps: &'static [fn(&Step) -> bool],
    lets_through: &'static [&'static str],
}

const HOLES: &[Hole] = &[
    Hole { name: "system calls", steps: &[SECCOMP], lets_through: CALLS },
    Hole {
        name: "system calls, capabilities, namespaces, Landlock",
        steps: &[SECCOMP, CAPABILITIES, |s| matches!(s, Step::ForbidNamespaces), LANDLOCK],
        lets_through: NAMESPACES,
    },
    Hole {
        name: "no new privileges, and the filters that imply it",
        steps: &[|s| matches!(s, Step::NoNewPrivileges), SECCOMP, LANDLOCK],
        lets_through: &["new-privileges"],
    },
    Hole {
        name: "limits",
        steps: &[|s| matches!(s, Step::Limits { .. })],
        lets_through: &["core-dumps", "raise-limits"],
    },
    Hole {
        name: "write protection in the workspace",
        steps: &[|s| matches!(s, Step::Pin { .. } | Step::Watch { .. } | Step::Placeholder { .. }), is_held],
        lets_through: PROTECTION,
    },
    Hole {
        name: "covers over credentials in the folders of tools",
        steps: &[is_key],
        lets_through: &["credential-files"],
    },
    Hole {
        name: "a host out of reach",
        steps: &[|s| matches!(s, Step::Seal), LANDLOCK],
        lets_through: &["host-tree-left-behind", "terminals-of-others"],
    },
];

/// What is covered below the user's home, which is the folder `user` of a test.
fn is_key(step: &Step) -> bool {
    let (Step::CoverText { path, .. } | Step::Mask { path, .. }) = step else { return false };
    path.iter().any(|part| part == "user")
}

/// The file inside over a held place.
fn is_held(step: &Step) -> bool {
    matches!(step, Step::CoverText { path, .. } if path.iter().any(|part| part == "workspace"))
}

const SECCOMP: fn(&Step) -> bool = |s| matches!(s, Step::Seccomp);
const CAPABILITIES: fn(&Step) -> bool = |s| matches!(s, Step::DropCapabilities);
const LANDLOCK: fn(&Step) -> bool = |s| matches!(s, Step::Landlock { .. });

/// Without the filter the kernel's own code answers.
const CALLS: &[&str] = &[
    "add-key",
    "bpf",
    "clock-settime",
    "clone3",
    "io-uring",
    "keyctl",
    "mount-setattr",
    "name-to-handle",
    "netlink-audit",
    "netlink-generic",
    "netlink-netfilter",
    "netlink-uevent",
    "no-filter",
    "open-by-handle",
    "paste-selection",
    "perf-event-open",
    "personality",
    "push-keystroke",
    "quotactl",
    "request-key",
    "thirty-two-bit",
    "userfaultfd",
    "vsock",
];

/// For everybody; root in its own namespace gets further (see [`ROOTS`]).
const NAMESPACES: &[&str] = &["capabilities", "clone-user", "unshare-user"];

/// With the capabilities of the bottle's own namespace, which only real root keeps across the agent's start.
const ROOTS: &[&str] = &[
    "chroot",
    "device-node",
    "fsopen",
    "mount",
    "netlink-delete-route",
    "open-tree",
    "packet-socket",
    "pivot-root",
    "raw-icmp",
    "raw-ip",
    "raw-ip-v6",
    "reboot",
    "remount-writable",
    "sethostname",
    "setns-self",
    "socket-mark",
    "transparent-socket",
    "unmount",
    "unshare-all",
    "xdp-socket",
];

/// For root alone: everybody else's first process has capabilities that the agent lacks, which is a guard of its own.
const FIRST_PROCESS: &[&str] = &["ptrace-init", "proc-mem-init", "proc-environ-init", "proc-root-init"];

const PROTECTION: &[&str] = &[
    "agent-settings",
    "direnv",
    "editor-tasks",
    "git-config",
    "git-config-lock",
    "git-config-replace",
    "git-folder-rename",
    "git-hook",
    "git-hooks-rename",
    "manifest",
    "manifest-replace",
];

/// What no single hole lets through, because a bottle has nothing to reach at all: outside one it succeeds. Only what
/// is harmless to the machine stands here.
const OUTSIDE: &[&str] = &[
    "tcp-host-loopback",
    "tcp-host-loopback-other",
    "tcp-unspecified",
    "udp-host-loopback",
    "abstract-socket",
    "unix-socket",
    "host-file",
    "host-file-by-dotdot",
    "symlink-out",
    "hard-link-out",
    "proc-root-self",
    "see-launcher",
    "capabilities",
];

/// The workspace of a developer: a repository, a manifest.
fn furnish(workspace: &Path) {
    let git = workspace.join(".git");
    for folder in ["hooks", "objects", "refs/heads"] {
        std::fs::create_dir_all(git.join(folder)).expect("a folder");
    }
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
    std::fs::write(git.join("config"), "[core]\n\tbare = false\n").expect("a file");
    std::fs::write(workspace.join("bottle.yaml"), "name: test\n").expect("a file");
}

/// The home of a developer: a secret in each place that is known for one.
fn plant(home: &Path) {
    for name in sandbox::attack::CREDENTIAL_FILES {
        let path = home.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, "token = planted\n").expect("a file");
    }
}

fn world(workspace: &Path, outside: &Path, witness: &Witness) -> World {
    let secret_file = outside.join("secret");
    std::fs::write(&secret_file, "a file of the host\n").expect("a file");
    World {
        witness_port: witness.tcp_port,
        witness_udp_port: witness.udp_port,
        greeting: witness.greeting.clone(),
        host_addresses: Vec::new(),
        abstract_socket: witness.abstract_name.clone(),
        unix_socket: witness.unix_path.clone(),
        secret_file,
        marker_a: "half-of-a-marker-".into(),
        marker_b: "that-nobody-has".into(),
        launcher_pid: i32::try_from(std::process::id()).expect("a process id"),
        workspace: workspace.to_owned(),
        proxy: sandbox::attack::PROXY,
        refused_name: "refused.test".into(),
    }
}

fn read(said: &str) -> Vec<Report> {
    said.lines().filter_map(|line| serde_json::from_str(line.trim()).ok()).collect()
}

fn broke(reports: &[Report]) -> BTreeSet<&str> {
    let broken = reports.iter().filter(|r| matches!(r.outcome, Outcome::Broke(_)) && !needs_engine(&r.name));
    broken.map(|r| r.name.as_str()).collect()
}

/// Runs all attempts in a bottle without some of its steps.
fn attacked(without: &[fn(&Step) -> bool]) -> Vec<Report> {
    let mut bottle = TestBottle::command(&["true"]);
    furnish(bottle.workspace());
    plant(&bottle.spec.sandbox.home_inside);
    let outside = bottle.folder.path().canonicalize().expect("a path");
    let witness = Witness::start(&outside);
    let world = world(bottle.workspace(), &outside, &witness);
    let told = serde_json::to_string(&world).expect("JSON");
    bottle.spec.command = [PROBE, "__attack", &told].map(str::to_owned).to_vec();
    let bottle = without.iter().fold(bottle, |bottle, step| bottle.without(*step));
    let mut prepared = bottle.prepare();
    // Held open as an engine would hold them; nobody answers.
    let _listeners = prepared.take_listeners();
    let terminal = prepared.take_pty().expect("a terminal");
    let mut running = prepared.launch().expect("the agent");
    let listening = std::thread::spawn(move || hear(terminal));
    running.wait();
    let said = listening.join().expect("what it said");
    let reports = read(&said);
    assert_eq!(
        reports.len(),
        sandbox::attack::attempts().len(),
        "the attack program did not come to its end: {said}"
    );
    reports
}

fn whole() {
    let reports = attacked(&[]);
    assert_eq!(broke(&reports), BTreeSet::new(), "{reports:#?}");
}

fn holes() {
    HOLES.iter().for_each(lets_through);
}

/// Only real root's agent has capabilities to lose.
fn roots_holes() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    lets_through(&Hole { lets_through: ROOTS, ..HOLES[1] });
    lets_through(&Hole {
        name: "a first process that nobody may look into, and what stands behind it",
        steps: &[|s| matches!(s, Step::Undumpable), CAPABILITIES, SECCOMP, LANDLOCK],
        lets_through: FIRST_PROCESS,
    });
}

fn lets_through(hole: &Hole) {
    let reports = attacked(hole.steps);
    let broken = broke(&reports);
    let missing: Vec<_> = hole.lets_through.iter().filter(|name| !broken.contains(**name)).collect();
    assert!(missing.is_empty(), "without {}: {missing:?} still held; broken were {broken:?}", hole.name);
}

fn outside() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = folder.path().canonicalize().expect("a path");
    let workspace = base.join("workspace");
    std::fs::create_dir(&workspace).expect("a folder");
    let witness = Witness::start(&base);
    let world = world(&workspace, &base, &witness);
    let mut reports = Vec::new();
    OUTSIDE.iter().for_each(|name| sandbox::attack::run(&world, name, |report| reports.push(report.clone())));
    let broken = broke(&reports);
    let root = rustix::process::getuid().is_root();
    // An ordinary user outside a bottle has no capabilities either, but for the bounding set.
    let missing: Vec<_> = OUTSIDE.iter().filter(|name| !broken.contains(**name)).collect();
    assert!(missing.is_empty(), "outside a bottle (root: {root}) {missing:?} failed: {reports:#?}");
}

/// At least sixty attempts are shown both ways, and every name in the tables is an attempt's.
fn enough() {
    let all: BTreeSet<&str> = sandbox::attack::attempts().iter().map(|a| a.name).collect();
    let tables = HOLES.iter().map(|hole| hole.lets_through).chain([ROOTS, FIRST_PROCESS, OUTSIDE]);
    let shown: BTreeSet<&str> = tables.flatten().copied().collect();
    assert!(shown.is_subset(&all), "{:?}", shown.difference(&all));
    assert!(shown.len() >= 60, "{} of {} are shown both ways", shown.len(), all.len());
}
