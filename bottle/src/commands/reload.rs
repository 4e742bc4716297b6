//! `bottle reload`: read a manifest again, while the bottle runs.
use crate::control::call::{self, Line};
use crate::control::{Call, Say};
use crate::failure::{Failure, Outcome};
use crate::registry::Record;
use crate::say;
use crate::style::neutral;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `bottle reload`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReloadArgs {
    /// Which bottles, by slug or name; may be left out when only one runs.
    #[arg(value_name = "SLUG|NAME")]
    pub bottles: Vec<String>,
    /// You have looked at the file, which the agent could have written: it was replaced in the workspace while the bottle runs.
    #[arg(long)]
    pub looked: bool,
    /// Every bottle that runs.
    #[arg(long, conflicts_with = "bottles")]
    pub all: bool,
}

const AFTER_HELP: &str = "\
What the manifest says now is in force at once and whole; what is under way and is not allowed any more is ended. A wrong
manifest changes nothing. What is weaker than before is said, and so is what needs a new start.

Exit codes: 0 when every bottle has read its manifest; 125 when one could not.

Examples:
  bottle reload
  bottle reload dev
  bottle reload --all";

/// Reads them again.
pub fn run(args: &ReloadArgs) -> Outcome {
    let records = call::chosen(&args.bottles)?;
    if records.is_empty() {
        return Err(Failure::new("no bottle runs"));
    }
    if records.len() > 1 && args.bottles.is_empty() && !args.all {
        let slugs: Vec<&str> = records.iter().map(|record| record.slug.as_str()).collect();
        return Err(Failure::new(format!("several bottles run: {}", slugs.join(", ")))
            .help("name one, or say `--all`"));
    }
    let outcomes: Vec<Outcome> = records.iter().map(|record| reload(record, args.looked)).collect();
    let failed = outcomes.into_iter().find(Result::is_err);
    failed.unwrap_or(Ok(ExitCode::SUCCESS))
}

/// Others are read again although one could not be; all that went wrong is said, the last by who called.
fn reload(record: &Record, looked: bool) -> Outcome {
    let told = Line::open(record)?.ask(&Call::Reload { looked, from: "bottle reload".to_owned() });
    match told {
        Ok(Say::Done { what, notes }) => {
            say::out(format!("`{}`: {}\n", record.slug, neutral(&what)))?;
            notes.iter().try_for_each(|note| say::out(format!("  {}\n", neutral(note))))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(_) => Err(Failure::new(format!("what the bottle `{}` says cannot be understood", record.slug))),
        Err(failure) => {
            Err(Failure { what: format!("`{}` keeps its policy: {}", record.slug, failure.what), ..failure })
        }
    }
}
