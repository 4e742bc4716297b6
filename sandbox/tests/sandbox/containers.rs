//! A network held in a real container, by a real engine that the test starts for itself: nothing of the machine's own
//! engine, networks or firewall is touched.
use nix::sys::socket::{getsockopt, sockopt};
use sandbox::linux::holder;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// argv[1] of this program as the other container's.
pub(crate) const TAKER: &str = "__taker";
const WAIT: Duration = Duration::from_secs(30);
const SOCKET: &str = "/handover/listeners.sock";
/// What the taker says of every name.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 9);

/// Root's alone: an engine of one's own needs that.
pub(crate) fn missing() -> bool {
    let there = |path: &str| Path::new(path).exists();
    !rustix::process::getuid().is_root() || !there("/usr/sbin/dockerd") || !there("/bin/busybox")
}

struct Engine {
    folder: tempfile::TempDir,
    daemon: Child,
}

impl Engine {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = |name: &str| folder.path().join(name).display().to_string();
        let daemon = Command::new("/usr/sbin/dockerd")
            .args(["--host", &format!("unix://{}", inside("s")), "--data-root", &inside("data")])
            .args(["--exec-root", &inside("exec"), "--pidfile", &inside("pid"), "--storage-driver", "vfs"])
            .args(["--bridge", "none", "--iptables=false", "--ip6tables=false"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(inside("log")).expect("a log"))
            .spawn()
            .expect("dockerd");
        let engine = Self { folder, daemon };
        let start = Instant::now();
        while !engine.docker(&["version"]).status().expect("docker").success() {
            assert!(start.elapsed() < WAIT, "{:?}", std::fs::read_to_string(engine.path("log")));
            std::thread::sleep(Duration::from_millis(100));
        }
        engine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        let host = format!("unix://{}", self.path("s").display());
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        command.args(["--host", &host]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What it said, on both outputs, and whether it went well.
    fn answer(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = self.docker(arguments);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("docker");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).trim_end().to_owned())
    }

    fn said(&self, arguments: &[&str]) -> String {
        let (well, said) = self.answer(arguments);
        assert!(well, "docker {arguments:?}: {said}");
        said
    }

    /// An image of one file.
    fn image(&self, name: &str, file: &Path, at: &str) {
        let mut import = self.docker(&["import", "-", name]).stdin(Stdio::piped()).spawn().expect("docker");
        let mut archive = tar::Builder::new(import.stdin.take().expect("a pipe"));
        // Docker 20.10 does not know the format's entries for files with holes.
        archive.sparse(false);
        if let Some(folder) = Path::new(at).parent().filter(|folder| !folder.as_os_str().is_empty()) {
            archive.append_dir(folder, "/usr").expect("a folder that everybody may enter");
        }
        archive.append_path_with_name(file, at).expect("the file");
        drop(archive.into_inner().expect("the archive's end"));
        assert!(import.wait().expect("its end").success());
    }

    /// Until the container has said this.
    fn hear(&self, container: &str, words: &str) {
        let start = Instant::now();
        while !self.said(&["logs", container]).contains(words) {
            assert!(start.elapsed() < WAIT, "{container}: {}", self.said(&["logs", container]));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn holder(&self, more: &[&str]) {
        let flags = ["run", "--detach", "--name", "holder", "--network", "none", "--cap-add", "NET_ADMIN"];
        let names = ["--hostname", "slug", "--dns", "198.18.0.1", "--add-host", "egress:127.0.0.1"];
        self.said(&[&flags[..], &names, more, WALLS, &["egress", "/sandbox", holder::HOLD, SOCKET]].concat());
        self.hear("holder", "ready");
    }

    fn taker(&self) {
        let flags = ["run", "--detach", "--name", "taker", "--network", "none", "--user", "65532:65532"];
        self.said(&[&flags[..], WALLS, &["egress", "/sandbox", TAKER, SOCKET]].concat());
        self.hear("taker", "taken");
    }

    /// A shell's words in a container of the user's own, which joins the holder.
    fn agent(&self, script: &str) -> String {
        self.joined(&["agent", "/bin/busybox", "sh", "-c", script])
    }

    /// A probe's answer, from there.
    fn probe(&self, attempt: &[&str]) -> String {
        self.joined(&[&["egress", "/sandbox", "__probe"], attempt].concat())
    }

    fn joined(&self, command: &[&str]) -> String {
        let flags = ["run", "--rm", "--network", "container:holder", "--user", "1000:1000"];
        let walls = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
        self.said(&[&flags[..], &walls, command].concat())
    }
}

const WALLS: &[&str] = &[
    "--cap-drop",
    "ALL",
    "--read-only",
    "--security-opt",
    "no-new-privileges",
    "--volume",
    "handover:/handover",
];

impl Drop for Engine {
    fn drop(&mut self) {
        for name in ["holder", "taker"] {
            let _none = self.docker(&["rm", "--force", name]).status();
        }
        let pid = i32::try_from(self.daemon.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _gone_already = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let _reaped_already = self.daemon.wait();
    }
}

/// One engine for all: starting it is what takes time.
pub(crate) fn a_network_is_held_for_containers() {
    let engine = Engine::start();
    engine.image("egress", &std::env::current_exe().expect("this program"), "sandbox");
    engine.image("agent", Path::new("/bin/busybox"), "bin/busybox");
    held(&engine, &[], false);
    held(&engine, &["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"], true);
}

fn held(engine: &Engine, more: &[&str], v6: bool) {
    engine.said(&["volume", "create", "handover"]);
    engine.holder(more);
    let logs = engine.said(&["logs", "holder"]);
    assert!(logs.contains(&format!("\"v6\":{v6}")), "{logs}");
    engine.taker();
    engine.hear("holder", "handed-over");
    captures(engine, v6);
    gives_nothing_away(engine);
    names(engine);
    splices(engine);
    // With the egress the holder goes, and with the holder whoever shares its PID namespace.
    engine.said(&["rm", "--force", "taker"]);
    assert_eq!(engine.said(&["wait", "holder"]), "0");
    engine.said(&["rm", "holder"]);
    engine.said(&["volume", "rm", "handover"]);
}

fn tcp(address: &str) -> String {
    format!("busybox nc -w 5 {address} 443 </dev/null; echo $?")
}

fn captures(engine: &Engine, v6: bool) {
    assert_eq!(engine.agent(&tcp("93.184.216.34")), "to 93.184.216.34:443\n0");
    let said = engine.agent(&tcp("2606:2800:220:1::1"));
    let expected = if v6 { "to an IPv6 address" } else { "can't connect to remote host" };
    assert!(said.contains(expected), "{said}");
    assert_eq!(engine.probe(&["udp", "8.8.8.8:443"]), "no EPERM: Operation not permitted");
    let six = engine.probe(&["udp", "[2606:2800:220:1::1]:443"]);
    assert_eq!(six == "no EPERM: Operation not permitted", v6, "{six}");
    assert!(six.starts_with("no "), "{six}");
    assert_eq!(engine.agent("busybox ip -o link | busybox grep -c ."), "1");
}

fn gives_nothing_away(engine: &Engine) {
    let pid = engine.said(&["inspect", "--format", "{{.State.Pid}}", "holder"]);
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status").replace('\t', "");
    for line in ["CapPrm:0000000000000000", "CapEff:0000000000000000", "NoNewPrivs:1", "Seccomp:2"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let flags = ["run", "--rm", "--network", "none", "--name", "late", "--user", "65532:65532"];
    let (well, said) = engine.answer(&[&flags[..], WALLS, &["egress", "/sandbox", TAKER, SOCKET]].concat());
    assert!(!well && said.contains("cannot take the listeners"), "{said}");
    assert!(engine.agent("busybox ip link set lo down; echo $?").contains("Operation not permitted"));
}

/// What is given to the holder is what the agent sees: a container that joins may not be given any of it.
fn names(engine: &Engine) {
    assert_eq!(engine.agent("busybox hostname"), "slug");
    assert_eq!(engine.agent("busybox cat /etc/resolv.conf").trim_end(), "nameserver 198.18.0.1");
    assert!(engine.agent("busybox cat /etc/hosts").contains("127.0.0.1\tegress"));
    let said = engine.agent("busybox nslookup example.com");
    assert!(said.contains(&ADDRESS.to_string()), "{said}");
}

fn splices(engine: &Engine) {
    let server = ["run", "--detach", "--name", "server", "--network", "container:holder", "agent"];
    let serve = ["/bin/busybox", "nc", "-ll", "-p", "3000", "-e", "/bin/busybox", "cat"];
    engine.said(&[&server[..], &serve].concat());
    let exec =
        ["exec", "--interactive", "--user", "65532:65532", "holder", "/sandbox", holder::SPLICE, "3000"];
    let start = Instant::now();
    let answer = loop {
        let mut splice = engine.docker(&exec);
        let mut child = splice.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("docker");
        let _early = child.stdin.take().expect("a pipe").write_all(b"ping");
        let output = child.wait_with_output().expect("its end");
        if output.status.success() || start.elapsed() > WAIT {
            break output.stdout;
        }
    };
    assert_eq!(answer, b"ping");
    engine.said(&["rm", "--force", "server"]);
}

/// `__hold SOCKET`, as the real binary has it.
pub(crate) fn hold(socket: &str) -> ! {
    let tell = |news| println!("{}", serde_json::to_string(&news).expect("JSON"));
    let outcome = holder::hold(socket.as_ref(), tell);
    if let Err(error) = &outcome {
        eprintln!("{error}");
    }
    std::process::exit(i32::from(outcome.is_err()))
}

/// `__taker SOCKET`: an egress that answers everything with what it knows.
pub(crate) fn taker(socket: &str) -> ! {
    let (listeners, _tether) = match holder::take(socket.as_ref(), Duration::from_secs(3)) {
        Ok(listeners) => listeners,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1)
        }
    };
    println!("taken");
    for socket in listeners.dns_udp {
        std::thread::spawn(move || answer_names(&socket));
    }
    let answering =
        listeners.tcp.into_iter().map(|listener| std::thread::spawn(move || answer_all(&listener)));
    for thread in answering.collect::<Vec<_>>() {
        let _never = thread.join();
    }
    std::process::exit(0)
}

fn answer_all(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        let to = match getsockopt(&stream.as_fd(), sockopt::OriginalDst) {
            Ok(to) => {
                format!("{}:{}", Ipv4Addr::from(u32::from_be(to.sin_addr.s_addr)), u16::from_be(to.sin_port))
            }
            Err(_) => "an IPv6 address".to_owned(),
        };
        let _gone = writeln!(stream, "to {to}");
    }
}

/// `ADDRESS` for questions of type A, nothing for others (RFC 1035, section 4).
fn answer_names(socket: &UdpSocket) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let asked = &question[..length];
        let is_a = asked.ends_with(&[0, 0, 1, 0, 1]);
        let header = [&asked[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]].concat();
        let record = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4][..], &ADDRESS.octets()].concat();
        let records: &[u8] = if is_a { &record } else { &[] };
        let answer = [&header[..], &asked[12..], records].concat();
        let _gone = socket.send_to(&answer, from);
    }
}
