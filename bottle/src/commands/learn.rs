//! `bottle learn`: a manifest that explains what an audit saw.
use super::{check, logs};
use crate::events;
use crate::failure::{Failure, Outcome};
use crate::filter::when;
use crate::learn::{self, Proposed};
use crate::load::{Choice, NoPlan};
use crate::say;
use crate::style::{Style, neutral};
use audit::{Event, Exchange};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when nothing new was learned.
const NOTHING: u8 = 1;

/// Arguments of `bottle learn`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LearnArgs {
    /// The bottle whose audit is read, running or ended.
    #[arg(value_name = "NAME", required_unless_present = "from", conflicts_with = "from")]
    pub name: Option<String>,
    /// Read this audit file instead.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The manifest to add to; without it, the only `bottle.yaml` in this folder or above, or none.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Write the proposal to a file that is not there yet; without a name `bottle.learned.yaml`, beside the manifest.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub out: Option<Option<PathBuf>>,
    /// Only from what happened since: `10m` ago, or a time such as `2026-11-27T14:00:00Z`.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub since: Option<Timestamp>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const AFTER_HELP: &str = "\
Prints the manifest with routes added to it, everything else as it was; what is new, and what nothing was learned from,
goes to standard error. Routes are the narrowest that explain what went out and what only the lack of a route held back:
hosts, ports and methods as they were seen, paths with `*` where names of things stood. Comments say where a route is wider
than what was seen. Nothing is learned from requests in which something was found, or that were refused for other
reasons. What an agent asked for is no reason to allow it: look at each route before you keep it.

Examples:
  bottle learn dev
  bottle learn --from audit.jsonl --since 2h --out

Exit code: 0 when there is something new, 1 when not, 2 when the manifest is wrong, 125 when the audit cannot be read.";

/// Does it.
///
/// # Errors
/// When the audit cannot be read, or the manifest is wrong.
pub fn run(args: &LearnArgs) -> Outcome {
    let file = match (&args.from, &args.name) {
        (Some(file), _) => file.clone(),
        (None, name) => logs::choose(name.as_deref())?.audit,
    };
    let exchanges = exchanges(&file, args.since)?;
    let choice = Choice { manifest: args.manifest.as_deref(), ..Choice::default() };
    let source = file.file_name().unwrap_or_default().to_string_lossy();
    match learn::propose(&choice, &exchanges, &source, Timestamp::now()) {
        Ok(proposed) => tell(args, &proposed),
        Err(no_plan) => wrong(no_plan, args.json),
    }
}

fn wrong(no_plan: NoPlan, json: bool) -> Outcome {
    if json {
        say::out(format!("{:#}\n", json!({ "ok": false, "problems": check::reports(&no_plan) })))?;
        return Ok(ExitCode::from(check::WRONG));
    }
    Err(Failure::from(no_plan).code(check::WRONG))
}

/// Of all runs that the file holds.
pub fn exchanges(file: &Path, since: Option<Timestamp>) -> Result<Vec<Exchange>, Failure> {
    let mut found = Vec::new();
    let mut odd = 0_u64;
    events::each(file, |record| {
        let Some(record) = record else {
            odd += 1;
            return;
        };
        let recent = since.is_none_or(|since| record.time.parse().is_ok_and(|time: Timestamp| time >= since));
        if let (Event::Exchange(exchange), true) = (record.event, recent) {
            found.push(*exchange);
        }
    })?;
    if odd > 0 {
        say::err(&format!("bottle: warning: {odd} lines of `{}` are no audit lines\n", file.display()));
    }
    Ok(found)
}

fn tell(args: &LearnArgs, proposed: &Proposed) -> Outcome {
    let new = !proposed.diff.is_empty();
    let written = match &args.out {
        Some(named) if new => Some(learn::write(proposed, named.as_deref())?),
        _ => None,
    };
    if args.json {
        say::out(format!("{:#}\n", as_json(proposed, written.as_deref())))?;
    } else {
        say::err(&format!("{}{}", coloured(&proposed.diff, Style::stderr()), proposed.told()));
        match &written {
            Some(file) => say::out(format!(
                "wrote {}; `bottle policy diff {} {}` says what it changes\n",
                neutral(&file.display().to_string()),
                neutral(&proposed.written.name),
                neutral(&file.display().to_string()),
            ))?,
            None if new => say::out(&proposed.text)?,
            None => say::out("nothing new was learned\n")?,
        }
    }
    Ok(if new { ExitCode::SUCCESS } else { ExitCode::from(NOTHING) })
}

fn as_json(proposed: &Proposed, written: Option<&Path>) -> Value {
    let left = |list: &[manifest::learn::LeftOut]| -> Value {
        list.iter().map(|one| json!({ "what": one.what, "why": one.why, "times": one.times })).collect()
    };
    let learned = &proposed.learned;
    let routes: Vec<Value> = learned
        .additions
        .iter()
        .map(|one| json!({ "route": one.proposal, "comments": one.comments }))
        .collect();
    json!({
        "ok": true, "file": written, "explained": learned.explained, "covered": learned.covered, "routes": routes,
        "not_added": left(&proposed.not_added), "not_learned": left(&learned.left_out), "diff": proposed.diff,
        "manifest": proposed.text,
    })
}

/// Added lines stand out, on terminals.
pub fn coloured(diff: &str, style: Style) -> String {
    diff.lines()
        .map(|line| {
            let shown = neutral(line);
            let shown = match line.as_bytes().first() {
                Some(b'+') => style.green(&shown),
                Some(b'-') => style.red(&shown),
                _ => shown,
            };
            format!("{shown}\n")
        })
        .collect()
}
