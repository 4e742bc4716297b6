//! A user with folders of their own, on whose behalf bottles are started.
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No account of the machine has it.
pub(crate) const ORDINARY: u32 = 54_321;

pub(crate) struct Stage {
    root: TempDir,
    user: Option<u32>,
    more: Vec<(String, String)>,
    program: PathBuf,
}

/// Does something as every user that we can be.
pub(crate) fn as_every_user(test: impl Fn(&Stage)) {
    if rustix::process::geteuid().is_root() {
        test(&Stage::new(None));
        test(&Stage::new(Some(ORDINARY)));
    } else {
        eprintln!("skipped: as root (we are not)");
        test(&Stage::new(None));
    }
}

impl Stage {
    pub(crate) fn new(user: Option<u32>) -> Stage {
        let stage = Stage {
            root: tempfile::tempdir().expect("a folder"),
            user,
            more: Vec::new(),
            program: binary().to_owned(),
        };
        for folder in ["home", "state", "run", "work"] {
            fs::create_dir(stage.path(folder)).expect("made");
        }
        fs::set_permissions(stage.path("run"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("set");
        for folder in ["", "home", "state", "run", "work"] {
            chown(stage.path(folder), user, user).expect("given");
        }
        stage
    }

    /// An ordinary user, when we can be one.
    pub(crate) fn ordinary() -> Stage {
        Stage::new(rustix::process::geteuid().is_root().then_some(ORDINARY))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("work").canonicalize().expect("there")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("work").join(name);
        fs::write(&path, text).expect("written");
        chown(&path, self.user, self.user).expect("given");
        path
    }

    /// Makes a folder in the workspace.
    pub(crate) fn folder(&self, name: &str) {
        let path = self.path("work").join(name);
        fs::create_dir(&path).expect("made");
        chown(&path, self.user, self.user).expect("given");
    }

    /// Writes a manifest named `dev`.
    pub(crate) fn manifest(&self, rest: &str) {
        self.write("bottle.yaml", &format!("name: dev\n{rest}"));
    }

    /// A variable of every command from here on.
    #[allow(dead_code)] // the conformance tests' alone
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.more.push((name.to_owned(), value.to_owned()));
    }

    /// A command of this user in their workspace.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.surrounded(program);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// `bottle`, after a script of root's in mount and host name namespaces of its own.
    #[allow(dead_code)] // the conformance tests' alone
    pub(crate) fn prepared(&self, script: &str, arguments: &[&str]) -> Command {
        let user = self.user();
        let script = format!("{script}\nexec setpriv --reuid={user} --regid={user} --clear-groups -- \"$@\"");
        let mut command = self.surrounded("unshare");
        command.args(["--mount", "--uts", "sh", "-ec", &script, "sh", self.program()]).args(arguments);
        command
    }

    fn surrounded(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("work")).env_clear().stdin(Stdio::null());
        command.env("HOME", self.path("home")).env("XDG_STATE_HOME", self.path("state"));
        command
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TERM", "xterm")
            .envs(self.more.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn bottle(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.program);
        command.args(arguments);
        command
    }

    /// Another copy of the same binary.
    #[allow(dead_code)] // the conformance tests' alone
    pub(crate) fn use_copy(&mut self, program: &Path) {
        self.program = program.to_owned();
    }

    #[allow(dead_code)] // the conformance tests' alone
    pub(crate) fn program(&self) -> &str {
        self.program.to_str().expect("text")
    }

    #[allow(dead_code)] // the conformance tests' alone
    pub(crate) fn user(&self) -> u32 {
        self.user.unwrap_or_else(|| rustix::process::geteuid().as_raw())
    }

    /// Runs `bottle` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.bottle(arguments).output().expect("bottle starts"))
    }

    /// Starts `bottle run -- sh -c SCRIPT`, and waits until it is in `bottle ps`.
    pub(crate) fn start(&self, slug: &str, script: &str) -> Launcher {
        let mut command = self.bottle(&["run", "--quiet", "--", "sh", "-c", script]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bottle starts");
        let launcher = Launcher { child: Some(child) };
        eventually("the bottle to be listed", || self.slugs().iter().any(|running| running == slug));
        launcher
    }

    pub(crate) fn slugs(&self) -> Vec<String> {
        self.run(&["ps", "--quiet"]).out.lines().map(str::to_owned).collect()
    }

    /// Processes of this machine whose command line names a word.
    pub(crate) fn processes_with(word: &str) -> Vec<String> {
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let names = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        names
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .filter(|line| line.contains(word))
            .collect()
    }
}

/// A launcher that runs; killed when it is dropped.
pub(crate) struct Launcher {
    child: Option<std::process::Child>,
}

impl Launcher {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("runs").id()).expect("a pid")
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("signalled");
    }

    pub(crate) fn end(mut self) -> Ran {
        Ran::of(self.child.take().expect("runs").wait_with_output().expect("waited"))
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bottle"))
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
