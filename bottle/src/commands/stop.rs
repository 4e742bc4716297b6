//! `bottle stop`: end bottles, gently first.
use crate::failure::{Failure, Outcome};
use crate::leftovers::Leftovers;
use crate::process::Handle;
use crate::registry::{Record, Registry};
use crate::say;
use clap::Args;
use rustix::process::Signal;
use sandbox::docker::clean::Part;
use std::process::ExitCode;
use std::time::Duration;

/// Time that a launcher gets to end everything in good order once its agent did not want to end.
const ORDERLY: Duration = Duration::from_secs(5);

/// Arguments of `bottle stop`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct StopArgs {
    /// Slugs, or names: a name stops every bottle that has it.
    #[arg(value_name = "SLUG|NAME", required_unless_present = "all")]
    pub bottles: Vec<String>,
    /// Stop every bottle.
    #[arg(long, conflicts_with = "bottles")]
    pub all: bool,
    /// Seconds that the agent gets to end by itself.
    #[arg(long, short, value_name = "SECONDS", default_value_t = 10)]
    pub time: u64,
}

const AFTER_HELP: &str = "\
The agent gets SIGTERM; when it has not ended after `--time` seconds, it is killed with everything in its bottle.
Stopping a bottle that does not run is no error.

Examples:
  bottle stop dev
  bottle stop --time 1 dev-2
  bottle stop --all";

/// Stops them.
pub fn run(args: &StopArgs) -> Outcome {
    let registry = Registry::open()?;
    let running = registry.running()?;
    report_missing(args, &running);
    let chosen: Vec<&Record> = running.iter().filter(|record| is_chosen(args, record)).collect();
    let outcome = stop_all(&chosen, Duration::from_secs(args.time));
    if let Some(leftovers) = Leftovers::look_if_known()? {
        let orphans = leftovers.orphans(false).into_iter();
        let wanted = |part: &Part| {
            args.all || args.bottles.iter().any(|one| [&part.slug, &part.bottle].contains(&one))
        };
        leftovers.remove(&orphans.filter(wanted).collect::<Vec<_>>())?;
    }
    registry.prune()?;
    outcome.map(|()| ExitCode::SUCCESS)
}

fn is_chosen(args: &StopArgs, record: &Record) -> bool {
    args.all || args.bottles.iter().any(|wanted| *wanted == record.slug || *wanted == record.name)
}

fn report_missing(args: &StopArgs, running: &[Record]) {
    for wanted in &args.bottles {
        if !running.iter().any(|record| *wanted == record.slug || *wanted == record.name) {
            say::err(&format!("bottle: `{wanted}` does not run\n"));
        }
    }
}

/// All are told first, so that they end at the same time.
fn stop_all(chosen: &[&Record], time: Duration) -> Result<(), Failure> {
    let handles: Vec<(&Record, Handle)> =
        chosen.iter().filter_map(|record| Some((*record, record.launcher.open()?))).collect();
    for (_, handle) in &handles {
        handle.signal(Signal::TERM)?;
    }
    let deadline = std::time::Instant::now() + time;
    for (record, handle) in &handles {
        finish(handle, deadline.saturating_duration_since(std::time::Instant::now()))?;
        say::out(format!("{}\n", record.slug))?;
    }
    Ok(())
}

/// A second SIGTERM makes the launcher kill its bottle and write the end down; SIGKILL is for one that hangs, and takes
/// the bottle with it as well.
fn finish(handle: &Handle, time: Duration) -> Result<(), Failure> {
    if handle.ended_within(time) {
        return Ok(());
    }
    handle.signal(Signal::TERM)?;
    if handle.ended_within(ORDERLY) {
        return Ok(());
    }
    handle.signal(Signal::KILL)?;
    if handle.ended_within(ORDERLY) {
        return Ok(());
    }
    Err(Failure::new("the launcher does not end even when killed")
        .help("look at it with `bottle ps` and `ps -o stat,wchan`"))
}
