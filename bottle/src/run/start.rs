//! From the plan to walls, engine and a running agent. Walls and engine are made at the same time.
use super::environment::{self, Variables};
use crate::canary::Planted;
use crate::engine::{self, Own, Posture, Supplies};
use crate::failure::{BOTTLE_FAILED, Failure};
use crate::mcp::inside;
use crate::style::neutral;
use audit::Auditor;
use credentials::Vault;
use credentials::remote::HandedExact;
use egress::{CertificateAuthority, Config, Engine, Listeners, Steering};
use manifest::Plan;
use manifest::plan::SandboxPlan;
use policy::{HostPattern, Protocol, Route, Scheme};
use sandbox::linux::{InsideListeners, Prepared, Spare, prepare_on};
use sandbox::provision::{EGRESS_PORT, HostTrust, Provision, ProvisionInput, provision};
use sandbox::{LaunchFault, SandboxError, Spec, Stdio};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

/// The bottle is gone by then; what the runtime still does is of no use to anybody.
const RUNTIME_END: Duration = Duration::from_millis(200);

/// What the start of one bottle depends on.
pub struct Start<'a> {
    /// What is meant.
    pub plan: &'a Plan,
    /// Its slug.
    pub slug: &'a str,
    /// The secrets, resolved.
    pub vault: &'a Vault,
    /// Where events go.
    pub auditor: &'a Auditor,
    /// Canaries.
    pub planted: &'a Planted,
    /// What the engine is told of its operator; taken once.
    pub posture: RefCell<Option<Posture>>,
    /// Variables from the command line.
    pub overrides: &'a [(String, String)],
    /// Terminal or not.
    pub stdio: Stdio,
}

/// Walls that stand and an engine that answers inside; no agent yet.
pub struct Ready {
    /// The walls.
    pub prepared: Prepared,
    /// The engine and what it runs on.
    pub egress: EngineRoom,
    /// What programs inside will miss, for the preflight.
    pub missing: Vec<String>,
    /// Secrets that are not looked for, by name.
    pub unsought: Vec<String>,
}

impl Start<'_> {
    /// Makes both, the walls with processes that were started before, where there are some, which lay the ground while the
    /// rest is thought of. On an error nothing is left.
    pub fn make(&self, spare: Option<Spare>) -> Result<Ready, Failure> {
        // On this thread, too: the kernel kills the bottle when the thread that made it ends.
        let spare = spare.map_or_else(Spare::start, Ok).map_err(walls_failure)?;
        let begun = spare.begin(&self.sandbox(), self.slug).map_err(walls_failure)?;
        let ca = CertificateAuthority::generate(self.slug)?;
        let (spec, missing) = self.spec(ca.certificate_pem())?;
        let (prepared, engine) = std::thread::scope(|scope| {
            let parts = Parts {
                plan: self.plan,
                slug: self.slug,
                vault: self.vault,
                auditor: self.auditor,
                canaries: self.planted.values(),
            };
            let posture = self.posture.take().unwrap_or_default();
            let engine = scope.spawn(move || parts.make(ca, posture));
            (prepare_on(begun, &spec), engine.join())
        });
        let (runtime, config, unsought) =
            engine.map_err(|_| Failure::new("the engine's preparation failed"))??;
        let mut prepared = prepared.map_err(walls_failure)?;
        let egress = EngineRoom::start(runtime, config, prepared.take_listeners())?;
        Ok(Ready { prepared, egress, missing, unsought })
    }

    fn sandbox(&self) -> SandboxPlan {
        let mut sandbox = self.plan.sandbox.clone();
        sandbox.mounts.extend(inside::own_program());
        sandbox
    }

    fn spec(&self, ca_pem: &str) -> Result<(Spec, Vec<String>), Failure> {
        let (env, provided) = self.environment(ca_pem)?;
        let spec = Spec {
            slug: self.slug.to_owned(),
            command: self.plan.agent.command.clone(),
            env,
            sandbox: self.sandbox(),
            files: provided.files,
            stdio: self.stdio,
        };
        Ok((spec, provided.missing))
    }

    fn environment(&self, ca_pem: &str) -> Result<(Variables, Provision), Failure> {
        let home = &self.plan.sandbox.home_inside;
        let host = |name: &str| std::env::var(name).ok();
        let mut env = environment::base(&self.plan.agent, home, self.slug, self.overrides, host);
        env.extend(self.vault.agent_env());
        environment::refuse_secrets(self.vault, &env, &self.plan.agent.command)?;
        let code_hosts = code_hosts(self.plan);
        let provided = provision(&ProvisionInput {
            ca_pem,
            host: &HostTrust::read(),
            code_hosts: &code_hosts,
            env: &env,
            egress_port: EGRESS_PORT,
            tools: &self.plan.agent.tools,
        });
        env.extend(provided.env.clone());
        inside::on_path(&mut env);
        Ok((env, provided))
    }
}

/// What an engine is made of.
struct Parts<'a> {
    plan: &'a Plan,
    slug: &'a str,
    vault: &'a Vault,
    auditor: &'a Auditor,
    canaries: Vec<HandedExact>,
}

impl Parts<'_> {
    fn make(
        self,
        ca: CertificateAuthority,
        posture: Posture,
    ) -> Result<(Runtime, Config, Vec<String>), Failure> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("egress").build()?;
        let egress = &self.plan.egress;
        let supplies = Supplies { canaries: self.canaries, ..Supplies::read(egress)? };
        let unsought = engine::unsought(egress, self.vault, &supplies);
        let (vault, auditor) = (self.vault.clone(), self.auditor.clone());
        let config =
            engine::config(egress, supplies, vault, Own { slug: self.slug, ca, audit: auditor }, posture)?;
        Ok((runtime, config, unsought))
    }
}

/// The walls' own hint becomes ours. They name files that an agent named, and say what an engine said: a terminal obeys none of
/// it. A program that is not there is the user's matter, and has a shell's exit codes.
pub fn walls_failure(error: SandboxError) -> Failure {
    let code = match error.fault {
        Some(LaunchFault::NotFound) => 127,
        Some(LaunchFault::NotExecutable) => 126,
        None => BOTTLE_FAILED,
    };
    let shown = |text: &str| text.split('\n').map(neutral).collect::<Vec<_>>().join("\n");
    let failure = Failure::new(shown(&error.what)).code(code);
    match error.hint {
        Some(hint) => failure.help(shown(&hint)),
        None => failure,
    }
}

/// A running engine and what it runs on; when this goes, both go.
pub struct EngineRoom {
    engine: Option<Engine>,
    runtime: Option<Runtime>,
}

impl EngineRoom {
    fn start(runtime: Runtime, config: Config, inside: InsideListeners) -> Result<EngineRoom, Failure> {
        let mut room = EngineRoom { engine: None, runtime: Some(runtime) };
        let _on = room.handle().enter();
        let InsideListeners { tcp, dns_udp, dns_tcp } = inside;
        room.engine = Some(Engine::start(config, Listeners { tcp, dns_udp, dns_tcp, captured: true })?);
        Ok(room)
    }

    /// The operator's side of the engine.
    /// # Errors
    /// When it has ended.
    pub fn steering(&self) -> Result<Steering, Failure> {
        let engine = self.engine.as_ref().ok_or_else(|| Failure::new("the engine has ended"))?;
        Ok(engine.steering())
    }

    /// For what else is to run beside the engine.
    pub fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("it is there until the room is dropped").handle().clone()
    }

    /// Running exchanges come to their end; then all is over.
    pub fn end(mut self) {
        if let Some(engine) = self.engine.take() {
            self.handle().block_on(engine.shutdown());
        }
    }
}

impl Drop for EngineRoom {
    fn drop(&mut self) {
        drop(self.engine.take());
        // A credential's command may still run; nobody needs its answer any more.
        self.runtime.take().into_iter().for_each(|runtime| runtime.shutdown_timeout(RUNTIME_END));
    }
}

/// Hosts that git reaches over https and not over ssh.
pub(super) fn code_hosts(plan: &Plan) -> Vec<String> {
    let hosts = |wanted: fn(&Route) -> bool| -> BTreeSet<String> {
        plan.egress
            .policy
            .routes()
            .iter()
            .filter(|route| wanted(route))
            .filter_map(|route| exact(route))
            .collect()
    };
    let over_https =
        hosts(|route| route.protocol == Protocol::Http && route.scheme == Scheme::Https && route.port == 443);
    let over_ssh = hosts(|route| route.protocol == Protocol::Tcp && route.port == 22);
    over_https.difference(&over_ssh).cloned().collect()
}

fn exact(route: &Route) -> Option<String> {
    match &route.host {
        HostPattern::Exact(host) => Some(host.to_string()),
        HostPattern::Below(_) => None,
    }
}
