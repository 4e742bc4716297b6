//! A launcher that is killed at each step of its start: the agent reaches nothing more, and `prune` removes the rest.
use crate::Scenario;
use crate::ground::{Ground, Scene};
use crate::world::OPEN;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    (
        "crash::a_launcher_killed_at_any_step_of_its_start_leaves_nothing_that_prune_does_not_remove",
        at_any_step,
    ),
    ("crash::a_step_that_fails_takes_back_what_was_made_before_it", failing_step),
    ("crash::two_bottles_of_one_name_have_slugs_of_their_own", two_of_one_name),
];

/// How long a killed launcher's bottle may go on.
const GRACE: Duration = Duration::from_millis(600);
/// More steps than a start has; a loop that finds no end is a failure.
const MOST: usize = 60;

/// What the engine does to parts of one bottle, an event a line.
struct Events {
    client: Child,
    lines: Receiver<String>,
}

impl Events {
    fn of(scene: &Scene) -> Events {
        let format = "{{.Type}} {{.Action}} {{.Actor.ID}} {{json .Actor.Attributes}}";
        let mut command = scene.ground.engine().docker(&["events", "--format", format]);
        let mut client = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("docker");
        let (tell, lines) = channel();
        let (out, name) = (client.stdout.take().expect("a pipe"), scene.name.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let ours = line.contains(&format!("-{name}")) || line.contains(&format!("\"{name}\""));
                if ours && tell.send(line).is_err() {
                    return;
                }
            }
        });
        // The client says nothing of when it listens.
        std::thread::sleep(Duration::from_millis(150));
        Events { client, lines }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _gone = self.client.kill();
        let _gone = self.client.wait();
    }
}

fn at_any_step(ground: Ground) {
    let mut seen = Vec::new();
    for step in 0..MOST {
        match kill_after(ground, step) {
            Some(event) => seen.push(event),
            None => {
                let made = |what: &str| seen.iter().any(|event| event.starts_with(what));
                assert!(made("container create") && made("container start"), "{seen:?}");
                return;
            }
        }
    }
    panic!("no end of steps: {seen:?}");
}

/// Kills the launcher at the event of this number; `None` when the agent asked for something before.
fn kill_after(ground: Ground, step: usize) -> Option<String> {
    let scene = ground.scene("");
    let path = format!("/killed-{}", scene.name);
    let events = Events::of(&scene);
    let ask = format!("while :; do probe get h1 variables https://{OPEN}{path} >/dev/null; done");
    let mut command = scene.command(&["sh", "-c", &scene.script(&ask)]);
    let mut launcher = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bottle starts");
    let mut event = None;
    for _ in 0..=step {
        event = next(&events, || !ground.world().seen(&path).is_empty());
    }
    launcher.kill().expect("killed");
    launcher.wait().expect("waited");
    std::thread::sleep(GRACE);
    let before = ground.world().seen(&path).len();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ground.world().seen(&path).len(), before, "it reaches on, killed at {step}: {event:?}");
    scene.stage.run(&["prune"]).ended_with(0);
    scene.nothing_is_left();
    event
}

/// The next event, unless something has ended the wait.
fn next(events: &Events, ended: impl Fn() -> bool) -> Option<String> {
    for _ in 0..400 {
        if let Ok(event) = events.lines.recv_timeout(Duration::from_millis(50)) {
            return Some(event);
        }
        if ended() {
            return None;
        }
    }
    panic!("the start neither goes on nor ends");
}

/// A name that is taken stands for an engine that refuses.
fn failing_step(ground: Ground) {
    let engine = ground.engine();
    let scene = ground.scene("");
    for taken in ["egress", "agent"] {
        let name = format!("bottle-{taken}-{}", scene.name);
        engine.said(&["create", "--name", &name, crate::images::BUSYBOX, "/bin/true"]);
        let ran = scene.run(&["true"]).ended_with(125);
        assert!(ran.err.contains(&name), "{}", ran.err);
        scene.nothing_is_left();
        // What is not ours is not touched.
        engine.said(&["rm", &name]);
    }
    scene.run(&["true"]).ended_with(0);
    scene.nothing_is_left();
}

fn two_of_one_name(ground: Ground) {
    let scene = ground.scene("");
    let first = scene.start_and_wait("while :; do sleep 1; done");
    let other = scene.run(&["env"]).ended_with(0).out;
    let slug = other.lines().find_map(|line| line.strip_prefix("BOTTLE=")).expect("a slug");
    assert_ne!(slug, scene.name);
    assert_eq!(ground.engine().parts(slug), Vec::<String>::new());
    assert!(!ground.engine().parts(&scene.name).is_empty());
    drop(first);
    scene.stage.run(&["prune"]).ended_with(0);
    scene.nothing_is_left();
}
