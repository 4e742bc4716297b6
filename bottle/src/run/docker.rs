//! The same story with containers: engine, images, sidecar, agent. Start reading at [`keep`].
mod inside;
mod notes;
mod pins;
mod room;
mod wall;

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
use crate::mcp::inside as tools;
use crate::registry::{Record, Registry};
use crate::sidecar::launcher::{Sidecar, Wire};
use crate::sidecar::{Briefing, VERSION};
use environment::Variables;
use inside::own_java_store;
use manifest::plan::{DockerPlan, NetworkLayout};
use pins::{excludes, pins};
use room::Room;
use sandbox::SandboxError;
use sandbox::docker::clean::{self, Part};
use sandbox::docker::facts::Files;
use sandbox::docker::home::{self, Home};
use sandbox::docker::plan::{Agent, Layout};
use sandbox::docker::spec::{Mount, Source};
use sandbox::docker::user_image::{self, UserImage};
use sandbox::docker::{self, Bottle, Created, Engine, Facts, Inmate, Owner, image};
use sandbox::linux::{Appeared, Places};
use sandbox::provision::{EGRESS_PORT, HostTrust, Provision, ProvisionInput, provision};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinHandle;
use wall::{filter, refuse_canaries, refuse_shown_engine, refuse_unkept};

/// Another port for the egress, in the layout `internal`.
const PORT: &str = "BOTTLE_EGRESS_PORT";

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
    let (mut containers, wire) = yard.prepare()?;
    // While the sidecar makes its engine, the agent's container is made.
    let briefing = yard.brief(&containers, wire)?;
    let size = terminal.as_ref().map(Terminal::size);
    let places = yard.places()?;
    yard.refuse_crossing(places.as_ref())?;
    let created = yard.create_agent(&mut containers, places.as_ref(), size)?;
    let found = yard.look_inside(&created)?;
    let mut sidecar = runtime.0.block_on(briefing)??;
    run.operated.borrow_mut().engine(Arc::new(sidecar.far.clone()), run.vault, run.planted);
    yard.furnish(&created, found, &sidecar.ca_pem)?;
    yard.see_to_home(&created)?;
    let survey = places.as_ref().map(|places| places.survey.clone()).unwrap_or_default();
    let walls = preflight::Walls::of(&survey, Vec::new());
    let walls = preflight::Walls { unsought: yard.unsought.clone(), ..walls };
    yard.show_preflight(&walls.with_canaries(run.planted));
    let guarded = run.guard(&survey);
    let mut inmate: Inmate = created.launch(size.flatten()).map_err(walls_failure)?;
    journal::step(run.auditor, "agent-started", None);
    let (broken, kill) = (sidecar.broken(), inmate.killer());
    drop(runtime.0.spawn(async move {
        if broken.await {
            kill.await;
        }
    }));
    let relay =
        terminal.zip(inmate.take_terminal()).map(|(one, other)| Relay::over(one, other)).transpose()?;
    let handle = runtime.handle();
    let attendance =
        Attendance { relay, signals, ports, time_limit: run.time_limit(), hub: run.hub(), runtime: handle };
    let attended = attendance.attend(&mut inmate)?;
    drop((inmate, guarded));
    run.note_the_end(attended);
    if !runtime.0.block_on(sidecar.end()) {
        journal::step(run.auditor, "egress-broken-off", Some("the last events may be missing".into()));
        crate::say::err(
            "bottle: warning: the egress broke off, and the bottle with it; the last events may be missing\n",
        );
    }
    drop((containers, places));
    Ok((attended, run.review(&survey)))
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
    /// Where the engine does not share files.
    home: Option<Home>,
    port: u16,
}

impl<'a> Yard<'a> {
    /// Early failure: what cannot be had is said while nothing exists yet.
    fn find(run: &'a Run<'a>, runtime: &'a Room) -> Result<Yard<'a>, Failure> {
        let docker = run.plan.docker.as_ref().ok_or_else(|| Failure::new("the plan has no containers"))?;
        let port = port()?;
        let mut supplies = Supplies { canaries: run.planted.values(), ..Supplies::read(&run.plan.egress)? };
        let unsought = engine::unsought(&run.plan.egress, run.vault, &supplies);
        // The sidecar puts them together; what it would refuse is told while nothing exists yet.
        crate::rules::of(&run.plan.egress.dlp, &supplies.rules)?;
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
                refuse_unkept(&facts, &run.plan.sandbox.limits)?;
                let ours = image::ensure(&engine, &facts, named.as_deref(), &tell);
                let theirs = user_image::find_or_make(&engine, &facts, &docker.image, &tell);
                let (ours, theirs) = tokio::try_join!(ours, theirs)?;
                Ok::<_, SandboxError>((engine, facts, ours, theirs))
            })
            .map_err(walls_failure)?;
        let home = match &facts.files {
            Files::Shared => None,
            Files::Apart(why) => {
                refuse_canaries(run.plan, why)?;
                let owner = crate::owner::identity()?;
                let home = runtime.0.block_on(home::ensure(&engine, &run.plan.name, &owner));
                Some(home.map_err(walls_failure)?)
            }
        };
        let supplies = std::cell::RefCell::new(Some(supplies));
        Ok(Yard { run, docker, runtime, engine, facts, supplies, unsought, ours, theirs, home, port })
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

    fn prepare(&self) -> Result<(Bottle, docker::Wire), Failure> {
        let (slug, plan) = (self.run.claim.slug().to_owned(), self.run.plan);
        let layout = Layout {
            slug: slug.clone(),
            network: self.docker.network,
            outward: self.docker.outward.clone(),
            image: self.ours.id.clone(),
            port: self.port,
            program: self.program()?,
        };
        let owner = Owner { slug, name: plan.name.clone(), launcher: launcher_label::own()? };
        let (engine, handle, filter) = (self.engine.clone(), self.runtime.handle(), filter(&self.facts)?);
        Bottle::prepare(engine, &self.facts, layout, owner, filter, handle).map_err(walls_failure)
    }

    fn brief(
        &self,
        containers: &Bottle,
        docker::Wire { input, output }: docker::Wire,
    ) -> Result<JoinHandle<Result<Sidecar, Failure>>, Failure> {
        let posture = self.run.operated.borrow().posture();
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
            attended: posture.attended,
            locked: posture.locked,
            learn: posture.learn,
        };
        let auditor = self.run.auditor.clone();
        let notices = posture.notices.unwrap_or_else(|| Arc::new(|_| {}));
        Ok(self.runtime.0.spawn(Sidecar::brief(Wire { input, output }, briefing, auditor, notices)))
    }

    fn create_agent<'b>(
        &self,
        containers: &'b mut Bottle,
        places: Option<&Places>,
        size: Option<Option<(u16, u16)>>,
    ) -> Result<Created<'b>, Failure> {
        let plan = self.run.plan;
        let env = self.variables()?;
        let egress_address = containers.egress_address().map_err(walls_failure)?;
        containers
            .create_agent(&Agent {
                image: &self.theirs.id,
                command: &plan.agent.command,
                env: &env,
                user: format!("{}:{}", self.user().0, self.user().1),
                sandbox: &plan.sandbox,
                home: self.home(),
                pins: [pins(places, &plan.sandbox), excludes(places, &plan.sandbox)?].concat(),
                tty: size.is_some(),
                size: size.flatten(),
                egress_address,
            })
            .map_err(walls_failure)
    }

    /// Files come out as the caller's own. With a rootless engine the caller is root in the container.
    fn user(&self) -> (u32, u32) {
        if self.facts.rootless {
            return (0, 0);
        }
        (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
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
        match &self.home {
            None => Source::Path(self.run.plan.sandbox.home.clone()),
            Some(home) => Source::Volume(home.volume.clone()),
        }
    }

    /// The places in the workspace that the host would execute; `None` when they are on another machine.
    fn places(&self) -> Result<Option<Places>, Failure> {
        if !self.shares_files() {
            return Ok(None);
        }
        sandbox::linux::hold_places(&self.run.plan.sandbox).map(Some).map_err(walls_failure)
    }

    /// The agent's environment; the image's own `PATH`, with our tools last, its user and shell hold.
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
        if !says_path && let Some(path) = self.theirs.path() {
            env.insert("PATH".into(), path.into());
        }
        tools::on_path(&mut env);
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
        provision(&ProvisionInput {
            ca_pem,
            host: trust,
            code_hosts: &code_hosts,
            env,
            egress_port: port,
            tools: &self.run.plan.agent.tools,
        })
    }

    fn show_preflight(&self, walls: &preflight::Walls) {
        walls.gaps.iter().for_each(|gap| tracing::warn!("{gap}"));
        if !self.run.wishes.quiet {
            let notes = self.notes();
            let (plan, slug) = (self.run.plan, self.run.claim.slug());
            crate::say::err(&preflight::text_with(plan, slug, &notes, walls, crate::style::Style::stderr()));
        }
    }
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
mod fixture {
    use manifest::plan::{LimitsPlan, MountPlan, SandboxPlan};

    pub(super) fn mount(path: &str, at: &str, writable: bool) -> MountPlan {
        MountPlan { path: path.into(), at: at.into(), writable, optional: false }
    }

    /// The workspace `/w`, a home, and these.
    pub(super) fn sandbox_with(mounts: Vec<MountPlan>) -> SandboxPlan {
        SandboxPlan {
            workspace: "/w".into(),
            mounts,
            home: "/state/home".into(),
            home_inside: "/home/ada".into(),
            protect: Vec::new(),
            unprotect: Vec::new(),
            ports: Vec::new(),
            limits: LimitsPlan::default(),
        }
    }
}
