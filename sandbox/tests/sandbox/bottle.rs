//! A bottle for a test: folders of its own, and what the program inside said.
use manifest::plan::{LimitsPlan, MountPlan, SandboxPlan};
use sandbox::linux::{Ended, Prepared, Running, Step, planned, prepare_steps};
use sandbox::{Spec, Stdio};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Where this program is inside.
pub(crate) const PROBE: &str = "/probe/sandbox";

pub(crate) struct TestBottle {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) spec: Spec,
    without: Vec<fn(&Step) -> bool>,
}

/// How it ended and what was said.
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    pub(crate) said: String,
}

impl Outcome {
    pub(crate) fn succeeded(&self) -> bool {
        self.ended == Ended::Exited(0)
    }
}

impl TestBottle {
    /// That runs a shell script.
    pub(crate) fn script(script: &str) -> Self {
        Self::command(&["/bin/sh", "-c", script])
    }

    /// That runs this program's probe.
    pub(crate) fn probe(arguments: &[&str]) -> Self {
        Self::command(&[&[PROBE, "__probe"], arguments].concat())
    }

    pub(crate) fn command(command: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path().canonicalize().expect("its path");
        let [workspace, home, user] = ["workspace", "home", "user"].map(|name| base.join(name));
        for path in [&workspace, &home, &user] {
            std::fs::create_dir(path).expect("a folder in it");
        }
        let spec = Spec {
            slug: "test".to_owned(),
            command: command.iter().map(ToString::to_string).collect(),
            env: environment(&user),
            sandbox: plan(workspace, home, user),
            files: Vec::new(),
            stdio: Stdio::Pty,
        };
        Self { folder, spec, without: Vec::new() }
    }

    pub(crate) fn workspace(&self) -> &Path {
        &self.spec.sandbox.workspace
    }

    /// Leaves out the steps that match: a bottle with a hole.
    pub(crate) fn without(mut self, step: fn(&Step) -> bool) -> Self {
        self.without.push(step);
        self
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = planned(&self.spec).expect("a plan");
        for hole in &self.without {
            let before = steps.len();
            steps.retain(|step| !hole(step));
            assert!(steps.len() < before, "the step to leave out is not in the list");
        }
        steps
    }

    pub(crate) fn prepare(&self) -> Prepared {
        prepare_steps(&self.spec, self.steps()).expect("the walls")
    }

    pub(crate) fn start(&self) -> (Running, OwnedFd) {
        let mut prepared = self.prepare();
        let terminal = prepared.take_pty().expect("a terminal");
        (prepared.launch().expect("the agent"), terminal)
    }

    /// Runs to the end.
    pub(crate) fn run(&self) -> Outcome {
        let (mut running, terminal) = self.start();
        let listening = std::thread::spawn(move || hear(terminal));
        let ended = running.wait();
        Outcome { ended, said: listening.join().expect("what it said") }
    }
}

/// Everything that comes out of a terminal, until its other side is gone.
pub(crate) fn hear(terminal: OwnedFd) -> String {
    let mut terminal = std::fs::File::from(terminal);
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = terminal.read(&mut buffer) {
        said.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&said).replace('\r', "")
}

/// Types into a terminal.
pub(crate) fn say(terminal: &OwnedFd, text: &str) {
    let mut terminal = std::fs::File::from(terminal.try_clone().expect("a descriptor"));
    terminal.write_all(text.as_bytes()).expect("typing");
}

fn environment(home: &Path) -> BTreeMap<String, String> {
    let path = "/usr/local/bin:/usr/bin:/bin";
    [("PATH", path), ("HOME", &home.display().to_string()), ("TERM", "xterm")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn plan(workspace: PathBuf, home: PathBuf, user: PathBuf) -> SandboxPlan {
    let program = std::env::current_exe().expect("this program's path");
    let probe = MountPlan { path: program, at: PROBE.into(), writable: false, optional: false };
    SandboxPlan {
        workspace,
        mounts: vec![probe],
        home,
        home_inside: user,
        protect: Vec::new(),
        unprotect: Vec::new(),
        ports: Vec::new(),
        limits: LimitsPlan::default(),
    }
}
