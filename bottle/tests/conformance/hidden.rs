//! Secrets and the plan: nowhere that anybody but the two processes concerned can look.
use crate::Scenario;
use crate::engine::Engine;
use crate::ground::{Ground, SECRET, TOKEN};
use crate::images::BUSYBOX;
use base64::Engine as _;
use std::path::Path;
use std::process::Command;

/// Of every layout on Docker.
pub(crate) const SCENARIOS: &[(&str, Scenario)] =
    &[("secrets::no_secret_is_in_configuration_images_volumes_logs_disk_or_processes", nowhere)];

/// In what spelling the search knows a value.
struct Wanted(Vec<Vec<u8>>);

impl Wanted {
    fn of(value: &str) -> Wanted {
        let encode = |offset: usize| {
            // Whatever stands before it: the middle of the encoding at each of the three alignments.
            let text = base64::engine::general_purpose::STANDARD
                .encode([&vec![0; offset], value.as_bytes()].concat());
            text.as_bytes()[4..text.len() - 4].to_vec()
        };
        Wanted(vec![value.as_bytes().to_vec(), encode(0), encode(1), encode(2)])
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|form| memmem(bytes, form))
    }

    /// Paths below a folder whose files hold it. `grep` reads what this program would have to hold in memory.
    fn below(&self, folder: &Path) -> Vec<String> {
        let mut grep = Command::new("grep");
        grep.args([
            "--recursive",
            "--text",
            "--files-with-matches",
            "--fixed-strings",
            "--devices=skip",
            "--no-messages",
        ]);
        for form in &self.0 {
            grep.arg("-e").arg(String::from_utf8(form.clone()).expect("text"));
        }
        let output = grep.arg("--").arg(folder).output().expect("grep");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

fn memmem(bytes: &[u8], form: &[u8]) -> bool {
    let first = form[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(form) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Everything that the engine tells of its containers, networks, volumes and images.
fn told(engine: &Engine) -> Vec<(String, Vec<u8>)> {
    let list = |arguments: &[&str]| engine.said(arguments).lines().map(str::to_owned).collect::<Vec<_>>();
    let answer = |arguments: &[&str]| {
        let output = engine.answer(arguments);
        (arguments.join(" "), [output.stdout, output.stderr].concat())
    };
    let mut all = vec![answer(&["info"]), answer(&["events", "--since", "0", "--until", "0s"])];
    for container in list(&["ps", "--all", "--quiet", "--no-trunc"]) {
        all.push(answer(&["inspect", &container]));
        all.push(answer(&["logs", &container]));
        all.push(answer(&["top", &container, "-eo", "pid,args"]));
        all.push(answer(&["diff", &container]));
    }
    for (kind, ids) in [
        ("network", list(&["network", "ls", "--quiet"])),
        ("volume", list(&["volume", "ls", "--quiet"])),
        ("image", list(&["image", "ls", "--all", "--quiet"])),
    ] {
        all.extend(ids.iter().map(|id| answer(&[kind, "inspect", id])));
    }
    for image in list(&["image", "ls", "--all", "--quiet"]) {
        all.push(answer(&["history", "--no-trunc", &image]));
        all.push(answer(&["save", &image]));
    }
    all
}

/// Arguments and environments of every process here, those of this test alone left out: they stand for the user.
fn processes(wanted: &Wanted) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = entries.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let files = numbers.flat_map(|entry| ["cmdline", "environ"].map(|name| entry.path().join(name)));
    let holds = |path: &std::path::PathBuf| std::fs::read(path).is_ok_and(|bytes| wanted.is_in(&bytes));
    files.filter(holds).map(|path| path.display().to_string()).collect()
}

fn nowhere(ground: Ground) {
    // A value of this scenario alone: others put theirs into environments of launchers.
    let value = format!("hidden-{}-8c2f71d0a94be3", ground.name());
    let scene = ground.scene("");
    let file = scene.stage.path("home/token");
    std::fs::write(&file, &value).expect("written");
    std::os::unix::fs::chown(&file, Some(scene.stage.user()), None).expect("given");
    let manifest = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    let from_file = format!("token: {{ file: {} }}", file.display());
    scene.stage.write("bottle.yaml", &manifest.replace(&format!("token: {{ env: {TOKEN} }}"), &from_file));
    let used = format!("probe get h2 variables https://{}/hidden-{}", crate::world::API, scene.name);
    let launcher = scene.start_and_wait(&format!("{used}; echo > used; while :; do sleep 1; done"));
    let arrived = || ground.world().seen(&format!("/hidden-{}", scene.name));
    crate::stage::eventually("the request to arrive", || scene.stage.path("work/used").exists());
    assert_eq!(arrived()[0].authorization, format!("Bearer {value}"));

    let wanted = Wanted::of(&value);
    let engine = ground.engine();
    for (what, answer) in told(engine) {
        assert!(!wanted.is_in(&answer), "docker {what} shows it");
    }
    assert_eq!(wanted.below(&engine.path("")), Vec::<String>::new());
    assert_eq!(processes(&wanted), Vec::<String>::new());
    for folder in ["state", "run", "work"] {
        assert_eq!(wanted.below(&scene.stage.path(folder)), Vec::<String>::new());
    }
    can_find(ground, &scene.name);
    drop(launcher);
    scene.stage.run(&["prune"]).ended_with(0);
    assert_eq!(wanted.below(&scene.stage.path("state")), Vec::<String>::new());
}

/// The search finds what is there: a value in a container's environment, and one in base64 on the engine's disk.
fn can_find(ground: Ground, name: &str) {
    let engine = ground.engine();
    let (planted, other) = (format!("planted-{name}-51e0b7"), format!("buried-{name}-c66a09"));
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("xy{other}"));
    let variable = format!("X={planted}");
    engine.said(&["create", "--name", &planted, "--env", &variable, BUSYBOX, "/bin/echo", &encoded]);
    let wanted = Wanted::of(&planted);
    assert!(told(engine).iter().any(|(what, answer)| what.starts_with("inspect") && wanted.is_in(answer)));
    assert!(
        !Wanted::of(&other).below(&engine.path("")).is_empty(),
        "the engine notes a container's arguments"
    );
    engine.said(&["rm", &planted]);
    let mut sleeper = Command::new("sleep").arg("100").env("X", &variable).spawn().expect("sleep");
    crate::stage::eventually("the sleeper to be seen", || !processes(&wanted).is_empty());
    sleeper.kill().expect("killed");
    sleeper.wait().expect("waited");
    assert!(!wanted.is_in(SECRET.as_bytes()));
}
