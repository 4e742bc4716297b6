//! `bottle report`: a page about a run.
use super::logs;
use crate::events;
use crate::failure::{Failure, Outcome};
use crate::places;
use crate::report;
use crate::say;
use crate::style::neutral;
use crate::whole;
use audit::Record;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Arguments of `bottle report`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReportArgs {
    /// Which bottle, running or ended; may be left out when only one runs.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Read this audit file instead of a bottle's.
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub from: Option<PathBuf>,
    /// Where the page goes; `-` is standard output. Default: a file of its own where bottles keep their state.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// All runs that the audit file holds, not only the last.
    #[arg(long)]
    pub all: bool,
    /// Open it with the program that this desktop has for pages.
    #[arg(long)]
    pub open: bool,
}

const AFTER_HELP: &str = "\
One HTML file that needs nothing else: no script, no network. It tells when what was asked for, which hosts, what was
refused and why, what was found, which credentials went where, and the bottle's life.

Examples:
  bottle report dev --open
  bottle report --from audit.jsonl --out run.html

Exit code: 0 when it was written, 125 when not.";

/// Does it.
///
/// # Errors
/// When the audit cannot be read, or the page not be written.
pub fn run(args: &ReportArgs) -> Outcome {
    let audit = match &args.from {
        Some(file) => file.clone(),
        None => logs::choose(args.name.as_deref())?.audit,
    };
    let lines = events::read(&audit, args.all, |_| true)?;
    if lines.records.is_empty() {
        return Err(Failure::new(format!("`{}` holds no audit line", audit.display()))
            .help("name an audit file; the preflight and the summary of `bottle run` show it"));
    }
    let page = report::page(&lines.records, lines.odd);
    if args.out.as_deref() == Some(Path::new("-")) {
        say::out(page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = match &args.out {
        Some(file) => file.clone(),
        None => usual_place(&lines.records)?,
    };
    whole::replace(&file, page.as_bytes(), 0o600)?;
    say::out(format!("{}\n", neutral(&file.display().to_string())))?;
    if args.open {
        open(&file)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Not where an agent could write: a page is opened by a browser.
fn usual_place(records: &[Record]) -> Result<PathBuf, Failure> {
    let folder = places::state_root()?.join("reports");
    places::private_folders(&folder)?;
    let first = records.first();
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect()
    };
    let name = first.map(|record| plain(&record.bottle)).unwrap_or_default();
    let time = first
        .map(|record| plain(record.time.split(['.', 'Z']).next().unwrap_or_default()))
        .unwrap_or_default();
    Ok(folder.join(format!("{name}-{time}.html")))
}

/// By the desktop's own rules; nobody waits for it.
fn open(file: &Path) -> Result<(), Failure> {
    let file = file.canonicalize()?;
    let mut command = Command::new("xdg-open");
    command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(_left_alone) => Ok(()),
        Err(error) => {
            Err(Failure::new(format!("the page was written, but `xdg-open` cannot be started: {error}"))
                .help("open the file in a browser"))
        }
    }
}
