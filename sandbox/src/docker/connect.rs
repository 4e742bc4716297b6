//! Finds the engine that the user means and speaks to it.
mod endpoint;
mod find;
mod transport;

pub use endpoint::{Endpoint, Ssh, Tls};
pub use find::{Choice, Chosen, Surroundings, Why, choose};

use super::failure;
use crate::SandboxError;
use bollard::errors::Error;
use bollard::{ClientVersion, Docker};
use hyper::upgrade::Upgraded;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use transport::Transport;

/// The newest API that the client knows.
const NEWEST: Api = Api { major: 1, minor: 53 };
/// Docker 19.03 and Podman 3: older ones lack what the bottle's containers are made with.
const OLDEST: Api = Api { major: 1, minor: 40 };
/// How long an engine may think before it begins to answer, in seconds.
const ANSWER: u64 = 120;
/// For what takes as long as it takes (a container that runs, an image that is sent): a week, in seconds.
const PATIENCE: u64 = 7 * 24 * 3600;

/// A version of the engine's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api {
    /// `1` since the beginning.
    pub major: usize,
    /// Counts up.
    pub minor: usize,
}

impl std::fmt::Display for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// An engine that answered. Clones share its connections; they live on the runtime where they were opened.
#[derive(Clone)]
pub struct Engine {
    chosen: Arc<Chosen>,
    api: Api,
    docker: Docker,
    transport: Arc<Transport>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({}, api {})", self.chosen.endpoint, self.api)
    }
}

impl Engine {
    /// Connects to the engine that `wanted` names (an address such as `unix:///run/x.sock`, or a context), else to the
    /// one that the user's own client would take, in this process's environment; see [`choose`].
    /// # Errors
    /// Where was looked, what was found there, and the way out.
    pub async fn connect(wanted: Option<&str>) -> Result<Engine, SandboxError> {
        Engine::connect_from(wanted, &Surroundings::of_process()).await
    }

    /// The same, from these surroundings.
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn connect_from(wanted: Option<&str>, around: &Surroundings) -> Result<Engine, SandboxError> {
        match choose(wanted, around)? {
            find::Choice::One(chosen) => Engine::open(chosen).await,
            find::Choice::FirstOf(sockets) => Engine::open_first(sockets).await,
        }
    }

    async fn open_first(sockets: Vec<Chosen>) -> Result<Engine, SandboxError> {
        let mut refused = Vec::new();
        for chosen in sockets {
            match Engine::open(chosen.clone()).await {
                Ok(engine) => return Ok(engine),
                Err(error) => refused.push((chosen, error)),
            }
        }
        Err(find::none_answers(refused))
    }

    async fn open(chosen: Chosen) -> Result<Engine, SandboxError> {
        let transport = Arc::new(Transport::new(chosen.endpoint.clone())?);
        let theirs = transport.ping().await?;
        let api = agreed(theirs, &chosen)?;
        let version = ClientVersion { major_version: api.major, minor_version: api.minor };
        let docker = Docker::connect_with_custom_transport(
            transport::carry(transport.clone()),
            Some("http://engine"),
            ANSWER,
            &version,
        )
        .map_err(|error| failure::failed("use the engine's client", error))?;
        Ok(Engine { chosen: Arc::new(chosen), api, docker, transport })
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.chosen.endpoint
    }

    /// Where it is and who said so, for people: `unix:///run/docker.sock (DOCKER_HOST)`.
    #[must_use]
    pub fn described(&self) -> String {
        self.chosen.to_string()
    }

    /// The version of the API that both sides speak.
    #[must_use]
    pub fn api_version(&self) -> Api {
        self.api
    }

    /// The client.
    pub(crate) fn api(&self) -> &Docker {
        &self.docker
    }

    /// The answer at a path of the API, with what the client's own types leave out.
    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, SandboxError> {
        self.transport.get(&format!("/v{}{path}", self.api)).await
    }

    /// Puts a question after whose answer the connection is a line of bytes in both directions.
    pub(crate) async fn upgrade(&self, path: &str, body: Option<&Value>) -> Result<Upgraded, Error> {
        self.transport.upgrade(&format!("/v{}{path}", self.api), body).await
    }

    /// The client for what takes as long as it takes: waiting for a container, sending an image.
    pub(crate) fn patient(&self) -> Docker {
        self.docker.clone().with_timeout(Duration::from_secs(PATIENCE))
    }
}

/// The newest version that both know.
fn agreed(theirs: Api, chosen: &Chosen) -> Result<Api, SandboxError> {
    if theirs < OLDEST {
        return Err(SandboxError::new(format!(
            "the engine at {chosen} speaks version {theirs} of the API, and {OLDEST} is the oldest that holds a bottle"
        ))
        .with_hint("Docker 19.03 or Podman 3 and newer have it: update the engine"));
    }
    Ok(theirs.min(NEWEST))
}
