//! An engine of the test's own: its socket, its images and its containers lie below one temporary folder, and it ends
//! with the test.
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long one may take to answer first.
const STARTING: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    Dockerd,
    Podman,
}

impl Make {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Make::Dockerd => "dockerd",
            Make::Podman => "podman",
        }
    }

    /// Root's alone, here: a rootless engine wants a session of its own.
    pub(crate) fn missing(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        !rustix::process::getuid().is_root() || !folders.any(|folder| folder.join(self.program()).exists())
    }

    fn command(self, folder: &Path) -> Command {
        let at = |name: &str| folder.join(name).display().to_string();
        let socket = format!("unix://{}", at("socket"));
        let (data, run, pid) = (at("data"), at("run"), at("pid"));
        let arguments: Vec<&str> = match self {
            Make::Dockerd => vec![
                "--data-root",
                &data,
                "--exec-root",
                &run,
                "--pidfile",
                &pid,
                "--host",
                &socket,
                "--bridge",
                "none",
                "--iptables=false",
                "--ip6tables=false",
                "--storage-driver",
                "vfs",
            ],
            Make::Podman => vec![
                "--root",
                &data,
                "--runroot",
                &run,
                "--storage-driver",
                "vfs",
                "system",
                "service",
                "--time",
                "0",
                &socket,
            ],
        };
        let mut command = Command::new(self.program());
        command.args(arguments);
        command
    }
}

pub(crate) struct TestEngine {
    pub(crate) make: Make,
    child: Child,
    folder: tempfile::TempDir,
    /// Where a registry may stand: an engine has to know beforehand which one speaks no TLS.
    shop: TcpListener,
}

impl TestEngine {
    pub(crate) fn start(make: Make) -> TestEngine {
        let folder = tempfile::tempdir().expect("a folder for the engine");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = make.command(folder.path());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
        let shop = TcpListener::bind("127.0.0.1:0").expect("a port");
        let registries = folder.path().join("registries.conf");
        let location = shop.local_addr().expect("its number");
        let text = format!("[[registry]]\nlocation = \"{location}\"\ninsecure = true\n");
        std::fs::write(&registries, text).expect("a list of registries");
        command.env("CONTAINERS_REGISTRIES_CONF", registries);
        command.stdout(log.try_clone().expect("the log")).stderr(log);
        let child = command.spawn().expect("the engine's program");
        let engine = TestEngine { make, child, folder, shop };
        engine.wait();
        engine.import("base", &busybox());
        engine
    }

    fn wait(&self) {
        let begun = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < STARTING, "the engine does not answer:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn shop(&self) -> TcpListener {
        self.shop.try_clone().expect("the port")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// An image of one layer.
    pub(crate) fn import(&self, name: &str, root: &[u8]) {
        let answer = self.ask("POST", &format!("/v1.41/images/create?fromSrc=-&repo={name}"), root);
        assert!(answer.contains("sha256:"), "{answer}");
    }

    /// Speaks to the engine past everything that is tested; gives the answer with its head.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).expect("the engine");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: application/x-tar\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("the request");
        stream.write_all(body).expect("its body");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the answer");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for TestEngine {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A root file system with a shell.
fn busybox() -> Vec<u8> {
    let program = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| std::fs::read(path).ok());
    let program = program.expect("busybox (Debian: busybox-static)");
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content).expect(path);
    };
    ["bin", "etc", "dev", "proc", "sys", "run"]
        .iter()
        .for_each(|folder| add(folder, tar::EntryType::Directory, 0o755, b""));
    add("tmp", tar::EntryType::Directory, 0o1777, b"");
    add("bin/busybox", tar::EntryType::Regular, 0o755, &program);
    for name in ["sh", "cat", "test", "ls", "echo", "printf", "false", "sleep"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, format!("bin/{name}"), "busybox").expect(name);
    }
    archive.into_inner().expect("an archive")
}
