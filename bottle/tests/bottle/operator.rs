//! The operator's side: agents are held up, somebody else answers, and they go on.
use crate::person::Person;
use crate::stage::{Launcher, Ran, Stage, as_every_user, binary, eventually};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// An upstream that says `hello` to everybody.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _head = stream.read(&mut [0; 4096]);
            let _gone =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
        }
    });
    at
}

/// A bottle whose agent is held up at `open.test`.
fn held(stage: &Stage, more: &str) {
    stage.manifest(&format!(
        "egress:\n  unmatched: ask\n  answer_within: 60s\n{more}\n  resolve: {{ \"open.test\": \"{}\" }}\n",
        upstream()
    ));
}

/// Somebody attends as long as this lives.
fn attend(stage: &Stage) -> Person {
    let mut person = Person::start(stage, &[binary().to_str().expect("text"), "watch", "--plain"]);
    person.sees("runs: sh");
    person
}

fn curl(path: &str) -> String {
    format!("curl -sS -m 30 -w '\\n%{{http_code}}\\n' http://open.test{path}")
}

fn requests(stage: &Stage) -> Vec<Value> {
    let listed = stage.run(&["requests", "--all", "--json"]).ended_with(0);
    serde_json::from_str(&listed.out).expect("JSON")
}

/// The id of what waits, once it does.
fn waiting(stage: &Stage) -> String {
    let mut id = None;
    eventually("a request that waits", || {
        let open = requests(stage).into_iter().find(|petition| petition["state"]["is"] == "open");
        id = open.and_then(|petition| petition["id"].as_str().map(str::to_owned));
        id.is_some()
    });
    id.expect("an id")
}

/// Starts the agent once somebody attends, which it waits for.
fn started(stage: &Stage, script: &str) -> (Launcher, Person) {
    let script = format!("while [ ! -e go ]; do sleep 0.05; done; {script}");
    let launcher = stage.start("dev", &script);
    let person = attend(stage);
    std::thread::sleep(Duration::from_millis(200));
    stage.write("go", "");
    (launcher, person)
}

#[test]
fn an_agent_is_held_up_allowed_by_somebody_else_and_goes_on() {
    as_every_user(|stage| {
        held(stage, "");
        let (launcher, mut person) = started(stage, &format!("{}; {}", curl("/one"), curl("/one")));
        let id = waiting(stage);
        person.sees(&format!("{id} waits for an answer: GET http://open.test/one"));
        let shown = stage.run(&["requests", &id]).ended_with(0);
        assert!(shown.out.contains("open.test, port 80, http"), "{shown:?}");
        let allowed = stage.run(&["allow", &id]).ended_with(0);
        assert!(allowed.err.contains("asks for") && allowed.err.contains("last hour"), "{allowed:?}");
        assert!(allowed.out.contains("is allowed, as long as this bottle lives"), "{allowed:?}");
        let ran = launcher.end().ended_with(0);
        assert_eq!(ran.out, "hello\n200\nhello\n200\n", "the second was not asked for again");
        person.sees(&format!("{id} allowed as long as this bottle lives"));
        let audit = stage.run(&["logs", "dev"]).ended_with(0);
        assert!(audit.out.contains("petition-allowed") && audit.out.contains("bottle allow"), "{audit:?}");
    });
}

/// Two people answer: the second one is told what the first one said, and changes nothing.
#[test]
fn an_answer_counts_once() {
    let stage = Stage::ordinary();
    held(&stage, "");
    let (launcher, _person) =
        started(&stage, &format!("{}; while [ -e go ]; do sleep 0.05; done", curl("/one")));
    let id = waiting(&stage);
    stage.run(&["refuse", &id, "--say", "use \u{1b}[2Jthe mirror"]).ended_with(0);
    for arguments in [vec!["allow", &id], vec!["refuse", &id]] {
        let late = stage.run(&arguments).ended_with(3);
        assert!(late.err.contains("no longer open: refused (“use \\u{1b}[2Jthe mirror”)"), "{late:?}");
    }
    std::fs::remove_file(stage.path("work/go")).expect("removed");
    let ran = launcher.end().ended_with(0);
    assert!(ran.out.contains("the mirror") && ran.out.contains("\n403\n"), "the agent hears it: {ran:?}");
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
    let unknown = stage.run(&["allow", &id]).ended_with(3);
    assert!(unknown.err.contains("no running bottle has a request"), "an old id means nothing: {unknown:?}");
}

#[test]
fn what_is_allowed_once_is_allowed_once_and_less_is_less() {
    let stage = Stage::ordinary();
    held(&stage, "");
    let (launcher, _person) =
        started(&stage, &format!("{}; curl -sS -m 2 http://open.test/one; echo $?", curl("/one")));
    let id = waiting(&stage);
    let wider = stage.run(&["allow", &id, "--path", "/**"]).ended_with(125);
    assert!(wider.err.contains("more than was asked for"), "{wider:?}");
    stage.run(&["allow", &id, "--once", "--for", "1h"]).ended_with(2);
    stage.run(&["allow", &id, "--with-credential"]).ended_with(125);
    assert_eq!(waiting(&stage), id, "nothing has changed");
    stage.run(&["allow", &format!("dev/{id}"), "--once"]).ended_with(0);
    let ran = launcher.end().ended_with(0);
    assert!(ran.out.starts_with("hello\n200\n"), "{ran:?}");
    assert!(ran.out.ends_with("28\n"), "the next one is held up again: {ran:?}");
}

/// The command of the manifest is run, with what is asked for, and can answer.
#[test]
fn on_request_runs_a_command_that_can_answer() {
    let stage = Stage::ordinary();
    let command = format!(
        "cat > {0}/run/asked; exec {1} allow $BOTTLE_REQUEST_ID --once",
        stage.path("").display(),
        binary().display()
    );
    held(&stage, &format!("  on_request: [sh, -c, '{command}']"));
    let ran = stage.run(&["run", "--quiet", "--", "sh", "-c", &curl("/one")]).ended_with(0);
    assert_eq!(ran.out, "hello\n200\n", "{ran:?}");
    let told: Value =
        serde_json::from_slice(&std::fs::read(stage.path("run/asked")).expect("told")).expect("JSON");
    assert_eq!((&told["bottle"], &told["proposal"]["host"]), (&"dev".into(), &"open.test".into()));
}

fn turn(stage: &Stage, arguments: &[&str]) -> Ran {
    stage.run(&[&["kill-switch"], arguments].concat())
}

#[test]
fn the_kill_switch_holds_in_every_bottle_and_in_those_that_start_later() {
    as_every_user(|stage| {
        stage.manifest(&format!(
            "egress:\n  routes: [{{ host: open.test, scheme: http }}]\n  resolve: {{ \"open.test\": \"{}\" }}\n",
            upstream()
        ));
        let agent =
            format!("{}; touch first; while [ ! -e go ]; do sleep 0.05; done; {}", curl("/"), curl("/"));
        let launcher = stage.start("dev", &agent);
        eventually("the first request", || stage.path("work/first").exists());
        let on = turn(stage, &["on"]).ended_with(0);
        assert!(on.out.contains("`dev`: everything is refused now"), "{on:?}");
        assert!(turn(stage, &["status"]).ended_with(0).out.starts_with("on, since"));
        stage.write("go", "");
        let ran = launcher.end().ended_with(0);
        assert!(ran.out.starts_with("hello\n200\n") && ran.out.ends_with("\n403\n"), "{ran:?}");
        assert!(ran.out.contains("kill switch"), "the agent is told: {ran:?}");
        let later = stage.run(&["run", "--quiet", "--", "sh", "-c", &curl("/")]).ended_with(0);
        assert!(later.out.ends_with("\n403\n"), "a bottle that starts later: {later:?}");
        turn(stage, &["off"]).ended_with(0);
        assert_eq!(turn(stage, &["status"]).ended_with(0).out, "off\n");
        let served = stage.run(&["run", "--quiet", "--", "sh", "-c", &curl("/")]).ended_with(0);
        assert_eq!(served.out, "hello\n200\n");
    });
}

/// A launcher that hangs is named, keeps nobody waiting, and obeys as soon as it goes on.
#[test]
fn a_launcher_that_hangs_is_named_and_obeys_later() {
    let stage = Stage::ordinary();
    stage.manifest("");
    let launcher = stage.start("dev", "sleep 1000");
    launcher.signal(Signal::STOP);
    let begun = Instant::now();
    let on = turn(&stage, &["on"]).ended_with(1);
    assert!(on.out.contains("`dev`: NOT TURNED") && on.out.contains("bottle stop dev"), "{on:?}");
    let listed = stage.run(&["requests"]).ended_with(0);
    assert!(listed.err.contains("no answer within"), "{listed:?}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    launcher.signal(Signal::CONT);
    eventually("that it obeys", || turn(&stage, &["status", "--json"]).out.contains("\"locked\":true"));
}

#[test]
fn a_wrong_manifest_is_not_put_in_force() {
    let stage = Stage::ordinary();
    stage.manifest("egress:\n  routes: [{ host: open.test }]\n");
    let _launcher = stage.start("dev", "sleep 1000");
    stage.run(&["reload"]).ended_with(0);
    stage.manifest("egress:\n  routes: [{ hots: open.test }]\n");
    let wrong = stage.run(&["reload", "dev"]).ended_with(125);
    assert!(wrong.err.contains("`dev` keeps its policy") && wrong.err.contains("hots"), "{wrong:?}");
    stage.run(&["reload", "other"]).ended_with(125);
}

/// From the first frame to an answer by key, and the terminal given back, however the view ends.
#[test]
fn a_person_answers_by_key_and_gets_the_terminal_back() {
    let stage = Stage::ordinary();
    held(&stage, "");
    let script = format!("while [ ! -e go ]; do sleep 0.05; done; {}", curl("/one"));
    let launcher = stage.start("dev", &script);
    let view = || Person::start(&stage, &[binary().to_str().expect("text"), "watch"]);
    let mut person = view();
    person.sees("\u{1b}[?1049h");
    person.sees("Requests");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(person.is_raw());
    stage.write("go", "");
    person.sees("GET http://open.test/one");
    person.types("a");
    person.sees("Esc");
    std::thread::sleep(Duration::from_millis(400));
    person.types("o");
    assert_eq!(launcher.end().ended_with(0).out, "hello\n200\n");
    person.sees("is allowed, once");
    person.resizes(50, 180);
    person.sees("Bottles");
    person.types("q");
    let last = person.ends_with(0);
    assert!(last.contains("\u{1b}[?1049l"), "the other screen is given back: {last:?}");
    for (key, signal, code) in
        [(Some("\u{3}"), None, 0), (None, Some(Signal::TERM), 143), (None, Some(Signal::INT), 130)]
    {
        let mut person = view();
        person.sees("bottle watch");
        let master = rustix::io::dup(&person.master).expect("duplicated");
        if let Some(signal) = signal {
            let watch = i32::try_from(person.child.id()).ok().and_then(rustix::process::Pid::from_raw);
            rustix::process::kill_process(watch.expect("a pid"), signal).expect("signalled");
        }
        key.into_iter().for_each(|key| person.types(key));
        let last = person.ends_with(code);
        assert!(last.contains("\u{1b}[?1049l") && last.contains("\u{1b}[?25h"), "{last:?}");
        let settings = rustix::termios::tcgetattr(&master).expect("settings");
        assert!(settings.local_modes.contains(rustix::termios::LocalModes::ICANON), "{signal:?}");
    }
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_returns() {
    let stage = Stage::ordinary();
    let mut person = Person::start(&stage, &["sh", "-i"]);
    person.types(&format!("{} watch\n", binary().display()));
    person.sees("no agent asks for anything");
    person.types("\u{1a}");
    person.sees("\u{1b}[?1049l");
    person.sees("Stopped");
    assert!(!person.is_raw());
    person.types("fg\n");
    person.sees("\u{1b}[?1049h");
    person.sees("no agent asks for anything");
    person.types("q");
    person.sees("\u{1b}[?1049l");
    person.types("exit\r");
}

/// A window that is closed: the view ends with it, and does not go on reading nothing for ever.
#[test]
fn a_terminal_that_hangs_up_ends_the_view() {
    let stage = Stage::ordinary();
    let mut person = Person::start(&stage, &[binary().to_str().expect("text"), "watch"]);
    person.sees("no agent asks for anything");
    let other = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).expect("a descriptor");
    drop(std::mem::replace(&mut person.master, other));
    eventually("its end", || person.child.try_wait().expect("waited").is_some());
}

#[test]
fn who_reads_no_more_ends_the_plain_view() {
    let stage = Stage::ordinary();
    stage.manifest("");
    let _launcher = stage.start("dev", "sleep 1000");
    let script = format!("{} watch --plain | head -1; echo ended", binary().display());
    let output = stage.command("sh").args(["-c", &script]).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("dev  bottle   runs: sleep 1000") || said.contains("dev  bottle   runs: sh"),
        "{said}"
    );
}

/// Whoever is in a bottle is of another user namespace, or of another PID namespace: its socket takes neither, where somebody showed it.
#[test]
fn nobody_in_another_namespace_is_heard() {
    let stage = Stage::ordinary();
    held(&stage, "");
    let _launcher = stage.start("dev", "sleep 1000");
    let bottle = stage.program().to_owned();
    let from = |spaces: &[&str]| {
        let mut command = stage.command("unshare");
        command.args(spaces).args([&bottle, "reload", "dev"]);
        Ran::of(command.output().expect("unshare starts"))
    };
    for spaces in [&["--user"][..], &["--user", "--map-root-user", "--pid", "--fork"]] {
        let refused = from(spaces).ended_with(125);
        assert!(refused.err.contains("ended before it answered"), "{spaces:?}: {refused:?}");
    }
    stage.run(&["reload", "dev"]).ended_with(0);
}

/// A rename on this machine takes the mount away that protects the file inside: whoever writes it then may be the agent.
#[test]
fn a_manifest_that_was_replaced_is_read_once_the_operator_has_looked() {
    as_every_user(|stage| {
        held(stage, "  routes: [{ host: one.test, scheme: http }]");
        let script = "while [ ! -e go ]; do sleep 0.05; done; echo '# by the agent' >> bottle.yaml; echo $? > wrote; sleep 30";
        let launcher = stage.start("dev", script);
        let file = stage.path("work/bottle.yaml");
        let text = std::fs::read_to_string(&file).expect("read");
        let more = text.replace(
            "one.test, scheme: http }",
            "one.test, scheme: http }, { host: two.test, scheme: http }",
        );
        // In place: the agent cannot have done that, and it is in force.
        std::fs::write(&file, &more).expect("written");
        let differ = stage.run(&["policy", "diff"]);
        assert!(differ.code == Some(0) || differ.out.contains("two.test"), "{differ:?}");
        eventually("the change to be seen", || stage.run(&["logs", "dev"]).out.contains("policy-changed"));
        assert_eq!(stage.run(&["policy", "diff"]).ended_with(0).out.matches("nothing changes").count(), 1);
        // Replaced, as many editors do.
        let new = stage.write("bottle.yaml.new", &text);
        std::fs::rename(new, &file).expect("replaced");
        stage.write("go", "");
        eventually("the agent to have tried", || stage.path("work/wrote").exists());
        let refused = stage.run(&["reload", "dev"]).ended_with(125);
        assert!(
            refused.err.contains("the agent could have written") && refused.err.contains("--looked"),
            "{refused:?}"
        );
        let differ = stage.run(&["policy", "diff"]).ended_with(1);
        assert!(differ.out.contains("two.test"), "{differ:?}");
        stage.run(&["reload", "dev", "--looked"]).ended_with(0);
        stage.run(&["policy", "diff"]).ended_with(0);
        launcher.signal(Signal::TERM);
        launcher.end();
    });
}
