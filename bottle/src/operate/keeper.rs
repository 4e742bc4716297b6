//! The manifest of a running bottle: read again, and written into.
use super::Operation;
use crate::canary::Planted;
use crate::control::Steer;
use crate::control::hub::{Keeper, Reloaded};
use crate::control::steer::Change;
use crate::engine::{self, Supplies};
use crate::failure::Failure;
use crate::load::{self, Wanted};
use credentials::Vault;
use credentials::remote::HandedExact;
use manifest::Plan;
use manifest::plan::SandboxPlan;
use policy::Proposal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is in force, and how to find what is to be.
pub(super) struct Manifested {
    wanted: Wanted,
    steer: Arc<dyn Steer>,
    canaries: Vec<HandedExact>,
    state: Mutex<State>,
}

struct State {
    plan: Plan,
    vault: Vault,
    /// Secrets that were in force once: they stay secrets.
    retired: Vec<(String, credentials::Secret)>,
}

impl Manifested {
    pub(super) fn new(
        operation: &Operation,
        plan: &Plan,
        vault: &Vault,
        canaries: &Planted,
        steer: Arc<dyn Steer>,
    ) -> Manifested {
        let state = State { plan: plan.clone(), vault: vault.clone(), retired: Vec::new() };
        let (wanted, canaries) = (operation.wanted.clone(), canaries.values());
        Manifested { wanted, steer, canaries, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file to look at for changes; none where the agent could be who changes it.
    pub(super) fn watched(&self) -> Option<PathBuf> {
        let file = self.wanted.file.clone()?;
        let own = is_the_operators(&file, &self.state().plan.sandbox);
        if !own {
            tracing::warn!(file = %file.display(), "the agent may write the manifest: it is read again only when the operator says so");
        }
        own.then_some(file)
    }
}

/// Whether only the operator writes a file: an agent that could change its manifest would approve its own requests.
fn is_the_operators(file: &Path, sandbox: &SandboxPlan) -> bool {
    let Ok(real) = file.canonicalize() else { return false };
    // The file is write-protected in the workspace; a link on the way to it is not.
    if real != file && file.starts_with(&sandbox.workspace) {
        return false;
    }
    [file.to_owned(), real].into_iter().all(|name| {
        let is_in = |folder: &Path| name.starts_with(folder);
        let freed = sandbox.unprotect.iter().any(|path| is_in(path) || is_in(&sandbox.workspace.join(path)));
        let mounted = sandbox.mounts.iter().any(|mount| mount.writable && is_in(&mount.path));
        !freed && !mounted && !is_in(&sandbox.home)
    })
}

impl Keeper for Manifested {
    fn reload(&self, by: &str) -> Result<Reloaded, Failure> {
        let (_, loaded) = load::load(&self.wanted.choice()).map_err(Failure::from)?;
        let mut state = self.state();
        let plan = loaded.plan;
        let vault = engine::succeed(&state.vault, &plan.egress)?;
        let mut retired = state.retired.clone();
        let gone = state.vault.retired(&vault);
        retired.extend(gone.into_iter().map(|(slot, value)| (format!("{slot}, as it was"), value)));
        let mut supplies = Supplies::read(&plan.egress)?;
        supplies.canaries = handed(&self.canaries);
        supplies.exact.extend(
            retired.iter().map(|(name, value)| HandedExact { name: name.clone(), value: value.clone() }),
        );
        let (changes, notes) = differences(&state.plan, &plan);
        let change = Change { egress: plan.egress.clone(), supplies, vault: vault.clone() };
        let ended = self.steer.rule(change, by)?;
        let hash = engine::policy_hash(&plan.egress);
        let mut notes = notes;
        notes.extend(
            (ended > 0).then(|| format!("{ended} running exchanges were ended: what allowed them is gone")),
        );
        // What needs a new start stays as it is until then.
        let old = std::mem::replace(&mut state.plan, plan.clone());
        state.plan = Plan { egress: plan.egress.clone(), ..old };
        (state.vault, state.retired) = (vault, retired);
        Ok(Reloaded { hash, plan: plan.egress, changes, notes })
    }

    fn keep(&self, proposal: &Proposal, why: &str) -> Result<(), Failure> {
        let Some(file) = &self.wanted.file else {
            return Err(Failure::new("this bottle has no manifest file that a route could be written into")
                .help("write one with `bottle init`, or allow it for the life of this bottle"));
        };
        let _ = (proposal, why, file);
        Err(Failure::new("not yet"))
    }
}

fn handed(values: &[HandedExact]) -> Vec<HandedExact> {
    values.iter().map(|one| HandedExact { name: one.name.clone(), value: one.value.clone() }).collect()
}

/// What is in force now, and what needs a new start.
fn differences(old: &Plan, new: &Plan) -> (Vec<String>, Vec<String>) {
    let _ = (old, new);
    (Vec::new(), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifest::plan::{LimitsPlan, MountPlan};

    #[test]
    fn a_manifest_that_the_agent_may_write_is_not_the_operators() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().canonicalize().expect("there");
        let at = |name: &str| root.join(name);
        for name in ["w/bottle.yaml", "m/bottle.yaml", "home/bottle.yaml"] {
            std::fs::create_dir_all(at(name).parent().expect("in a folder")).expect("made");
            std::fs::write(at(name), "").expect("written");
        }
        std::os::unix::fs::symlink(at("w/bottle.yaml"), at("w/link.yaml")).expect("linked");
        let sandbox = |unprotect: &str, mount: &str| SandboxPlan {
            workspace: at("w"),
            mounts: vec![MountPlan { path: at(mount), at: at(mount), writable: true, optional: false }],
            home: at("home"),
            home_inside: "/home/ada".into(),
            protect: Vec::new(),
            unprotect: vec![at(unprotect)],
            ports: Vec::new(),
            limits: LimitsPlan::default(),
        };
        let file = at("w/bottle.yaml");
        assert!(is_the_operators(&file, &sandbox("w/.vscode", "m")));
        assert!(!is_the_operators(&file, &sandbox("w/bottle.yaml", "m")), "set free");
        assert!(
            !is_the_operators(&at("w/link.yaml"), &sandbox("w/.vscode", "m")),
            "the agent may turn the link"
        );
        assert!(!is_the_operators(&at("m/bottle.yaml"), &sandbox("w/.vscode", "m")), "in a writable mount");
        assert!(is_the_operators(&at("m/bottle.yaml"), &sandbox("w/.vscode", "n")));
        assert!(
            !is_the_operators(&at("home/bottle.yaml"), &sandbox("w/.vscode", "m")),
            "in the private home"
        );
    }
}
