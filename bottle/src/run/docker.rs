//! The same story with containers: engine, images, sidecar, agent. Start reading at [`keep`].
use super::attend::{Attendance, Attended};
use super::ports::Ports;
use super::relay::Relay;
use super::signals::Signals;
use super::start::{code_hosts, walls_failure};
use super::terminal::{Terminal, leave_keyboard_to_the_pipeline};
use super::{Run, crossing, environment, journal, preflight};
use crate::engine::{self, Supplies};
use crate::failure::Failure;
use crate::launcher_label::{self, Launcher};
use crate::leftovers;
use crate::registry::{Record, Registry};
use crate::sidecar::launcher::{Sidecar, Wire};
use crate::sidecar::{Briefing, VERSION};
use environment::Variables;
use manifest::plan::{DockerPlan, NetworkLayout, SandboxPlan};
use sandbox::docker::clean::{self, Part};
use sandbox::docker::connect::Endpoint;
use sandbox::docker::facts::{Files, Kind};
use sandbox::docker::plan::{Agent, Layout, RESOLVER};
use sandbox::docker::spec::{Mount, Source};
use sandbox::docker::user_image::{self, UserImage};
use sandbox::docker::{self, Bottle, Created, Engine, Facts, Inmate, Owner, image};
use sandbox::linux::{Appeared, Places};
use sandbox::provision::{
    EGRESS_HOST, EGRESS_PORT, HostTrust, JAVA_STORE_PATH, Provision, ProvisionInput, provision,
};
use sandbox::{InjectedFile, SandboxError};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Another port for the egress, in the layout `internal`.
const PORT: &str = "BOTTLE_EGRESS_PORT";
/// The containers are gone by then; what the runtime still does is of no use to anybody.
const RUNTIME_END: Duration = Duration::from_millis(500);

/// Between the first line of the audit and the last, as for every backend. On every way out the values that go take all
/// containers with them: the agent first.
pub fn keep(run: &Run<'_>, record: &Record, signals: Signals) -> Result<(Attended, Appeared), Failure> {
    let ports = Ports::open(&run.plan.sandbox.ports)?;
    let terminal = Terminal::find(!run.wishes.no_terminal);
    leave_keyboard_to_the_pipeline()?;
    let runtime = Room::open()?;
    let yard = Yard::find(run, &runtime)?;
    leftovers::remember()?;
    yard.remove_orphans()?;
    run.claim.publish(record)?;
    let mut containers = yard.prepare()?;
    let sidecar = yard.brief(&containers)?;
    let tty = terminal.is_some();
    let places = yard.places()?;
    yard.refuse_crossing(places.as_ref())?;
    let created = yard.create_agent(&mut containers, places.as_ref(), tty)?;
    yard.furnish(&created, &sidecar.ca_pem)?;
    let survey = places.as_ref().map(|places| places.survey.clone()).unwrap_or_default();
    let walls = preflight::Walls::of(&survey, Vec::new());
    let walls = preflight::Walls { unsought: yard.unsought.clone(), ..walls };
    yard.show_preflight(&walls.with_canaries(run.planted));
    let size = terminal.as_ref().and_then(Terminal::size);
    let mut inmate: Inmate = created.launch(size).map_err(walls_failure)?;
    journal::step(run.auditor, "agent-started", None);
    let relay =
        terminal.zip(inmate.take_terminal()).map(|(one, other)| Relay::over(one, other)).transpose()?;
    let handle = runtime.handle();
    let attendance = Attendance { relay, signals, ports, time_limit: run.time_limit(), runtime: handle };
    let attended = attendance.attend(&mut inmate)?;
    drop(inmate);
    journal::step(run.auditor, "agent-ended", Some(super::how(attended)));
    if !runtime.0.block_on(sidecar.end()) {
        journal::step(run.auditor, "egress-broken-off", Some("the last events may be missing".into()));
    }
    drop((containers, places));
    Ok((attended, run.review(&survey)))
}

/// The runtime, which must outlive everything that runs on it and must not keep the launcher.
struct Room(RuntimeUntilDropped);

impl Room {
    fn open() -> Result<Room, Failure> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("docker").build()?;
        Ok(Room(RuntimeUntilDropped(Some(runtime))))
    }

    fn handle(&self) -> tokio::runtime::Handle {
        self.0.handle().clone()
    }
}

struct RuntimeUntilDropped(Option<Runtime>);

impl std::ops::Deref for RuntimeUntilDropped {
    type Target = Runtime;
    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Drop for RuntimeUntilDropped {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(RUNTIME_END);
        }
    }
}

/// Everything that is known before anything is made.
struct Yard<'a> {
    run: &'a Run<'a>,
    docker: &'a DockerPlan,
    runtime: &'a Room,
    engine: Engine,
    facts: Facts,
    supplies: std::cell::RefCell<Option<Supplies>>,
    /// Values that are too short to be sought, by name.
    unsought: Vec<String>,
    ours: image::Image,
    theirs: UserImage,
    port: u16,
}

impl<'a> Yard<'a> {
    /// Early failure: what cannot be had is said while nothing exists yet.
    fn find(run: &'a Run<'a>, runtime: &'a Room) -> Result<Yard<'a>, Failure> {
        let docker = run.plan.docker.as_ref().ok_or_else(|| Failure::new("the plan has no containers"))?;
        let port = port()?;
        let mut supplies = Supplies { canaries: run.planted.values(), ..Supplies::read(&run.plan.egress)? };
        let unsought = engine::unsought(&run.plan.egress, run.vault, &supplies);
        // A sidecar has no machine of its own whose roots it could trust.
        supplies.roots_pem.extend(HostTrust::read().bundle_pem);
        let named = std::env::var(image::OVERRIDE).ok();
        let tell = |sentence: &str| tell(run.wishes.quiet, sentence);
        let (engine, facts, ours, theirs) = runtime
            .0
            .block_on(async {
                let engine = Engine::connect(None).await?;
                refuse_shown_engine(engine.endpoint(), &run.plan.sandbox)?;
                let facts = Facts::of(&engine).await?;
                let ours = image::ensure(&engine, &facts, named.as_deref(), &tell).await?;
                let theirs = user_image::find_or_make(&engine, &facts, &docker.image, &tell).await?;
                Ok::<_, SandboxError>((engine, facts, ours, theirs))
            })
            .map_err(walls_failure)?;
        let supplies = std::cell::RefCell::new(Some(supplies));
        Ok(Yard { run, docker, runtime, engine, facts, supplies, unsought, ours, theirs, port })
    }

    /// What a dead launcher of this slug left stands in the way.
    fn remove_orphans(&self) -> Result<(), Failure> {
        let slug = self.run.claim.slug();
        let left = self.runtime.0.block_on(async {
            let parts = clean::parts(&self.engine).await?;
            let near = self.engine.endpoint().stays_here();
            let dead = |part: &Part| {
                part.slug == slug && launcher_label::look(&part.launcher, near) == Launcher::Dead
            };
            let orphans: Vec<Part> = parts.into_iter().filter(dead).collect();
            Ok::<_, SandboxError>(clean::remove(&self.engine, &orphans).await)
        });
        match left.map_err(walls_failure)?.pop() {
            Some((_, error)) => Err(walls_failure(error)),
            None => Ok(()),
        }
    }

    fn prepare(&self) -> Result<Bottle, Failure> {
        let (slug, plan) = (self.run.claim.slug().to_owned(), self.run.plan);
        let layout = Layout {
            slug: slug.clone(),
            network: self.docker.network,
            outward: self.docker.outward.clone(),
            image: self.ours.id.clone(),
            port: self.port,
        };
        let owner = Owner { slug, name: plan.name.clone(), launcher: launcher_label::own()? };
        let (engine, handle) = (self.engine.clone(), self.runtime.handle());
        Bottle::prepare(engine, &self.facts, layout, owner, handle).map_err(walls_failure)
    }

    fn brief(&self, containers: &Bottle) -> Result<Sidecar, Failure> {
        let docker::Wire { input, output } = containers.start_egress().map_err(walls_failure)?;
        let inner = containers.egress_address().map_err(walls_failure)?;
        let briefing = Briefing {
            version: VERSION,
            slug: self.run.claim.slug().to_owned(),
            inner: inner
                .map(|address| address.parse::<IpAddr>())
                .transpose()
                .map_err(|_| Failure::new("the engine tells an address of the sidecar that is none"))?,
            egress: self.run.plan.egress.clone(),
            supplies: self.supplies.take().unwrap_or_default(),
            slots: self.run.vault.hand_over(),
        };
        let auditor = self.run.auditor.clone();
        self.runtime.0.block_on(Sidecar::brief(Wire { input, output }, briefing, auditor))
    }

    fn create_agent<'b>(
        &self,
        containers: &'b mut Bottle,
        places: Option<&Places>,
        tty: bool,
    ) -> Result<Created<'b>, Failure> {
        let plan = self.run.plan;
        let env = self.variables()?;
        let egress_address = containers.egress_address().map_err(walls_failure)?;
        containers
            .create_agent(&Agent {
                image: &self.theirs.id,
                command: &plan.agent.command,
                env: &env,
                user: self.user(),
                sandbox: &plan.sandbox,
                home: self.home(),
                pins: pins(places, &plan.sandbox),
                tty,
                init: self.facts.kind == Kind::Docker,
                egress_address,
            })
            .map_err(walls_failure)
    }

    /// Files come out as the caller's own. With a rootless engine the caller is root in the container.
    fn user(&self) -> String {
        if self.facts.rootless {
            return "0:0".to_owned();
        }
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        format!("{}:{}", uid.as_raw(), gid.as_raw())
    }

    fn shares_files(&self) -> bool {
        self.facts.files == Files::Shared
    }

    /// Another agent in these folders could have mounted what it likes.
    fn refuse_crossing(&self, places: Option<&Places>) -> Result<(), Failure> {
        if !self.shares_files() {
            return Ok(());
        }
        let sandbox = &self.run.plan.sandbox;
        let pins: Vec<Mount> = pins(places, sandbox);
        let at = |mount: &Mount| match &mount.from {
            Source::Path(path) => Some(path.clone()),
            Source::Volume(_) => None,
        };
        let held = pins.iter().filter(|pin| !pin.writable || pin.at.ends_with(".git")).filter_map(at);
        let own = crossing::writable(sandbox);
        let held =
            held.filter(|path| own.iter().any(|folder| path.parent() == Some(folder))).collect::<Vec<_>>();
        let mounts = sandbox.mounts.iter().map(|mount| mount.path.clone()).chain([sandbox.workspace.clone()]);
        let mounts: Vec<PathBuf> = mounts.chain(pins.iter().filter_map(at)).collect();
        let own = (self.run.claim.slug(), crossing::protection(sandbox));
        crossing::refuse(&Registry::open()?, (own.0, &own.1), &mounts, &held)
    }

    /// Here, as for every backend; with an engine that is elsewhere, there.
    fn home(&self) -> Source {
        if self.shares_files() {
            Source::Path(self.run.plan.sandbox.home.clone())
        } else {
            Source::Volume(format!("bottle-home-{}", self.run.plan.name))
        }
    }

    /// The places in the workspace that the host would execute; `None` when they are on another machine.
    fn places(&self) -> Result<Option<Places>, Failure> {
        if !self.shares_files() {
            return Ok(None);
        }
        sandbox::linux::hold_places(&self.run.plan.sandbox).map(Some).map_err(walls_failure)
    }

    /// The agent's environment; the image's own `PATH`, user and shell hold.
    fn variables(&self) -> Result<Variables, Failure> {
        let (plan, vault) = (self.run.plan, self.run.vault);
        let host = |name: &str| match name {
            "PATH" | "USER" | "LOGNAME" | "SHELL" => None,
            _ => std::env::var(name).ok(),
        };
        let (slug, overrides) = (self.run.claim.slug(), &self.run.wishes.env);
        let mut env = environment::base(&plan.agent, &plan.sandbox.home_inside, slug, overrides, host);
        let says_path =
            plan.agent.env.contains_key("PATH") || overrides.iter().any(|(name, _)| name == "PATH");
        if !says_path {
            env.remove("PATH");
        }
        env.extend(vault.agent_env());
        environment::refuse_secrets(vault, &env, &plan.agent.command)?;
        // The same wherever the image has its own stores: the variables are said before its files can be looked at.
        let provided = self.provided("", &own_java_store(HostTrust::default()), &env);
        env.extend(provided.env);
        Ok(env)
    }

    fn provided(&self, ca_pem: &str, trust: &HostTrust, env: &Variables) -> Provision {
        let code_hosts = code_hosts(self.run.plan);
        let port = if self.docker.network == NetworkLayout::Sealed { EGRESS_PORT } else { self.port };
        provision(&ProvisionInput { ca_pem, host: trust, code_hosts: &code_hosts, env, egress_port: port })
    }

    /// Trust stores and names, whatever the image is made of.
    fn furnish(&self, created: &Created<'_>, ca_pem: &str) -> Result<(), Failure> {
        let mut trust = own_java_store(created.trust().map_err(walls_failure)?);
        if trust.bundle_pem.is_none() {
            // An image without roots of its own gets those of this machine.
            trust.bundle_pem = HostTrust::read().bundle_pem;
        }
        let mut files = self.provided(ca_pem, &trust, &Variables::new()).files;
        files.extend(self.people(created)?);
        files.extend(self.names());
        created.lay(&files).map_err(walls_failure)
    }

    /// Docker shares the holder's own; Podman gives an agent that joins a holder none.
    fn names(&self) -> Vec<InjectedFile> {
        if self.facts.kind != Kind::Podman || self.docker.network != NetworkLayout::Sealed {
            return Vec::new();
        }
        let file = |path: &str, text: String| InjectedFile {
            path: path.into(),
            content: text.into_bytes(),
            mode: 0o644,
        };
        vec![
            file("/etc/resolv.conf", format!("nameserver {RESOLVER}\n")),
            file("/etc/hosts", format!("127.0.0.1 localhost {EGRESS_HOST}\n::1 localhost\n")),
        ]
    }

    /// Programs ask who they are.
    fn people(&self, created: &Created<'_>) -> Result<Vec<InjectedFile>, Failure> {
        let user = self.user();
        let (uid, gid) = user.split_once(':').unwrap_or(("0", "0"));
        let home = self.run.plan.sandbox.home_inside.display();
        let lines = [
            ("/etc/passwd", format!("agent:x:{uid}:{gid}:agent:{home}:/bin/sh\n"), uid),
            ("/etc/group", format!("agent:x:{gid}:\n"), gid),
        ];
        let mut files = Vec::new();
        for (path, line, id) in lines {
            let text = created.text(path).map_err(walls_failure)?.unwrap_or_default();
            if text.lines().any(|line| line.split(':').nth(2) == Some(id)) {
                continue;
            }
            let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            let content = format!("{text}{newline}{line}").into_bytes();
            files.push(InjectedFile { path: path.into(), content, mode: 0o644 });
        }
        Ok(files)
    }

    fn show_preflight(&self, walls: &preflight::Walls) {
        walls.gaps.iter().for_each(|gap| tracing::warn!("{gap}"));
        if !self.run.wishes.quiet {
            let notes = self.notes();
            let (plan, slug) = (self.run.plan, self.run.claim.slug());
            crate::say::err(&preflight::text_with(plan, slug, &notes, walls, crate::style::Style::stderr()));
        }
    }

    /// What a person must know of this engine and this layout.
    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("{} of {}", self.theirs.name, self.engine.described())];
        if let Files::Apart(why) = &self.facts.files {
            notes.push(format!(
                "files are the engine's own ({why}): the workspace is the folder of that path there"
            ));
            notes.push(
                "what that machine would execute is not write-protected, and the home is a volume there"
                    .into(),
            );
            if !self.run.planted.places().is_empty() {
                notes.push("no canary is there: they are planted on this machine alone".into());
            }
        }
        // Docker's bridge has no address on its machine; Podman's has one with netavark, and none with CNI.
        if self.docker.network == NetworkLayout::Internal && self.facts.kind == Kind::Podman {
            notes.push(
                "network `internal`: services of the engine's machine, but for those on loopback addresses,"
                    .into(),
            );
            notes.push(
                "may be reached from inside, past the egress; `network: sealed` has no such way".into(),
            );
        }
        notes
    }
}

/// Whoever can speak to the engine is root on its machine.
fn refuse_shown_engine(endpoint: &Endpoint, sandbox: &SandboxPlan) -> Result<(), SandboxError> {
    let Endpoint::Unix(socket) = endpoint else { return Ok(()) };
    let socket = socket.canonicalize().unwrap_or_else(|_| socket.clone());
    let mut seen = sandbox.mounts.iter().map(|mount| &mount.path).chain([&sandbox.workspace, &sandbox.home]);
    match seen.find(|folder| socket.starts_with(folder)) {
        None => Ok(()),
        Some(folder) => Err(SandboxError::new(format!(
            "the engine's socket `{}` lies in `{}`, which the agent sees",
            socket.display(),
            folder.display()
        ))
        .with_hint("whoever reaches it is root on the engine's machine: let the engine listen elsewhere")),
    }
}

/// Parents first. What another bottle of this workspace holds already is found twice, and an engine takes a place once:
/// read-only as soon as one of the two says so.
fn pins(places: Option<&Places>, sandbox: &SandboxPlan) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let Some(Places { mounts: needed, pins, .. }) = places else { return mounts };
    let needed = needed.iter().map(|path| (path, path.clone(), true));
    let pins = pins.iter().map(|(path, writable)| (path, on_host(path, sandbox), *writable));
    for (path, from, writable) in needed.chain(pins) {
        match mounts.iter_mut().find(|mount| mount.at == *path) {
            Some(known) => known.writable &= writable,
            None => {
                mounts.push(Mount { from: Source::Path(from), at: path.clone(), writable });
            }
        }
    }
    mounts
}

/// Where a place inside is on this machine: a writable mount may have another path there.
fn on_host(path: &Path, sandbox: &SandboxPlan) -> PathBuf {
    let mounts = sandbox.mounts.iter().filter(|mount| mount.writable);
    let areas = mounts.map(|mount| (&mount.at, &mount.path));
    let areas = areas.chain([(&sandbox.workspace, &sandbox.workspace)]);
    let nearest = areas.filter(|(at, _)| path.starts_with(at)).max_by_key(|(at, _)| at.components().count());
    match nearest.map(|(at, real)| (path.strip_prefix(at), real)) {
        Some((Ok(rest), real)) if !rest.as_os_str().is_empty() => real.join(rest),
        Some((Ok(_), real)) => real.clone(),
        _ => path.to_owned(),
    }
}

fn own_java_store(mut trust: HostTrust) -> HostTrust {
    trust.java_stores.insert(0, PathBuf::from(JAVA_STORE_PATH));
    trust
}

fn port() -> Result<u16, Failure> {
    let Ok(text) = std::env::var(PORT) else { return Ok(EGRESS_PORT) };
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
        Failure::new(format!("`{PORT}` is `{}`, which is not a port", crate::style::neutral(&text)))
            .help(format!("unset it for {EGRESS_PORT}, or set a number from 1 to 65535"))
    })
}

fn tell(quiet: bool, sentence: &str) {
    if !quiet {
        crate::say::err(&format!("bottle: {}\n", crate::style::neutral(sentence)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifest::plan::{LimitsPlan, MountPlan};

    #[test]
    fn an_engine_that_the_agent_would_see_is_refused() {
        let mount = MountPlan { path: "/m".into(), at: "/x".into(), writable: false, optional: false };
        let sandbox = SandboxPlan {
            workspace: "/w".into(),
            mounts: vec![mount],
            home: "/state/home".into(),
            home_inside: "/home/ada".into(),
            protect: Vec::new(),
            unprotect: Vec::new(),
            ports: Vec::new(),
            limits: LimitsPlan::default(),
        };
        let refused = |socket: &str| refuse_shown_engine(&Endpoint::Unix(socket.into()), &sandbox).is_err();
        assert!(refused("/w/d.sock") && refused("/m/run/d.sock") && refused("/state/home/d.sock"));
        assert!(!refused("/var/run/docker.sock"));
    }
}
