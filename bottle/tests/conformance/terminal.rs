//! Agents with a terminal: what an agent writes is shown as it is, and what a person types arrives as it is.
use crate::Scenario;
use crate::ground::{Ground, Scene};
use crate::person::Person;
use rustix::termios::{LocalModes, tcgetattr};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("terminal::size_colours_keys_and_the_exit_code_pass", passes),
    ("terminal::a_paste_and_every_control_key_arrive_whole", keys),
    ("terminal::an_agent_cannot_freeze_its_screen_with_the_engines_frames", frames),
];

/// Of containers, whose agents are nobody's job.
pub(crate) const NO_JOB: (&str, Scenario) = ("terminal::ctrl_z_does_not_wedge_an_agent", no_job);

fn agent(scene: &Scene, script: &str) -> Person {
    let bottle = scene.stage.program();
    Person::start(&scene.stage, &[bottle, "run", "--quiet", "--", "sh", "-c", script])
}

fn passes(ground: Ground) {
    let scene = ground.scene("");
    let mut person = agent(
        &scene,
        "test -t 0 && test -t 1 && test -t 2 && while [ \"$(stty size)\" != '33 101' ]; do sleep 0.02; done; \
         printf '\\033[31mred\\033[0m'; trap 'stty size' WINCH; trap 'echo interrupted; exit 5' INT; echo; echo ready; while :; do sleep 0.05; done",
    );
    // Some engines know the size a moment after the start only. A prompt has no line's end, and is not waited for.
    person.sees("\u{1b}[31mred\u{1b}[0m");
    person.sees("ready");
    assert!(person.is_raw());
    person.resizes(40, 120);
    person.sees("40 120");
    person.types("\u{3}");
    person.sees("interrupted");
    let master = rustix::io::dup(&person.master).expect("duplicated");
    person.ends_with(5);
    assert!(tcgetattr(&master).is_ok_and(|settings| settings.local_modes.contains(LocalModes::ICANON)));
    scene.nothing_is_left();
}

fn keys(ground: Ground) {
    let scene = ground.scene("");
    let script =
        "stty raw -echo; printf ready; head -c 100000 | md5sum; printf more; head -c 34 | od -An -v -tx1";
    let mut person = agent(&scene, script);
    person.sees("ready");
    let pasted: String =
        (0..100_000u32).map(|number| char::from(b'a' + u8::try_from(number % 26).expect("small"))).collect();
    person.types(&pasted);
    let sum = scene.stage.command("md5sum").arg(scene.stage.write("pasted", &pasted)).output();
    let sum = sum.expect("md5sum runs").stdout;
    person.sees(std::str::from_utf8(&sum[..32]).expect("text"));
    person.sees("more");
    // Among them those at which engines would cut the line.
    let control: String = (0..32).map(char::from).collect();
    person.types(&format!("\u{10}\u{11}{control}"));
    let bytes: Vec<String> =
        [0x10, 0x11].into_iter().chain(0..32).map(|byte| format!("{byte:02x}")).collect();
    let seen = person.ends_with(0);
    assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), bytes, "{seen}");
}

/// What would be the head of a frame of 4 GiB in a stream that has frames.
fn frames(ground: Ground) {
    let scene = ground.scene("");
    for stream in ["\\000", "\\001", "\\002", "\\003"] {
        let script = format!(
            "printf '{stream}\\000\\000\\000\\377\\377\\377\\377'; printf still; read x; echo got $x"
        );
        let mut person = agent(&scene, &script);
        person.sees("still");
        person.types("it\r");
        person.sees("got it");
        person.ends_with(0);
    }
}

/// A shell inside has its own jobs; the agent itself is no job, and goes on.
fn no_job(ground: Ground) {
    let scene = ground.scene("");
    let mut person = agent(&scene, "echo ready; read x; echo got $x");
    person.sees("ready");
    person.types("\u{1a}hello\r");
    person.sees("got");
    person.ends_with(0);
    let mut person =
        Person::start(&scene.stage, &[scene.stage.program(), "run", "--quiet", "--", "sh", "-i"]);
    person.types("sh -c 'echo re\"\"ady; read x; echo got $x'\r");
    person.sees("ready");
    person.types("\u{1a}");
    person.sees("Stopped");
    person.types("fg\r");
    person.types("hello\r");
    person.sees("got hello");
    person.types("exit 6\r");
    person.ends_with(6);
    scene.nothing_is_left();
}
