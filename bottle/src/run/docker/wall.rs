//! The wall that an engine's container is: what it is to be made of, and what would be a way through it.
use crate::failure::Failure;
use manifest::Plan;
use manifest::plan::{LimitsPlan, SandboxPlan};
use sandbox::SandboxError;
use sandbox::docker::connect::Endpoint;
use sandbox::docker::facts::{Files, Kind};
use sandbox::docker::{self, Facts};

/// The agent's filter of system calls as the engine takes it: Docker as a text, Podman as a file of its own machine, which
/// can be written from here where files are shared.
pub(super) fn filter(facts: &Facts) -> Result<Option<String>, Failure> {
    let Some(text) = docker::filter(facts) else { return Ok(None) };
    match (facts.kind, &facts.files) {
        (Kind::Docker, _) => Ok(Some(text)),
        (Kind::Podman, Files::Apart(_)) => Ok(None),
        (Kind::Podman, Files::Shared) => {
            // Another version of this program has another one, and perhaps a bottle that starts.
            let digest = crate::launcher_label::short_digest(text.as_bytes());
            let folder = crate::places::state_root()?;
            crate::places::private_folders(&folder)?;
            let path = folder.join(format!("system-calls-{digest}.json"));
            crate::whole::replace(&path, text.as_bytes(), 0o600)?;
            Ok(Some(path.to_string_lossy().into_owned()))
        }
    }
}

/// Where files are the engine's own the home is a volume there, and canaries are planted in folders of this machine: what is asked
/// for and not there gives nobody away.
pub(super) fn refuse_canaries(plan: &Plan, why: &str) -> Result<(), Failure> {
    if plan.egress.dlp.canaries.is_empty() {
        return Ok(());
    }
    let what = format!(
        "the manifest asks for canaries, and none can be planted where files are the engine's own ({why})"
    );
    Err(Failure::new(what).help("take `canaries` out of `egress.dlp`, or use an engine on this machine"))
}

/// A limit that is written down is kept or refused. An engine takes every number, and drops what it cannot keep.
pub(super) fn refuse_unkept(facts: &Facts, limits: &LimitsPlan) -> Result<(), SandboxError> {
    let wanted = [
        ("memory", limits.memory.is_some(), facts.keeps.memory),
        ("processes", limits.processes.is_some(), facts.keeps.processes),
        ("cpus", limits.millicpus.is_some(), facts.keeps.processors),
    ];
    match wanted.into_iter().find(|(_, wanted, kept)| *wanted && !kept) {
        None => Ok(()),
        Some((name, ..)) => {
            Err(SandboxError::new(format!("the engine cannot keep `limits: {{ {name}: … }}`")).with_hint(
                "it has no control groups for that, as rootless engines without delegated ones of version 2: give it \
                 those, or take the limit out of the manifest",
            ))
        }
    }
}

/// Whoever can speak to the engine is root on its machine.
pub(super) fn refuse_shown_engine(endpoint: &Endpoint, sandbox: &SandboxPlan) -> Result<(), SandboxError> {
    let Endpoint::Unix(socket) = endpoint else { return Ok(()) };
    let socket = socket.canonicalize().unwrap_or_else(|_| socket.clone());
    let mut seen = sandbox.mounts.iter().map(|mount| &mount.path).chain([&sandbox.workspace, &sandbox.home]);
    match seen.find(|folder| socket.starts_with(folder)) {
        None => Ok(()),
        Some(folder) => Err(SandboxError::new(format!(
            "the engine's socket `{}` lies in `{}`, which the agent sees",
            socket.display(),
            folder.display()
        ))
        .with_hint("whoever reaches it is root on the engine's machine: let the engine listen elsewhere")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::docker::fixture::{mount, sandbox_with};
    use sandbox::docker::connect::Api;
    use sandbox::docker::facts::Keeps;

    #[test]
    fn a_limit_that_the_engine_would_drop_is_refused() {
        let keeps = Keeps { memory: false, processes: true, processors: false };
        let facts = Facts {
            kind: Kind::Docker,
            host: String::new(),
            version: String::new(),
            api: Api { major: 1, minor: 41 },
            rootless: true,
            remapped: false,
            desktop: false,
            os: "linux".into(),
            arch: "x86_64".into(),
            cgroup: None,
            keeps,
            files: Files::Shared,
        };
        let none = LimitsPlan::default();
        assert!(refuse_unkept(&facts, &none).is_ok());
        assert!(refuse_unkept(&facts, &LimitsPlan { processes: Some(1), ..none.clone() }).is_ok());
        for (limits, name) in [
            (LimitsPlan { memory: Some(1), ..none.clone() }, "memory"),
            (LimitsPlan { millicpus: Some(1), ..none.clone() }, "cpus"),
        ] {
            let error = refuse_unkept(&facts, &limits).expect_err(name);
            assert!(error.what.contains(name), "{error}");
        }
    }

    #[test]
    fn an_engine_that_the_agent_would_see_is_refused() {
        let sandbox = sandbox_with(vec![mount("/m", "/x", false)]);
        let refused = |socket: &str| refuse_shown_engine(&Endpoint::Unix(socket.into()), &sandbox).is_err();
        assert!(refused("/w/d.sock") && refused("/m/run/d.sock") && refused("/state/home/d.sock"));
        assert!(!refused("/var/run/docker.sock"));
    }
}
