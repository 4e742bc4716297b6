//! `bottle audit`: look after audit files.
use crate::commands::logs;
use crate::failure::{Failure, Outcome};
use crate::say;
use clap::{Args, Subcommand};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `bottle audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// The commands of `bottle audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that an audit file is whole: every line follows from the one before.
    Verify(VerifyArgs),
}

/// Arguments of `bottle audit verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub struct VerifyArgs {
    /// An audit file, or the name of a bottle.
    #[arg(value_name = "FILE|NAME")]
    pub target: PathBuf,
}

const VERIFY_HELP: &str = "\
The chain shows that lines were changed, removed or put between others; keep the printed hash elsewhere to also see
that the end was cut.

Examples:
  bottle audit verify dev
  bottle audit verify ./audit.jsonl

Exit code: 0 when whole, 1 when broken, 125 when the file cannot be read.";

/// Does it.
pub fn run(args: &AuditArgs) -> Outcome {
    match &args.command {
        AuditCommand::Verify(args) => verify(&args.target),
    }
}

fn verify(target: &Path) -> Outcome {
    let file = if target.exists() { target.to_owned() } else { of_bottle(target)? };
    readable(&file)?;
    let (lines, hash) = audit::verify(&file)
        .map_err(|error| Failure::new(format!("audit file `{}`: {error}", file.display())).code(1))?;
    let shown = file.display();
    say::out(match lines {
        0 => format!("{shown} holds no line: none was written, or all were removed\n"),
        _ => format!("{shown} is whole: {lines} lines, last hash {hash}\n"),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What cannot be read is not broken.
fn readable(file: &Path) -> Result<(), Failure> {
    let is_file = File::open(file).and_then(|open| open.metadata()).map(|found| found.is_file());
    let why = match is_file {
        Ok(true) => return Ok(()),
        Ok(false) => "it is no file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::new(format!("cannot read the audit file `{}`: {why}", file.display()))
        .help("name a file of yours, or a bottle that ran here"))
}

/// The audit file of the last run of a slug.
fn of_bottle(slug: &Path) -> Result<PathBuf, Failure> {
    let slug = slug.to_string_lossy();
    logs::choose(Some(&slug)).map(|record| record.audit).map_err(|_| {
        Failure::new(format!("`{slug}` is neither a file nor a bottle that ran here"))
            .help("name the file: the preflight and the summary of `bottle run` show it")
    })
}
