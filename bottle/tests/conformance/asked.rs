//! Blocked, asked, answered by another process, and gone on, without a restart; and what is taken back ends.
use crate::Scenario;
use crate::ground::{Ground, Scene};
use crate::stage::eventually;
use crate::world::OPEN;
use serde_json::Value;
use std::process::{Child, Stdio};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("ask::who_is_held_up_is_allowed_by_another_process_and_goes_on", held),
    ("ask::who_is_blocked_asks_is_allowed_by_another_process_and_succeeds", asked),
    ("ask::a_manifest_that_is_read_again_holds_at_once", reloaded),
    ("ask::the_kill_switch_holds_until_it_is_off", switched),
];

/// A scene whose manifest allows one part of the open host alone, and asks about the rest.
fn asking(ground: Ground) -> Scene {
    let scene = ground.scene("");
    let text = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    let open = format!("- host: {OPEN}\n");
    assert!(text.ends_with(&open), "{text}");
    let narrowed = text.replace(&open, &format!("- host: {OPEN}\n      paths: [\"/public/**\"]\n"));
    scene.stage.write("bottle.yaml", &narrowed.replace("egress:\n", "egress:\n  unmatched: ask\n"));
    scene
}

/// In place: a file that is replaced loses its write protection inside.
fn rewrite(scene: &Scene, change: impl Fn(String) -> String) {
    let file = scene.stage.path("work/bottle.yaml");
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, change(text)).expect("written");
}

/// Somebody who can answer, until this goes.
struct Attending(Child);

impl Drop for Attending {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn attend(scene: &Scene) -> Attending {
    let mut watch = scene.stage.bottle(&["watch", "--plain"]);
    let child = watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Attending(child.expect("bottle starts"))
}

/// The id of what waits for this path, once it does.
fn waiting(scene: &Scene, path: &str) -> String {
    let mut id = None;
    eventually("a request that waits", || {
        let listed = scene.stage.run(&["requests", "--json"]).out;
        let all: Vec<Value> = serde_json::from_str(&listed).unwrap_or_default();
        let is_it = |one: &&Value| one["proposal"]["paths"][0] == path;
        id = all.iter().find(is_it).and_then(|one| one["id"].as_str().map(str::to_owned));
        id.is_some()
    });
    id.expect("an id")
}

fn get(what: &str, scene: &Scene) -> String {
    format!("probe get h1 variables https://{OPEN}/{what}-{} > {what}.txt\n", scene.name)
}

/// What an attempt said, once it has.
fn said(scene: &Scene, what: &str) -> String {
    let file = scene.stage.path(&format!("work/{what}.txt"));
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("an attempt to end", || read().ends_with('\n'));
    read()
}

fn held(ground: Ground) {
    let scene = asking(ground);
    let script = format!("sleep 2\n{}{}", get("one", &scene), get("two", &scene));
    let launcher = scene.start_and_wait(&script);
    let _attending = attend(&scene);
    let id = waiting(&scene, &format!("/one-{}", scene.name));
    assert!(
        ground.world().seen(&format!("/one-{}", scene.name)).is_empty(),
        "nothing goes before the answer"
    );
    scene.stage.run(&["allow", &id, "--once"]).ended_with(0);
    assert!(said(&scene, "one").contains(" 200 decision: none"), "{}", said(&scene, "one"));
    assert_eq!(ground.world().seen(&format!("/one-{}", scene.name)).len(), 1);
    let id = waiting(&scene, &format!("/two-{}", scene.name));
    scene.stage.run(&["refuse", &id, "--say", "not this one"]).ended_with(0);
    let refused = said(&scene, "two");
    assert!(
        refused.contains(" 403 decision: denied; code=not-granted") && refused.contains("not this one"),
        "{refused}"
    );
    assert!(ground.world().seen(&format!("/two-{}", scene.name)).is_empty());
    launcher.end().ended_with(0);
    scene.nothing_is_left();
}

/// Refused, then asked for by the agent itself, on the egress's own page.
fn asked(ground: Ground) {
    let scene = asking(ground);
    let file = scene.stage.path("work/bottle.yaml");
    let text = std::fs::read_to_string(&file).expect("read").replace("  unmatched: ask\n", "");
    std::fs::write(&file, text).expect("written");
    let url = format!("https://{OPEN}/one-{}", scene.name);
    let wish = format!("{{\"method\":\"GET\",\"url\":\"{url}\",\"why\":\"the tests want it\"}}");
    let script = format!(
        "while [ ! -e go ]; do sleep 0.1; done\n{}probe get h1 variables https://_egress.local/ask 'post: {wish}' > wish.txt\n\
         until probe get h1 variables {url} > one.new; grep -q ' 200 decision: none' one.new; do sleep 0.2; done\n\
         mv one.new one.txt\n",
        get("before", &scene),
    );
    let launcher = scene.start_and_wait(&script);
    let _attending = attend(&scene);
    std::thread::sleep(std::time::Duration::from_millis(700));
    scene.stage.write("go", "");
    let id = waiting(&scene, &format!("/one-{}", scene.name));
    assert!(said(&scene, "before").contains("code=path-not-allowed"), "{}", said(&scene, "before"));
    assert!(said(&scene, "wish").contains(&id), "{}", said(&scene, "wish"));
    let shown = scene.stage.run(&["requests", &id]).ended_with(0);
    assert!(shown.out.contains("the tests want it"), "{shown:?}");
    assert!(ground.world().seen(&format!("/one-{}", scene.name)).is_empty());
    scene.stage.run(&["allow", &id]).ended_with(0);
    assert!(said(&scene, "one").contains(" 200 decision: none"), "{}", said(&scene, "one"));
    launcher.end().ended_with(0);
    scene.nothing_is_left();
}

fn reloaded(ground: Ground) {
    let scene = asking(ground);
    let file = |name: &str| format!("while [ ! -e {name} ]; do sleep 0.1; done\n");
    let script = [
        get("one", &scene),
        file("more"),
        get("two", &scene),
        file("less"),
        get("three", &scene),
        file("end"),
    ]
    .concat();
    let launcher = scene.start_and_wait(&script);
    assert!(said(&scene, "one").contains("code=path-not-allowed"), "nobody attends: no at once");
    rewrite(&scene, |text| text.replace("\"/public/**\"", "\"/public/**\", \"/*\""));
    let told = scene.stage.run(&["reload", &scene.name]).ended_with(0);
    assert!(told.out.contains("change"), "{told:?}");
    scene.stage.write("more", "");
    assert!(said(&scene, "two").contains(" 200 decision: none"), "{}", said(&scene, "two"));
    rewrite(&scene, |text| text.replace("\"/public/**\", \"/*\"", "\"/public/**\""));
    // Nobody says so: it is seen.
    eventually("the change to be seen", || {
        let shown = scene.stage.run(&["logs", &scene.name]).out;
        shown.matches("policy-changed").count() == 2
    });
    scene.stage.write("less", "");
    assert!(said(&scene, "three").contains("code=path-not-allowed"), "{}", said(&scene, "three"));
    // What is wrong changes nothing.
    rewrite(&scene, |text| text.replace("egress:", "egres:"));
    let told = scene.stage.run(&["reload", &scene.name]);
    assert!(told.code != Some(0) && told.err.contains("egres"), "{told:?}");
    scene.stage.write("end", "");
    launcher.end().ended_with(0);
}

fn switched(ground: Ground) {
    let scene = asking(ground);
    let public = |what: &str| {
        format!("probe get h1 variables https://{OPEN}/public/{what}-{} > {what}.txt\n", scene.name)
    };
    let file = |name: &str| format!("while [ ! -e {name} ]; do sleep 0.1; done\n");
    let script = [public("one"), file("on"), public("two"), file("off"), public("three")].concat();
    let launcher = scene.start_and_wait(&script);
    assert!(said(&scene, "one").contains(" 200 decision: none"), "{}", said(&scene, "one"));
    scene.stage.run(&["kill-switch", "on"]).ended_with(0);
    scene.stage.write("on", "");
    assert!(said(&scene, "two").contains("code=kill-switch"), "{}", said(&scene, "two"));
    let later = scene.sh(&format!("probe get h1 variables https://{OPEN}/public/later-{}", scene.name));
    assert!(later.out.contains("code=kill-switch"), "one that starts later: {later:?}");
    scene.stage.run(&["kill-switch", "off"]).ended_with(0);
    scene.stage.write("off", "");
    assert!(said(&scene, "three").contains(" 200 decision: none"), "{}", said(&scene, "three"));
    launcher.end().ended_with(0);
}
