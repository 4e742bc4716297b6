//! The command line as written. Each command's arguments stand beside its work, in `commands/`.
use crate::commands::{
    allow, audit, ca, check, completions, demo, doctor, egress, engine, explain, export, image, init,
    kill_switch, learn, logs, man, mcp, policy, prune, ps, refuse, reload, report, requests, run, scan, stop,
    ui, watch,
};
use crate::failure::Outcome;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;

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

/// The command line of this process.
///
/// # Errors
/// What is wrong with it, or the help that it asks for.
pub fn parse() -> Result<Cli, clap::Error> {
    match alone(std::env::args_os().skip(1)) {
        Some(command) => Ok(Cli { command }),
        None => Cli::try_parse(),
    }
}

/// What somebody waits for is read by its own arguments alone: to describe all commands takes longer than to read one. What is not
/// understood so, mistakes and help among it, is for [`Cli`], which says the rest.
fn alone(mut arguments: impl Iterator<Item = OsString>) -> Option<Command> {
    match arguments.next()?.to_str()? {
        "egress" => read(arguments).map(Command::Egress),
        "run" => read(arguments).map(Command::Run),
        _ => None,
    }
}

fn read<A: Args>(arguments: impl Iterator<Item = OsString>) -> Option<A> {
    let command = A::augment_args(clap::Command::new("bottle")).no_binary_name(true);
    let matches = command.try_get_matches_from(arguments).ok()?;
    A::from_arg_matches(&matches).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> impl Iterator<Item = OsString> {
        line.split_whitespace().map(OsString::from)
    }

    #[test]
    fn what_is_read_by_itself_means_what_it_means_among_all() {
        for line in [
            "egress",
            "egress -q --listen 127.0.0.1:0 --listen [::1]:9 -m x/bottle.yaml --ca-out ca.pem --print-env",
            "egress -p github,codex --expose --unattended --called egress:9099 --env-out env.sh",
            "egress --probe 127.0.0.1:9099",
            "run",
            "run --quiet -m bottle.yaml -- npm test --help --version",
            "run -- egress --listen nowhere",
        ] {
            let whole = Cli::try_parse_from(words("bottle").chain(words(line))).expect(line);
            let alone = alone(words(line)).expect(line);
            assert_eq!(format!("{alone:?}"), format!("{:?}", whole.command), "{line}");
        }
    }

    /// There they get the sentences that they always got.
    #[test]
    fn help_and_mistakes_are_left_to_the_whole() {
        for line in [
            "egress --help",
            "egress -V",
            "egress --listen nowhere",
            "egress --ca ca.pem",
            "egress --probe 127.0.0.1:1 --expose",
            "run --no-such-option",
            "run -h",
            "check",
            "help egress",
        ] {
            assert!(alone(words(line)).is_none(), "{line}");
        }
    }
}
