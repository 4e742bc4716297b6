//! Engines on other machines, other users of an engine, and mounts that are not where they come from.
use crate::Scenario;
use crate::engine::Kind;
use crate::ground::{Ground, Scene};
use crate::stage::{Ran, Stage};
use crate::tools;
use std::os::unix::fs::chown;
use std::process::Command;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("apart::at_an_engine_elsewhere_the_home_is_a_volume_of_the_users_own", home),
    ("apart::at_an_engine_elsewhere_the_tools_are_inside_as_well", tools_inside),
    ("apart::at_an_engine_elsewhere_no_link_of_an_agents_is_followed", links),
    ("apart::canaries_that_would_not_be_there_stop_the_start", canaries),
    ("apart::prune_leaves_what_belongs_to_a_launcher_that_it_cannot_see", hidden),
    ("mounts::a_repository_at_another_path_is_protected_there", repository),
    ("mounts::what_is_mounted_below_something_read_only_does_not_come_along", below),
];

/// No account of the machine has it, and no other test.
const OTHER: u32 = 54_322;
/// An engine whose machine has another name is another machine.
const ELSEWHERE: &str = "busybox hostname elsewhere";

fn run_elsewhere(scene: &Scene, arguments: &[&str]) -> Ran {
    let mut command = scene.stage.prepared(ELSEWHERE, &[&["run"], arguments].concat());
    let ran = Ran::of(command.output().expect("bottle starts"));
    assert!(!ran.err.contains("was not removed"), "{}", ran.err);
    ran
}

fn sh_elsewhere(scene: &Scene, script: &str) -> Ran {
    run_elsewhere(scene, &["--quiet", "--", "sh", "-c", script])
}

/// With the name of another scene.
fn namesake(of: &Scene) -> Scene {
    let scene = of.ground.scene("");
    let manifest = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    scene.stage.write("bottle.yaml", &manifest.replace(&scene.name, &of.name));
    scene
}

fn homes(scene: &Scene) -> Vec<String> {
    let label = format!("label=bot-bottle.home={}", scene.name);
    let listed = scene.ground.engine().said(&["volume", "ls", "--format", "{{.Name}}", "--filter", &label]);
    listed.lines().map(str::to_owned).collect()
}

fn home(ground: Ground) {
    let (scene, engine) = (ground.scene(""), ground.engine());
    let former = format!("bottle-home-{}", scene.name);
    engine.said(&["volume", "create", &former]);
    let loud = run_elsewhere(&scene, &["--", "sh", "-c", "echo kept > $HOME/kept"]).ended_with(0).err;
    assert!(loud.contains(&format!("`{former}` says of nobody whose it is")), "{loud}");
    assert_eq!(sh_elsewhere(&scene, "cat $HOME/kept").ended_with(0).out, "kept\n");
    let [own] = &homes(&scene)[..] else { panic!("{:?}", homes(&scene)) };
    assert!(own.starts_with(&format!("{former}-")), "{own}");
    // Another user, a bottle of the same name.
    let other = namesake(&scene);
    assert_eq!(sh_elsewhere(&other, "ls -A $HOME").ended_with(0).out, "");
    let others = homes(&scene).into_iter().find(|home| home != own).expect("another home");
    engine.said(&["volume", "rm", &others]);
    engine.said(&["volume", "create", &others]);
    let refused = sh_elsewhere(&other, "true").ended_with(125);
    assert!(refused.err.contains(&format!("the volume `{others}`")), "{}", refused.err);
    assert!(refused.err.contains("is another's"), "{}", refused.err);
    scene.nothing_is_left();
    engine.said(&["volume", "rm", &former, own, &others]);
}

fn with_tools(scene: &Scene, wanted: bool) {
    let manifest = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    let (from, to) = (format!("tools: {}", !wanted), format!("tools: {wanted}"));
    scene.stage.write("bottle.yaml", &manifest.replace(&from, &to));
}

const URL: &str = "http://_egress.local/mcp";

/// The program out of our own image, and the entries in the home that is a volume there.
fn tools_inside(ground: Ground) {
    let scene = ground.scene("agent: { tools: true }\n");
    scene.stage.write("lines", &tools::lines(&[]));
    let script = "bottle mcp <lines; (echo x >/run/bottle/bin/new) 2>/dev/null && echo WRITTEN
        (echo x >/run/bottle/bin/bottle) 2>/dev/null && echo WRITTEN; rm -f /run/bottle/bin/bottle; bottle --version";
    let ran = sh_elsewhere(&scene, script).ended_with(0);
    tools::lists_the_tools(&ran.out);
    assert!(!ran.out.contains("WRITTEN"), "{}", ran.out);
    let Ran { out: said, err, .. } = run_elsewhere(&scene, &["--", "sh", "-c", &tools::show()]).ended_with(0);
    if ground == Ground::Sealed(Kind::Podman) {
        assert!(!said.contains(URL) && err.contains("are not entered into agents' files"), "{said}{err}");
        return homes(&scene).iter().for_each(|home| drop(ground.engine().said(&["volume", "rm", home])));
    }
    assert_eq!(said.matches(URL).count(), 4, "{said}");
    let user = scene.stage.user();
    assert_eq!(said.matches(&format!("{user}:{user}:600\n")).count(), 4, "they are the agent's: {said}");
    let folders = sh_elsewhere(&scene, "stat -c %u:%a ~/.codex ~/.gemini ~/.config ~/.config/opencode");
    assert_eq!(folders.ended_with(0).out, format!("{user}:700\n").repeat(4));
    // What an agent writes stays, ours comes back, and goes when it is not wanted.
    sh_elsewhere(&scene, "echo '{\"mine\":1}' >~/.claude.json; echo 'model = \"m\"' >~/.codex/config.toml")
        .ended_with(0);
    let said = sh_elsewhere(&scene, &tools::show()).ended_with(0).out;
    assert_eq!(said.matches(URL).count(), 4, "{said}");
    assert!(said.contains("\"mine\": 1") && said.contains("model = \"m\"\n\n["), "{said}");
    with_tools(&scene, false);
    let said = sh_elsewhere(&scene, &tools::show()).ended_with(0).out;
    assert!(
        !said.contains(URL) && said.contains("\"mine\": 1") && said.contains("model = \"m\"\n"),
        "{said}"
    );
    scene.nothing_is_left();
    homes(&scene).iter().for_each(|home| drop(ground.engine().said(&["volume", "rm", home])));
}

/// What is written there is written by root: a link that an agent left would be a way to any file that its container shows.
fn links(ground: Ground) {
    let scene = ground.scene("agent: { tools: false }\n");
    scene.stage.folder("outside");
    scene.stage.folder("outside/opencode");
    scene.stage.write("outside/claude", "{}");
    scene.stage.write("outside/config.toml", "# theirs\n");
    let script = "mkdir -p ~/.config; ln -s $PWD/outside/claude ~/.claude.json; ln -s $PWD/outside ~/.gemini
        ln -s $PWD/outside ~/.codex; ln -s $PWD/outside/opencode ~/.config/opencode";
    sh_elsewhere(&scene, script).ended_with(0);
    with_tools(&scene, true);
    let said =
        sh_elsewhere(&scene, "ls ~/.gemini/ ~/.config/opencode/; cat ~/.claude.json ~/.codex/config.toml");
    let said = said.ended_with(0).out;
    assert!(said.contains("# theirs") && !said.contains(URL) && !said.contains("settings.json"), "{said}");
    assert_eq!(std::fs::read_to_string(scene.stage.path("work/outside/claude")).expect("read"), "{}");
    let left = |folder: &str| std::fs::read_dir(scene.stage.path(folder)).expect("read").count();
    assert_eq!((left("work/outside"), left("work/outside/opencode")), (3, 0));
    // And no more than a link of the file's own name.
    let script = "rm ~/.codex; mkdir ~/.codex; ln -s $PWD/outside/config.toml ~/.codex/config.toml";
    sh_elsewhere(&scene, script).ended_with(0);
    sh_elsewhere(&scene, "true").ended_with(0);
    let kept = std::fs::read_to_string(scene.stage.path("work/outside/config.toml")).expect("read");
    assert_eq!(kept, "# theirs\n");
    homes(&scene).iter().for_each(|home| drop(ground.engine().said(&["volume", "rm", home])));
}

/// What nobody planted gives nobody away.
fn canaries(ground: Ground) {
    let scene = ground.scene("  dlp: { canaries: true }\n");
    let refused = sh_elsewhere(&scene, "true").ended_with(125).err;
    assert!(refused.contains("none can be planted where files are the engine's own"), "{refused}");
    assert!(refused.contains("take `canaries` out of `egress.dlp`"), "{refused}");
    assert_eq!(homes(&scene), Vec::<String>::new());
    scene.nothing_is_left();
}

fn hidden(ground: Ground) {
    let scene = ground.scene("");
    let launcher = scene.start_and_wait("sleep 1000");
    let parts = ground.engine().parts(&scene.name);
    assert!(!parts.is_empty());
    let mut other = Stage::new(Some(OTHER));
    other.set("DOCKER_HOST", &ground.engine().host());
    other.use_copy(std::path::Path::new(scene.stage.program()));
    let script = "mount -t proc -o hidepid=2 proc /proc";
    let pruned = Ran::of(other.prepared(script, &["prune", "--containers"]).output().expect("bottle starts"));
    assert!(!pruned.ended_with(0).out.contains(&scene.name));
    assert_eq!(ground.engine().parts(&scene.name), parts);
    drop(launcher);
    scene.stage.run(&["prune"]).ended_with(0);
    scene.nothing_is_left();
}

/// A folder of the user's beside the workspace.
fn folder_beside(scene: &Scene, folders: &[&str]) -> std::path::PathBuf {
    let root = scene.stage.path("beside");
    std::fs::create_dir(&root).expect("made");
    let all = [""].iter().chain(folders).map(|folder| root.join(folder)).collect::<Vec<_>>();
    for folder in &all {
        std::fs::create_dir_all(folder).expect("made");
        chown(folder, Some(scene.stage.user()), Some(scene.stage.user())).expect("given");
    }
    root
}

fn mounting(scene: &Scene, path: &std::path::Path, at: &str, mode: &str) {
    let manifest = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    let mount = format!("mounts:\n  - {{ path: {}, at: {at}, mode: {mode} }}\n", path.display());
    scene.stage.write("bottle.yaml", &manifest.replace("mounts:\n", &mount));
}

fn repository(ground: Ground) {
    let scene = ground.scene("");
    let root = folder_beside(&scene, &[".git", ".git/hooks", ".git/objects", ".git/refs", ".git/refs/heads"]);
    std::fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").expect("written");
    std::fs::write(root.join(".git/config"), "[core]\n").expect("written");
    std::fs::write(root.join(".git/hooks/pre-push"), "exit 0\n").expect("written");
    for file in [".git/HEAD", ".git/config", ".git/hooks/pre-push"] {
        chown(root.join(file), Some(scene.stage.user()), Some(scene.stage.user())).expect("given");
    }
    mounting(&scene, &root, "/elsewhere", "rw");
    let attempts = [
        "write /elsewhere/.git/config",
        "create /elsewhere/.git/hooks/pre-commit",
        "rename /elsewhere/.git/hooks /elsewhere/.git/away",
        "rename /elsewhere/.git /elsewhere/away",
        "create /elsewhere/.envrc",
    ];
    let tried: Vec<String> = attempts.iter().map(|attempt| format!("probe {attempt}")).collect();
    let said = scene.sh(&format!("{}\nprobe create /elsewhere/free", tried.join("\n"))).ended_with(0).out;
    for (attempt, answer) in attempts.iter().zip(said.lines()) {
        assert!(answer.starts_with("no "), "{attempt}: {said}");
    }
    assert!(said.ends_with("\nok \n") && root.join("free").exists(), "the rest can be written: {said}");
    assert_eq!(std::fs::read_dir(root.join(".git/hooks")).expect("read").count(), 1);
    assert_eq!(std::fs::read_to_string(root.join(".git/config")).expect("read"), "[core]\n");
}

/// On the engine's machine something that can be written is mounted below a folder that the manifest shows read-only.
fn below(ground: Ground) {
    let scene = ground.scene("");
    let root = folder_beside(&scene, &["below"]);
    mounting(&scene, &root, "/shown", "ro");
    let pid = ground.engine().pid().to_string();
    let there = |program: &[&str]| {
        let entered = Command::new("nsenter").args(["--target", &pid, "--mount"]).args(program).output();
        let output = entered.expect("nsenter");
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let below = root.join("below");
    let below = below.to_str().expect("text");
    there(&["mount", "-t", "tmpfs", "-o", "mode=0777", "none", below]);
    there(&["sh", "-c", &format!("echo theirs > {below}/there")]);
    let said =
        scene.sh("probe create /shown/below/new; probe create /shown/new; ls /shown/below").ended_with(0).out;
    let lines: Vec<&str> = said.lines().collect();
    let left = there(&["ls", below]);
    there(&["umount", below]);
    assert_eq!(left, "there\n");
    assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with("no ")), "{said}");
}
