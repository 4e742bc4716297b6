//! The wall that an engine's container is: what it is to be made of, and what would be a way through it.
use crate::failure::Failure;
use manifest::plan::SandboxPlan;
use sandbox::SandboxError;
use sandbox::docker::connect::Endpoint;
use sandbox::docker::facts::{Files, Kind};
use sandbox::docker::{self, Facts};
use sha2::{Digest as _, Sha256};

/// The agent's filter of system calls as the engine takes it: Docker as a text, Podman as a file of its own machine, which
/// can be written from here where files are shared.
pub(super) fn filter(facts: &Facts) -> Result<Option<String>, Failure> {
    let Some(text) = docker::filter(facts) else { return Ok(None) };
    match (facts.kind, &facts.files) {
        (Kind::Docker, _) => Ok(Some(text)),
        (Kind::Podman, Files::Apart(_)) => Ok(None),
        (Kind::Podman, Files::Shared) => {
            // Another version of this program has another one, and perhaps a bottle that starts.
            let digest =
                Sha256::digest(&text).iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>();
            let folder = crate::places::state_root()?;
            crate::places::private_folders(&folder)?;
            let path = folder.join(format!("system-calls-{digest}.json"));
            crate::whole::replace(&path, text.as_bytes(), 0o600)?;
            Ok(Some(path.to_string_lossy().into_owned()))
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
    use manifest::plan::{LimitsPlan, MountPlan};

    #[test]
    fn an_engine_that_the_agent_would_see_is_refused() {
        let mount = MountPlan { path: "/m".into(), at: "/x".into(), writable: false, optional: false };
        let sandbox = SandboxPlan {
            workspace: "/w".into(),
            mounts: vec![mount],
            home: "/state/home".into(),
            home_inside: "/home/ada".into(),
            protect: Vec::new(),
            unprotect: Vec::new(),
            ports: Vec::new(),
            limits: LimitsPlan::default(),
        };
        let refused = |socket: &str| refuse_shown_engine(&Endpoint::Unix(socket.into()), &sandbox).is_err();
        assert!(refused("/w/d.sock") && refused("/m/run/d.sock") && refused("/state/home/d.sock"));
        assert!(!refused("/var/run/docker.sock"));
    }
}
