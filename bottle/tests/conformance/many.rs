//! Fifty bottles side by side, and what a start costs.
use crate::Scenario;
use crate::ground::{Ground, Scene};
use crate::images::BUSYBOX;
use crate::stage::Ran;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[FIFTY, ("many::the_price_of_a_start_is_printed", price)];

pub(crate) const FIFTY: (&str, Scenario) = ("many::fifty_bottles_side_by_side_start_and_end_clean", fifty);

const ALL: usize = 50;
/// Starts at a time: the machine's processors, not the bottles, are what is short.
const STARTS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(120);

fn fifty(ground: Ground) {
    let begun = Instant::now();
    // One user, one name: fifty slugs.
    let scene = ground.scene("");
    let mut launchers: Vec<Child> = Vec::new();
    while launchers.len() < ALL {
        let started = launchers.len();
        launchers.extend((started..ALL.min(started + STARTS)).map(|number| start(&scene, number)));
        wait_for("a bottle to start", || (started..launchers.len()).all(|number| is_there(&scene, number)));
    }
    let up = begun.elapsed();
    assert_eq!(scene.stage.slugs().len(), ALL);
    let name = format!("label=bot-bottle.name={}", scene.name);
    let agents = ["ps", "--quiet", "--filter", "label=bot-bottle.role=agent", "--filter", &name];
    // The engine takes a container for running a little after its first process does.
    wait_for("the engine to list every agent", || ground.engine().said(&agents).lines().count() == ALL);
    std::fs::write(scene.stage.path("work/go"), "").expect("written");
    for launcher in launchers {
        Ran::of(launcher.wait_with_output().expect("waited")).ended_with(3);
    }
    let left = ground.engine().said(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &format!("label=bot-bottle.name={}", scene.name),
    ]);
    assert_eq!(left, "");
    scene.nothing_is_left();
    println!(
        "{ALL} bottles on {}: all there after {up:.1?}, all gone after {:.1?}",
        ground.name(),
        begun.elapsed()
    );
}

fn start(scene: &Scene, number: usize) -> Child {
    let script = format!("echo > there-{number}; while [ ! -e go ]; do sleep 1; done; exit 3");
    let mut command = scene.command(&["sh", "-c", &script]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bottle starts")
}

fn is_there(scene: &Scene, number: usize) -> bool {
    scene.stage.path("work").join(format!("there-{number}")).exists()
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Printed and not asserted: a ratio depends on the machine and on what else it does.
fn price(ground: Ground) {
    let scene = ground.scene("");
    scene.run(&["true"]).ended_with(0);
    let bottle = median(|| drop(scene.run(&["true"]).ended_with(0)));
    let engine = ground.engine();
    let bare = median(|| drop(engine.said(&["run", "--rm", BUSYBOX, "/bin/true"])));
    let ratio = bottle.as_secs_f64() / bare.as_secs_f64();
    println!(
        "`bottle run -- true` on {}: {bottle:.0?}, a bare `docker run --rm`: {bare:.0?}, ratio {ratio:.2}",
        ground.name()
    );
}

fn median(mut act: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..7)
        .map(|_| {
            let begun = Instant::now();
            act();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
