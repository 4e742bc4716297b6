//! What is protected stays so while somebody on the host replaces it.
use crate::Scenario;
use crate::bottle::{PROBE, TestBottle, hear, say};
use sandbox::linux::{Ended, Step};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("files::what_the_host_replaces_is_protected_again", replaced),
    ("files::what_was_replaced_is_named_although_its_number_is_the_same", named),
    ("files::without_a_watch_a_replaced_file_is_the_agents", unwatched),
    ("files::a_warden_that_is_killed_ends_the_bottle", killed_warden),
];

/// For every path that is read: waits until something is mounted there, for five seconds, then tries to get at it.
const INSIDE: &str = "echo ready; while read path; do n=0; \
     until grep -q \"$PWD/$path \" /proc/self/mountinfo || [ $n = 100 ]; do n=$((n + 1)); sleep 0.05; done; \
     ( echo evil > $path; echo evil >> $path; echo evil > $path/evil; echo evil > /tmp/e; mv -fT /tmp/e $path; \
     rm -rf $path; PROBE __probe rename $path aside; ln -sf /tmp/e $path ) </dev/null >/dev/null 2>&1; \
     echo tried $path $n; done; cat /proc/sys/user/max_mnt_namespaces";

/// What somebody on the host does, what the agent then tries to get at, and what is there after that.
const WAYS: &[(&str, &str, &str)] = &[
    // As git does it, and editors that write a new file and rename it.
    ("git config user.name other", ".git/config", "other"),
    ("git config user.name another", ".git/config", "another"),
    ("echo new > .envrc.new; mv .envrc.new .envrc", ".envrc", "new\n"),
    // As editors do it that keep the old file.
    ("mv .envrc .envrc~; echo newer > .envrc", ".envrc", "newer\n"),
    // As git does it in a checkout; the number of the file may be the same.
    ("rm .envrc; echo newest > .envrc", ".envrc", "newest\n"),
    ("rm -r .vscode; mkdir .vscode; echo new > .vscode/tasks.json", ".vscode", ""),
    ("rm .exrc; echo new > .exrc", ".exrc", "new\n"),
    ("rm .mcp.json; ln -s linked .mcp.json", ".mcp.json", "linked\n"),
    ("mv .git/hooks .git/old; mkdir .git/hooks; echo new > .git/hooks/pre-commit", ".git/hooks", ""),
    ("mv .git .old; git init -q .", ".git/config", "bare"),
    ("echo new > pkg/new; mv pkg/new pkg/.envrc", "pkg/.envrc", "new\n"),
];

fn furnished(script: &str) -> TestBottle {
    let bottle = TestBottle::script(&script.replace("PROBE", PROBE));
    let root = bottle.workspace();
    on_the_host(
        root,
        "git init -q .; mkdir .vscode pkg; echo mine > .vscode/tasks.json; echo mine > .envrc; \
        echo mine > pkg/.envrc; echo linked > linked",
    );
    bottle
}

fn on_the_host(root: &Path, script: &str) {
    let done =
        Command::new("sh").args(["-ec", script]).current_dir(root).env("HOME", "/nonexistent").output();
    let done = done.expect("a shell");
    assert!(done.status.success(), "{script}: {done:?}");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn replaced() {
    let bottle = furnished(INSIDE);
    let root = bottle.workspace().to_owned();
    let (mut running, terminal) = bottle.start();
    let ear = terminal.try_clone().expect("a descriptor");
    let listening = std::thread::spawn(move || hear(ear));
    for (way, path, expected) in WAYS {
        on_the_host(&root, way);
        let before = fs::read_dir(&root).expect("a folder").count();
        let since = Instant::now();
        say(&terminal, &format!("{path}\n"));
        // The agent is done with it when it reads the next line; nothing it tries takes longer.
        while since.elapsed() < Duration::from_millis(1500) {
            let now = read(&root.join(path));
            assert!(now.contains(expected) && !now.contains("evil"), "{way}: `{now}`");
            assert!(!root.join(path).join("evil").exists() && !root.join("aside").exists(), "{way}");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(fs::read_dir(&root).expect("a folder").count(), before, "{way}");
    }
    // Held again, for as long as the bottle runs.
    fs::remove_file(root.join(".nvim.lua")).expect("the place");
    let since = Instant::now();
    while fs::symlink_metadata(root.join(".nvim.lua")).is_err() {
        assert!(since.elapsed() < Duration::from_secs(5), "the place is not held again");
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&terminal, ".nvim.lua\n\u{4}");
    assert_eq!(running.wait(), Ended::Exited(0));
    drop(terminal);
    let said = listening.join().expect("what it said");
    assert_eq!(said.matches("tried ").count(), WAYS.len() + 1, "{said}");
    assert!(!said.contains(" 100\n"), "it was never protected again: {said}");
    assert!(said.ends_with("\n0\n"), "{said}");
    assert!(fs::symlink_metadata(root.join(".nvim.lua")).is_err(), "a place is left behind");
    assert_eq!(read(&root.join(".envrc")), "newest\n");
    assert_eq!(read(&root.join(".vscode/tasks.json")), "new\n");
}

fn named() {
    let bottle = furnished("read line");
    let root = bottle.workspace().to_owned();
    let mut prepared = sandbox::linux::prepare(&bottle.spec).expect("the walls");
    let survey = prepared.take_survey();
    let terminal = prepared.take_pty().expect("a terminal");
    let mut running = prepared.launch().expect("the agent");
    assert_eq!(survey.replaced(), Vec::<std::path::PathBuf>::new());
    fs::write(root.join(".git/config"), "[user]\nname = in place\n").expect("written");
    on_the_host(&root, "rm .envrc; echo mine > .envrc; rm .exrc");
    assert_eq!(survey.replaced(), [root.join(".envrc")]);
    on_the_host(&root, "git config user.name x");
    assert_eq!(survey.replaced(), [root.join(".envrc"), root.join(".git/config")]);
    say(&terminal, "\n");
    running.wait();
    assert_eq!(survey.again().replaced, [root.join(".envrc"), root.join(".git/config")]);
}

/// The hole that is there without the step.
fn unwatched() {
    let script = "echo ready; read line; echo evil > .git/config; echo evil > .envrc; true";
    let bottle = furnished(script).without(|step| matches!(step, Step::Watch { .. }));
    let root = bottle.workspace().to_owned();
    let (mut running, terminal) = bottle.start();
    on_the_host(&root, "git config user.name other; echo new > new; mv new .envrc");
    say(&terminal, "\n");
    running.wait();
    assert_eq!(
        (read(&root.join(".git/config")), read(&root.join(".envrc"))),
        ("evil\n".into(), "evil\n".into())
    );
}

fn killed_warden() {
    let bottle = TestBottle::script("echo ready; read line");
    let mut prepared = bottle.prepare();
    let _terminal = prepared.take_pty().expect("a terminal");
    let watcher = prepared.watcher_pid();
    let mut running = prepared.launch().expect("the agent");
    let children = read(Path::new(&format!("/proc/{watcher}/task/{watcher}/children")));
    let children = children.split_whitespace().map(|pid| pid.parse::<i32>().expect("a number"));
    let warden = children.filter(|pid| *pid != running.pid()).collect::<Vec<_>>();
    let [warden] = warden[..] else { panic!("{warden:?}") };
    let pid = rustix::process::Pid::from_raw(warden).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    assert_eq!(running.wait(), Ended::Signalled(9));
}
