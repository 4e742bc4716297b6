//! The command line as written. Each command's arguments stand beside its work, in `commands/`.
use crate::commands::{
    allow, audit, ca, check, completions, demo, doctor, egress, engine, explain, export, image, init,
    kill_switch, learn, logs, man, mcp, policy, prune, ps, refuse, reload, report, requests, run, scan, stop,
    ui, watch,
};
use crate::failure::Outcome;
use clap::{Parser, Subcommand};

/// Run any coding agent in a bottle: inside it may do anything, outside it reaches only what you allowed, with
/// credentials it never sees.
#[derive(Debug, Parser)]
#[command(name = "bottle", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  bottle init                       write a commented bottle.yaml for this folder
  bottle check                      show what the manifest means, or every mistake in it
  bottle run                        start the agent that bottle.yaml names
  bottle run -- npm test            run any program in the bottle
  bottle watch                      see all bottles live, and answer what their agents ask for
  bottle explain GET https://example.com/
                                    would this request go out, and why";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a program in a bottle.
    Run(run::RunArgs),
    /// Show what a manifest means, or every mistake in it.
    Check(check::CheckArgs),
    /// Say whether a request would go out, by which route, and why.
    Explain(explain::ExplainArgs),
    /// Compare policies: what a manifest allows, and what another one changes.
    Policy(policy::PolicyArgs),
    /// Look for secrets in files, as the engine does in what leaves.
    Scan(scan::ScanArgs),
    /// Run the egress engine alone, as an explicit proxy for sandboxes that exist already.
    Egress(egress::EgressArgs),
    /// Run the egress engine as a sidecar: `bottle run` starts this in a container.
    #[command(hide = true)]
    Engine(engine::EngineArgs),
    /// Make or write out the image that container engines start the egress from.
    Image(image::ImageArgs),
    /// Write a certificate authority for another program, such as an intercepting proxy.
    Ca(ca::CaArgs),
    /// Write a commented bottle.yaml from the tools found here and the presets chosen.
    Init(init::InitArgs),
    /// See all bottles live, and answer their agents.
    Watch(watch::WatchArgs),
    /// List what agents ask for.
    Requests(requests::RequestsArgs),
    /// Say yes to what an agent asks for, or to less of it.
    Allow(allow::AllowArgs),
    /// Say no to what an agent asks for.
    Refuse(refuse::RefuseArgs),
    /// Read a manifest again, while its bottle runs.
    Reload(reload::ReloadArgs),
    /// Refuse everything, at once, in every bottle; or serve again.
    KillSwitch(kill_switch::KillSwitchArgs),
    /// List running bottles.
    Ps(ps::PsArgs),
    /// Stop bottles.
    Stop(stop::StopArgs),
    /// Show what a bottle did.
    Logs(logs::LogsArgs),
    /// Write a page about a run: when, where to, what was refused, what was found.
    Report(report::ReportArgs),
    /// Tell Prometheus or an OpenTelemetry collector what all bottles do.
    Export(export::ExportArgs),
    /// Propose the narrowest routes that explain what an audit saw.
    Learn(learn::LearnArgs),
    /// Watch all bottles and answer what they ask for, on a web page of this machine alone.
    Ui(ui::UiArgs),
    /// Remove what ended bottles left.
    Prune(prune::PruneArgs),
    /// Check that this machine can hold a bottle.
    Doctor(doctor::DoctorArgs),
    /// See a bottle work, offline, in a few seconds.
    Demo(demo::DemoArgs),
    /// Serve the agent's tools over standard input and output, inside of a bottle.
    Mcp(mcp::McpArgs),
    /// Look after audit files.
    Audit(audit::AuditArgs),
    /// Print shell completions.
    Completions(completions::CompletionsArgs),
    /// Write the manual pages.
    Man(man::ManArgs),
}

impl Cli {
    /// Does it.
    pub fn run(self) -> Outcome {
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Policy(args) => policy::run(&args),
            Command::Scan(args) => scan::run(&args),
            Command::Egress(args) => egress::run(&args),
            Command::Engine(args) => engine::run(&args),
            Command::Image(args) => image::run(&args),
            Command::Ca(args) => ca::run(&args),
            Command::Init(args) => init::run(&args),
            Command::Watch(args) => watch::run(&args),
            Command::Requests(args) => requests::run(&args),
            Command::Allow(args) => allow::run(&args),
            Command::Refuse(args) => refuse::run(&args),
            Command::Reload(args) => reload::run(&args),
            Command::KillSwitch(args) => kill_switch::run(&args),
            Command::Ps(args) => ps::run(&args),
            Command::Stop(args) => stop::run(&args),
            Command::Logs(args) => logs::run(&args),
            Command::Report(args) => report::run(&args),
            Command::Export(args) => export::run(&args),
            Command::Learn(args) => learn::run(&args),
            Command::Ui(args) => ui::run(&args),
            Command::Prune(args) => prune::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Mcp(args) => mcp::run(&args),
            Command::Audit(args) => audit::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => man::run(&args),
        }
    }
}
