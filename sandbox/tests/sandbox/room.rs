//! A room like a container of network `none`: a user, network and PID namespace of the test's own, loopback up, in which a
//! holder with `CAP_NET_ADMIN` alone is the first process. Others can join its network.
use crate::probe;
use nix::sched::{CloneFlags, setns, unshare};
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities};
use sandbox::linux::{InsideListeners, Step, holder};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(crate) const ROOM: &str = "__room";
pub(crate) const HELD: &str = "__held";
pub(crate) const JOIN: &str = "__join";

/// How long anything may take.
pub(crate) const WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Room {
    folder: tempfile::TempDir,
    child: Child,
    said: BufReader<ChildStdout>,
    /// The holder's pid on the host.
    pub(crate) holder: i32,
    tether: Mutex<Option<holder::Tether>>,
}

impl Room {
    /// With a holder in it, and these peculiarities.
    pub(crate) fn with(peculiarities: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("listeners.sock");
        let mut child = Command::new(this_program())
            .args([ROOM, &socket.display().to_string(), &peculiarities.join(",")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a room");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut room = Self { folder, child, said, holder: 0, tether: Mutex::default() };
        room.holder = room.line().parse().unwrap_or_else(|_| panic!("{}", room.last_words()));
        room
    }

    /// The same, once the holder is ready.
    pub(crate) fn ready(peculiarities: &[&str]) -> Self {
        let mut room = Self::with(peculiarities);
        let line = room.line();
        assert!(line.contains(r#""holder":"ready""#), "{line}{}", room.last_words());
        room
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("listeners.sock")
    }

    /// The listeners; the taker lives for as long as the room, or until it is cut off.
    pub(crate) fn take(&self) -> InsideListeners {
        let (listeners, tether) = holder::take(&self.socket(), WAIT).expect("the listeners");
        *self.tether.lock().expect("nobody panics while holding it") = Some(tether);
        listeners
    }

    /// The taker ends.
    pub(crate) fn cut_off(&self) {
        drop(self.tether.lock().expect("nobody panics while holding it").take());
    }

    /// What the holder says next.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn last_words(&mut self) -> String {
        let _gone_already = self.child.kill();
        self.complaint()
    }

    /// What it wrote on standard error, once it has ended.
    pub(crate) fn complaint(&mut self) -> String {
        let mut complaint = String::new();
        let from = self.child.stderr.as_mut().expect("a pipe");
        from.read_to_string(&mut complaint).expect("what it said");
        complaint
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.holder).expect("a pid");
        let _gone_already = kill_process(pid, signal);
    }

    /// The holder's end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(start.elapsed() < WAIT, "the holder goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A program in this network: this program, with these arguments.
    pub(crate) fn join(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(this_program());
        command.args([JOIN, &self.child.id().to_string()]).args(arguments);
        command
    }

    /// A probe's answer.
    pub(crate) fn probe(&self, arguments: &[&str]) -> String {
        let output = self.join(&[&["__probe"], arguments].concat()).output().expect("a probe");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // With the room its holder goes (PDEATHSIG), and with that the PID namespace.
        let _gone_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("this program's path")
}

/// `__room SOCKET PECULIARITIES`: makes the namespaces, starts the holder, and keeps the namespaces until it ends.
pub(crate) fn room(socket: &str, peculiarities: &str) -> ! {
    set_parent_process_death_signal(Some(Signal::KILL)).expect("an end with the test");
    let has = |word| peculiarities.split(',').any(|given| given == word);
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID)
        .expect("namespaces");
    std::fs::write("/proc/self/setgroups", "deny").expect("setgroups");
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).expect("user 0");
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1")).expect("group 0");
    if has("no-ipv6") {
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("no IPv6");
    }
    link(true).expect("loopback, as container engines have it");
    let _squatter =
        has("squatter").then(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 9099)).expect("the port"));
    let mut held =
        Command::new("/proc/self/exe").args([HELD, socket, peculiarities]).spawn().expect("a holder");
    if has("orphan") {
        Command::new("/bin/sh").args(["-c", "sleep 1 & exit 0"]).status().expect("a shell");
    }
    let status = held.wait().expect("its end");
    std::process::exit(status.code().unwrap_or(99))
}

/// `__held SOCKET PECULIARITIES`: the first process, with what a container engine would leave it.
pub(crate) fn held(socket: &str, peculiarities: &str) -> ! {
    set_parent_process_death_signal(Some(Signal::KILL)).expect("an end with the room");
    // `/proc` is the host's, and so is the number.
    println!("{}", std::fs::read_link("/proc/self").expect("our own number").display());
    let words: Vec<&str> = peculiarities.split(',').collect();
    let left =
        if words.contains(&"no-capability") { CapabilitySet::empty() } else { CapabilitySet::NET_ADMIN };
    keep_only(left);
    let mut steps = holder::planned();
    for word in words {
        steps.retain(|step| !is_left_out(word, step));
    }
    let tell = |news| println!("{}", serde_json::to_string(&news).expect("JSON"));
    let outcome = holder::hold_steps(&steps, socket.as_ref(), tell);
    match &outcome {
        Ok(()) => last_attempts(),
        Err(error) => eprintln!("{error}"),
    }
    std::process::exit(i32::from(outcome.is_err()))
}

fn is_left_out(word: &str, step: &Step) -> bool {
    match word {
        "without-redirect" => matches!(step, Step::Redirect { .. }),
        "without-routes" => matches!(step, Step::CaptureRoutes { .. }),
        "without-undumpable" => *step == Step::Undumpable,
        "without-no-new-privileges" => *step == Step::NoNewPrivileges,
        "without-drop" => *step == Step::DropCapabilities,
        "without-calls" => *step == Step::HolderCalls,
        _ => false,
    }
}

fn keep_only(left: CapabilitySet) {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if one != left && remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
    let sets = CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).expect("few capabilities");
}

/// What a holder whose mind was changed could still do.
fn last_attempts() {
    println!("link {}", said(link(false)));
    println!("rules {}", said(delete_table()));
    println!("program {}", said(Command::new("/proc/self/exe").arg("--list").stdout(Stdio::null()).status()));
}

fn said<T>(outcome: io::Result<T>) -> String {
    outcome.map_or_else(|error| probe::name(&error), |_| "ok".to_owned())
}

/// `__join PID …`: into the room's network, then as told.
pub(crate) fn join(room: &str, arguments: &[String]) {
    for (kind, flag) in [("user", CloneFlags::CLONE_NEWUSER), ("net", CloneFlags::CLONE_NEWNET)] {
        let namespace = std::fs::File::open(format!("/proc/{room}/ns/{kind}")).expect("a namespace");
        setns(namespace, flag).expect("joining");
    }
    keep_only(CapabilitySet::empty());
    match arguments.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        Some(("__probe", rest)) => probe::main(rest),
        Some((holder::SPLICE, [port])) => splice(port),
        other => panic!("{other:?}"),
    }
}

/// `__splice PORT`, as the real binary has it.
pub(crate) fn splice(port: &str) -> ! {
    let outcome = holder::splice(port.parse().expect("a port"), None);
    if let Err(error) = &outcome {
        eprintln!("{error}");
    }
    std::process::exit(i32::from(outcome.is_err()))
}

/// Loopback up or down, by the kernel's own words (rtnetlink(7)).
fn link(up: bool) -> io::Result<()> {
    let flags = if up { [1, 1] } else { [0, 1] };
    let header = [0, 1, flags[0], flags[1]].map(u32::to_ne_bytes).concat();
    ask(None, &message(16, 0x5, &header))
}

/// The whole table of rules goes.
fn delete_table() -> io::Result<()> {
    let control = |kind| message(kind, 0x1, &[0, 0, 0, 10]);
    let name = [&11_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), b"bottle\0\0"].concat();
    let delete = message((10 << 8) | 2, 0x5, &[&[1, 0, 0, 0][..], &name].concat());
    ask(Some(NETFILTER), &[control(0x10), delete, control(0x11)].concat())
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("short");
    let mut message = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes()].concat();
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(body);
    message
}

fn ask(protocol: Option<Protocol>, message: &[u8]) -> io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    sendto(&socket, message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0_u8; 512];
    recv(&socket, answer.as_mut_slice(), RecvFlags::DONTWAIT)?;
    match i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes")) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}
