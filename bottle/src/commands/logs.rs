//! `bottle logs`: what a bottle did, from its audit file; or what its launcher and engine had to say.
use crate::failure::{Failure, Outcome};
use crate::logs::{Follow, event_line};
use crate::places;
use crate::registry::{Record, Registry, read_record};
use crate::style::Style;
use audit::{Event, Record as Line};
use clap::Args;
use std::collections::VecDeque;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `bottle logs`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LogsArgs {
    /// Which bottle, running or ended; may be left out when only one runs.
    #[arg(value_name = "SLUG")]
    pub slug: Option<String>,
    /// Go on with what happens next, until the bottle ends.
    #[arg(long, short)]
    pub follow: bool,
    /// Show the log of launcher and engine instead of the audit.
    #[arg(long)]
    pub engine: bool,
    /// Print the audit lines as they are, JSON.
    #[arg(long, conflicts_with = "engine")]
    pub json: bool,
    /// Start with earlier runs that the audit file holds, too.
    #[arg(long, conflicts_with = "engine")]
    pub all: bool,
    /// Start with the last N lines.
    #[arg(long, short = 'n', value_name = "N")]
    pub tail: Option<usize>,
}

const AFTER_HELP: &str = "\
Examples:
  bottle logs dev
  bottle logs -f
  bottle logs dev --json | jq 'select(.decision == \"denied\") | .host'
  bottle logs dev --engine";

/// Shows it.
pub fn run(args: &LogsArgs) -> Outcome {
    let record = choose(args.slug.as_deref())?;
    let mut lines = Follow::open(if args.engine { &record.log } else { &record.audit })?;
    let past = lines.read()?;
    let shown = tail(if args.engine { past } else { chosen(args, past) }, args.tail);
    let style = Style::stdout();
    for line in &shown {
        show(args, line, style)?;
    }
    if args.follow { follow(args, &record, &mut lines, style) } else { Ok(ExitCode::SUCCESS) }
}

/// Looks at the launcher first: what it wrote before it ended is still shown.
fn follow(args: &LogsArgs, record: &Record, lines: &mut Follow, style: Style) -> Outcome {
    loop {
        let running = record.launcher.is_alive();
        for line in lines.wait()? {
            show(args, &line, style)?;
        }
        if !running {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// A running bottle, else the last one of that slug.
pub fn choose(slug: Option<&str>) -> Result<Record, Failure> {
    let mut running = Registry::open()?.running()?;
    match slug {
        Some(slug) => match running.into_iter().find(|record| record.slug == slug) {
            Some(record) => Ok(record),
            None => ended(slug),
        },
        None if running.len() == 1 => Ok(running.remove(0)),
        None => Err(Failure::new("which bottle: none runs, or more than one")
            .help("name one; `bottle ps` lists those that run")),
    }
}

fn ended(slug: &str) -> Result<Record, Failure> {
    let unknown =
        || Failure::new(format!("no bottle `{slug}` ran here")).help("`bottle ps` lists those that run");
    let file = PathBuf::from(format!("logs/{slug}.json"));
    let names = std::fs::read_dir(places::state_root()?).map_err(|_| unknown())?;
    let records = names.flatten().filter_map(|name| read_record(&name.path().join(&file)));
    records.filter(|record| record.slug == slug).max_by_key(|record| record.started).ok_or_else(unknown)
}

/// The lines of the last run, unless all are wanted.
fn chosen(args: &LogsArgs, lines: Vec<String>) -> Vec<String> {
    let start = if args.all { None } else { lines.iter().rposition(|line| is_start(line)) };
    lines.into_iter().skip(start.unwrap_or(0)).collect()
}

fn is_start(line: &str) -> bool {
    matches!(serde_json::from_str(line), Ok(Line { event: Event::Lifecycle(step), .. }) if step.step == "bottle-started")
}

fn tail(lines: Vec<String>, most: Option<usize>) -> VecDeque<String> {
    let skipped = most.map_or(0, |most| lines.len().saturating_sub(most));
    lines.into_iter().skip(skipped).collect()
}

fn show(args: &LogsArgs, line: &str, style: Style) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let text = if args.json || args.engine { crate::style::neutral(line) } else { event_line(line, style) };
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // The reader (`head`) has enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}
