//! What launchers left at a container engine: seen by `ps`, removed by `prune` and `stop`.
use crate::failure::Failure;
use crate::launcher_label::{Launcher, look};
use crate::places;
use crate::run::start::walls_failure;
use sandbox::SandboxError;
use sandbox::docker::clean::{self, Part};
use sandbox::docker::facts::Kind;
use sandbox::docker::image::{self, Binary};
use sandbox::docker::{Engine, Facts};
use std::path::PathBuf;
use tokio::runtime::Runtime;

/// Notes that a bottle of this user has containers, before it has: whatever happens then, somebody will look for them.
///
/// # Errors
/// When it cannot be written down.
pub fn remember() -> Result<(), Failure> {
    let marker = marker()?;
    places::private_folders(marker.parent().unwrap_or(&marker))?;
    std::fs::write(&marker, "")
        .map_err(|error| Failure::new(format!("cannot write `{}`: {error}", marker.display())))
}

fn marker() -> Result<PathBuf, Failure> {
    Ok(places::state_root()?.join("has-containers"))
}

/// An engine that answered, to look at and to clean.
pub struct Leftovers {
    runtime: Runtime,
    engine: Engine,
    podman: bool,
    parts: Vec<Part>,
}

impl Leftovers {
    /// Looks at the engine that the user's own client would take.
    /// # Errors
    /// When there is none, or it does not answer.
    pub fn look() -> Result<Leftovers, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SandboxError::new(format!("cannot ask an engine: {error}")))?;
        let (engine, facts, parts) = runtime.block_on(async {
            let engine = Engine::connect(None).await?;
            let facts = Facts::of(&engine).await?;
            let parts = clean::parts(&engine).await?;
            Ok::<_, SandboxError>((engine, facts, parts))
        })?;
        Ok(Leftovers { runtime, engine, podman: facts.kind == Kind::Podman, parts })
    }

    /// Looks only when some bottle of this user had containers: whoever has none waits for no engine.
    /// # Errors
    /// When a bottle had containers and the engine does not answer.
    pub fn look_if_known() -> Result<Option<Leftovers>, Failure> {
        if !marker()?.exists() {
            return Ok(None);
        }
        Leftovers::look().map(Some).map_err(|error| {
            Failure::new(format!("a bottle had containers, and cannot be looked after: {}", error.what)).help(
                error.hint.unwrap_or_else(|| {
                    "start the engine that it ran on, or name it with `DOCKER_HOST`".into()
                }),
            )
        })
    }

    /// Parts whose launcher is known to be gone; with `elsewhere` also those whose launcher cannot be seen from here.
    pub fn orphans(&self, elsewhere: bool) -> Vec<Part> {
        let near = self.engine.endpoint().stays_here();
        let gone = |part: &&Part| match look(&part.launcher, near) {
            Launcher::Dead => true,
            Launcher::Elsewhere => elsewhere,
            Launcher::Alive => false,
        };
        self.parts.iter().filter(gone).cloned().collect()
    }

    /// Removes them, says what went and how to remove by hand what did not.
    /// # Errors
    /// When something is left.
    pub fn remove(&self, parts: &[Part]) -> Result<(), Failure> {
        let left = self.runtime.block_on(clean::remove(&self.engine, parts));
        for part in parts.iter().filter(|part| !left.iter().any(|(other, _)| other == *part)) {
            crate::say::line(&format!("removed {}", part.name));
        }
        for (part, error) in &left {
            crate::say::err(&format!(
                "bottle: warning: `{}` was not removed: {}; clean up with `{}`\n",
                part.name,
                crate::style::neutral(&error.what),
                part.by_hand(self.podman)
            ));
        }
        match left.len() {
            0 => Ok(()),
            more => Err(Failure::new(format!(
                "{} could not be removed",
                crate::style::count(more as u64, "part")
            ))),
        }
    }

    /// Whether nothing of any bottle is left; then nobody needs to look again.
    /// # Errors
    /// When the engine does not answer.
    pub fn forget_if_clean(&self) -> Result<(), Failure> {
        let parts = self.runtime.block_on(clean::parts(&self.engine)).map_err(walls_failure)?;
        if parts.is_empty() {
            let _not_there = std::fs::remove_file(marker()?);
        }
        Ok(())
    }

    /// Removes images of other versions that no container uses.
    /// # Errors
    /// When the engine does not.
    pub fn prune_images(&self) -> Result<(), Failure> {
        let binary = Binary::running().ok();
        let removed = self.runtime.block_on(image::prune(&self.engine, binary.as_ref()));
        removed.map_err(walls_failure)?.iter().for_each(|name| crate::say::line(&format!("removed {name}")));
        Ok(())
    }
}
