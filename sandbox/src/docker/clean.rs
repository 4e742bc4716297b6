//! Finds and removes what bottles left at an engine, by its labels.
use super::connect::Engine;
use super::failure::{failed, has_status, is_missing, until_readable};
use super::spec::{Role, label};
use crate::SandboxError;
use bollard::errors::Error;
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, ListContainersOptions, ListNetworksOptions,
    ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
};
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// How long somebody else's removal of the same part may take.
const OTHERS: Duration = Duration::from_secs(10);
/// How long a container may be on its way to its end by itself, in which state Podman refuses to remove it.
const ITSELF: Duration = Duration::from_secs(3);
/// Removals at the same time.
const AT_ONCE: usize = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// A container, network or volume of a bottle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: Kind,
    /// Its name at the engine.
    pub name: String,
    /// Its identity there, which no later part of that name has; empty when it is not known, and for volumes, which have none.
    pub id: String,
    /// Slug of the bottle.
    pub slug: String,
    /// Name in the manifest.
    pub bottle: String,
    /// Which part of the bottle.
    pub role: String,
    /// The launcher's label.
    pub launcher: String,
    /// `running`, `exited`…; empty for what does not run.
    pub state: String,
}

/// What a part is; in the order in which they can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

impl Part {
    /// What a person types to remove it.
    #[must_use]
    pub fn by_hand(&self, podman: bool) -> String {
        let program = if podman { "podman" } else { "docker" };
        match self.kind {
            Kind::Container => format!("{program} rm -f {}", self.name),
            Kind::Network => format!("{program} network rm {}", self.name),
            Kind::Volume => format!("{program} volume rm {}", self.name),
        }
    }

    /// `None` for what has our labels and not the name that goes with them: a container has its image's labels too, and an
    /// image made of an agent's container (`docker commit`) has the agent's.
    fn of(
        kind: Kind,
        (name, id): (&str, &str),
        state: &str,
        labels: &HashMap<String, String>,
    ) -> Option<Part> {
        let get = |key: &str| labels.get(key).cloned();
        let (name, slug) = (name.trim_start_matches('/').to_owned(), get(label::SLUG)?);
        let role = Role::ALL.into_iter().find(|role| role.name(&slug) == name)?;
        (get(label::ROLE).as_deref() == Some(role.as_str())).then(|| Part {
            kind,
            name,
            id: id.to_owned(),
            slug,
            bottle: get(label::NAME).unwrap_or_default(),
            role: role.as_str().to_owned(),
            launcher: get(label::LAUNCHER).unwrap_or_default(),
            state: state.to_owned(),
        })
    }

    /// The agent first: while anything else goes, it must not run without it. Then who serves it.
    fn turn(&self) -> (Kind, u8) {
        (self.kind, u8::from(self.role != Role::Agent.as_str()))
    }
}

/// Everything that bottles have at this engine.
/// # Errors
/// When the engine does not tell.
pub async fn parts(engine: &Engine) -> Result<Vec<Part>, SandboxError> {
    let (mut parts, networks, volumes) =
        tokio::try_join!(containers(engine), networks(engine), volumes(engine))?;
    parts.extend(networks);
    parts.extend(volumes);
    parts.sort_by_key(Part::turn);
    Ok(parts)
}

fn ours() -> Option<HashMap<String, Vec<String>>> {
    Some(HashMap::from([("label".to_owned(), vec![label::SLUG.to_owned()])]))
}

async fn containers(engine: &Engine) -> Result<Vec<Part>, SandboxError> {
    let listed = summaries(engine).await.map_err(|error| failed("list the containers of bottles", error))?;
    let part = |one: bollard::models::ContainerSummary| {
        let state = one.state.map(|state| state.to_string()).unwrap_or_default();
        let (names, id) = (one.names?, one.id.unwrap_or_default());
        Part::of(Kind::Container, (names.first()?, &id), &state, &one.labels?)
    };
    Ok(listed.into_iter().filter_map(part).collect())
}

async fn summaries(engine: &Engine) -> Result<Vec<bollard::models::ContainerSummary>, Error> {
    let options = ListContainersOptions { all: true, filters: ours(), ..ListContainersOptions::default() };
    until_readable(async || engine.api().list_containers(Some(options.clone())).await).await
}

async fn networks(engine: &Engine) -> Result<Vec<Part>, SandboxError> {
    let options = ListNetworksOptions { filters: ours() };
    let listed = engine.api().list_networks(Some(options)).await;
    let listed = listed.map_err(|error| failed("list the networks of bottles", error))?;
    let part = |one: bollard::models::Network| {
        Part::of(Kind::Network, (&one.name?, &one.id.unwrap_or_default()), "", &one.labels?)
    };
    Ok(listed.into_iter().filter_map(part).collect())
}

async fn volumes(engine: &Engine) -> Result<Vec<Part>, SandboxError> {
    let options = ListVolumesOptions { filters: ours() };
    let listed = engine.api().list_volumes(Some(options)).await;
    let listed = listed.map_err(|error| failed("list the volumes of bottles", error))?;
    let listed = listed.volumes.unwrap_or_default().into_iter();
    Ok(listed.filter_map(|one| Part::of(Kind::Volume, (&one.name, ""), "", &one.labels)).collect())
}

/// Removes parts, in the order that works; what is gone already is success. Gives those that would not go, and why.
pub async fn remove(engine: &Engine, parts: &[Part]) -> Vec<(Part, SandboxError)> {
    let mut left = Vec::new();
    for turn in in_turns(parts) {
        let removals = turn.into_iter().map(|part| async move { (part, remove_one(engine, part).await) });
        let mut removals = futures_util::stream::iter(removals).buffer_unordered(AT_ONCE);
        while let Some((part, done)) = removals.next().await {
            left.extend(done.err().map(|error| (part.clone(), error)));
        }
    }
    left
}

/// What may go at the same time, in the order of the groups.
fn in_turns(parts: &[Part]) -> Vec<Vec<&Part>> {
    let mut turns: BTreeMap<(Kind, u8), Vec<&Part>> = BTreeMap::new();
    for part in parts {
        turns.entry(part.turn()).or_default().push(part);
    }
    turns.into_values().collect()
}

/// The identity of what has a part's name now, if that is this very bottle's. Somebody else may have taken the name.
async fn named(engine: &Engine, part: &Part) -> Result<Option<String>, Error> {
    let (api, name) = (engine.api(), part.name.as_str());
    let (id, labels) = match part.kind {
        Kind::Container => {
            let look = async || api.inspect_container(name, None::<InspectContainerOptions>).await;
            let seen = until_readable(look).await?;
            (seen.id, seen.config.and_then(|config| config.labels))
        }
        Kind::Network => {
            let seen = api.inspect_network(name, None::<InspectNetworkOptions>).await?;
            (seen.id, seen.labels)
        }
        // It has no identity: between this look and its removal it has to stay what it is.
        Kind::Volume => (Some(part.name.clone()), Some(api.inspect_volume(name).await?.labels)),
    };
    let is =
        |key: &str, value: &str| labels.as_ref().and_then(|all| all.get(key)).is_some_and(|it| it == value);
    let ours = is(label::SLUG, &part.slug) && is(label::LAUNCHER, &part.launcher);
    Ok(id.filter(|_| ours))
}

/// Until it is gone, whoever does it: an engine answers with status 409 while a removal is under way.
async fn remove_one(engine: &Engine, part: &Part) -> Result<(), SandboxError> {
    let start = Instant::now();
    loop {
        match attempt(engine, part).await {
            Ok(()) => return Ok(()),
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) if is_under_way(&error) && start.elapsed() < OTHERS => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) if is_passing(&error) && start.elapsed() < ITSELF => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(failed(&format!("remove `{}`", part.name), error)),
        }
    }
}

fn is_under_way(error: &Error) -> bool {
    has_status(error, 409) && error.to_string().contains("already in progress")
}

fn is_passing(error: &Error) -> bool {
    has_status(error, 409) || has_status(error, 500)
}

async fn attempt(engine: &Engine, part: &Part) -> Result<(), Error> {
    // By identity: a new bottle may have the name by now.
    let id = match part.kind {
        Kind::Container if !part.id.is_empty() => Some(part.id.clone()),
        // Podman makes a network's identity out of its name.
        _ => named(engine, part).await?.filter(|id| part.id.is_empty() || *id == part.id),
    };
    let Some(name) = id.as_deref() else { return Ok(()) };
    let api = engine.api();
    match part.kind {
        Kind::Container => {
            let options =
                RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
            api.remove_container(name, Some(options)).await
        }
        Kind::Network => api.remove_network(name).await,
        Kind::Volume => api.remove_volume(name, Some(RemoveVolumeOptions { force: true })).await,
    }
}

/// Parts by bottle.
#[must_use]
pub fn by_slug(parts: &[Part]) -> BTreeMap<&str, Vec<&Part>> {
    let mut bottles: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in parts {
        bottles.entry(&part.slug).or_default().push(part);
    }
    bottles
}
