//! An engine of the tests' own. A shell stands beside it and waits for the end of the test process, however that comes
//! (a pipe breaks); then it ends the engine by its process id and removes its folder.
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What engines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `dockerd` as root, with a bridge in a network namespace of its own.
    Docker,
    /// `podman system service` as root.
    Podman,
}

/// A running engine.
pub(crate) struct TestEngine {
    kind: Kind,
    folder: PathBuf,
    /// Its end is the engine's.
    _life: ChildStdin,
}

/// How long an engine may take to answer.
const START: Duration = Duration::from_secs(40);

/// The engine of a kind, started at the first question; `None` (and listed as skipped) where it cannot be had.
pub(crate) fn engine(kind: Kind) -> Option<&'static TestEngine> {
    static DOCKER: OnceLock<Option<TestEngine>> = OnceLock::new();
    static PODMAN: OnceLock<Option<TestEngine>> = OnceLock::new();
    let place = match kind {
        Kind::Docker => &DOCKER,
        Kind::Podman => &PODMAN,
    };
    place.get_or_init(|| start_if_possible(kind)).as_ref()
}

/// All that can be had.
pub(crate) fn engines() -> Vec<&'static TestEngine> {
    [Kind::Docker, Kind::Podman].into_iter().filter_map(engine).collect()
}

fn start_if_possible(kind: Kind) -> Option<TestEngine> {
    let program = match kind {
        Kind::Docker => "dockerd",
        Kind::Podman => "podman",
    };
    if !rustix::process::geteuid().is_root() {
        skip(&format!("{program} (only root can start one)"));
        return None;
    }
    if !on_path(program) {
        skip(&format!("{program} (not installed)"));
        return None;
    }
    Some(TestEngine::start(kind))
}

/// Lists what this machine cannot have, by name.
pub(crate) fn skip(what: &str) {
    eprintln!("skipped: {what}");
    if let Some(list) = std::env::var_os("BOTTLE_TEST_SKIPS") {
        let mut list =
            fs::OpenOptions::new().append(true).create(true).open(list).expect("the list of skips");
        writeln!(list, "{what}").expect("written");
    }
}

pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

impl TestEngine {
    pub(crate) fn start(kind: Kind) -> TestEngine {
        TestEngine::start_apart(kind, &[])
    }

    /// In a network namespace of its own.
    pub(crate) fn start_apart(kind: Kind, more: &[&str]) -> TestEngine {
        TestEngine::start_in(kind, more, true)
    }

    /// In the machine's own network namespace, without a bridge there.
    pub(crate) fn start_with(kind: Kind, more: &[&str]) -> TestEngine {
        TestEngine::start_in(kind, more, false)
    }

    fn start_in(kind: Kind, more: &[&str], apart: bool) -> TestEngine {
        let folder = tempfile::Builder::new().prefix("be.").tempdir().expect("a folder").keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("open to all");
        let command = match kind {
            Kind::Docker => dockerd(&folder, more, apart),
            Kind::Podman => podman_service(&folder, more),
        };
        // Podman asks for higher limits than a confined root may give.
        let text = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        fs::write(limits(&folder), text).expect("written");
        let life = guarded(&command, &folder);
        let engine = TestEngine { kind, folder, _life: life };
        engine.wait();
        engine.import_busybox();
        engine
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("e.sock")
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The engine's own client.
    pub(crate) fn client(&self) -> Command {
        match self.kind {
            Kind::Docker => {
                let mut docker = Command::new("docker");
                docker
                    .args(["--host", &self.address()])
                    .env_remove("DOCKER_CONTEXT")
                    .env_remove("DOCKER_TLS_VERIFY");
                docker
            }
            Kind::Podman => {
                let mut podman = Command::new("podman");
                podman.args(podman_places(&self.folder)).env("CONTAINERS_CONF", limits(&self.folder));
                podman
            }
        }
    }

    /// What the client says; it must succeed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.client().args(arguments).output().expect("the engine's client");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{:?} {arguments:?}: {said}", self.kind);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn wait(&self) {
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < START, "{:?} did not start:\n{}", self.kind, log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A root with the one static program, as image `busybox`; nothing is pulled from anywhere.
    fn import_busybox(&self) {
        let root = self.folder.join("busybox");
        for folder in ["bin", "etc", "tmp"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).expect("the package busybox-static");
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("written");
        // In place of `bottle`: a holder that holds, and a sidecar that says what it hears.
        let bottle =
            "#!/bin/sh\n[ \"$1\" = __hold ] && exec sleep 1000\necho ready; echo noise >&2; exec cat\n";
        fs::write(root.join("bottle"), bottle).expect("written");
        fs::set_permissions(root.join("bottle"), fs::Permissions::from_mode(0o755)).expect("executable");
        let applets = Command::new("/bin/busybox").arg("--list").output().expect("busybox");
        for applet in String::from_utf8_lossy(&applets.stdout).lines().filter(|name| *name != "busybox") {
            symlink("busybox", root.join("bin").join(applet)).expect("linked");
        }
        let archive = self.folder.join("busybox.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
        assert!(packed.is_ok_and(|status| status.success()), "tar");
        self.ask(&["import", archive.to_str().expect("text"), "busybox:latest"]);
    }
}

/// The command of a shell: mounts and bridge in namespaces that end with it.
fn dockerd(folder: &Path, more: &[&str], apart: bool) -> Vec<String> {
    let at = folder.display();
    let mut command: Vec<String> =
        vec!["unshare".into(), "--mount".into(), "--propagation".into(), "slave".into()];
    if apart {
        command.extend(
            ["--net", "sh", "-c", "ip link set lo up 2>/dev/null; exec \"$@\"", "sh"].map(str::to_owned),
        );
    }
    command.extend(["dockerd".into(), "--host".into(), format!("unix://{at}/e.sock")]);
    for (option, place) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
        command.extend([option.to_owned(), format!("{at}/{place}")]);
    }
    // A configuration of this machine is none of the tests'.
    command.extend(["--config-file".to_owned(), format!("{at}/daemon.json")]);
    fs::write(folder.join("daemon.json"), "{}").expect("written");
    if !apart {
        command.extend(["--bridge=none", "--iptables=false", "--ip6tables=false"].map(str::to_owned));
    }
    command.extend(more.iter().map(|&one| one.to_owned()));
    command
}

fn limits(folder: &Path) -> PathBuf {
    folder.join("containers.conf")
}

fn podman_places(folder: &Path) -> Vec<String> {
    let place = |name: &str| folder.join(name).display().to_string();
    vec![
        "--root".into(),
        place("root"),
        "--runroot".into(),
        place("run"),
        "--cgroup-manager".into(),
        "cgroupfs".into(),
        "--events-backend".into(),
        "file".into(),
    ]
}

fn podman_service(folder: &Path, more: &[&str]) -> Vec<String> {
    let mut command = vec!["podman".to_owned()];
    command.extend(podman_places(folder));
    command.extend(["system", "service", "--time", "0"].map(str::to_owned));
    command.extend(more.iter().map(|&one| one.to_owned()));
    command.push(format!("unix://{}/e.sock", folder.display()));
    command
}

/// Ends with the pipe that is its standard input: asks the engine to end, and makes sure.
const GUARD: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 </dev/null &
engine=$!
echo $engine
cat >/dev/null
[ -d "$folder/root" ] && for container in $(podman --root "$folder/root" --runroot "$folder/run" ps -aq 2>/dev/null); do
  podman --root "$folder/root" --runroot "$folder/run" rm -f -t 0 $container >/dev/null 2>&1
done
kill $engine
for i in $(seq 200); do kill -0 $engine 2>/dev/null || break; sleep 0.1; done
kill -9 $engine 2>/dev/null
wait $engine 2>/dev/null
awk -v at="$folder/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
rm -rf "$folder"
"#;

#[expect(clippy::zombie_processes, reason = "the guard outlives this process, whose end it waits for")]
fn guarded(command: &[String], folder: &Path) -> ChildStdin {
    let mut guard = Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .arg(folder)
        .args(command)
        .env("CONTAINERS_CONF", limits(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for the tests; the guard hears of their end by its pipe.
        .process_group(0)
        .spawn()
        .expect("a shell");
    let mut pid = String::new();
    BufReader::new(guard.stdout.take().expect("piped")).read_line(&mut pid).expect("the engine's id");
    guard.stdin.take().expect("piped")
}
