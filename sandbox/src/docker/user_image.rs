//! The image that the agent's container is made of: found in the engine, pulled by it, or built by it from a folder of
//! the user's. It is used by its identity, which no later tag can move.
mod build;
mod context;
mod ignored;
mod login;
mod progress;
mod pull;

use super::connect::Engine;
use super::facts::{Facts, Kind, machine};
use super::failure::{failed, is_missing};
use crate::SandboxError;
use bollard::models::{ImageConfig, ImageInspect};
use manifest::plan::ImagePlan;
pub(super) use progress::neutral;

/// An image that is in the engine and that its machine can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserImage {
    /// What containers are made from: `sha256:…`.
    pub id: String,
    /// For people: as the manifest names it, or the tag that a built one has.
    pub name: String,
    /// The environment that it gives, in its order.
    pub env: Vec<(String, String)>,
    /// Whom its programs run as, when it says so: a name or number, with a group after `:`.
    pub user: Option<String>,
    /// The program that its command is given to; empty when it has none.
    pub entrypoint: Vec<String>,
    /// The command, or the entry point's arguments; empty when it has none.
    pub command: Vec<String>,
}

impl UserImage {
    /// Where its programs are, when it says so; engines have a path of their own for those that do not.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let last = self.env.iter().rev().find(|(name, _)| name == "PATH");
        last.map(|(_, path)| path.as_str()).filter(|path| !path.is_empty())
    }
}

/// The image that the plan means. `tell` hears what takes long: a sentence without an end, at most one a second.
///
/// A named image that is in the engine is taken as it is; one that is missing is pulled by the engine, with the
/// credentials that `docker login` left for its registry. A folder is built each time: the engine knows which of its
/// steps it has done before.
/// # Errors
/// When there is no such image, the engine cannot reach its registry, or its machine cannot run it; when the folder
/// cannot be read as a whole, or its build fails (with the last lines that it wrote).
pub async fn find_or_make(
    engine: &Engine,
    facts: &Facts,
    plan: &ImagePlan,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<UserImage, SandboxError> {
    match plan {
        ImagePlan::Named(name) => named(engine, facts, name, tell).await,
        ImagePlan::Build(plan) => {
            let (id, name) = build::build(engine, facts, plan, tell).await?;
            let seen = look(engine, &id).await?.ok_or_else(|| vanished(&name))?;
            usable(&name, seen, facts)
        }
    }
}

async fn named(
    engine: &Engine,
    facts: &Facts,
    name: &str,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<UserImage, SandboxError> {
    if let Some(seen) = look(engine, name).await? {
        return usable(name, seen, facts);
    }
    pull::pull(engine, facts, name, tell).await?;
    let seen = look(engine, name).await?.ok_or_else(|| vanished(name))?;
    usable(name, seen, facts)
}

/// `None` when it is not there.
async fn look(engine: &Engine, name: &str) -> Result<Option<ImageInspect>, SandboxError> {
    match engine.api().inspect_image(name).await {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(&format!("look at the image `{name}`"), error)),
    }
}

fn vanished(name: &str) -> SandboxError {
    SandboxError::new(format!("the image `{name}` was there and is gone"))
        .with_hint("something else removes images of this engine: try again when it is done")
}

fn usable(name: &str, seen: ImageInspect, facts: &Facts) -> Result<UserImage, SandboxError> {
    runs_on(name, &seen, facts)?;
    let id = seen.id.filter(|id| !id.is_empty());
    let id =
        id.ok_or_else(|| SandboxError::new(format!("the engine tells no identity of the image `{name}`")))?;
    let config = seen.config.unwrap_or_default();
    Ok(UserImage {
        id,
        name: name.to_owned(),
        env: environment(&config),
        user: config.user.filter(|user| !user.is_empty()),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
    })
}

fn environment(config: &ImageConfig) -> Vec<(String, String)> {
    let pairs = config.env.iter().flatten().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// An image that does not say what it is made for is left to the engine, which has the last word.
fn runs_on(name: &str, seen: &ImageInspect, facts: &Facts) -> Result<(), SandboxError> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let os = said(&seen.os).unwrap_or_else(|| facts.os.clone());
    let arch = said(&seen.architecture).unwrap_or_else(|| facts.arch.clone());
    // Docker Desktop brings emulators for other machines, and people rely on them.
    if os == facts.os && (facts.desktop || can_run(machine(&arch), &facts.arch)) {
        return Ok(());
    }
    let (os, arch) = (neutral(&os), neutral(&arch));
    Err(SandboxError::new(format!(
        "the image `{name}` is made for `{os}/{arch}`, and the engine's machine is `{}/{}`",
        facts.os, facts.arch
    ))
    .with_hint(other_platform(name, facts)))
}

fn other_platform(name: &str, facts: &Facts) -> String {
    let program = program(facts);
    let arch = go_name(&facts.arch);
    format!(
        "get it for this machine, if its maker has one: `{program} pull --platform {}/{arch} {name}`",
        facts.os
    )
}

/// Whether programs for `made_for` run on `machine`; both as the kernel names them, but for 32 bits.
fn can_run(made_for: &str, machine: &str) -> bool {
    match (made_for, machine) {
        ("386", "x86_64") | ("arm", "aarch64") => true,
        ("386", other) => matches!(other, "i386" | "i486" | "i586" | "i686"),
        ("arm", other) => other.starts_with("arm"),
        (made_for, machine) => made_for == machine,
    }
}

/// What images call a machine.
fn go_name(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The engine's own command line.
fn program(facts: &Facts) -> &'static str {
    match facts.kind {
        Kind::Docker => "docker",
        Kind::Podman => "podman",
    }
}

#[cfg(test)]
mod tests {
    use super::super::connect::Api;
    use super::super::facts::{Files, Keeps};
    use super::*;

    fn facts(arch: &str) -> Facts {
        Facts {
            kind: Kind::Docker,
            host: String::new(),
            version: String::new(),
            api: Api { major: 1, minor: 41 },
            rootless: false,
            remapped: false,
            desktop: false,
            os: "linux".into(),
            arch: arch.into(),
            cgroup: None,
            keeps: Keeps { memory: true, processes: true, processors: true },
            files: Files::Shared,
        }
    }

    fn image(arch: &str) -> ImageInspect {
        ImageInspect {
            id: Some("sha256:0".into()),
            os: Some("linux".into()),
            architecture: Some(arch.into()),
            ..ImageInspect::default()
        }
    }

    #[test]
    fn an_image_for_another_machine_is_refused_with_the_way_out() {
        for (arch, machine) in
            [("arm64", "x86_64"), ("amd64", "aarch64"), ("386", "aarch64"), ("s390x", "x86_64")]
        {
            let error = usable("x:1", image(arch), &facts(machine)).expect_err(arch);
            assert!(error.what.contains(&format!("`linux/{arch}`")), "{error}");
            let hint = error.hint.expect("a way out");
            assert!(hint.contains(&format!("--platform linux/{} x:1", go_name(machine))), "{hint}");
        }
        for (arch, machine) in [("amd64", "x86_64"), ("arm64", "aarch64"), ("386", "x86_64"), ("", "x86_64")]
        {
            assert!(usable("x:1", image(arch), &facts(machine)).is_ok(), "{arch} on {machine}");
        }
        let desktop = Facts { desktop: true, ..facts("aarch64") };
        assert!(usable("x:1", image("amd64"), &desktop).is_ok());
        let windows = ImageInspect { os: Some("windows".into()), ..image("amd64") };
        assert!(usable("x:1", windows, &desktop).is_err());
    }

    #[test]
    fn what_an_image_says_of_itself_is_kept_as_it_is() {
        let config = ImageConfig {
            env: Some(vec!["PATH=/bin".into(), "A=b=c".into(), "odd".into()]),
            user: Some("node:1".into()),
            entrypoint: Some(vec!["/entry".into()]),
            cmd: Some(vec!["a".into(), "b".into()]),
            ..ImageConfig::default()
        };
        let seen = ImageInspect { config: Some(config), ..image("amd64") };
        let image = usable("x:1", seen, &facts("x86_64")).expect("usable");
        assert_eq!(image.env, [("PATH".into(), "/bin".into()), ("A".into(), "b=c".into())]);
        assert_eq!(
            (image.user.as_deref(), image.entrypoint.len(), image.command.len()),
            (Some("node:1"), 1, 2)
        );
    }
}
