//! Each guard holds something: with it the attempt fails, without it (and what stands behind it) it succeeds.
use crate::Scenario;
use crate::bottle::TestBottle;
use sandbox::linux::Step;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("guards::no_capability_is_left", capabilities),
    ("guards::no_further_namespaces", namespaces),
    ("guards::odd_sockets_do_not_exist", sockets),
    ("guards::nothing_can_be_mounted", mounts),
    ("guards::the_first_process_is_out_of_reach", first_process),
    ("guards::a_fork_bomb_ends", processes),
    ("guards::no_core_dumps", core),
    ("guards::nothing_of_the_launcher_comes_along", inheritance),
    ("guards::landlock_alone_keeps_the_system_read_only", landlock),
    ("guards::proc_says_nothing_of_the_host", proc),
];

fn said(attempt: &[&str], holes: &[fn(&Step) -> bool]) -> String {
    let bottle = holes.iter().fold(TestBottle::probe(attempt), |bottle, hole| bottle.without(*hole));
    bottle.run().said
}

fn is_seccomp(step: &Step) -> bool {
    matches!(step, Step::Seccomp)
}

fn is_forbid(step: &Step) -> bool {
    matches!(step, Step::ForbidNamespaces)
}

fn is_capabilities(step: &Step) -> bool {
    matches!(step, Step::DropCapabilities)
}

fn is_landlock(step: &Step) -> bool {
    matches!(step, Step::Landlock { .. })
}

fn capabilities() {
    let none = "0000000000000000";
    let line = said(&["capabilities"], &[]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(line.contains(&format!("{set}:{none}")), "{line}");
    }
    assert!(line.contains("NoNewPrivs:1") && line.contains("Seccomp:2"), "{line}");
    assert!(!said(&["capabilities"], &[is_capabilities]).contains(&format!("CapBnd:{none}")));
    // Seccomp's own loader sets it as well.
    let without = said(&["capabilities"], &[|s| matches!(s, Step::NoNewPrivileges), is_landlock, is_seccomp]);
    assert!(without.contains("NoNewPrivs:0") && without.contains("Seccomp:0"), "{without}");
}

fn namespaces() {
    assert_eq!(said(&["unshare", "user"], &[]), "no ENOSYS: Function not implemented\n");
    assert_eq!(said(&["unshare", "user"], &[is_seccomp]), "no ENOSPC: No space left on device\n");
    assert_eq!(said(&["unshare", "user"], &[is_seccomp, is_forbid]), "ok \n");
    assert!(said(&["unshare", "net"], &[]).starts_with("no "));
}

fn sockets() {
    // vsock, packet, alg, netlink's firewall, bluetooth, raw ip, sctp
    for socket in [
        [40, 1, 0],
        [17, 3, 0],
        [38, 5, 0],
        [16, 3, 12],
        [31, 3, 0],
        [2, 3, 1],
        [10, 3, 58],
        [2, 1, 132],
        [2, 5, 132],
    ] {
        let [family, kind, protocol] = socket.map(|n: i32| n.to_string());
        let attempt = ["socket", &family, &kind, &protocol];
        assert!(said(&attempt, &[]).starts_with("no EAFNOSUPPORT"), "{socket:?}");
    }
    for socket in [[1, 1, 0], [2, 1, 0], [2, 1, 6], [10, 1, 0], [2, 2, 17], [10, 2, 0], [16, 3, 0], [1, 5, 0]]
    {
        let [family, kind, protocol] = socket.map(|n: i32| n.to_string());
        assert_eq!(said(&["socket", &family, &kind, &protocol], &[]), "ok \n", "{socket:?}");
    }
    assert_eq!(said(&["socket", "16", "3", "12"], &[is_seccomp]), "ok \n");
}

fn mounts() {
    assert!(said(&["mount", "/tmp"], &[]).starts_with("no ENOSYS"));
    assert!(said(&["mount", "/tmp"], &[is_seccomp]).starts_with("no EPERM"));
    assert!(said(&["mount", "/tmp"], &[is_seccomp, is_landlock]).starts_with("no EPERM"));
    assert_eq!(said(&["remount", "/usr"], &[is_seccomp, is_landlock]), "no EPERM: Operation not permitted\n");
}

fn first_process() {
    for path in ["/proc/1/environ", "/proc/1/mem", "/proc/1/maps"] {
        assert!(said(&["read", path], &[]).starts_with("no EACCES"), "{path}");
    }
    let file = "/proc/1/environ";
    let holes: &[fn(&Step) -> bool] = &[|s| matches!(s, Step::Undumpable), is_landlock];
    assert!(said(&["read", file], holes).starts_with("ok "));
    // It survives being killed from inside: the answer comes after the attempt.
    assert!(said(&["kill", "1"], &[]).starts_with("no EPERM"));
    assert_eq!(said(&["kill", "1"], &[is_landlock]), "ok \n");
}

fn processes() {
    let mut bottle = TestBottle::probe(&["processes", "64"]);
    bottle.spec.sandbox.limits.processes = Some(20);
    match sandbox::linux::planned(&bottle.spec) {
        Ok(_) => assert!(bottle.run().said.starts_with("no EAGAIN")),
        // The kernel never counts for real root: without a control group the start is refused.
        Err(error) => {
            assert!(rustix::process::getuid().is_root() && error.what.contains("processes"), "{error}");
            assert!(error.hint.is_some());
        }
    }
}

fn core() {
    assert_eq!(said(&["core"], &[]), "ok Some(0)\n");
}

fn inheritance() {
    let _open = std::fs::File::open("/").expect("a descriptor of the launcher");
    let script = "ls -l /proc/self/fd | grep -v ' -> /proc/' | grep -c ' -> '; cat /proc/self/environ | tr '\\0' '\\n'";
    let outcome = TestBottle::script(script).run();
    assert!(outcome.said.starts_with("3\n"), "{}", outcome.said);
    assert!(!outcome.said.contains("CARGO"), "{}", outcome.said);
}

fn landlock() {
    let holes: &[fn(&Step) -> bool] = &[|s| matches!(s, Step::Seal)];
    // Without `Seal` the host's tree is still there, writable for its owner: Landlock refuses.
    let bottle = TestBottle::probe(&["create", "/witness"]).without(holes[0]);
    assert!(bottle.run().said.starts_with("no EACCES"));
    let bottle = TestBottle::probe(&["create", "/witness"]).without(holes[0]).without(is_landlock);
    assert_eq!(bottle.run().said, "ok \n");
    assert!(said(&["create", "/witness"], &[is_landlock]).starts_with("no EROFS"));
}

fn proc() {
    let me = std::process::id().to_string();
    let outcome = TestBottle::script("ls /proc | grep -E '^[0-9]+$' | wc -l; cat /proc/[0-9]*/cmdline").run();
    assert!(!outcome.said.contains("__scenario"), "{}", outcome.said);
    assert!(said(&["read", &format!("/proc/{me}/status")], &[]).starts_with("no ENOENT"));
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/hostname"] {
        assert!(said(&["write", path], &[]).starts_with("no "), "{path}");
    }
}
