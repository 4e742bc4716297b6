//! Container engines of the tests' own: in network and mount namespaces of their own, below a temporary folder, so that
//! nothing of this machine's engine, networks or firewall is touched.
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(30);
/// Whether engines are started by an ordinary user, who has no network of the tests' own to give them.
pub(crate) fn rootless() -> bool {
    !rustix::process::geteuid().is_root()
}

/// The network through which sidecars reach the tests' upstream; made by the tests, named by `outward_network`.
pub(crate) const OUTWARD: &str = "outward";
/// That network's gateway: an address in the engine's namespace.
pub(crate) const GATEWAY: &str = "172.30.0.1";

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Docker,
    Podman,
    /// Docker of an ordinary user; the tests run as root all the same, and give it what it needs.
    Rootless,
}

/// A running engine.
pub(crate) struct Engine {
    pub(crate) kind: Kind,
    folder: tempfile::TempDir,
    daemon: Mutex<Child>,
    pid: u32,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::Docker => "/usr/sbin/dockerd",
            Kind::Podman => "/usr/bin/podman",
            Kind::Rootless => "/usr/bin/rootlesskit",
        }
    }

    /// Why there is none of this kind, if so.
    pub(crate) fn missing(self) -> Option<String> {
        let needed = [self.program(), "/usr/bin/docker", "/usr/bin/busybox", "/usr/bin/setpriv"];
        let more: &[&str] = match self {
            Kind::Rootless => {
                &["/usr/sbin/dockerd", "/usr/bin/slirp4netns", "/usr/bin/newuidmap", "/dev/net/tun"]
            }
            Kind::Docker | Kind::Podman => &[],
        };
        let lacking = needed.iter().chain(more).find(|path| !Path::new(path).exists());
        lacking.map(|path| format!("conformance on {self:?} (no {path})"))
    }

    /// Whether this ordinary user has what Podman needs: a range of ids, and a kernel that lets it be used.
    pub(crate) fn runs_rootless() -> bool {
        let script = Command::new("podman").args(["unshare", "true"]).stdin(Stdio::null()).output();
        Kind::Podman.missing().is_none() && script.is_ok_and(|output| output.status.success())
    }

    /// `"$0"` is the folder.
    fn script(self) -> &'static str {
        match self {
            Kind::Podman if rootless() => {
                "export HOME=$0 XDG_RUNTIME_DIR=$0/exec
                exec podman --root $0/data --runroot $0/exec --storage-driver vfs --cgroup-manager cgroupfs \
                    system service --time=0 unix://$0/s"
            }
            Kind::Docker => {
                "busybox ip link set lo up
                exec /usr/sbin/dockerd --host unix://$0/s --data-root $0/data --exec-root $0/exec --pidfile $0/pid \
                    --default-address-pool base=172.17.0.0/24,size=24 --default-address-pool base=10.201.0.0/16,size=26"
            }
            // A machine where the user has an account and a range of ids, and may make a tunnel.
            Kind::Rootless => {
                "busybox ip link set lo up
                cp -a /etc $0/etc && chmod 755 $0/etc && mount --bind $0/etc /etc
                echo \"ada:x:$1:$1::$0:/bin/sh\" >> /etc/passwd && echo \"ada:x:$1:\" >> /etc/group
                echo ada:1000000:65536 | tee /etc/subuid > /etc/subgid
                mknod -m 666 $0/tun c 10 200 && mount --bind $0/tun /dev/net/tun
                chown $1:$1 $0 $0/data $0/exec
                exec setpriv --reuid $1 --regid $1 --clear-groups --pdeathsig KILL \
                    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=$0 XDG_RUNTIME_DIR=$0/exec \
                    rootlesskit --net=slirp4netns --slirp4netns-sandbox=false --slirp4netns-seccomp=false --mtu=65520 \
                    --disable-host-loopback --port-driver=none --copy-up=/etc --copy-up=/run --propagation=rslave \
                    sh -c \"rm -rf /run/docker /run/containerd /run/xtables.lock
                        exec dockerd --rootless --host unix://$0/s --data-root $0/data --exec-root $0/exec \
                        --pidfile $0/pid --default-address-pool base=172.17.0.0/24,size=24\""
            }
            // Podman keeps addresses and locks in places of the machine's, which are hidden here.
            Kind::Podman => {
                "busybox ip link set lo up
                mount -t tmpfs none /run && mkdir -p /var/lib/cni && mount -t tmpfs none /var/lib/cni
                exec podman --root $0/data --runroot $0/exec --network-config-dir $0/net --cgroup-manager cgroupfs \
                    system service --time=0 unix://$0/s"
            }
        }
    }
}

impl Engine {
    /// Starts it on a thread that lives as long as the program: the kernel ends the engine when that thread ends.
    pub(crate) fn start_kept(kind: Kind) -> Engine {
        let (tell, hear) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _nobody_waits = tell.send(Engine::start(kind));
            loop {
                std::thread::park();
            }
        });
        hear.recv().expect("the engine starts")
    }

    fn start(kind: Kind) -> Engine {
        let folder =
            tempfile::Builder::new().prefix("bottle-engine.").tempdir_in("/var/tmp").expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("to be passed through");
        for name in ["data", "exec", "net"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        fs::set_permissions(folder.path().join("exec"), fs::Permissions::from_mode(0o700)).expect("set");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new("setpriv");
        if rootless() {
            command.args(["--pdeathsig", "TERM"]);
        } else {
            command.args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--propagation", "slave"]);
        }
        command.args(["sh", "-ec", kind.script()]).arg(folder.path()).arg(crate::stage::ORDINARY.to_string());
        let daemon = command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).spawn();
        let daemon = daemon.expect("setpriv is there");
        let engine = Engine { kind, folder, pid: daemon.id(), daemon: Mutex::new(daemon) };
        engine.await_start();
        // As good as membership in the group `docker`.
        fs::set_permissions(engine.path("s"), fs::Permissions::from_mode(0o666)).expect("its socket");
        if !rootless() {
            engine.said(&["network", "create", "--subnet", "172.30.0.0/24", "--gateway", GATEWAY, OUTWARD]);
        }
        engine
    }

    fn await_start(&self) {
        let start = Instant::now();
        while !self.answer(&["version"]).status.success() {
            assert!(start.elapsed() < WAIT, "{}", fs::read_to_string(self.path("log")).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path("s").display())
    }

    /// A process in its namespaces: the engine itself.
    pub(crate) fn pid(&self) -> u32 {
        match self.kind {
            Kind::Rootless => {
                let pid = fs::read_to_string(self.path("pid")).expect("it says its number");
                pid.trim().parse().expect("a number")
            }
            Kind::Docker | Kind::Podman => self.pid,
        }
    }

    /// Docker's own client; it talks to both kinds.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/docker");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path());
        command.args(["--host", &self.host()]).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn answer(&self, arguments: &[&str]) -> Output {
        self.docker(arguments).output().expect("docker's client")
    }

    /// What it said, without the last line's end; panics when it did not go well.
    #[track_caller]
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let output = self.answer(arguments);
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Feeds its standard input.
    pub(crate) fn feed(&self, arguments: &[&str], write: impl FnOnce(&mut dyn Write)) {
        let mut child =
            self.docker(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("docker");
        let mut pipe = child.stdin.take().expect("a pipe");
        write(&mut pipe);
        drop(pipe);
        assert!(child.wait().expect("its end").success(), "docker {arguments:?}");
    }

    /// Containers, networks and volumes that a bottle of this slug has; of any bottle, for an empty one.
    pub(crate) fn parts(&self, slug: &str) -> Vec<String> {
        let label = match slug {
            "" => "label=bot-bottle.slug".to_owned(),
            slug => format!("label=bot-bottle.slug={slug}"),
        };
        let lists: [&[&str]; 3] = [
            &["ps", "--all", "--format", "{{.Names}}"],
            &["network", "ls", "--format", "{{.Name}}"],
            &["volume", "ls", "--format", "{{.Name}}"],
        ];
        let of = |list: &&[&str]| self.said(&[list, &["--filter", &label][..]].concat());
        lists.iter().flat_map(|list| of(list).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// Ends it, with whatever it still runs.
    pub(crate) fn end(&self) {
        let all = self.answer(&["ps", "--all", "--quiet"]).stdout;
        let all = String::from_utf8_lossy(&all).into_owned();
        for container in all.lines() {
            let _gone = self.answer(&["rm", "--force", container]);
        }
        let mut daemon = self.daemon.lock().expect("no test holds it");
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let _gone = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let start = Instant::now();
        while daemon.try_wait().is_ok_and(|ended| ended.is_none()) && start.elapsed() < WAIT {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _gone = daemon.kill();
        let _gone = daemon.wait();
        if rootless() {
            let data = self.path("data");
            let _gone = Command::new("podman").args(["unshare", "rm", "-rf"]).arg(data).status();
        }
        let _busy = fs::remove_dir_all(self.folder.path());
    }
}

impl Engine {
    /// The address of a network's gateway, once it is there: Podman makes a bridge with the first container on it.
    pub(crate) fn gateway(&self, gateway: &str) -> std::net::Ipv4Addr {
        if self.kind == Kind::Podman {
            // Its own defaults are more than it may give where this machine's limits are lower.
            let anchor = [
                "run",
                "--detach",
                "--network",
                OUTWARD,
                "--ulimit",
                "nofile=1024",
                "--ulimit",
                "nproc=1024",
            ];
            self.said(&[&anchor[..], &[crate::images::BUSYBOX, "/bin/sleep", "100000"]].concat());
        }
        gateway.parse().expect("an address")
    }
}
