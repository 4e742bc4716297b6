//! `bottle ps`: which bottles run.
use crate::failure::Outcome;
use crate::leftovers::Leftovers;
use crate::registry::{Record, Registry};
use crate::say;
use crate::style::{self, Style};
use clap::Args;
use sandbox::docker::clean;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `bottle ps`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PsArgs {
    /// Print a JSON array instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Print slugs only, one per line.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

const AFTER_HELP: &str = "\
Examples:
  bottle ps
  bottle ps --json | jq -r '.[].slug'";

/// Lists them.
pub fn run(args: &PsArgs) -> Outcome {
    let registry = Registry::open()?;
    let records = registry.running()?;
    say::out(if args.json {
        format!("{}\n", serde_json::to_string_pretty(&records.iter().map(as_json).collect::<Vec<_>>())?)
    } else if args.quiet {
        records.iter().map(|record| format!("{}\n", record.slug)).collect()
    } else {
        table(&records)
    })?;
    if !args.json && !args.quiet {
        show_orphans();
    }
    Ok(ExitCode::SUCCESS)
}

/// What dead launchers left at an engine; an engine that does not answer is said and is no failure of `ps`.
fn show_orphans() {
    let leftovers = match Leftovers::look_if_known() {
        Ok(Some(leftovers)) => leftovers,
        Ok(None) => return,
        Err(failure) => return say::err(&format!("bottle: warning: {}\n", failure.what)),
    };
    let orphans = leftovers.orphans(false);
    for (slug, parts) in clean::by_slug(&orphans) {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let slug = style::neutral(slug);
        crate::say::err(&format!(
            "bottle: `{slug}` has no launcher any more and left {}: `bottle prune` removes it\n",
            names.join(", ")
        ));
    }
}

fn as_json(record: &Record) -> serde_json::Value {
    json!({
        "slug": record.slug,
        "name": record.name,
        "pid": record.launcher.pid,
        "started": record.started,
        "workspace": record.workspace,
        "command": record.command,
        "backend": record.backend,
        "audit": record.audit,
        "log": record.log,
        "ports": record.ports,
    })
}

fn table(records: &[Record]) -> String {
    let style = Style::stdout();
    let head = ["SLUG", "PID", "UP", "PORTS", "WORKSPACE", "COMMAND"];
    let mut rows = vec![head.iter().map(|title| style.bold(title)).collect()];
    rows.extend(records.iter().map(row));
    style::table(&rows)
}

fn row(record: &Record) -> Vec<String> {
    let up = jiff::Timestamp::now().duration_since(record.started);
    let ports: Vec<String> =
        record.ports.iter().map(|port| format!("{}:{}", port.host, port.inside)).collect();
    vec![
        record.slug.clone(),
        record.launcher.pid.to_string(),
        style::duration(Duration::try_from(up).unwrap_or_default()),
        if ports.is_empty() { "-".into() } else { ports.join(",") },
        style::neutral(&record.workspace.to_string_lossy()),
        style::neutral(&record.command.join(" ")),
    ]
}
