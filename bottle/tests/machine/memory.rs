//! `limits.memory` is kept for all of a bottle together, and a bottle says so when it was used up.
use crate::scene::{BOTH, Heard, Place, Scene, User};

const LIMIT: &str = "limits: { memory: 64MiB }\n";
const USED_UP: &str = "memory   was used up";

pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "memory::what_takes_more_than_the_bottle_has_is_killed_and_the_summary_says_so",
        users: BOTH,
        place: Place::Whole,
        manifest: LIMIT,
        script: r#"run -- sh -c '
            dd if=/dev/zero of=/dev/null bs=8M count=1 2>/dev/null; echo "8 MiB: $?"
            dd if=/dev/zero of=/dev/null bs=160M count=1 2>/dev/null; echo "160 MiB: $?"'
        grep -l memory-used-up ~/.local/state/bottle/dev/audit.jsonl"#,
        check: |heard| {
            heard.says(&["64 MiB of memory, all processes together", "8 MiB: 0\n", "160 MiB: 137\n"]);
            heard.says(&["exit code 0\n", USED_UP, "`limits: { memory: … }`", "audit.jsonl\n"]);
        },
    },
    Scene {
        name: "memory::an_agent_that_is_killed_itself_is_told_from_one_that_dies_of_something_else",
        users: &[User::Root],
        place: Place::Whole,
        manifest: LIMIT,
        script: r#"run -- dd if=/dev/zero of=/dev/null bs=160M count=1
        echo "and then"
        run -- sh -c 'kill -9 $$'"#,
        check: |heard| {
            let (starved, killed) = heard.said.split_once("and then").expect("both were run");
            for run in [starved, killed] {
                assert!(
                    run.contains("was ended by signal 9") && run.contains("exit code 137"),
                    "{}",
                    heard.said
                );
            }
            assert!(starved.contains(USED_UP) && !killed.contains(USED_UP), "{}", heard.said);
        },
    },
    Scene {
        name: "memory::processes_that_take_a_little_each_share_one_limit",
        users: &[User::Ordinary],
        place: Place::Whole,
        manifest: LIMIT,
        script: r#"run -- sh -c '
            for n in 1 2 3 4 5 6; do
              (dd if=/dev/zero of=/dev/null bs=24M count=999999 2>/dev/null || echo one was killed) &
            done
            sleep 3; echo the end'"#,
        check: |heard| heard.says(&["one was killed", USED_UP]),
    },
    // The machine has swap, and an idle page would go there.
    Scene {
        name: "memory::swap_is_no_way_around_it",
        users: BOTH,
        place: Place::Whole,
        manifest: LIMIT,
        script: r#"run -- sh -c '
            dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null; echo "96 MiB: $?"
            touch ready; until [ -e go ]; do usleep 20000; done' &
        here=$(group); wait_for ready
        echo "swap of the machine in MiB $(free -m | sed -n "s/^Swap: *\([0-9]*\).*/\1/p")"
        echo "allowed $(cat "$here/memory.swap.max")"; echo "most $(cat "$here/memory.swap.peak")"
        touch go; wait"#,
        check: |heard| {
            heard.says(&["96 MiB: 137\n"]);
            assert!(heard.number("swap of the machine in MiB") >= 100, "there was no swap:\n{}", heard.said);
            assert_eq!((heard.number("allowed"), heard.number("most")), (0, 0));
        },
    },
    // No process has taken it, so the kernel kills one after another, and who cleans up must not be among them.
    Scene {
        name: "memory::files_in_memory_count_and_everything_is_cleaned_up",
        users: BOTH,
        place: Place::Whole,
        manifest: LIMIT,
        script: r#"ls -A >/tmp/before-$(basename $PWD)
        run -- sh -c 'for n in 1 2 3; do dd if=/dev/zero of=/dev/shm/$n bs=1M count=80 2>/dev/null; echo "wrote $n"; done'
        ls -A | diff /tmp/before-$(basename $PWD) - && echo "the workspace is as it was""#,
        check: |heard| {
            heard.says(&["exit code 137\n", USED_UP, "the workspace is as it was"]);
            heard.keeps_quiet(&["wrote 3"]);
        },
    },
    Scene {
        name: "memory::the_least_that_is_taken_holds_a_bottle",
        users: &[User::Root],
        place: Place::Whole,
        manifest: "limits: { memory: 8MiB }\n",
        script: "run -- sh -c 'echo $((6 * 7)) is in it'",
        check: |heard| heard.says(&["42 is in it", "exit code 0\n"]),
    },
    Scene {
        name: "memory::less_than_a_bottle_needs_is_refused",
        users: &[User::Ordinary],
        place: Place::Whole,
        manifest: "limits: { memory: 8191KiB }\n",
        script: "run -- true",
        check: |heard| {
            heard.says(&["no bottle fits into 8191 KiB of memory", "help: give it more", "exit code 125\n"]);
        },
    },
    Scene {
        name: "memory::it_is_refused_where_no_group_can_keep_it",
        users: BOTH,
        place: Place::Bare,
        manifest: LIMIT,
        script: "run -- echo it ran",
        check: refused,
    },
    Scene {
        name: "memory::it_is_refused_where_the_group_has_other_controllers_only",
        users: &[User::Ordinary],
        place: Place::Half,
        manifest: LIMIT,
        script: "run -- echo it ran",
        check: refused,
    },
    Scene {
        name: "memory::the_group_goes_with_a_launcher_that_is_killed",
        users: &[User::Ordinary],
        place: Place::Whole,
        manifest: LIMIT,
        script: r#"bottle run -- sh -c 'touch ready; sleep 100' &
        here=$(group); wait_for ready
        kill -9 $!
        for n in $(seq 100); do [ -e "$here" ] || break; usleep 50000; done
        [ -e "$here" ] || echo "it has gone""#,
        check: |heard| heard.says(&["it has gone"]),
    },
];

fn refused(heard: &Heard) {
    heard.says(&[
        "cannot limit memory: no control group for it is delegated to this process",
        "exit code 125\n",
    ]);
    heard.says(&["systemd-run --user --scope -p Delegate=yes"]);
    heard.keeps_quiet(&["it ran"]);
}
