//! `bottle logs`: what a bottle did, from its audit file; or what its launcher and engine had to say.
use crate::events;
use crate::failure::{Failure, Outcome};
use crate::filter::Filter;
use crate::har;
use crate::logs::{Follow, event_line};
use crate::places;
use crate::registry::{Record, Registry, read_record};
use crate::say;
use crate::style::Style;
use clap::Args;
use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `bottle logs`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LogsArgs {
    /// Which bottle, running or ended; may be left out when only one runs.
    #[arg(value_name = "SLUG")]
    pub slug: Option<String>,
    /// Read this audit file instead of a bottle's.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["slug", "follow", "engine"])]
    pub from: Option<PathBuf>,
    /// Go on with what happens next, until the bottle ends.
    #[arg(long, short)]
    pub follow: bool,
    /// Show the log of launcher and engine instead of the audit.
    #[arg(long, conflicts_with_all = ["host", "code", "decision", "route", "method", "findings", "since", "until"])]
    pub engine: bool,
    /// Print the audit lines as they are, JSON.
    #[arg(long, conflicts_with = "engine")]
    pub json: bool,
    /// Print an HTTP archive (HAR 1.2) of the exchanges: what the audit knows, without queries, headers and bodies.
    #[arg(long, conflicts_with_all = ["follow", "engine", "json", "tail", "limit"])]
    pub har: bool,
    /// Start with earlier runs that the audit file holds, too.
    #[arg(long, conflicts_with = "engine")]
    pub all: bool,
    /// Start with the last N lines.
    #[arg(long, short = 'n', value_name = "N")]
    pub tail: Option<usize>,
    /// Show at most N lines, then end.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Which lines.
    #[command(flatten)]
    pub filter: Filter,
}

const AFTER_HELP: &str = "\
Examples:
  bottle logs dev
  bottle logs -f --decision denied
  bottle logs dev --host '*.example.com' --since 1h --findings
  bottle logs dev --json | jq 'select(.decision == \"denied\") | .host'
  bottle logs dev --har > dev.har
  bottle logs dev --engine";

/// Shows it.
pub fn run(args: &LogsArgs) -> Outcome {
    let record = match &args.from {
        Some(_) => None,
        None => Some(choose(args.slug.as_deref())?),
    };
    let file = match (&args.from, &record) {
        (Some(file), _) => file,
        (None, Some(record)) if args.engine => &record.log,
        (None, Some(record)) => &record.audit,
        (None, None) => return Err(Failure::new("no bottle and no file was named")),
    };
    if args.har {
        return archive(args, file);
    }
    let mut lines = Follow::open(file)?;
    let past = lines.read()?;
    let shown = tail(if args.engine { past } else { chosen(args, past) }, args.tail);
    let mut printer = Printer { args, style: Style::stdout(), left: args.limit };
    printer.show_all(shown.iter().map(String::as_str))?;
    match &record {
        Some(record) if args.follow => follow(&mut printer, record, &mut lines),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn archive(args: &LogsArgs, file: &Path) -> Outcome {
    let lines = events::read(file, args.all, |record| args.filter.takes(record))?;
    say::out(format!("{:#}\n", har::archive(&lines.records)))?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at the launcher first: what it wrote before it ended is still shown.
fn follow(printer: &mut Printer<'_>, record: &Record, lines: &mut Follow) -> Outcome {
    while printer.left != Some(0) {
        let running = record.launcher.is_alive();
        let new = lines.wait()?;
        let wanted = new.iter().map(String::as_str).filter(|line| printer.args.filter.takes_line(line));
        printer.show_all(wanted.collect::<Vec<_>>())?;
        if !running {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
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

/// The lines of the last run, unless all are wanted, as far as the filters take them.
fn chosen(args: &LogsArgs, lines: Vec<String>) -> Vec<String> {
    let start = if args.all { None } else { lines.iter().rposition(|line| is_start(line)) };
    lines.into_iter().skip(start.unwrap_or(0)).filter(|line| args.filter.takes_line(line)).collect()
}

fn is_start(line: &str) -> bool {
    serde_json::from_str(line).is_ok_and(|record: audit::Record| events::starts_run(&record))
}

fn tail(lines: Vec<String>, most: Option<usize>) -> VecDeque<String> {
    let skipped = most.map_or(0, |most| lines.len().saturating_sub(most));
    lines.into_iter().skip(skipped).collect()
}

/// Shows lines until there were enough.
struct Printer<'a> {
    args: &'a LogsArgs,
    style: Style,
    left: Option<usize>,
}

impl Printer<'_> {
    fn show_all<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) -> Result<(), Failure> {
        for line in lines {
            match &mut self.left {
                Some(0) => return Ok(()),
                Some(left) => *left -= 1,
                None => {}
            }
            self.show(line)?;
        }
        Ok(())
    }

    fn show(&self, line: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let plain = self.args.json || self.args.engine;
        let text = if plain { crate::style::neutral(line) } else { event_line(line, self.style) };
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            // The reader (`head`) has enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            done => Ok(done?),
        }
    }
}
