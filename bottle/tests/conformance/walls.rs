//! Basics of an escape: power, other processes, the engine itself, files that the host will execute.
use crate::Scenario;
use crate::ground::Ground;
use std::os::unix::fs::MetadataExt as _;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("escape::the_agent_has_no_capability_and_cannot_gain_one", powers),
    ("escape::other_processes_and_the_engine_are_out_of_sight", others),
    ("escape::what_the_host_executes_cannot_be_written", pins),
    ("escape::files_come_out_owned_by_the_user", owner),
];

fn powers(ground: Ground) {
    let said = ground.scene("").sh("probe status; probe mount /tmp; probe unshare; probe socket 17 3 768");
    let said = said.ended_with(0).out;
    for line in
        ["CapPrm: 0000000000000000", "CapEff: 0000000000000000", "CapAmb: 0000000000000000", "NoNewPrivs: 1"]
    {
        assert!(said.contains(line), "`{line}` in {said}");
    }
    assert!(said.contains("Seccomp: 2"), "{said}");
    // vsock leads to the hypervisor, whatever the network namespace.
    assert!(ground.scene("").sh("probe socket 40 1 0").ended_with(0).out.starts_with("no "), "vsock");
    assert_eq!(said.lines().filter(|line| line.starts_with("no ")).count(), 3, "{said}");
}

fn others(ground: Ground) {
    let scene = ground.scene("");
    let script = "for p in /proc/[0-9]*; do echo \"$p: $(cat $p/cmdline 2>/dev/null)\"; done; \
                  ls -la /var/run/docker.sock /run/docker.sock /run/podman /handover 2>&1; \
                  cat /proc/1/environ 2>&1 | head -c 300; probe write /proc/1/mem; probe read /proc/1/root/handover";
    let said = scene.sh(script).ended_with(0).out.replace('\0', " ");
    let words = ["dockerd", "containerd", "podman system", "bottle engine", "bottle run", "libtest"];
    for word in words.into_iter().filter(|word| !word.contains("podman") || ground.kind().is_some()) {
        assert!(!said.contains(word), "`{word}` in {said}");
    }
    assert!(said.contains(": sh-c"), "it sees itself: {said}");
    for path in ["/var/run/docker.sock", "/run/docker.sock", "/run/podman", "/handover"] {
        assert!(!said.contains(&format!(" {path}\n")), "`{path}` is there: {said}");
    }
    if ground.kind().is_some() {
        let socket = ground.engine().path("s");
        let said = scene.probe(&["read", socket.to_str().expect("text")]);
        assert!(said.contains("No such file"), "{said}");
    }
}

fn pins(ground: Ground) {
    let scene = ground.scene("");
    for folder in [".git", ".git/hooks", ".git/objects", ".git/refs", ".git/refs/heads", ".git/info"] {
        scene.stage.folder(folder);
    }
    scene.stage.write(".git/HEAD", "ref: refs/heads/main\n");
    scene.stage.write(".git/config", "[core]\n");
    scene.stage.write(".git/hooks/pre-push", "exit 0\n");
    scene.stage.write("free", "as it was\n");
    let manifest = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    let attempts = [
        "write .git/config",
        "create .git/config",
        "create .git/hooks/pre-commit",
        "write bottle.yaml",
        "rename .git/hooks .git/away",
        "rename bottle.yaml away.yaml",
        "rename .git away",
        "create .envrc",
    ];
    let tried: Vec<String> = attempts.iter().map(|attempt| format!("probe {attempt}")).collect();
    let said = scene.sh(&format!("{}\nprobe create free", tried.join("\n"))).ended_with(0).out;
    for (attempt, answer) in attempts.iter().zip(said.lines()) {
        assert!(answer.starts_with("no "), "{attempt}: {said}");
    }
    assert!(said.ends_with("\nok \n"), "what is not protected can be written: {said}");
    // `git add --all` inside leaves out what is held.
    let exclude = scene.sh("cat .git/info/exclude").ended_with(0).out;
    assert!(exclude.lines().any(|line| line == "/.envrc"), "{exclude}");
    let config = std::fs::read_to_string(scene.stage.path("work/.git/config")).expect("read");
    let now = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    assert_eq!((config.as_str(), now), ("[core]\n", manifest));
    assert_eq!(std::fs::read_dir(scene.stage.path("work/.git/hooks")).expect("read").count(), 1);
}

fn owner(ground: Ground) {
    let scene = ground.scene("");
    scene.sh("echo made > made; mkdir folder; echo kept > $HOME/kept").ended_with(0);
    for name in ["made", "folder"] {
        let meta = scene.stage.path("work").join(name).metadata().expect("it came out");
        assert_eq!((meta.uid(), meta.gid()), (scene.stage.user(), scene.stage.user()), "{name}");
    }
    // The private home is kept from run to run.
    assert_eq!(scene.sh("cat $HOME/kept").ended_with(0).out, "kept\n");
}
