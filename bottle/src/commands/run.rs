//! `bottle run`: hold an agent in a bottle.
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice, Wanted};
use crate::operate::Operation;
use crate::run::{Wishes, hold};
use crate::say;
use clap::Args;
use manifest::Plan;
use std::path::PathBuf;

/// Arguments of `bottle run`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {
    /// The manifest; without it, the only `bottle.yaml` in this folder or above.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Use presets instead of a manifest; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME", conflicts_with = "manifest", value_delimiter = ',')]
    pub preset: Vec<String>,
    /// Another name for the bottle: its private home and its audit file go by it.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Another workspace: the folder that is mounted read-write.
    #[arg(long, short = 'w', value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Another backend: `linux`, or `docker` for containers.
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
    /// A variable for the agent: NAME=VALUE, or NAME to pass on the one that is set here; may be repeated.
    #[arg(long, short = 'e', value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// No terminal for the agent, even when there is one.
    #[arg(long)]
    pub no_tty: bool,
    /// Nobody is to be asked: what no route allows is refused at once, also with `unmatched: ask`.
    #[arg(long)]
    pub unattended: bool,
    /// Let out what no route allows, for this run, and propose the routes for it at the end. Never to private addresses; and
    /// what is sought in what leaves is sought as ever.
    #[arg(long, conflicts_with = "unattended")]
    pub learn: bool,
    /// Neither preflight nor summary.
    #[arg(long, short)]
    pub quiet: bool,
    /// The program and its arguments, instead of the manifest's.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub command: Vec<String>,
}

const AFTER_HELP: &str = "\
Without a manifest and without a preset the bottle reaches nothing at all.

Examples:
  bottle run
  bottle run -- npm test
  bottle run --preset claude-code -- claude
  bottle run --manifest ci/bottle.yaml --quiet -- make check

Exit code: the agent's own (128 and the signal's number when one ended it); 124 when its time limit was over; 125 when
the bottle itself failed or was told wrong; 126 when the program cannot be executed, 127 when it is not there.";

/// Holds it.
pub fn run(args: &RunArgs) -> Outcome {
    let (plan, wanted) = plan(args)?;
    // An image says what it runs; this machine does not.
    if plan.agent.command.is_empty() && plan.docker.is_none() {
        return Err(Failure::new("no program to run")
            .help("name one: `bottle run -- CMD`, or `agent.command` in the manifest"));
    }
    let env = args.env.iter().map(|variable| parse_variable(variable)).collect::<Result<_, _>>()?;
    let operation = Operation { wanted, unattended: args.unattended, learn: args.learn };
    hold(plan, &Wishes { env, no_terminal: args.no_tty, quiet: args.quiet, operation })
}

fn plan(args: &RunArgs) -> Result<(Plan, Wanted), Failure> {
    let choice = Choice {
        manifest: args.manifest.as_deref(),
        presets: &args.preset,
        name: args.name.as_deref(),
        workspace: args.workspace.as_deref(),
        backend: args.backend.as_deref(),
    };
    let (written, loaded) = load::load(&choice)?;
    if !args.quiet && !loaded.warnings.list.is_empty() {
        say::err(&format!("{}\n", loaded.warnings.render(load::colours())));
    }
    let mut plan = loaded.plan;
    if !args.command.is_empty() {
        plan.agent.command.clone_from(&args.command);
    }
    Ok((plan, Wanted::of(&choice, &written)))
}

fn parse_variable(text: &str) -> Result<(String, String), Failure> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, std::env::var(text).ok()),
    };
    let value = value.ok_or_else(|| {
        Failure::new(format!("variable `{name}` is not set here, or is not text"))
            .help(format!("give it a value: `--env {name}=VALUE`"))
    })?;
    if name.is_empty() || name.contains('\0') || value.contains('\0') {
        return Err(Failure::new(format!("`{text}` is no variable")).help("write `--env NAME=VALUE`"));
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_name_and_value_or_passed_on() {
        assert_eq!(parse_variable("A=b=c").expect("a pair"), ("A".into(), "b=c".into()));
        assert_eq!(parse_variable("A=").expect("empty"), ("A".into(), String::new()));
        assert_eq!(parse_variable("PATH").expect("passed").1, std::env::var("PATH").expect("set"));
        assert!(parse_variable("BOTTLE_TEST_UNSET_VARIABLE").is_err());
        assert!(parse_variable("=x").is_err());
    }
}
