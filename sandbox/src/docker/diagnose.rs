//! What `bottle doctor --backend docker` looks at: the engine that a bottle would have, and what it is.
use super::connect::Surroundings;
use super::facts::{Files, Kind};
use super::image::Binary;
use super::{Engine, Facts};
use crate::SandboxError;
use crate::linux::Check;

/// Looks at the engine that `wanted` names, else at the one that would be found; leaves nothing there.
pub async fn diagnose(wanted: Option<&str>) -> Vec<Check> {
    let engine = match Engine::connect_from(wanted, &Surroundings::of_process()).await {
        Ok(engine) => engine,
        Err(error) => return vec![missing("engine", error)],
    };
    let facts = match Facts::of(&engine).await {
        Ok(facts) => facts,
        Err(error) => return vec![missing("engine", error)],
    };
    vec![
        answers(&engine, &facts),
        rights(&facts),
        program(&facts),
        machine(&facts),
        files(&facts),
        groups(&facts),
    ]
}

fn missing(name: &'static str, error: SandboxError) -> Check {
    Check { name, ok: false, required: true, found: error.what, hint: error.hint }
}

fn good(name: &'static str, found: String) -> Check {
    Check { name, ok: true, required: true, found, hint: None }
}

fn answers(engine: &Engine, facts: &Facts) -> Check {
    let kind = match facts.kind {
        Kind::Docker => "Docker",
        Kind::Podman => "Podman",
    };
    let (place, api) = (engine.described(), facts.api);
    good("engine", format!("{kind} {} at {place}, API {api}", facts.version))
}

/// A guest of a rootful engine that breaks out is root.
fn rights(facts: &Facts) -> Check {
    let ok = facts.rootless || facts.remapped;
    let found = match (facts.rootless, facts.remapped) {
        (true, _) => "the engine runs as an ordinary user",
        (_, true) => "containers' users are mapped to others (`userns-remap`)",
        _ => "the engine runs as root, and so does what breaks out of a container",
    };
    let hint = (!ok)
        .then(|| "a rootless engine is a second wall: `dockerd-rootless-setuptool.sh install`".to_owned());
    Check { name: "rootless", ok, required: false, found: found.to_owned(), hint }
}

fn program(facts: &Facts) -> Check {
    match Binary::running() {
        Ok(binary) if binary.machine() == facts.arch => {
            good("image", format!("`{}`, from this program ({} bytes)", binary.image_name(), binary.size()))
        }
        Ok(binary) => missing(
            "image",
            SandboxError::new(format!("this program is for `{}`, the engine's machine is `{}`", binary.machine(), facts.arch))
                .with_hint("`BOTTLE_EGRESS_IMAGE` names an image of the other machine's bottle (`bottle image export` there)"),
        ),
        Err(error) => missing("image", error),
    }
}

fn machine(facts: &Facts) -> Check {
    if facts.os == "linux" {
        return good("containers", format!("Linux on {}", facts.arch));
    }
    let wrong = SandboxError::new(format!("the engine runs `{}` containers", facts.os));
    missing("containers", wrong.with_hint("switch the engine to Linux containers"))
}

fn files(facts: &Facts) -> Check {
    let (ok, found) = match &facts.files {
        Files::Shared => (true, "a path means the same to the engine as here".to_owned()),
        Files::Apart(why) => (false, why.clone()),
    };
    let hint = (!ok).then(|| "the workspace and other bind mounts are paths of the engine's machine: have it there under the same path".to_owned());
    Check { name: "files", ok, required: false, found, hint }
}

fn groups(facts: &Facts) -> Check {
    let found = facts.cgroup.map_or("none were told".to_owned(), |version| format!("version {version}"));
    Check { name: "control groups", ok: facts.cgroup.is_some(), required: false, found, hint: None }
}
