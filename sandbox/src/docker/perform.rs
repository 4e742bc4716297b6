//! Does steps at an engine.
use super::connect::Engine;
use super::failure::{failed, has_status};
use super::spec::{Bounds, Container, Mount, Role, Source, Step, label};
use crate::SandboxError;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount as ApiMount,
    MountBindOptions, MountType, NetworkConnectRequest, NetworkCreateRequest, ResourcesUlimits,
    VolumeCreateRequest,
};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
use rustix::process::Resource;
use std::collections::HashMap;

/// What an engine keeps of a container's output, so that an agent cannot fill its disk.
const LOG_SIZE: &str = "1m";
/// What every machine's Podman service has itself, whatever it was started with: its processes are bounded by the
/// kernel's default for numbers of processes.
const MODEST: i64 = 32 * 1024;
/// Engines give a network a block of addresses out of a pool, of which Docker's own has about thirty.
const MORE_ADDRESSES: &str = "the engine has no addresses left for another network: end bottles, or take `network: sealed`, \
     which needs none, or give it more: `\"default-address-pools\": [{ \"base\": \"10.201.0.0/16\", \"size\": 26 }]` in \
     its daemon.json (Podman: `default_subnet_pools` in containers.conf), with a block that nothing else uses";
/// Nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// An engine, and whose parts are made there.
#[derive(Debug, Clone)]
pub(super) struct Workshop {
    pub(crate) engine: Engine,
    pub(crate) labels: HashMap<String, String>,
    /// Podman has other names for some things.
    pub(crate) podman: bool,
    /// The engine maps a container's users to others: ours are not mapped, for files must come out as the caller's.
    pub(crate) remapped: bool,
    /// The agent's filter of system calls, as the engine takes it.
    pub(crate) filter: Option<String>,
}

/// A step that was not done.
#[derive(Debug)]
pub(super) enum Undone {
    /// The name is somebody else's: nothing was made, and nothing of that name is ours to remove.
    Taken(SandboxError),
    /// Anything else; half of it may be there.
    Failed(SandboxError),
}

impl Undone {
    pub(super) fn why(self) -> SandboxError {
        let (Undone::Taken(why) | Undone::Failed(why)) = self;
        why
    }
}

impl Workshop {
    /// The identity of what was made; empty where nothing is made, and for volumes, which have none.
    pub(super) async fn perform(&self, step: &Step) -> Result<String, Undone> {
        let nothing = |()| String::new();
        match step {
            Step::Volume { name, role } => self.volume(name, *role).await.map(nothing),
            Step::Network { name } => self.network(name).await,
            Step::Create(container) => self.create(container).await,
            Step::Connect { network, container, alias } => {
                self.connect(network, container, alias).await.map(nothing).map_err(Undone::Failed)
            }
            Step::Start { container } => self.start(container).await.map(nothing).map_err(Undone::Failed),
        }
    }

    fn labelled(&self, role: Role) -> HashMap<String, String> {
        let mut labels = self.labels.clone();
        labels.insert(label::ROLE.into(), role.as_str().into());
        labels
    }

    async fn volume(&self, name: &str, role: Role) -> Result<(), Undone> {
        let request = VolumeCreateRequest {
            name: Some(name.into()),
            labels: Some(self.labelled(role)),
            ..VolumeCreateRequest::default()
        };
        let made = self.engine.api().create_volume(request).await;
        let made =
            made.map_err(|error| Undone::Failed(failed(&format!("make the volume `{name}`"), error)))?;
        // An engine gives the volume that is there as if it had made it.
        if made.labels.get(label::LAUNCHER) == self.labels.get(label::LAUNCHER) {
            return Ok(());
        }
        Err(Undone::Taken(taken(SandboxError::new(format!("the volume `{name}` is another's")), name)))
    }

    async fn network(&self, name: &str) -> Result<String, Undone> {
        let request = NetworkCreateRequest {
            name: name.into(),
            driver: Some("bridge".into()),
            internal: Some(true),
            options: self.bridge(),
            labels: Some(self.labelled(Role::Network)),
            ..NetworkCreateRequest::default()
        };
        let made = self.engine.api().create_network(request).await;
        made.map(|made| made.id).map_err(|error| {
            match undone(&format!("make the network `{name}`"), name, error) {
                Undone::Failed(why) if is_out_of_addresses(&why.what) => {
                    Undone::Failed(why.with_hint(MORE_ADDRESSES))
                }
                other => other,
            }
        })
    }

    /// An internal network keeps packets from being forwarded; through the bridge's own address every service of the
    /// engine's machine can be reached all the same. Without that address nothing answers there. Podman knows no such option.
    fn bridge(&self) -> Option<HashMap<String, String>> {
        let bare = ("com.docker.network.bridge.inhibit_ipv4".to_owned(), "true".to_owned());
        (!self.podman).then(|| HashMap::from([bare]))
    }

    /// Creates a container; a name that is taken is somebody's, and never taken over.
    async fn create(&self, container: &Container) -> Result<String, Undone> {
        let name = &container.name;
        let options =
            CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
        let made = self.engine.api().create_container(Some(options), self.body(container)).await;
        made.map(|made| made.id)
            .map_err(|error| undone(&format!("create the container `{name}`"), name, error))
    }

    async fn connect(&self, network: &str, container: &str, alias: &str) -> Result<(), SandboxError> {
        let endpoint = EndpointSettings { aliases: Some(vec![alias.into()]), ..EndpointSettings::default() };
        let request = NetworkConnectRequest { container: container.into(), endpoint_config: Some(endpoint) };
        let joined = self.engine.api().connect_network(network, request).await;
        joined.map_err(|error| failed(&format!("connect `{container}` to the network `{network}`"), error))
    }

    pub(crate) async fn start(&self, container: &str) -> Result<(), SandboxError> {
        let started = self.engine.api().start_container(container, None::<StartContainerOptions>).await;
        started.map_err(|error| failed(&format!("start the container `{container}`"), error))
    }

    fn body(&self, container: &Container) -> ContainerCreateBody {
        let mut command = container.command.clone();
        let entrypoint = (!command.is_empty()).then(|| vec![command.remove(0)]);
        // With an entry point of ours the image's own command must not follow it.
        let cmd = entrypoint.is_some().then_some(command);
        ContainerCreateBody {
            image: Some(container.image.clone()),
            entrypoint,
            cmd,
            env: Some(container.env.clone()),
            user: Some(container.user.clone()),
            working_dir: container.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned()),
            hostname: container.hostname.clone(),
            labels: Some(self.labelled(container.role)),
            attach_stdin: Some(container.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(container.stdin),
            // The launcher's end of the line is the end of the line.
            stdin_once: Some(container.stdin),
            tty: Some(container.tty),
            healthcheck: container.health.as_ref().map(|test| health(test)),
            host_config: Some(self.host(container)),
            ..ContainerCreateBody::default()
        }
    }

    fn host(&self, container: &Container) -> HostConfig {
        let Bounds { memory, processes, millicpus, open_files } = container.limits;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        HostConfig {
            network_mode: Some(container.network.clone()),
            pid_mode: container.processes_of.clone(),
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(container.capabilities.clone()),
            security_opt: Some(self.security(container.role)),
            privileged: Some(false),
            readonly_rootfs: Some(container.read_only),
            tmpfs: Some(container.tmpfs.clone().into_iter().collect()),
            mounts: Some(container.mounts.iter().map(mount).collect()),
            dns: some(&container.dns),
            extra_hosts: some(&container.hosts),
            sysctls: Some(container.sysctls.clone().into_iter().collect()),
            memory: memory.map(number),
            // Memory and swap together; an engine that is not told gives as much swap again.
            memory_swap: memory.map(number),
            pids_limit: processes.map(number),
            nano_cpus: millicpus.map(|milli| number(milli).saturating_mul(1_000_000)),
            ulimits: Some(self.ulimits(open_files.map(number))),
            log_config: Some(self.log()),
            // Before API 1.42 the size comes with the first resize alone.
            console_size: container.size.map(|(rows, columns)| vec![rows.into(), columns.into()]),
            ipc_mode: Some("private".into()),
            userns_mode: self.remapped.then(|| "host".into()),
            ..HostConfig::default()
        }
    }

    fn log(&self) -> HostConfigLogConfig {
        let driver = if self.podman { "k8s-file" } else { "json-file" };
        let mut config = HashMap::from([("max-size".to_owned(), LOG_SIZE.to_owned())]);
        if !self.podman {
            config.insert("max-file".into(), "1".into());
        }
        HostConfigLogConfig { typ: Some(driver.into()), config: Some(config) }
    }
}

impl Workshop {
    /// The agent gets our own filter of system calls.
    fn security(&self, role: Role) -> Vec<String> {
        let filter = self.filter.as_ref().filter(|_| role == Role::Agent);
        std::iter::once("no-new-privileges".to_owned())
            .chain(filter.map(|filter| format!("seccomp={filter}")))
            .collect()
    }

    /// A core file would be written where the agent can read it, and nothing of ours is to be in one. Podman raises other
    /// limits to numbers of its own, which fails where it may not raise any (in a container, in a virtual machine); so it
    /// is told the caller's.
    fn ulimits(&self, open_files: Option<i64>) -> Vec<ResourcesUlimits> {
        let own = |name, resource| self.podman.then(|| limit(name, own_limit(resource).min(MODEST)));
        let files =
            open_files.map(|value| limit("nofile", value)).or_else(|| own("nofile", Resource::Nofile));
        [Some(limit("core", 0)), files, own("nproc", Resource::Nproc)].into_iter().flatten().collect()
    }
}

/// Both engines say it in a sentence alone, with the status of any failure.
fn is_out_of_addresses(sentence: &str) -> bool {
    [
        "non-overlapping IPv4 address pool",
        "address pools have been fully subnetted",
        "could not find free subnet",
    ]
    .iter()
    .any(|words| sentence.contains(words))
}

fn undone(what: &str, name: &str, error: Error) -> Undone {
    if has_status(&error, 409) {
        Undone::Taken(taken(failed(what, error), name))
    } else {
        Undone::Failed(failed(what, error))
    }
}

fn taken(error: SandboxError, name: &str) -> SandboxError {
    error.with_hint(format!(
        "what a dead launcher left is removed by `bottle prune`; else look whose it is with `docker inspect {name}`"
    ))
}

fn limit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.into()), soft: Some(value), hard: Some(value) }
}

fn own_limit(resource: Resource) -> i64 {
    let maximum = rustix::process::getrlimit(resource).maximum;
    maximum.and_then(|maximum| i64::try_from(maximum).ok()).unwrap_or(i64::MAX)
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn health(test: &[String]) -> HealthConfig {
    HealthConfig {
        test: Some(test.to_vec()),
        interval: Some(10 * SECOND),
        timeout: Some(5 * SECOND),
        retries: Some(3),
        start_period: Some(30 * SECOND),
        ..HealthConfig::default()
    }
}

fn mount(mount: &Mount) -> ApiMount {
    let (typ, source) = match &mount.from {
        Source::Path(path) => (MountType::BIND, path.to_string_lossy().into_owned()),
        Source::Volume(name) => (MountType::VOLUME, name.clone()),
    };
    ApiMount {
        typ: Some(typ),
        source: Some(source),
        target: Some(mount.at.to_string_lossy().into_owned()),
        read_only: Some(!mount.writable),
        // Engines before API 1.44 make only the top of it read-only: what is mounted below on the engine's machine would
        // stay writable, so it does not come along.
        bind_options: (typ == MountType::BIND && !mount.writable)
            .then(|| MountBindOptions { non_recursive: Some(true), ..MountBindOptions::default() }),
        ..ApiMount::default()
    }
}
