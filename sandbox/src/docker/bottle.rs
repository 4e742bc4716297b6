//! A bottle at an engine: made step by step, removed as a whole.
use super::agent::{self, Inmate};
use super::clean::{self, Kind, Part};
use super::connect::Engine;
use super::facts::{self, Facts};
use super::failure::{failed, is_missing, until_readable};
use super::files::{Files, OwnFile};
use super::line::{self, Line};
use super::perform::{Undone, Workshop};
use super::plan::{Agent, Egress, Layout};
use super::spec::{Container, Role, Step, label};
use super::user_image::neutral;
use super::wire::{self, Wire};
use crate::provision::HostTrust;
use crate::{InjectedFile, LaunchFault, SandboxError};
use bollard::query_parameters::{InspectContainerOptions, InspectNetworkOptions};
use manifest::plan::NetworkLayout;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long an engine may take to remove what is left; then it is said and left to `bottle prune`.
const REMOVAL: Duration = Duration::from_secs(60);

/// Whose bottle it is.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Slug of the bottle.
    pub slug: String,
    /// Its name in the manifest.
    pub name: String,
    /// The launcher, as in [`label::LAUNCHER`].
    pub launcher: String,
}

impl Owner {
    fn labels(&self) -> HashMap<String, String> {
        let pairs = [(label::SLUG, &self.slug), (label::NAME, &self.name), (label::LAUNCHER, &self.launcher)];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }
}

/// Containers, a network and a volume. Dropping it removes them all, and says what could not be removed.
///
/// Its functions wait for the engine: never call them on a thread of the runtime.
pub struct Bottle {
    workshop: Workshop,
    layout: Layout,
    runtime: Handle,
    /// In the order in which they were made.
    made: Vec<Part>,
    owner: Owner,
}

impl Bottle {
    /// Everything up to a sidecar that waits for its briefing, and the line to it. `filter` is the agent's filter of system calls
    /// (see [`super::filter`]): the text itself, or for Podman the path of a file of the engine's machine that holds it.
    /// # Errors
    /// Which step failed and how to mend it; what was made before it is removed again.
    pub fn prepare(
        engine: Engine,
        facts: &Facts,
        layout: Layout,
        owner: Owner,
        filter: Option<String>,
        runtime: Handle,
    ) -> Result<(Bottle, Wire), SandboxError> {
        let podman = facts.kind == facts::Kind::Podman;
        let workshop = Workshop { engine, labels: owner.labels(), podman, remapped: facts.remapped, filter };
        let mut bottle = Bottle { workshop, layout, runtime, made: Vec::new(), owner };
        let line = bottle.make_egress()?;
        let _on = bottle.runtime.enter();
        Ok((bottle, wire::split(line)))
    }

    /// Holder and sidecar at the same time: most of what they take is their engine's.
    fn make_egress(&mut self) -> Result<Line, SandboxError> {
        let (Egress { first, holder, sidecar }, runtime) = (self.layout.egress(), self.runtime.clone());
        let mut made = [Vec::new(), Vec::new(), Vec::new()];
        let [shared, one, other] = &mut made;
        let done = runtime.block_on(async {
            self.perform_all(&first, shared).await?;
            let sidecar = async {
                self.perform_all(&sidecar, other).await?;
                self.start_egress().await
            };
            // Neither is broken off: what an engine is about to make must be known.
            let (held, line) = tokio::join!(self.perform_all(&holder, one), sidecar);
            held.and(line)
        });
        self.made.extend(made.into_iter().flatten());
        done
    }

    /// The sidecar, with somebody at its standard input and output.
    async fn start_egress(&self) -> Result<Line, SandboxError> {
        let name = Role::Egress.name(&self.layout.slug);
        let line = line::attach(&self.workshop.engine, &name, false).await?;
        self.workshop.start(&name).await?;
        Ok(line)
    }

    async fn perform_all(&self, steps: &[Step], made: &mut Vec<Part>) -> Result<(), SandboxError> {
        for step in steps {
            self.perform(step, made).await?;
        }
        Ok(())
    }

    /// What is about to be made is noted before it is made: an engine that breaks off in between may have made it.
    async fn perform(&self, step: &Step, made: &mut Vec<Part>) -> Result<(), SandboxError> {
        let part = match step {
            Step::Volume { name, role } => Some(self.part(Kind::Volume, name, *role)),
            Step::Network { name } => Some(self.part(Kind::Network, name, Role::Network)),
            Step::Create(container) => Some(self.part(Kind::Container, &container.name, container.role)),
            Step::Connect { .. } | Step::Start { .. } => None,
        };
        let Some(part) = part else {
            return self.workshop.perform(step).await.map(drop).map_err(Undone::why);
        };
        self.refuse_taken(&part).await?;
        made.push(part);
        match self.workshop.perform(step).await {
            Ok(id) => {
                made.last_mut().into_iter().for_each(|part| part.id.clone_from(&id));
                Ok(())
            }
            // Somebody else was faster: what has the name now is theirs.
            Err(Undone::Taken(why)) => {
                made.pop();
                Err(why)
            }
            Err(Undone::Failed(why)) => Err(why),
        }
    }

    fn part(&self, kind: Kind, name: &str, role: Role) -> Part {
        Part {
            kind,
            name: name.to_owned(),
            id: String::new(),
            slug: self.owner.slug.clone(),
            bottle: self.owner.name.clone(),
            role: role.as_str().to_owned(),
            launcher: self.owner.launcher.clone(),
            state: String::new(),
        }
    }

    /// A volume or network of this name would be joined silently, whoever's it is; and nothing that was there before is
    /// ours to remove.
    async fn refuse_taken(&self, part: &Part) -> Result<(), SandboxError> {
        let (api, name) = (self.workshop.engine.api(), part.name.as_str());
        let there = match part.kind {
            Kind::Container => {
                let look = async || api.inspect_container(name, None::<InspectContainerOptions>).await;
                until_readable(look).await.map(drop)
            }
            Kind::Network => api.inspect_network(name, None::<InspectNetworkOptions>).await.map(drop),
            Kind::Volume => api.inspect_volume(name).await.map(drop),
        };
        match there {
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(failed(&format!("look for `{name}`"), error)),
            Ok(()) => {}
        }
        Err(SandboxError::new(format!("`{}` is there already, and not this bottle's", part.name))
            .with_hint("`bottle ps` shows bottles that run, `bottle prune` removes what dead launchers left; or choose another `--name`"))
    }

    /// The sidecar's address on the network that the agent shares with it.
    /// # Errors
    /// When the engine does not tell.
    pub fn egress_address(&self) -> Result<Option<String>, SandboxError> {
        let address = self.address(Role::Egress)?;
        if address.is_none() && self.layout.network == NetworkLayout::Internal {
            // Without it the agent's names would be answered by the engine, past the egress.
            return Err(SandboxError::new(
                "the engine tells no address of the sidecar on the agent's network",
            )
            .with_hint("look whether the sidecar runs: `docker ps -a`; `network: sealed` needs no address"));
        }
        Ok(address)
    }

    /// `None` where there is no such network.
    fn address(&self, role: Role) -> Result<Option<String>, SandboxError> {
        if self.layout.network == NetworkLayout::Sealed {
            return Ok(None);
        }
        let (name, network) = (role.name(&self.layout.slug), Role::Network.name(&self.layout.slug));
        let api = self.workshop.engine.api();
        let look = async || api.inspect_container(&name, None::<InspectContainerOptions>).await;
        let seen = self.runtime.block_on(until_readable(look));
        let seen = seen.map_err(|error| failed(&format!("look at the container `{name}`"), error))?;
        let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        Ok(networks.get(&network).and_then(|endpoint| endpoint.ip_address.clone()).filter(|a| !a.is_empty()))
    }

    /// Creates the agent's container.
    /// # Errors
    /// When it cannot be created.
    pub fn create_agent(&mut self, agent: &Agent<'_>) -> Result<Created<'_>, SandboxError> {
        let container = self.layout.agent(agent);
        let (runtime, mut made) = (self.runtime.clone(), Vec::new());
        let done = runtime.block_on(self.perform(&Step::Create(Box::new(container.clone())), &mut made));
        self.made.extend(made);
        done?;
        Ok(Created { bottle: self, container })
    }
}

/// An agent's container that does not run yet.
pub struct Created<'a> {
    bottle: &'a mut Bottle,
    container: Container,
}

impl Created<'_> {
    /// The trust stores of its image.
    /// # Errors
    /// When the engine does not show them.
    pub fn trust(&self) -> Result<HostTrust, SandboxError> {
        self.bottle.runtime.block_on(self.files().trust())
    }

    /// A text of its image.
    /// # Errors
    /// When the engine does not show it.
    pub fn text(&self, path: &str) -> Result<Option<String>, SandboxError> {
        self.bottle.runtime.block_on(self.files().text(path))
    }

    /// Lays files into it.
    /// # Errors
    /// When the engine does not take them.
    pub fn lay(&self, files: &[InjectedFile]) -> Result<(), SandboxError> {
        self.bottle.runtime.block_on(self.files().lay(files))
    }

    /// A file of somebody's own below a folder that is not the image's, such as the home: neither it nor a folder on the way to
    /// it is looked at through a link.
    /// # Errors
    /// When the engine does not show it.
    pub fn own_file(&self, root: &Path, below: &Path, largest: u64) -> Result<OwnFile, SandboxError> {
        self.bottle.runtime.block_on(self.files().own(root, below, largest))
    }

    /// Writes such a file, its folders where they are missing, for this user and group.
    /// # Errors
    /// When the engine does not take it.
    pub fn write_own(
        &self,
        (root, below): (&Path, &Path),
        missing: usize,
        text: &str,
        owner: (u32, u32),
    ) -> Result<(), SandboxError> {
        self.bottle.runtime.block_on(self.files().write_own((root, below), missing, text, owner))
    }

    /// Gives a folder in it to this user and group.
    /// # Errors
    /// When the engine does not take it.
    pub fn give(&self, folder: &Path, owner: (u32, u32)) -> Result<(), SandboxError> {
        self.bottle.runtime.block_on(self.files().give(folder, owner))
    }

    fn files(&self) -> Files<'_> {
        Files::of(&self.bottle.workshop.engine, &self.container.name)
    }

    /// Starts the agent.
    /// # Errors
    /// When its program cannot be executed, or the engine does not start it.
    pub fn launch(self, size: Option<(u16, u16)>) -> Result<Inmate, SandboxError> {
        let Created { bottle, container } = self;
        let (workshop, name) = (&bottle.workshop, container.name.as_str());
        // Podman makes the container ready here already, and finds out what cannot be executed.
        let line = match bottle.runtime.block_on(line::attach(&workshop.engine, name, container.tty)) {
            Ok(line) => line,
            Err(error) => return Err(bottle.runtime.block_on(fault(&workshop.engine, &container, error))),
        };
        let waiting = agent::wait(&workshop.engine, name, &bottle.runtime);
        if let Err(error) = bottle.runtime.block_on(workshop.start(name)) {
            return Err(bottle.runtime.block_on(fault(&workshop.engine, &container, error)));
        }
        // An engine gives an address with the start.
        let at = door_of(&bottle.layout, bottle.address(Role::Agent)?);
        let door = agent::Door::new(workshop.engine.clone(), bottle.runtime.clone(), at);
        Inmate::new(agent::Parts {
            engine: workshop.engine.clone(),
            runtime: bottle.runtime.clone(),
            container: container.name.clone(),
            tty: container.tty,
            line,
            waiting,
            door,
            size,
        })
    }
}

/// Who can reach servers inside: the holder shares the agent's network; on an internal network the sidecar is beside it.
fn door_of(layout: &Layout, address: Option<String>) -> agent::DoorAt {
    let role = match layout.network {
        NetworkLayout::Sealed => Role::Holder,
        NetworkLayout::Internal => Role::Egress,
    };
    agent::DoorAt { container: role.name(&layout.slug), address }
}

/// Engines note a shell's exit codes for a program that could not be executed.
async fn fault(engine: &Engine, container: &Container, mut error: SandboxError) -> SandboxError {
    let seen = engine.api().inspect_container(&container.name, None::<InspectContainerOptions>).await;
    let code = seen.ok().and_then(|seen| seen.state).and_then(|state| state.exit_code);
    error.fault = match code {
        Some(127) => Some(LaunchFault::NotFound),
        Some(126) => Some(LaunchFault::NotExecutable),
        _ => fault_in(&error.what),
    };
    if error.fault.is_some() {
        let program = container.command.first().map_or("the image's own program", String::as_str);
        error.what = format!("cannot execute `{program}` in the image of `{}`", container.name);
        error.hint = Some("the agent's programs come from the image, not from this machine".into());
    }
    error
}

/// The same from the sentences of runc and crun, where an engine notes no code: Podman, for what it never started.
fn fault_in(sentence: &str) -> Option<LaunchFault> {
    let says = |words: &[&str]| words.iter().any(|word| sentence.contains(word));
    // As runc writes it: `exec: "program": reason`. Other things are not permitted either.
    let reason = sentence.rsplit_once("exec: \"").map_or("", |(_, rest)| rest);
    if says(&["a command that was not found", "executable file not found"])
        || reason.contains("no such file or directory")
    {
        Some(LaunchFault::NotFound)
    } else if reason.contains("permission denied") || says(&["open executable: Permission denied"]) {
        Some(LaunchFault::NotExecutable)
    } else {
        None
    }
}

impl Drop for Bottle {
    fn drop(&mut self) {
        let engine = &self.workshop.engine;
        let left = self
            .runtime
            .block_on(async { tokio::time::timeout(REMOVAL, clean::remove(engine, &self.made)).await });
        match left {
            Ok(left) => left.iter().for_each(|(part, error)| self.warn(part, &error.what)),
            Err(_) => self.made.iter().for_each(|part| self.warn(part, "the engine does not answer")),
        }
    }
}

impl Bottle {
    fn warn(&self, part: &Part, why: &str) {
        let by_hand = part.by_hand(self.workshop.podman);
        tracing::warn!(part = part.name, why, "not removed");
        let why = neutral(why);
        eprintln!("bottle: warning: `{}` was not removed: {why}; clean up with `{by_hand}`", part.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_executed_is_told_from_other_failures() {
        let runc = "runc create failed: unable to start container process: exec: \"x\": ";
        for (reason, fault) in [
            ("executable file not found in $PATH: unknown", Some(LaunchFault::NotFound)),
            ("stat x: no such file or directory: OCI runtime error", Some(LaunchFault::NotFound)),
            ("permission denied: OCI permission denied", Some(LaunchFault::NotExecutable)),
        ] {
            assert_eq!(fault_in(&format!("{runc}{reason}")), fault, "{reason}");
        }
        let crun = "crun: open executable: Permission denied: OCI permission denied";
        assert_eq!(fault_in(crun), Some(LaunchFault::NotExecutable));
        assert_eq!(
            fault_in(
                "runc create failed: error setting rlimit: operation not permitted: OCI permission denied"
            ),
            None
        );
        assert_eq!(fault_in("the workspace `/w`: no such file or directory"), None);
    }
}
