//! The commands that show what holds, on a kernel that is not this machine's: Debian's own, with the newest Landlock that
//! is asked for and without AppArmor.
use crate::scene::{BOTH, Place, Scene};

pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "whole::the_doctor_finds_all_that_bottles_need",
        users: BOTH,
        place: Place::Whole,
        manifest: "",
        script: "bottle doctor; echo \"exit code $?\"",
        check: |heard| {
            heard.says(&["bottles can run on this machine", "exit code 0\n", "gives cpu, memory, pids"]);
            heard.keeps_quiet(&["missing"]);
        },
    },
    Scene {
        name: "whole::the_demonstration_holds",
        users: BOTH,
        place: Place::Whole,
        manifest: "",
        script: "bottle demo; echo \"exit code $?\"",
        check: |heard| heard.says(&["your credential is the real one", "all of it held", "exit code 0\n"]),
    },
    Scene {
        name: "whole::every_attack_fails",
        users: BOTH,
        place: Place::Whole,
        manifest: "",
        script: "bottle doctor --attack; echo \"exit code $?\"",
        check: |heard| {
            heard.says(&["exit code 0\n"]);
            heard.keeps_quiet(&["skipped", "BROKE"]);
        },
    },
    Scene {
        name: "whole::nothing_inside_sees_the_groups",
        users: BOTH,
        place: Place::Whole,
        manifest: "limits: { memory: 64MiB }\n",
        script: r#"run -- sh -c 'cat /proc/self/cgroup; ls /sys/fs/cgroup; echo "files $(find / -name memory.m?x 2>/dev/null | wc -l)"
            mkdir -p /tmp/g; mount -t cgroup2 none /tmp/g; echo "mounted $?"'"#,
        check: |heard| {
            heard.says(&["0::/\n", "files 0\n", "exit code 0\n"]);
            heard.keeps_quiet(&["bottle-dev-", "mounted 0"]);
        },
    },
];
