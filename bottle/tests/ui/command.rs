//! The command itself: what it prints, which bottles it finds, how it ends.
use super::http::{Page, say, token};
use super::stage::{Played, Stage, soon};
use bottle::process::Identity;
use bottle::registry::Record;
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

struct Started {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// As a user whose runtime folder is this one and whose only programs are in `programs`.
fn start(folder: &Path, arguments: &[&str]) -> Started {
    start_at(folder, arguments, Stdio::null())
}

fn start_at(folder: &Path, arguments: &[&str], input: Stdio) -> Started {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("set");
    let mut child = Command::new(env!("CARGO_BIN_EXE_bottle"))
        .arg("ui")
        .args(arguments)
        .env_clear()
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("PATH", folder.join("programs"))
        .env("OPENED", folder.join("opened"))
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bottle starts");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    Started { child, out }
}

impl Started {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill_process(Pid::from_raw(pid).expect("a pid"), signal).expect("signalled");
        let mut said = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("read");
        (self.child.wait().expect("waited").code(), said)
    }
}

/// A record beside the socket of a played bottle, as launchers publish them.
fn publish(folder: &Path, played: &Played, socket: &Path) {
    let home = folder.join("bottle").join(&played.slug);
    fs::create_dir_all(&home).expect("made");
    fs::set_permissions(folder.join("bottle"), fs::Permissions::from_mode(0o700)).expect("set");
    std::os::unix::fs::symlink(socket, home.join("control.sock")).expect("linked");
    let record = Record {
        version: 1,
        slug: played.slug.clone(),
        name: played.slug.clone(),
        launcher: Identity::own().expect("known"),
        started: jiff::Timestamp::now(),
        workspace: "/".into(),
        writable: Vec::new(),
        protection: String::new(),
        command: vec!["sh".into()],
        backend: manifest::plan::Backend::Linux,
        audit: "/nowhere".into(),
        log: "/nowhere".into(),
        ports: Vec::new(),
    };
    fs::write(home.join("bottle.json"), serde_json::to_vec(&record).expect("JSON")).expect("written");
}

fn open(link: &str) -> Page {
    let port =
        link.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split('/').next()).expect("a port");
    let nobody = Page { port: port.parse().expect("a number"), session: String::new() };
    let said = nobody.post("/session", &format!("{{\"token\":\"{}\"}}", token(link)));
    Page { session: said.json()["session"].as_str().expect("a session").to_owned(), ..nobody }
}

#[test]
fn it_finds_bottles_by_their_records_and_ends_cleanly() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let played = stage.bottle("dev");
    publish(folder.path(), &played, &stage.folder.path().join("dev.sock"));
    let mut started = start(folder.path(), &["--json"]);
    let said: Value = serde_json::from_str(&started.line()).expect("JSON");
    let link = said["url"].as_str().expect("a link");
    assert!(link.starts_with(&format!("http://127.0.0.1:{}/#token=", said["port"])), "{link}");
    let page = open(link);
    let mut stream = page.listen();
    assert_eq!(stream.until("snapshot")["bottle"], "dev");
    played.ask("abc123", "GET", "https://a.example/", "");
    let answered = page.post("/answer", "{\"bottle\":\"dev\",\"id\":\"abc123\",\"verdict\":\"once\"}");
    assert_eq!((answered.status, played.answers().len()), (200, 1), "{}", answered.body);
    let (code, said) = started.end(Signal::INT);
    assert_eq!(code, Some(0));
    stream.until("farewell");
    let secrets = [token(link), page.session.clone()];
    assert!(secrets.iter().all(|secret| !said.contains(secret)), "no secret in what it says: {said}");
    assert!(said.contains("a page was opened"), "{said}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", page.port)).is_err());
}

#[test]
fn a_port_is_taken_as_told_or_the_reason_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("an address").port();
    let refused = start(folder.path(), &["--port", &port.to_string()]);
    let ran = refused.child.wait_with_output().expect("waited");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(125), "{said}");
    assert!(
        said.contains(&format!("cannot listen at 127.0.0.1:{port}")) && said.contains("--port"),
        "{said}"
    );
    drop(taken);
    let mut started = start(folder.path(), &["--port", &port.to_string()]);
    let link = started.line();
    assert!(link.starts_with(&format!("http://127.0.0.1:{port}/#token=")), "{link}");
    // On loopback alone.
    let listening = fs::read_to_string("/proc/net/tcp").expect("read");
    let place = format!("0100007F:{port:04X} 00000000:0000 0A");
    assert!(
        listening.contains(&place) && !listening.contains(&format!("00000000:{port:04X} 00000000:0000 0A"))
    );
    assert_eq!(started.end(Signal::TERM).0, Some(0));
}

/// Arguments of programs are shown to everybody on the machine.
#[test]
fn the_browser_is_led_to_the_page_by_a_file_of_the_users_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).expect("made");
    let opener = programs.join("xdg-open");
    fs::write(&opener, "#!/bin/sh\necho \"$@\" >\"$OPENED.new\"; /bin/mv \"$OPENED.new\" \"$OPENED\"\n")
        .expect("written");
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).expect("set");
    let mut started = start(folder.path(), &["--open"]);
    let printed = started.line();
    let opened = folder.path().join("opened");
    soon("xdg-open runs", || opened.exists());
    let argument = fs::read_to_string(&opened).expect("read").trim().to_owned();
    assert!(!argument.contains("token") && argument.ends_with(".html"), "{argument}");
    let mode = fs::metadata(&argument).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let page = fs::read_to_string(&argument).expect("read");
    let link = page.split('"').find(|part| part.starts_with("http://")).expect("a link").to_owned();
    assert_ne!(link, printed, "a link of its own");
    open(&link);
    soon("the file goes once it has served", || !Path::new(&argument).exists());
    assert_eq!(started.end(Signal::INT).0, Some(0));
}

/// Each link opens one page; whoever wants another page presses Enter where the command runs.
#[test]
fn enter_gives_another_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&master).expect("granted");
    unlockpt(&master).expect("unlocked");
    let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
    let no_ctty = i32::try_from(OFlags::NOCTTY.bits()).expect("a flag");
    let keyboard =
        OpenOptions::new().read(true).write(true).custom_flags(no_ctty).open(&name).expect("opened");
    let mut started = start_at(folder.path(), &[], Stdio::from(keyboard));
    let first = started.line();
    let old = open(&first);
    let mut keys = fs::File::from(master);
    keys.write_all(b"\n").expect("typed");
    let second = started.line();
    assert!(second.starts_with(&format!("http://127.0.0.1:{}/#token=", old.port)), "{second}");
    assert_ne!(token(&first), token(&second));
    let new = open(&second);
    assert_ne!(old.session, new.session);
    let mut streams = [old.listen(), new.listen()];
    assert_eq!(started.end(Signal::INT).0, Some(0));
    streams.iter_mut().for_each(|stream| drop(stream.until("farewell")));
}

#[test]
fn the_page_is_shown_to_nobody_who_has_no_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut started = start(folder.path(), &["--json"]);
    let said: Value = serde_json::from_str(&started.line()).expect("JSON");
    let port = u16::try_from(said["port"].as_u64().expect("a port")).expect("a port");
    let bare =
        say(port, &format!("GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"));
    assert_eq!(bare.expect("an answer").status, 401);
    started.end(Signal::INT);
}
