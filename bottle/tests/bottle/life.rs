//! Bottles that live: ps, stop, two of one name, and launchers that are killed.
use crate::stage::{Stage, as_every_user, eventually};
use rustix::process::Signal;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn two_bottles_of_one_name_have_slugs_and_audit_files_of_their_own() {
    as_every_user(|stage| {
        let first = stage.start("work", "sleep 100");
        let second = stage.start("work-2", "sleep 100");
        assert_eq!(stage.slugs(), ["work", "work-2"]);
        assert_eq!(stage.run(&["stop", "work"]).ended_with(0).out, "work\nwork-2\n");
        first.end().ended_with(143);
        second.end().ended_with(143);
        for slug in ["work", "work-2"] {
            assert!(stage.run(&["audit", "verify", slug]).ended_with(0).out.contains("is whole"));
        }
    });
}

#[test]
fn ps_tells_what_runs_and_holds_no_secret() {
    let stage = Stage::ordinary();
    let launcher = stage.start("work", "sleep 100");
    let listed: serde_json::Value =
        serde_json::from_str(&stage.run(&["ps", "--json"]).ended_with(0).out).expect("JSON");
    assert_eq!(listed[0]["slug"], "work");
    assert_eq!(listed[0]["pid"], launcher.pid());
    assert_eq!(listed[0]["workspace"], stage.workspace().to_str().expect("text"));
    assert!(stage.run(&["ps"]).ended_with(0).out.contains("sleep 100"));
}

#[test]
fn stop_is_idempotent() {
    as_every_user(|stage| {
        let launcher = stage.start("work", "sleep 100");
        assert_eq!(stage.run(&["stop", "work"]).ended_with(0).out, "work\n");
        launcher.end().ended_with(143);
        assert!(stage.run(&["stop", "work"]).ended_with(0).err.contains("`work` does not run"));
        assert_eq!(stage.run(&["stop", "--all"]).ended_with(0).out, "");
        assert_eq!(stage.run(&["prune"]).ended_with(0).out, "");
    });
}

#[test]
fn an_agent_that_ignores_sigterm_is_stopped_in_good_order() {
    let stage = Stage::ordinary();
    let launcher = stage.start("work", "trap '' TERM; while :; do sleep 0.1; done");
    stage.run(&["stop", "--time", "1", "work"]).ended_with(0);
    launcher.end().ended_with(137);
    assert!(stage.run(&["logs", "work"]).ended_with(0).out.contains("bottle-ended"));
}

#[test]
fn signals_pass_through() {
    as_every_user(|stage| {
        let launcher = stage.start("work", "trap 'exit 42' USR1; : > ready; while :; do sleep 0.05; done");
        eventually("the trap", || stage.path("work/ready").exists());
        launcher.signal(Signal::USR1);
        launcher.end().ended_with(42);
    });
}

#[test]
fn a_killed_launcher_leaves_nothing_that_runs_and_a_record_that_goes() {
    as_every_user(|stage| {
        let mark = format!("987{}", std::process::id());
        let launcher = stage.start("work", &format!("sleep {mark}"));
        eventually("the agent", || Stage::processes_with(&format!("sleep\0{mark}")).len() == 1);
        launcher.signal(Signal::KILL);
        drop(launcher);
        eventually("the agent's end", || Stage::processes_with(&mark).is_empty());
        assert!(stage.slugs().is_empty());
        assert_eq!(stage.run(&["prune"]).ended_with(0).out, "removed the record of `work`\n");
        stage.run(&["run", "--quiet", "--", "true"]).ended_with(0);
        assert!(stage.run(&["audit", "verify", "work"]).ended_with(0).out.contains("is whole"));
    });
}

#[test]
fn a_launcher_killed_at_any_moment_of_its_start_leaves_nothing() {
    as_every_user(|stage| {
        for moment in 0..40 {
            let mark = format!("98{}{moment}", std::process::id());
            let mut command = stage.bottle(&["run", "--quiet", "--", "sleep", &mark]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
            std::thread::sleep(Duration::from_millis(moment * 3));
            child.kill().expect("killed");
            child.wait().expect("waited");
            eventually("everything to end", || Stage::processes_with(&mark).is_empty());
        }
        assert!(stage.slugs().is_empty());
        stage.run(&["prune"]).ended_with(0);
        assert_eq!(std::fs::read_dir(stage.path("run/bottle")).expect("read").count(), 0);
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("read");
        assert!(!mounts.contains(stage.path("").to_str().expect("text")), "{mounts}");
        stage.run(&["run", "--quiet", "--", "true"]).ended_with(0);
    });
}

#[test]
fn secrets_stay_in_the_launchers_memory() {
    let stage = Stage::ordinary();
    let launcher = stage.start("work", "sleep 100");
    let read = |file: &str| {
        stage.command("cat").arg(format!("/proc/{}/{file}", launcher.pid())).output().expect("cat runs")
    };
    let limits = String::from_utf8(read("limits").stdout).expect("text");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    assert!(
        !read("environ").status.success(),
        "another process of the user reads the launcher's environment"
    );
}

#[test]
fn an_ended_bottle_leaves_no_runtime_folder_and_no_lock() {
    let stage = Stage::ordinary();
    stage.run(&["run", "--quiet", "--", "true"]).ended_with(0);
    assert_eq!(std::fs::read_dir(stage.path("run/bottle")).expect("read").count(), 0);
}

#[test]
fn homes_are_pruned_when_asked_and_not_while_their_bottle_runs() {
    let stage = Stage::ordinary();
    let home = stage.path("state/bottle/work/home");
    let launcher = stage.start("work", "sleep 100");
    stage.run(&["prune", "--homes", "--yes"]).ended_with(0);
    assert!(home.exists());
    drop(launcher);
    stage.run(&["prune"]).ended_with(0);
    stage.run(&["prune", "--homes"]).ended_with(125);
    assert!(home.exists());
    stage.run(&["prune", "--homes", "--yes"]).ended_with(0);
    assert!(!home.exists());
}

#[test]
fn logs_follow_a_bottle_to_its_end() {
    let stage = Stage::ordinary();
    let launcher = stage.start("work", "sleep 1; curl -s https://late.test/; exit 3");
    let logs = stage.run(&["logs", "--follow"]).ended_with(0).out;
    launcher.end().ended_with(3);
    for words in ["agent-started", "denied", "GET late.test/", "exited with 3", "bottle-ended"] {
        assert!(logs.contains(words), "`{words}` is not in:\n{logs}");
    }
    let json = stage.run(&["logs", "work", "--json"]).ended_with(0).out;
    let last: serde_json::Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["step"], "bottle-ended");
    assert_eq!(stage.run(&["logs", "work", "-n", "1"]).ended_with(0).out.lines().count(), 1);
}
