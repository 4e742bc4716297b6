//! `limits.cpus` is kept. Times are the machine's own, and the bounds wide: what is seen is that a limit holds, not how well.
use crate::scene::{BOTH, Heard, Place, Scene, User};

/// Two programs that never rest; what all of the bottle had of the processors in four seconds, in thousandths.
const BUSY: &str = r#"bottle run -- sh -c '
        while :; do :; done & while :; do :; done & touch ready; sleep 60' >/dev/null 2>&1 &
    launcher=$! here=$(group); wait_for ready
    used() { sed -n "s/^usage_usec //p" "$here/cpu.stat"; }
    clock() { sed "s/ .*//; s/\.//" /proc/uptime; }
    began=$(clock) before=$(used); sleep 4
    ended=$(clock) after=$(used)
    echo "share $(( (after - before) / 10 / (ended - began) ))"
    echo "quota $(cat "$here/cpu.max")"
    kill -9 $launcher; until [ ! -e "$here" ]; do usleep 20000; done"#;

pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "processors::a_busy_bottle_gets_its_share_and_no_more",
        users: BOTH,
        place: Place::Whole,
        manifest: "limits: { cpus: 0.3 }\n",
        script: BUSY,
        check: |heard| {
            heard.says(&["quota 30000 100000\n"]);
            assert!((100..=400).contains(&heard.number("share")), "{}", heard.said);
        },
    },
    Scene {
        name: "processors::without_a_limit_it_gets_more",
        users: &[User::Root],
        place: Place::Whole,
        manifest: "",
        script: BUSY,
        check: |heard| {
            heard.says(&["quota max 100000\n"]);
            assert!(heard.number("share") > 700, "{}", heard.said);
        },
    },
    Scene {
        // A bottle would hardly come to its end with it: what is asked of the kernel is what a bottle writes.
        name: "processors::the_smallest_share_is_one_that_the_kernel_takes",
        users: &[User::Ordinary],
        place: Place::Whole,
        manifest: "",
        script: r#"group=$GROUPS_HERE/of-the-test; mkdir $group
        for share in "1000 1000000" "1000 100000" "900 100000"; do
          echo "$share" 2>/dev/null >$group/cpu.max && echo "$share is taken" || echo "$share is refused"
        done; rmdir $group"#,
        check: |heard| {
            heard.says(&["1000 1000000 is taken", "1000 100000 is taken", "900 100000 is refused"]);
        },
    },
    Scene {
        name: "processors::they_are_refused_where_no_group_can_keep_them",
        users: BOTH,
        place: Place::Half,
        manifest: "limits: { cpus: 1 }\n",
        script: "run -- echo it ran",
        check: refused,
    },
];

fn refused(heard: &Heard) {
    heard.says(&["cannot limit processors: no control group for it is delegated", "exit code 125\n"]);
    heard.says(&["systemd-run --user --scope -p Delegate=yes"]);
    heard.keeps_quiet(&["it ran"]);
}
