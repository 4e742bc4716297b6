//! Exit codes, pipes, environment, time, ports; and that nothing is left.
use crate::Scenario;
use crate::ground::Ground;
use crate::stage::{Ran, eventually};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("life::the_exit_code_is_the_agents_own", codes),
    ("life::pipes_carry_every_byte_and_their_end", pipes),
    ("life::the_environment_is_the_manifests_and_not_the_launchers", environment),
    ("life::a_time_limit_ends_it", time_limit),
    ("life::a_published_port_reaches_a_server_inside", port),
    ("clean::nothing_is_left_after_the_end_or_a_failing_start", ends),
    ("clean::sigterm_ends_the_agent_and_leaves_nothing", terminated),
    ("clean::a_killed_launcher_takes_the_agent_along_and_prune_removes_the_rest", killed),
];

/// Of containers, whose egress is one of its own.
pub(crate) const BROKEN_OFF: (&str, Scenario) =
    ("life::an_egress_that_breaks_off_takes_the_agent_along", broken_off);

fn codes(ground: Ground) {
    let scene = ground.scene("");
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("sh -c 'kill -9 $$'; exit $?", 137)] {
        scene.run(&["sh", "-c", script]).ended_with(code);
    }
    // The agent is nowhere the first process of its namespace, which no signal from there ends.
    scene.run(&["sh", "-c", "kill -9 $$"]).ended_with(137);
    scene.run(&["sh", "-c", "kill -TERM $$"]).ended_with(143);
    let missing = scene.run(&["no-such-program"]).ended_with(127);
    assert!(missing.err.contains("no-such-program"), "{}", missing.err);
    scene.run(&["/etc/hosts"]).ended_with(126);
}

fn pipes(ground: Ground) {
    let scene = ground.scene("");
    let mut command = scene.command(&["sh", "-c", "cat; echo done >&2"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let sent: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let mut input = child.stdin.take().expect("piped");
    let copy = sent.clone();
    let writer = std::thread::spawn(move || input.write_all(&copy));
    let output = child.wait_with_output().expect("ends");
    writer.join().expect("joined").expect("written");
    assert!(output.stdout == sent, "{} bytes came back", output.stdout.len());
    assert_eq!(output.stderr, b"done\n");
    assert_eq!(output.status.code(), Some(0));
    // Without an input there is none, and nobody waits.
    assert_eq!(scene.run(&["cat"]).ended_with(0).out, "");
}

fn environment(ground: Ground) {
    let scene = ground.scene("agent:\n  env: { FROM_MANIFEST: \"a b=c\" }\n");
    let mut command = scene.stage.bottle(&["run", "--quiet", "-e", "EXTRA=1", "--", "env"]);
    let output = command.env("OTHER_SECRET", "of-the-launcher").output().expect("runs");
    let out = Ran::of(output).ended_with(0).out;
    let bottle = format!("BOTTLE={}", scene.name);
    for line in ["FROM_MANIFEST=a b=c", "EXTRA=1", &bottle, "HTTPS_PROXY=http://egress:9099"] {
        assert!(out.lines().any(|one| one == line), "`{line}` is not in {out}");
    }
    assert!(!out.contains("OTHER_SECRET") && !out.contains("DOCKER_HOST"), "{out}");
}

fn time_limit(ground: Ground) {
    let scene = ground.scene("time_limit: 1s\n");
    let ran = scene.stage.run(&["run", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"]);
    let ran = ran.ended_with(124);
    assert!(ran.err.contains("was stopped by its time limit"), "{}", ran.err);
    scene.nothing_is_left();
}

fn port(ground: Ground) {
    let outside = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address").port();
    let scene = ground.scene(&format!("ports: [\"{outside}:3000\"]\n"));
    let launcher = scene.start_and_wait("probe serve 0.0.0.0:3000 & wait");
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", outside))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"hello")?;
        // The server answers at the end of what it is told: a half that is closed must arrive as such.
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    eventually("the server inside", || ask().is_ok_and(|answer| answer == "from inside: hello"));
    launcher.signal(Signal::TERM);
    drop(launcher.end());
    scene.nothing_is_left();
}

fn ends(ground: Ground) {
    let scene = ground.scene("");
    scene.run(&["true"]).ended_with(0);
    scene.nothing_is_left();
    scene.run(&["no-such-program"]).ended_with(127);
    scene.nothing_is_left();
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("an address").port();
    let scene = ground.scene(&format!("ports: [\"{port}:3000\"]\n"));
    scene.run(&["true"]).ended_with(125);
    scene.nothing_is_left();
}

fn terminated(ground: Ground) {
    let scene = ground.scene("");
    // Without a handler: a first process would not hear it.
    let launcher = scene.start_and_wait("while :; do sleep 0.1; done");
    launcher.signal(Signal::TERM);
    launcher.end().ended_with(143);
    scene.nothing_is_left();
}

fn killed(ground: Ground) {
    let scene = ground.scene("");
    let launcher = scene.start_and_wait("while :; do echo > beat; sleep 0.05; done");
    let beat = scene.stage.path("work/beat");
    eventually("a heartbeat", || beat.exists());
    launcher.signal(Signal::KILL);
    drop(launcher);
    let killed = Instant::now();
    eventually("the heart to stop", || {
        let _none = std::fs::remove_file(&beat);
        std::thread::sleep(Duration::from_millis(250));
        !beat.exists()
    });
    assert!(killed.elapsed() < Duration::from_secs(3), "it went on for {:?}", killed.elapsed());
    scene.stage.run(&["prune"]).ended_with(0);
    scene.nothing_is_left();
    let stopped = scene.stage.run(&["stop", &scene.name]);
    assert!(stopped.code == Some(0) || stopped.err.contains("no bottle"), "{stopped:?}");
}

/// What an egress that broke off still does is written down nowhere: the agent ends with it, and the user hears why.
fn broken_off(ground: Ground) {
    let scene = ground.scene("");
    let launcher = scene.start_and_wait("while :; do sleep 0.1; done");
    ground.engine().said(&["kill", &format!("bottle-egress-{}", scene.name)]);
    let ran = launcher.end().ended_with(137);
    assert!(ran.err.contains("the egress broke off, and the bottle with it"), "{}", ran.err);
    scene.nothing_is_left();
}
