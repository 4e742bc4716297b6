//! The manifest of a running bottle: read again, and written into.
use super::Operation;
use crate::canary::Planted;
use crate::control::Steer;
use crate::control::hub::{Keeper, Reloaded};
use crate::control::steer;
use crate::engine::{self, Supplies};
use crate::failure::Failure;
use crate::keep;
use crate::load::{self, Wanted, Written};
use crate::style::{self, Style};
use credentials::Vault;
use credentials::remote::HandedExact;
use manifest::diff::{self, Change};
use manifest::edit::Addition;
use manifest::plan::SandboxPlan;
use manifest::{Plan, policy_hash};
use policy::Proposal;
use sandbox::linux::Stamp;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is in force, and how to find what is to be.
pub(super) struct Manifested {
    wanted: Wanted,
    steer: Arc<dyn Steer>,
    canaries: Vec<HandedExact>,
    /// Of the manifest, as it was when the bottle was started.
    stamp: Option<Stamp>,
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
        let stamp = wanted.file.as_deref().and_then(stamp);
        Manifested { wanted, steer, canaries, stamp, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file to look at for changes.
    pub(super) fn watched(&self) -> Option<PathBuf> {
        self.wanted.file.clone()
    }

    /// Nobody but the operator can have written the manifest, or the operator has looked at it.
    ///
    /// In the workspace it is mounted read-only over itself. Whoever replaces it on the host (a rename, as many editors do)
    /// takes that mount away: mount_namespaces(7) says so of a mount point of another namespace. The bottle's warden puts it back,
    /// but in between, and in a container from then on, the agent could be the one who writes there.
    fn still_the_operators(&self, state: &State, looked: bool) -> Result<(), Failure> {
        let Some(file) = self.wanted.file.as_deref().filter(|_| !looked) else { return Ok(()) };
        let sandbox = &state.plan.sandbox;
        let replaced = file.starts_with(&sandbox.workspace) && stamp(file) != self.stamp;
        if is_the_operators(file, sandbox) && !replaced {
            return Ok(());
        }
        let why = if replaced {
            "it was replaced while the bottle runs, which takes its write protection away inside"
        } else {
            "it lies where the agent writes"
        };
        let shown = file.display();
        Err(Failure::new(format!("the agent could have written `{shown}`: {why}")).help(format!(
            "look at what it says now: `bottle policy diff {shown}`; then `bottle reload --looked`"
        )))
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    file.metadata().ok().map(|found| Stamp::made_of(&found))
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
    fn reload(&self, by: &str, looked: bool) -> Result<Reloaded, Failure> {
        let mut state = self.state();
        self.still_the_operators(&state, looked)?;
        let (_, loaded) = load::load(&self.wanted.choice()).map_err(Failure::from)?;
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
        let changes = diff::between(&state.plan, &plan);
        let change = steer::Change { egress: plan.egress.clone(), supplies, vault: vault.clone() };
        let ended = self.steer.rule(change, by)?;
        let hash = policy_hash(&plan.egress);
        let (changes, notes) = told(&changes, ended);
        // What needs a new start stays as it is until then.
        let old = std::mem::replace(&mut state.plan, plan.clone());
        state.plan = Plan { egress: plan.egress.clone(), ..old };
        (state.vault, state.retired) = (vault, retired);
        Ok(Reloaded { hash, plan: plan.egress, changes, notes })
    }

    fn keep(&self, proposal: &Proposal, why: &str, by: &str) -> Result<(), Failure> {
        let state = self.state();
        let Some(file) = self.wanted.file.clone() else {
            return Err(Failure::new("this bottle has no manifest file that a route could be written into")
                .help("write one with `bottle init`, or allow it for the life of this bottle"));
        };
        self.still_the_operators(&state, false)?;
        let name = file.display().to_string();
        let found = Written { name, file: Some(file), text: String::new() };
        let now = jiff::Zoned::now().strftime("%F %H:%M").to_string();
        let mut comments = vec![format!("allowed {now}, {by}")];
        comments.extend((!why.is_empty()).then(|| format!("asked for: {why}")));
        let addition = Addition { comments, ..Addition::of(proposal.clone()) };
        keep::add_routes(&self.wanted.choice(), &found, &[addition])
    }
}

fn handed(values: &[HandedExact]) -> Vec<HandedExact> {
    values.iter().map(|one| HandedExact { name: one.name.clone(), value: one.value.clone() }).collect()
}

/// What is in force now, what else people should know.
fn told(changes: &[Change], ended: usize) -> (Vec<String>, Vec<String>) {
    let plain = Style::plain();
    let line = |change: &Change| crate::commands::policy::line(change, plain).trim_end().to_owned();
    let (later, now): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.restart);
    let weaker = now.iter().filter(|change| change.weakens).count();
    let mut notes = Vec::new();
    if weaker > 0 {
        notes.push(format!(
            "{} (!): more can leave now, or less is looked at",
            style::count(weaker as u64, "weaker change")
        ));
    }
    if !later.is_empty() {
        notes.push("what needs a new start (*) stays as it was until then:".to_owned());
        notes.extend(later.into_iter().map(line));
    }
    if ended > 0 {
        notes.push(format!(
            "{} ended: what allowed them is gone",
            style::count(ended as u64, "running exchange")
        ));
    }
    (now.into_iter().map(line).collect(), notes)
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
