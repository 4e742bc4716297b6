//! A bottle in the hands of its operator while it runs: the control socket, the manifest that is read again, the kill switch.
//! The same for every backend, and for `bottle egress`.
mod keeper;
mod lookout;

use crate::control::serve::Served;
use crate::control::{Hub, Snapshot, Steer, notify};
use crate::engine::Posture;
use crate::failure::Failure;
use crate::kill_switch;
use crate::load::Wanted;
use crate::registry::{Claim, Record};
use audit::Auditor;
use credentials::Vault;
use keeper::Manifested;
use lookout::Lookout;
use manifest::Plan;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

/// What the command line says about the operator.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// How the manifest was found, to find it again.
    pub wanted: Wanted,
    /// Nobody is to be asked.
    pub unattended: bool,
    /// What no route allows goes out, to be learned from.
    pub learn: bool,
}

/// The line to a bottle's operator; gone with this.
pub struct Operated {
    /// What is known, and the way to the engine.
    pub hub: Hub,
    operation: Operation,
    plan: Plan,
    _served: Served,
    lookout: Option<Lookout>,
}

impl Operated {
    /// Before anything is made. Whoever calls is told that the bottle is still being started.
    /// # Errors
    /// When there can be no socket.
    pub fn begin(
        claim: &Claim,
        record: &Record,
        plan: &Plan,
        operation: &Operation,
        auditor: &Auditor,
    ) -> Result<Operated, Failure> {
        let about = about(record, plan, operation.wanted.file.clone());
        let has_terminal = std::io::stderr().is_terminal();
        let attended = !operation.unattended && (has_terminal || plan.on_request.is_some());
        let on_petition = notify::notifier(plan.on_request.clone());
        let hub = Hub::new(about, plan.egress.clone(), attended, !operation.unattended, Some(on_petition));
        let seeing = hub.clone();
        auditor.listen(Box::new(move |event| seeing.see(event)));
        let served = Served::at(&claim.control(), hub.clone())?;
        Ok(Operated { hub, operation: operation.clone(), plan: plan.clone(), _served: served, lookout: None })
    }

    /// What an engine is told of its operator at its start.
    pub fn posture(&self) -> Posture {
        let hub = self.hub.clone();
        Posture {
            attended: self.hub.is_attended(),
            locked: self.hub.is_locked(),
            learn: self.operation.learn,
            notices: Some(Arc::new(move |petition| hub.petition(petition))),
        }
    }

    /// The engine answers from now on: the manifest and the kill switch are watched.
    pub fn engine(&mut self, steer: Arc<dyn Steer>, vault: &Vault, canaries: &crate::canary::Planted) {
        let keeper = Manifested::new(&self.operation, &self.plan, vault, canaries, Arc::clone(&steer));
        let keeper = Arc::new(keeper);
        self.hub.steered_by(steer, Arc::clone(&keeper) as Arc<dyn crate::control::hub::Keeper>);
        self.lookout = Some(Lookout::begin(self.hub.clone(), keeper.watched(), kill_switch::path().ok()));
    }
}

impl Drop for Operated {
    fn drop(&mut self) {
        drop(self.lookout.take());
        self.hub.end();
    }
}

fn about(record: &Record, plan: &Plan, manifest: Option<PathBuf>) -> Snapshot {
    Snapshot {
        slug: record.slug.clone(),
        name: record.name.clone(),
        backend: record.backend,
        started: record.started,
        workspace: record.workspace.clone(),
        command: record.command.clone(),
        manifest,
        audit: record.audit.clone(),
        policy: manifest::policy_hash(&plan.egress),
        locked: kill_switch::is_on(),
        petitions: Vec::new(),
        seen: Vec::new(),
        live: Vec::new(),
    }
}
