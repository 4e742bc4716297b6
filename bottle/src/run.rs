//! The story of a bottle, from the plan to the exit code. Start reading at [`hold`].

pub mod attend;
pub mod crossing;
pub mod docker;
pub mod environment;
mod guarded;
mod job;
pub mod journal;
mod learned;
pub mod memory;
pub mod ports;
pub mod preflight;
pub mod relay;
pub mod signals;
pub mod start;
pub mod summary;
pub mod terminal;

use crate::canary::Planted;
use crate::control::Hub;
use crate::control::steer::Near;
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::mcp::inside;
use crate::operate::{Operated, Operation};
use crate::places;
use crate::process::Identity;
use crate::registry::{Claim, Record, Registry};
use crate::say;
use crate::style::Style;
use attend::{Attendance, Attended};
use audit::Auditor;
use credentials::Vault;
use guarded::Guarded;
use manifest::Plan;
use manifest::plan::Backend;
use ports::Ports;
use preflight::Walls;
use relay::Relay;
use rustix::fs::Access;
use sandbox::linux::{Appeared, Spare, Survey};
use sandbox::{Ended, Stdio};
use signals::Signals;
use start::{Ready, Start, walls_failure};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::End;
use terminal::{Terminal, leave_keyboard_to_the_pipeline};

/// Exit code when the time limit ended the agent, as `timeout` has it.
const TIMED_OUT: u8 = 124;

/// Said before anything runs: this is no ordinary run.
const LEARNS: &str = "bottle: learning: what no route allows goes out in this run, but for private addresses; routes are proposed at its end\n";

/// What is wanted besides the plan.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Variables for the agent.
    pub env: Vec<(String, String)>,
    /// No PTY even when there is a terminal.
    pub no_terminal: bool,
    /// Neither preflight nor summary.
    pub quiet: bool,
    /// What the command line says about the operator.
    pub operation: Operation,
}

/// One run: what is meant, and what was taken for it.
pub struct Run<'a> {
    plan: &'a Plan,
    wishes: &'a Wishes,
    vault: &'a Vault,
    claim: &'a Claim,
    auditor: &'a Auditor,
    planted: &'a Planted,
    operated: RefCell<Operated>,
    began: jiff::Timestamp,
}

/// Holds an agent in a bottle until it ends; gives its exit code.
pub fn hold(mut plan: Plan, wishes: &Wishes) -> Outcome {
    memory::keep_secrets_in()?;
    usable(&plan.sandbox.workspace)?;
    // Before there are secrets in this memory, and while everything else is read.
    let spare = (plan.backend == Backend::Linux).then(Spare::start).transpose().map_err(walls_failure)?;
    let vault = engine::resolve(&plan.egress)?;
    let claim = Registry::open()?.claim(&plan.name)?;
    plan.audit_file = claim.own_file(&plan.audit_file);
    let signals = Signals::catch()?;
    let record = record(&plan, &claim)?;
    journal::open_log(&record.log)?;
    places::private_folders(&plan.sandbox.home)?;
    let auditor = journal::open_audit(&plan.audit_file, claim.slug())?;
    inside::see_to_home(&plan)?;
    let planted = Planted::plant(&plan, claim.slug())?;
    let operated = Operated::begin(&claim, &record, &plan, &wishes.operation, &auditor)?.into();
    let (claim, auditor, planted) = (&claim, &auditor, &planted);
    if wishes.operation.learn && !wishes.quiet {
        say::err(LEARNS);
    }
    let began = record.started;
    let run = Run { plan: &plan, wishes, vault: &vault, claim, auditor, planted, operated, began };
    let started = Instant::now();
    journal::step(auditor, "bottle-started", Some(format!("`{}`", plan.agent.command.join(" "))));
    let outcome = match plan.backend {
        Backend::Linux => run.keep(&record, signals, spare),
        Backend::Docker => docker::keep(&run, &record, signals),
    };
    run.finish(outcome, started.elapsed())
}

/// The agent works in it, and places in it are held.
fn usable(workspace: &Path) -> Result<(), Failure> {
    let shown = workspace.display();
    let other = "choose a folder of yours: `--workspace DIR`, or `workspace:` in the manifest";
    if !workspace.is_dir() && workspace.exists() {
        return Err(Failure::new(format!("the workspace `{shown}` is not a folder")).help(other));
    }
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(workspace, all).map_err(|error| {
        let why = std::io::Error::from(error);
        Failure::new(format!("you may not read and write the workspace `{shown}`: {why}")).help(other)
    })
}

impl Run<'_> {
    /// Between the first line of the audit and the last. On every way out all is torn down by the values that go: the
    /// agent first, then the engine, then the published ports.
    fn keep(
        &self,
        record: &Record,
        signals: Signals,
        spare: Option<Spare>,
    ) -> Result<(Attended, Appeared), Failure> {
        let ports = Ports::open(&self.plan.sandbox.ports)?;
        let terminal = Terminal::find(!self.wishes.no_terminal);
        leave_keyboard_to_the_pipeline()?;
        let Ready { mut prepared, egress, missing, unsought } = self.start(terminal.is_some()).make(spare)?;
        let steering = egress.steering()?;
        self.operated.borrow_mut().engine(Arc::new(Near(steering)), self.vault, self.planted);
        let survey = prepared.take_survey();
        let walls = Walls::of(&survey, prepared.limits(&self.plan.sandbox.limits));
        self.show_preflight(&missing, &Walls { unsought, ..walls }.with_canaries(self.planted));
        let guarded = self.guard(&survey);
        self.claim.publish(record)?;
        let relay =
            terminal.zip(prepared.take_pty()).map(|(terminal, pty)| Relay::new(terminal, pty)).transpose()?;
        let mut running = prepared.launch().map_err(walls_failure)?;
        journal::step(self.auditor, "agent-started", None);
        // Not sooner: it would take a processor from what the agent waits for.
        egress::begin_ahead();
        egress::begin_roots();
        let attendance = Attendance {
            relay,
            signals,
            ports,
            time_limit: self.time_limit(),
            hub: self.hub(),
            runtime: egress.handle(),
        };
        let attended = attendance.attend(&mut running)?;
        if let Some(error) = running.unguarded() {
            self.note_lost_protection(error);
        }
        drop((running, guarded));
        self.note_the_end(attended);
        egress.end();
        Ok((attended, self.review(&survey)))
    }

    /// Until this goes.
    fn guard(&self, survey: &Survey) -> Guarded {
        Guarded::begin(survey.clone(), self.plan.backend, self.auditor.clone(), self.hub())
    }

    fn note_lost_protection(&self, error: &std::io::Error) {
        let why = format!("what was replaced on this machine could not be write-protected again: {error}");
        journal::step(self.auditor, "protection-lost", Some(why.clone()));
        say::err(&format!("bottle: warning: {why}; so the bottle was ended\n"));
    }

    fn note_the_end(&self, attended: Attended) {
        if attended.starved {
            journal::step(self.auditor, "memory-used-up", None);
        }
        journal::step(self.auditor, "agent-ended", Some(how(attended)));
    }

    /// What the agent made that the host would execute or trust, and that nothing could protect beforehand.
    fn review(&self, survey: &Survey) -> Appeared {
        let appeared = survey.again();
        for path in appeared.repositories.iter().chain(&appeared.files) {
            journal::step(self.auditor, "made-inside", Some(path.display().to_string()));
        }
        appeared.gaps.iter().for_each(|gap| tracing::warn!("{gap}"));
        appeared
    }

    fn start(&self, terminal: bool) -> Start<'_> {
        Start {
            plan: self.plan,
            slug: self.claim.slug(),
            vault: self.vault,
            auditor: self.auditor,
            planted: self.planted,
            posture: RefCell::new(Some(self.operated.borrow().posture())),
            overrides: &self.wishes.env,
            stdio: if terminal { Stdio::Pty } else { Stdio::Inherit },
        }
    }

    fn hub(&self) -> Hub {
        self.operated.borrow().hub.clone()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.plan
            .agent
            .time_limit_secs
            .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)))
    }

    fn show_preflight(&self, missing: &[String], walls: &Walls) {
        for what in missing.iter().chain(&walls.gaps) {
            tracing::warn!("{what}");
        }
        if !self.wishes.quiet {
            say::err(&preflight::text(self.plan, self.claim.slug(), walls, Style::stderr()));
        }
    }

    /// The last line of the audit, the summary, the exit code.
    fn finish(&self, outcome: Result<(Attended, Appeared), Failure>, lasted: Duration) -> Outcome {
        let failed = outcome.as_ref().err().map(|failure| failure.what.clone());
        journal::step(self.auditor, if failed.is_some() { "bottle-failed" } else { "bottle-ended" }, failed);
        let flushed = self.auditor.flush();
        if self.wishes.operation.learn && flushed.is_ok() {
            self.propose(self.began);
        }
        let (attended, appeared) = outcome?;
        if !self.wishes.quiet {
            self.show_summary(attended, lasted, &appeared);
        }
        // An agent's success counts for nothing when what it did could not be written down.
        flushed?;
        Ok(exit_code(attended))
    }

    fn show_summary(&self, attended: Attended, lasted: Duration, appeared: &Appeared) {
        let end = End {
            slug: self.claim.slug(),
            how: &how(attended),
            starved: attended.starved,
            lasted,
            exchanges: &self.auditor.summary(),
            appeared,
            workspace: &self.plan.sandbox.workspace,
            audit: &self.plan.audit_file,
        };
        say::err(&summary::text(&end, Style::stderr()));
    }
}

/// What is written down about a bottle of this plan.
pub fn record(plan: &Plan, claim: &Claim) -> Result<Record, Failure> {
    Ok(Record {
        version: 1,
        slug: claim.slug().to_owned(),
        name: plan.name.clone(),
        launcher: Identity::own()?,
        started: jiff::Timestamp::now(),
        workspace: plan.sandbox.workspace.clone(),
        writable: crossing::writable(&plan.sandbox),
        protection: crossing::protection(&plan.sandbox),
        command: plan.agent.command.clone(),
        backend: plan.backend,
        audit: plan.audit_file.clone(),
        log: log_file(&plan.name, claim.slug())?,
        ports: plan.sandbox.ports.clone(),
    })
}

/// Where the log of a slug is.
pub fn log_file(name: &str, slug: &str) -> Result<PathBuf, Failure> {
    Ok(places::state_root()?.join(name).join("logs").join(format!("{slug}.log")))
}

fn how(attended: Attended) -> String {
    match attended {
        Attended { timed_out: true, .. } => "was stopped by its time limit".to_owned(),
        Attended { ended: Ended::Exited(code), .. } => format!("exited with {code}"),
        Attended { ended: Ended::Signalled(signal), .. } => format!("was ended by signal {signal}"),
    }
}

fn exit_code(attended: Attended) -> ExitCode {
    let code = match attended {
        Attended { timed_out: true, .. } => TIMED_OUT,
        Attended { ended: Ended::Exited(code), .. } => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        Attended { ended: Ended::Signalled(signal), .. } => 128 | u8::try_from(signal & 0x7f).unwrap_or(0),
    };
    ExitCode::from(code)
}
