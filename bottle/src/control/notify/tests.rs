use super::*;
use egress::desk::{How, State};
use manifest::plan::Backend;
use policy::{Proposal, Request};
use std::os::unix::fs::PermissionsExt;

fn petition(id: &str, why: &str) -> Petition {
    let request = Request::from_url("GET", "https://a.example/x").expect("a request");
    Petition {
        id: id.to_owned(),
        asked: jiff::Timestamp::UNIX_EPOCH,
        proposal: Proposal::of(&request),
        why: why.to_owned(),
        how: How::Asked,
        exchange: None,
        code: None,
        would_have_allowed: 0,
        near: None,
        state: State::Open,
    }
}

fn asked(why: &str) -> Asked {
    Asked { bottle: "dev-2".to_owned(), name: "dev".to_owned(), petition: petition("k3m9px", why) }
}

fn about(workspace: &Path) -> Snapshot {
    Snapshot {
        slug: "dev".to_owned(),
        name: "dev".to_owned(),
        backend: Backend::Linux,
        started: jiff::Timestamp::UNIX_EPOCH,
        workspace: workspace.to_owned(),
        command: vec![],
        manifest: None,
        audit: "/a".into(),
        policy: String::new(),
        locked: false,
        petitions: vec![],
        seen: vec![],
        live: vec![],
    }
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn outcome(script: &str, limit: Duration) -> (String, String) {
    let (argv, asked) = (shell(script), asked("why not"));
    Job::new(Path::new("/bin/sh"), &argv, &asked).within(limit).outcome().expect("it runs")
}

const ENOUGH: Duration = Duration::from_secs(10);

#[test]
fn a_command_is_told_what_is_asked_and_nothing_of_ours() {
    let (how, said) = outcome("echo $0 $BOTTLE_REQUEST_ID $BOTTLE_NAME $BOTTLE_PROPOSAL; pwd; cat", ENOUGH);
    assert_eq!(how, "ended: exit status: 0");
    let (lines, json) = said.split_once('{').expect("JSON");
    assert_eq!(lines, "sh k3m9px dev-2 GET https://a.example/x\n/\n");
    let told: serde_json::Value = serde_json::from_str(&format!("{{{json}")).expect("JSON");
    assert_eq!(told["id"], "k3m9px");
    assert_eq!(told["why"], "why not");
    assert_eq!((&told["bottle"], &told["name"]), (&"dev-2".into(), &"dev".into()));
    let (_, said) = outcome("env", ENOUGH);
    let may = |name: &str| {
        name.starts_with("BOTTLE_")
            || name.starts_with("LC_")
            || command::is_passed(name)
            || ["PWD", "SHLVL", "_", "OLDPWD"].contains(&name)
    };
    let astray: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| !may(name))
        .collect();
    assert!(astray.is_empty(), "{astray:?}");
    // What this process has besides stands for what a launcher has in its environment.
    let ours = std::env::vars().filter(|(name, _)| !may(name)).count();
    assert!(ours > 0, "there is nothing that could go astray");
}

#[test]
fn a_command_that_does_not_end_is_killed_with_all_that_it_started() {
    let begun = Instant::now();
    let (how, said) = outcome("sleep 60 & echo $!; wait", Duration::from_millis(300));
    assert!(how.starts_with("was killed"), "{how}");
    assert!(begun.elapsed() < ENOUGH);
    let stat = format!("/proc/{}/stat", said.trim());
    let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z"));
    while runs() {
        assert!(begun.elapsed() < ENOUGH, "its child still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_command_that_reads_nothing_or_writes_much_ends_as_well() {
    let (how, said) = outcome("head -c 1000000 /dev/zero | tr '\\0' x", ENOUGH);
    assert_eq!((how.as_str(), said.len()), ("ended: exit status: 0", 4096));
    let (how, _) = outcome("exec 1>&- 2>&-; sleep 0.1; exit 3", ENOUGH);
    assert_eq!(how, "ended: exit status: 3");
}

#[test]
fn a_flood_starts_neither_many_programs_nor_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let marks = folder.path().display();
    let script = format!("touch {marks}/$BOTTLE_REQUEST_ID; sleep 0.2");
    let tell = notifier_of(Some((Program::named("sh"), shell(&script))), None);
    let (begun, about) = (Instant::now(), about(Path::new("/nowhere")));
    for number in 0..500 {
        tell(&about, &petition(&format!("n{number}"), ""));
    }
    assert!(begun.elapsed() < Duration::from_millis(500), "telling waited: {:?}", begun.elapsed());
    let count = || std::fs::read_dir(folder.path()).expect("read").count();
    let enough = Instant::now() + ENOUGH;
    while count() < WAITING && Instant::now() < enough {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!((WAITING..=COMMANDS).contains(&count()), "{} commands", count());
}

#[test]
fn a_rate_is_kept_in_any_span() {
    let (mut rate, now) = (Rate::of(2), Instant::now());
    assert_eq!(rate.take(now), Some(1));
    assert_eq!(rate.take(now + SPAN / 2), Some(0));
    assert_eq!(rate.take(now + SPAN / 2), None);
    assert_eq!(rate.take(now + SPAN), Some(0), "the first is over");
    assert_eq!(rate.take(now + SPAN), None);
}

#[test]
fn what_an_agent_says_is_no_option_and_no_markup_on_the_desktop() {
    let arguments = desktop::arguments(&asked("--icon=x <a href='x'>allow</a>\u{1b}]0;x\u{7} & more"), false);
    let dashes = arguments.iter().position(|argument| argument == "--").expect("the end of options");
    assert_eq!(dashes, 2, "{arguments:?}");
    assert_eq!(arguments[3], "bottle dev-2: request k3m9px");
    let said = arguments[4].lines().nth(1).expect("what it says");
    let shown = "The agent says: “--icon=x &lt;a href='x'&gt;allow&lt;/a&gt;\\u{1b}]0;x\\u{7} &amp; more”";
    assert_eq!(said, shown);
    assert!(arguments[4].ends_with("bottle allow k3m9px · bottle refuse k3m9px"));
}

/// A virtual environment of the project is often first in `PATH`.
#[test]
fn no_program_of_the_workspace_is_run_to_notify() {
    let folder = tempfile::tempdir().expect("a folder");
    let planted = folder.path().join("notify-send");
    std::fs::write(&planted, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&planted, std::fs::Permissions::from_mode(0o755)).expect("set");
    let program = Program(vec![planted.clone(), "/bin/true".into()]);
    assert_eq!(program.for_bottle(folder.path()), Some("/bin/true".into()));
    assert_eq!(program.for_bottle(Path::new("/elsewhere")), Some(planted));
}
