//! Where a scenario plays: a backend, the network layout of its bottles, and the world around it.
use crate::engine::{self, Engine, GATEWAY, Kind, OUTWARD};
use crate::images;
use crate::probe::PROBE;
use crate::stage::{Launcher, Ran, Stage, eventually};
use crate::world::{API, OPEN, World};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The credential that egresses put on the wire.
pub(crate) const SECRET: &str = "conformance-real-value-4f1c9a7e2b";
/// The variable that holds it for the launcher, and the placeholder for the agent.
pub(crate) const TOKEN: &str = "API_TOKEN";

/// A backend and a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Linux,
    Sealed(Kind),
    Internal(Kind),
}

/// What all scenarios on one engine share.
struct Surroundings {
    engine: Option<Engine>,
    world: World,
    probe: PathBuf,
    bottle: PathBuf,
}

static LINUX: OnceLock<Surroundings> = OnceLock::new();
static DOCKER: OnceLock<Surroundings> = OnceLock::new();
static PODMAN: OnceLock<Surroundings> = OnceLock::new();
static ROOTLESS: OnceLock<Surroundings> = OnceLock::new();

/// Ends every engine that was started.
pub(crate) fn end() {
    for surroundings in [&DOCKER, &PODMAN, &ROOTLESS] {
        if let Some(engine) = surroundings.get().and_then(|one| one.engine.as_ref()) {
            engine.end();
        }
    }
}

impl Surroundings {
    fn around(engine: Option<Engine>) -> Surroundings {
        let world = match &engine {
            None => World::start(Ipv4Addr::LOCALHOST, None),
            Some(engine) => {
                images::busybox(engine);
                if engine::rootless() {
                    World::start(Ipv4Addr::LOCALHOST, None)
                } else {
                    World::start(engine.gateway(GATEWAY), Some(engine.pid()))
                }
            }
        };
        let probe = copy(&std::env::current_exe().expect("this program"), &world.folder().join("probe"));
        let bottle = copy(crate::stage::binary(), &world.folder().join("bottle"));
        Surroundings { engine, world, probe, bottle }
    }
}

/// For everybody to execute, without what only debuggers read: engines copy it for every container.
fn copy(from: &Path, to: &Path) -> PathBuf {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(from).status();
    if !stripped.is_ok_and(|status| status.success()) {
        std::fs::copy(from, to).expect("copied");
    }
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755)).expect("set");
    to.to_owned()
}

impl Ground {
    /// For names of tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ground::Linux => "linux",
            Ground::Sealed(Kind::Docker) => "docker-sealed",
            Ground::Internal(Kind::Docker) => "docker-internal",
            Ground::Sealed(Kind::Podman) if engine::rootless() => "rootless-podman-sealed",
            Ground::Sealed(Kind::Podman) => "podman-sealed",
            Ground::Internal(Kind::Podman) => "podman-internal",
            Ground::Sealed(Kind::Rootless) => "rootless-docker-sealed",
            Ground::Internal(Kind::Rootless) => "rootless-docker-internal",
        }
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Ground::Linux => None,
            Ground::Sealed(kind) | Ground::Internal(kind) => Some(kind),
        }
    }

    /// Every connection is caught inside, whatever variables say.
    pub(crate) fn captures(self) -> bool {
        !matches!(self, Ground::Internal(_))
    }

    fn surroundings(self) -> &'static Surroundings {
        let (place, kind) = match self.kind() {
            None => (&LINUX, None),
            Some(Kind::Docker) => (&DOCKER, Some(Kind::Docker)),
            Some(Kind::Podman) => (&PODMAN, Some(Kind::Podman)),
            Some(Kind::Rootless) => (&ROOTLESS, Some(Kind::Rootless)),
        };
        place.get_or_init(|| Surroundings::around(kind.map(Engine::start_kept)))
    }

    pub(crate) fn world(self) -> &'static World {
        &self.surroundings().world
    }

    #[track_caller]
    pub(crate) fn engine(self) -> &'static Engine {
        self.surroundings().engine.as_ref().expect("a ground with an engine")
    }

    /// This program, for everybody to read, execute and mount.
    pub(crate) fn probe(self) -> &'static Path {
        &self.surroundings().probe
    }

    /// A user with a workspace and a manifest, and `more` keys in it.
    pub(crate) fn scene(self, more: &str) -> Scene {
        self.scene_in(images::BUSYBOX, more)
    }

    pub(crate) fn scene_in(self, image: &str, more: &str) -> Scene {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("c{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut stage = Stage::ordinary();
        if let Some(engine) = self.surroundings().engine.as_ref() {
            stage.set("DOCKER_HOST", &engine.host());
        }
        stage.set(TOKEN, SECRET);
        stage.use_copy(&self.surroundings().bottle);
        stage.write("bottle.yaml", &format!("name: {name}\n{}{more}", self.manifest(image)));
        Scene { ground: self, stage, name }
    }

    fn manifest(self, image: &str) -> String {
        let world = self.world();
        let (address, port, root) = (world.address, world.port, world.root.display());
        let network = if self.captures() { "sealed" } else { "internal" };
        let outward = if engine::rootless() { "host" } else { OUTWARD };
        let backend = match self.kind() {
            None => "backend: linux\n".to_owned(),
            Some(_) => format!(
                "backend: docker\nimage: \"{image}\"\nnetwork: {network}\noutward_network: {outward}\n"
            ),
        };
        format!(
            "{backend}mounts:\n  - {{ path: {probe} }}\negress:\n  upstream_roots: [{root}]\n  resolve:\n    \
             {API}: \"{address}:{port}\"\n    {OPEN}: \"{address}:{port}\"\n  routes:\n    - host: {API}\n      \
             auth: {{ scheme: bearer, token: {{ env: {TOKEN} }} }}\n    - host: {OPEN}\n",
            probe = self.probe().display(),
        )
    }
}

/// A user, a workspace, a manifest, a bottle's name that nobody else has.
pub(crate) struct Scene {
    pub(crate) ground: Ground,
    pub(crate) stage: Stage,
    pub(crate) name: String,
}

impl Scene {
    /// `bottle run --quiet -- COMMAND`.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        self.stage.bottle(&[&["run", "--quiet", "--"], command].concat())
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, command: &[&str]) -> Ran {
        Ran::of(self.command(command).output().expect("bottle starts"))
    }

    /// Runs a script, in which `probe` is this program.
    pub(crate) fn sh(&self, script: &str) -> Ran {
        self.run(&["sh", "-c", &self.script(script)])
    }

    /// A script in which `probe` is this program.
    pub(crate) fn script(&self, script: &str) -> String {
        format!("probe() {{ {} {PROBE} \"$@\"; }}\n{script}", self.ground.probe().display())
    }

    /// Makes one attempt inside, and gives what it says.
    #[track_caller]
    pub(crate) fn probe(&self, attempt: &[&str]) -> String {
        let probe = self.ground.probe().to_str().expect("text");
        self.run(&[&[probe, PROBE], attempt].concat()).ended_with(0).out
    }

    /// Starts a script, and waits until the bottle is listed.
    pub(crate) fn start(&self, script: &str) -> Launcher {
        self.stage.start(&self.name, &self.script(script))
    }

    /// Starts a script that makes the file `ready` when it is under way.
    pub(crate) fn start_and_wait(&self, script: &str) -> Launcher {
        let launcher = self.start(&format!("echo > ready\n{script}"));
        let ready = self.stage.path("work/ready");
        eventually("the agent to be under way", || ready.exists());
        launcher
    }

    /// Nothing of it is left at the engine, among the processes of this machine, or in the runtime folder.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        if self.ground.kind().is_some() {
            assert_eq!(self.ground.engine().parts(&self.name), Vec::<String>::new());
        }
        let workspace = self.stage.workspace();
        let word = workspace.to_str().expect("text");
        eventually("its processes to be gone", || Stage::processes_with(word).is_empty());
        let run = self.stage.path("run/bottle");
        let left = std::fs::read_dir(run).map(|all| all.flatten().map(|one| one.path()).collect::<Vec<_>>());
        assert_eq!(left.unwrap_or_default(), Vec::<PathBuf>::new());
    }
}
