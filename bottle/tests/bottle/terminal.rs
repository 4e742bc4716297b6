//! Agents with a terminal: size, keys, job control, and the operator's own terminal given back.
use crate::person::Person;
use crate::stage::{Stage, as_every_user, binary, eventually};
use rustix::pty::ptsname;
use rustix::termios::{LocalModes, tcgetattr};

fn agent(stage: &Stage, script: &str) -> Person {
    let bottle = binary().to_str().expect("text");
    Person::start(stage, &[bottle, "run", "--quiet", "--", "sh", "-c", script])
}

#[test]
fn the_agent_has_a_terminal_of_the_right_size_from_the_start() {
    as_every_user(|stage| {
        let mut person = agent(stage, "test -t 0 && test -t 1 && test -t 2 && stty size && tty");
        person.sees("33 101\r\n");
        let rest = person.ends_with(0);
        assert!(rest.contains("/dev/"), "{rest}");
    });
}

#[test]
fn the_agents_terminal_is_not_the_operators() {
    let stage = Stage::ordinary();
    let mut person = agent(
        &stage,
        "echo device $(stat -L -c %t:%T-%d /proc/self/fd/0) ; readlink /proc/self/fd/0; exec sleep 0.1",
    );
    let name = ptsname(&person.master, Vec::new()).expect("a name").into_string().expect("text");
    let own =
        std::fs::metadata(&name).map(|found| std::os::unix::fs::MetadataExt::dev(&found)).expect("there");
    let seen = person.sees("\r\n");
    assert!(!seen.trim_end().ends_with(&format!("-{own}")), "the same devpts instance: {seen}");
    person.ends_with(0);
}

#[test]
fn a_resized_window_reaches_the_agent() {
    let stage = Stage::ordinary();
    let mut person =
        agent(&stage, "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done");
    person.sees("ready");
    person.resizes(40, 120);
    person.sees("40 120");
    person.ends_with(0);
}

#[test]
fn ctrl_c_reaches_the_agent_and_the_terminal_is_given_back() {
    as_every_user(|stage| {
        let mut person =
            agent(stage, "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done");
        person.sees("ready");
        assert!(person.is_raw());
        person.types("\u{3}");
        person.sees("interrupted");
        let master = rustix::io::dup(&person.master).expect("duplicated");
        person.ends_with(5);
        assert!(tcgetattr(&master).is_ok_and(|settings| settings.local_modes.contains(LocalModes::ICANON)));
    });
}

#[test]
fn a_long_paste_and_escape_sequences_arrive_whole() {
    let stage = Stage::ordinary();
    let mut person =
        agent(&stage, "stty raw -echo; echo ready; head -c 100000 | md5sum; printf '\\033[31mred\\033[0m'");
    person.sees("ready");
    let pasted: String =
        (0..100_000u32).map(|number| char::from(b'a' + u8::try_from(number % 26).expect("small"))).collect();
    person.types(&pasted);
    let expected = stage.write("pasted", &pasted);
    let sum = stage.command("md5sum").arg(expected).output().expect("md5sum runs").stdout;
    person.sees(std::str::from_utf8(&sum[..32]).expect("text"));
    person.sees("\u{1b}[31mred\u{1b}[0m");
    person.ends_with(0);
}

#[test]
fn ctrl_z_suspends_the_agent_and_fg_resumes_it() {
    as_every_user(|stage| {
        let mut person = Person::start(stage, &["sh", "-i"]);
        person.types(&format!(
            "{} run --quiet -- sh -c 'echo ready; read x; echo got $x'\n",
            binary().display()
        ));
        person.sees("ready\r\n");
        person.types("\u{1a}");
        person.sees("Stopped");
        assert!(!person.is_raw(), "the shell has its terminal back");
        person.types("fg\n");
        eventually("the terminal to be the agent's again", || person.is_raw());
        person.types("hello\r");
        person.sees("got hello");
        person.types("exit\r");
    });
}

#[test]
fn output_to_a_file_goes_to_the_file_and_a_pipeline_keeps_its_keyboard() {
    let stage = Stage::ordinary();
    let mut person = Person::start(&stage, &["sh", "-i"]);
    person.types(&format!("B={}\n", binary().display()));
    person.types("$B run --quiet -- sh -c 'test -t 1 || echo no terminal' > out; echo first $?\n");
    person.sees("first 0");
    assert_eq!(std::fs::read_to_string(stage.path("work/out")).expect("read"), "no terminal\n");
    person.types(
        "$B run --quiet -- sh -c 'cat; echo from inside' | sh -c 'cat; read key < /dev/tty; echo key $key'\n",
    );
    person.sees("from inside\r\n");
    person.types("hello\n");
    person.sees("key hello");
    person.types("exit\n");
}

#[test]
fn a_terminal_that_hangs_up_ends_the_bottle() {
    let stage = Stage::ordinary();
    let mut person = agent(&stage, "echo ready; sleep 1000");
    person.sees("ready");
    let pid = i32::try_from(person.child.id()).expect("a pid");
    // The other end closes, as when a window is closed.
    let other = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).expect("a descriptor");
    drop(std::mem::replace(&mut person.master, other));
    eventually("the bottle's end", || stage.slugs().is_empty());
    eventually("the launcher's end", || person.child.try_wait().expect("waited").is_some() || pid == 0);
}
