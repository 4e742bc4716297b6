//! `limits.processes` is kept for everybody: by the group, and where there is none by the kernel's own count, which
//! leaves root out.
use crate::scene::{BOTH, Heard, Place, Scene, User};

const LIMIT: &str = "limits: { processes: 24 }\n";
/// Doubles itself until it cannot any more; then the script looks at the group while it is full.
const BOMB: &str = r#"bottle run -- sh -c '
        bomb() { bomb | bomb & }
        (bomb) 2>/dev/null; sleep 60' >/tmp/bomb-$(basename $PWD) 2>&1 &
    launcher=$! here=$(group)
    for n in $(seq 20); do
      now=$(cat "$here/pids.current" 2>/dev/null); [ "${now:-0}" -le "${most:-0}" ] || most=$now
      usleep 100000
    done
    echo "most at once $most"; echo "allowed $(cat "$here/pids.max")"
    kill -9 $launcher; until [ ! -e "$here" ]; do usleep 20000; done"#;
/// Starts children until it cannot, and says how many there were.
const MANY: &str = r#"run -- sh -c '
        (n=0; while [ $n -lt 60 ]; do sleep 30 & n=$((n+1)); echo $n >started; done) 2>/dev/null; exit 0'
    echo "started $(cat started)""#;

pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "processes::a_fork_bomb_ends_at_the_limit",
        users: BOTH,
        place: Place::Whole,
        manifest: LIMIT,
        script: BOMB,
        check: |heard| {
            assert_eq!(heard.number("allowed"), 24);
            assert!((12..=24).contains(&heard.number("most at once")), "{}", heard.said);
        },
    },
    Scene {
        name: "processes::a_group_with_their_controller_alone_is_enough_for_them",
        users: BOTH,
        place: Place::Half,
        manifest: LIMIT,
        script: MANY,
        check: held,
    },
    Scene {
        name: "processes::without_a_group_the_kernel_counts_those_of_an_ordinary_user",
        users: &[User::Ordinary],
        place: Place::Bare,
        manifest: LIMIT,
        script: MANY,
        check: |heard| {
            heard.says(&["24 processes, counted by the kernel for this user"]);
            held(heard);
        },
    },
    Scene {
        name: "processes::without_a_group_roots_are_refused",
        users: &[User::Root],
        place: Place::Bare,
        manifest: LIMIT,
        script: MANY,
        check: |heard| {
            heard.says(&["cannot limit processes: no control group for it is delegated", "exit code 125\n"]);
            heard.says(&["systemd-run --user --scope -p Delegate=yes"]);
        },
    },
    Scene {
        name: "processes::more_are_had_by_whoever_asks_for_none",
        users: &[User::Root],
        place: Place::Whole,
        manifest: "",
        script: MANY,
        check: |heard| assert_eq!(heard.number("started"), 60),
    },
];

/// The shells and the bottle's first process are counted too.
fn held(heard: &Heard) {
    heard.says(&["24 processes", "exit code 0\n"]);
    assert!((12..24).contains(&heard.number("started")), "{}", heard.said);
}
