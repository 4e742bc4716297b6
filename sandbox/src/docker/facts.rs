//! What an engine says of itself, and what that means for a bottle.
use super::connect::Api;
use super::{Engine, failure};
use crate::SandboxError;
use bollard::errors::Error;
use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};
use serde::Deserialize;
use serde_json::Value;

/// Whose engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Docker, Docker Desktop, and what else is made of Moby.
    Docker,
    /// Podman's Docker-compatible service.
    Podman,
}

/// Whether a path means the same file to the engine as to this process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// The engine is on this machine: a bind mount gives the container what is seen here.
    Shared,
    /// It is elsewhere, or in a virtual machine, or this process is in a container; and how that is known.
    Apart(String),
}

/// What is known of an engine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Facts {
    /// Docker or Podman.
    pub kind: Kind,
    /// Host name of the engine's machine, as it says.
    pub host: String,
    /// The engine's own version: `20.10.24+dfsg1`.
    pub version: String,
    /// The version of the API that both sides speak.
    #[serde(serialize_with = "as_text")]
    pub api: Api,
    /// It runs as an ordinary user: root in a container is that user.
    pub rootless: bool,
    /// A container's ids are mapped to others (`userns-remap`): root in a container is nobody of note.
    pub remapped: bool,
    /// Docker Desktop: the engine runs in a virtual machine that shows it some of this machine's folders.
    pub desktop: bool,
    /// `linux`, for a bottle to be possible.
    pub os: String,
    /// The machine, as the kernel names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// Control groups: 1 or 2.
    pub cgroup: Option<u8>,
    /// Which bounds it keeps.
    pub keeps: Keeps,
    /// Whether files are shared.
    pub files: Files,
}

/// Which bounds of a container an engine keeps: without control groups it takes every number, and drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Keeps {
    /// Bytes of memory.
    pub memory: bool,
    /// Numbers of processes.
    pub processes: bool,
    /// Shares of processors.
    pub processors: bool,
}

/// What Podman 4 says in a field of its own, and not among the security options.
#[derive(Deserialize)]
struct More {
    #[serde(rename = "Rootless", default)]
    rootless: bool,
}

fn as_text<S: serde::Serializer>(api: &Api, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(api)
}

impl Facts {
    /// Asks the engine.
    /// # Errors
    /// When it does not answer, or its answer cannot be read.
    pub async fn of(engine: &Engine) -> Result<Facts, SandboxError> {
        let (version, told) = tokio::join!(engine.api().version(), engine.get::<Value>("/info"));
        let version = version.map_err(|e| failure::failed("ask the engine for its version", e))?;
        let told = told?;
        let odd = |error| failure::failed("ask the engine what it is", Error::from(error));
        let more = More::deserialize(&told).map_err(odd)?;
        let mut facts = read(engine, &version, SystemInfo::deserialize(told).map_err(odd)?);
        facts.rootless |= more.rootless;
        Ok(facts)
    }

    /// Whether the launcher's own ids are those of files that a container writes as the user it was given.
    #[must_use]
    pub fn ids_are_the_hosts(&self) -> bool {
        !self.rootless && !self.remapped
    }
}

fn read(engine: &Engine, version: &SystemVersion, info: SystemInfo) -> Facts {
    let options = info.security_options.clone().unwrap_or_default();
    // `name=rootless`, or with more: `name=seccomp,profile=default`.
    let has = |name: &str| {
        options.iter().any(|option| option.split(',').any(|part| part == format!("name={name}")))
    };
    let os = info.operating_system.as_deref().unwrap_or_default();
    let desktop = os.contains("Docker Desktop");
    Facts {
        kind: kind(version),
        host: info.name.clone().unwrap_or_default(),
        version: version.version.clone().unwrap_or_default(),
        api: engine.api_version(),
        rootless: has("rootless"),
        remapped: has("userns"),
        desktop,
        keeps: Keeps {
            // What an engine does not speak of, it is asked for and believed.
            memory: info.memory_limit != Some(false),
            processes: info.pids_limit != Some(false),
            processors: info.cpu_cfs_quota != Some(false),
        },
        files: files(engine.endpoint().stays_here(), desktop, &info),
        os: info.os_type.unwrap_or_default(),
        arch: machine(&info.architecture.unwrap_or_default()).to_owned(),
        cgroup: info.cgroup_version.and_then(cgroup_version),
    }
}

fn kind(version: &SystemVersion) -> Kind {
    let components = version.components.iter().flatten();
    let podman = components.map(|component| component.name.as_str()).any(|name| name.contains("Podman"));
    if podman { Kind::Podman } else { Kind::Docker }
}

fn cgroup_version(version: SystemInfoCgroupVersionEnum) -> Option<u8> {
    match version {
        SystemInfoCgroupVersionEnum::_1 => Some(1),
        SystemInfoCgroupVersionEnum::_2 => Some(2),
        SystemInfoCgroupVersionEnum::EMPTY => None,
    }
}

/// Docker says what the kernel says, Podman what Go calls it.
pub(super) fn machine(name: &str) -> &str {
    match name {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    }
}

/// Where a connection ends proves little: a socket is passed into containers and virtual machines, a port of the
/// loopback interface can be a tunnel's. The engine is taken for a neighbour when host name, kernel and machine agree.
fn files(stays_here: bool, desktop: bool, info: &SystemInfo) -> Files {
    let here = rustix::system::uname();
    let (name, kernel) = (here.nodename().to_string_lossy(), here.release().to_string_lossy());
    let (their_name, their_kernel) =
        (info.name.as_deref().unwrap_or_default(), info.kernel_version.as_deref().unwrap_or_default());
    if !stays_here {
        Files::Apart("the engine is reached over a network".to_owned())
    } else if desktop {
        Files::Apart("Docker Desktop runs the engine in a virtual machine".to_owned())
    } else if kernel != their_kernel {
        Files::Apart(format!("the engine's kernel is `{their_kernel}`, and this one's `{kernel}`"))
    } else if name != their_name {
        Files::Apart(format!("the engine's host is named `{their_name}`, and this one `{name}`"))
    } else {
        Files::Shared
    }
}
