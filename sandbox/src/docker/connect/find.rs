//! Which engine the user means: as Docker's own client decides, and then Podman.
use super::endpoint::{Endpoint, Tls};
use crate::SandboxError;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// What of the environment decides. Read once; a test brings its own.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_TLS_VERIFY` is set to something.
    pub tls_verify: bool,
    /// `DOCKER_TLS` is set to something: TLS without verification, which is refused.
    pub tls_unverified: bool,
    /// `DOCKER_CERT_PATH`.
    pub certificates: Option<PathBuf>,
    /// `DOCKER_CONFIG`, else `~/.docker`.
    pub config: Option<PathBuf>,
    /// Sockets to try when nothing names one, in this order.
    pub sockets: Vec<PathBuf>,
}

/// An engine's address and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Where.
    pub endpoint: Endpoint,
    /// Who said so.
    pub why: Why,
}

/// Who named an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The caller.
    Asked,
    /// `DOCKER_HOST`.
    Environment,
    /// A context of Docker's client, by its name.
    Context(String),
    /// Nobody: one of the usual sockets.
    Usual,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.endpoint)?;
        match &self.why {
            Why::Asked | Why::Usual => Ok(()),
            Why::Environment => f.write_str(" (`DOCKER_HOST`)"),
            Why::Context(name) => write!(f, " (context `{name}`)"),
        }
    }
}

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This one: somebody named it, and no other will do.
    One(Chosen),
    /// The first that answers.
    FirstOf(Vec<Chosen>),
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Surroundings {
        let home = folder("HOME");
        let runtime = folder("XDG_RUNTIME_DIR");
        Surroundings {
            host: text("DOCKER_HOST"),
            context: text("DOCKER_CONTEXT"),
            tls_verify: text("DOCKER_TLS_VERIFY").is_some(),
            tls_unverified: text("DOCKER_TLS").is_some(),
            certificates: text("DOCKER_CERT_PATH").map(PathBuf::from),
            config: text("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".docker"))),
            sockets: usual_sockets(home.as_deref(), runtime.as_deref()),
        }
    }
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn folder(name: &str) -> Option<PathBuf> {
    text(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Docker's, rootless Docker's, Docker Desktop's, then Podman's.
fn usual_sockets(home: Option<&Path>, runtime: Option<&Path>) -> Vec<PathBuf> {
    let of_runtime = |socket: &str| runtime.map(|folder| folder.join(socket));
    let of_home = |socket: &str| home.map(|folder| folder.join(socket));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        of_runtime("docker.sock"),
        of_home(".docker/run/docker.sock"),
        of_home(".docker/desktop/docker.sock"),
        of_runtime("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Decides: what the caller names (an address, or a context), else `DOCKER_HOST`, else `DOCKER_CONTEXT`, else the
/// context that the client's configuration names, else the usual sockets. The order is that of Docker's own client.
/// # Errors
/// When what was named is no address, or no context; when TLS would go unverified.
pub fn choose(wanted: Option<&str>, around: &Surroundings) -> Result<Choice, SandboxError> {
    match wanted {
        Some(address) if address.contains("://") => return around.named(address, Why::Asked),
        Some(context) => return around.context_named(context),
        None => {}
    }
    if let Some(address) = &around.host {
        return around.named(address, Why::Environment);
    }
    match around.context.clone().map(Ok).or_else(|| around.current_context().transpose()).transpose()? {
        Some(context) => around.context_named(&context),
        None => Ok(around.usual()),
    }
}

impl Surroundings {
    fn named(&self, address: &str, why: Why) -> Result<Choice, SandboxError> {
        let endpoint = Endpoint::parse(address, self.tls()?)?;
        Ok(Choice::One(Chosen { endpoint, why }))
    }

    /// The environment's TLS. Unverified TLS is an open line to whoever answers: it is not had here.
    fn tls(&self) -> Result<Option<Tls>, SandboxError> {
        match (self.tls_verify, self.tls_unverified) {
            (true, _) => Ok(Some(Tls::below(self.certificates.as_deref().or(self.config.as_deref())))),
            (false, true) => Err(unverified("`DOCKER_TLS` is set without `DOCKER_TLS_VERIFY`")),
            (false, false) => Ok(None),
        }
    }

    fn usual(&self) -> Choice {
        let chosen = |path: &PathBuf| Chosen { endpoint: Endpoint::Unix(path.clone()), why: Why::Usual };
        Choice::FirstOf(self.sockets.iter().map(chosen).collect())
    }

    fn current_context(&self) -> Result<Option<String>, SandboxError> {
        let Some(file) = self.config.as_ref().map(|folder| folder.join("config.json")) else {
            return Ok(None);
        };
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&file, &error)),
        };
        let config: ClientConfig =
            serde_json::from_slice(&text).map_err(|error| unreadable(&file, &error))?;
        Ok(config.current_context.filter(|name| !name.is_empty()))
    }

    fn context_named(&self, name: &str) -> Result<Choice, SandboxError> {
        if name == "default" {
            return match &self.host {
                Some(address) => self.named(address, Why::Environment),
                None => Ok(self.usual()),
            };
        }
        let contexts = self.config.as_ref().map(|folder| folder.join("contexts"));
        let contexts = contexts.filter(|folder| folder.is_dir()).ok_or_else(|| no_context(name))?;
        let endpoint = read_context(&contexts, name)?;
        Ok(Choice::One(Chosen { endpoint, why: Why::Context(name.to_owned()) }))
    }
}

impl Tls {
    /// The files of a folder, by Docker's names; those that are not there are not used.
    fn below(folder: Option<&Path>) -> Tls {
        let file = |name: &str| folder.map(|folder| folder.join(name)).filter(|file| file.exists());
        Tls { ca: file("ca.pem"), client: file("cert.pem").zip(file("key.pem")) }
    }
}

#[derive(Deserialize)]
struct ClientConfig {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    unverified: bool,
}

/// Docker's client files a context under the SHA-256 of its name.
fn read_context(contexts: &Path, name: &str) -> Result<Endpoint, SandboxError> {
    let place: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = contexts.join("meta").join(&place).join("meta.json");
    let text = match std::fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(no_context(name)),
        Err(error) => return Err(unreadable(&file, &error)),
    };
    let context: Context = serde_json::from_slice(&text).map_err(|error| unreadable(&file, &error))?;
    let Some(endpoint) = context.endpoints.docker else {
        return Err(SandboxError::new(format!("the context `{name}` names no Docker engine")));
    };
    if endpoint.unverified {
        return Err(unverified(&format!("the context `{name}` asks to skip the verification of TLS")));
    }
    let folder = contexts.join("tls").join(&place).join("docker");
    let tls = folder.is_dir().then(|| Tls::below(Some(&folder)));
    Endpoint::parse(&endpoint.host, tls)
}

fn no_context(name: &str) -> SandboxError {
    SandboxError::new(format!("there is no context `{name}` of Docker's client"))
        .with_hint("`docker context ls` lists them; `DOCKER_CONTEXT` and `docker context use` choose one")
}

fn unverified(what: &str) -> SandboxError {
    SandboxError::new(format!("{what}: whoever answers there would be given every credential"))
        .with_hint("set `DOCKER_TLS_VERIFY=1` and put the engine's ca.pem into the folder `DOCKER_CERT_PATH`")
}

fn unreadable(file: &Path, error: &dyn fmt::Display) -> SandboxError {
    SandboxError::new(format!("cannot read `{}`: {error}", file.display()))
}

/// No usual socket has an engine behind it: the one that was there and refused is the one to mend.
pub(super) fn none_answers(refused: Vec<(Chosen, SandboxError)>) -> SandboxError {
    let tried: Vec<String> = refused.iter().map(|(chosen, _)| chosen.to_string()).collect();
    let there =
        |endpoint: &Endpoint| matches!(endpoint, Endpoint::Unix(path) if path.symlink_metadata().is_ok());
    if let Some((_, error)) = refused.into_iter().find(|(chosen, _)| there(&chosen.endpoint)) {
        return error;
    }
    SandboxError::new(format!("no container engine was found; tried {}", tried.join(", "))).with_hint(
        "start Docker (`sudo systemctl start docker`) or Podman's socket (`systemctl --user start podman.socket`), or \
         name the engine with `DOCKER_HOST` or `DOCKER_CONTEXT`",
    )
}
