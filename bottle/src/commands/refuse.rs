//! `bottle refuse`: no to what an agent asks for.
use crate::control::{call, describe};
use crate::failure::Outcome;
use crate::say;
use crate::style::neutral;
use clap::Args;
use egress::desk::Answer;
use std::process::ExitCode;

/// Arguments of `bottle refuse`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RefuseArgs {
    /// The request, as `bottle requests` shows it: `k3m9px`, or `dev/k3m9px`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// A word for the agent: why, or what it could do instead.
    #[arg(long, value_name = "WORD")]
    pub say: Option<String>,
}

const AFTER_HELP: &str = "\
The same is not asked again for ten minutes: the agent hears this answer.

Exit codes: 0 when it is refused; 2 for a wrong command line; 3 when there is no such request, or it is no longer open;
125 when the bottle does not answer.

Examples:
  bottle refuse k3m9px
  bottle refuse k3m9px --say 'use the mirror at packages.example.com'";

/// Refuses it.
pub fn run(args: &RefuseArgs) -> Outcome {
    let (record, petition) = call::asked(&args.id)?;
    if !petition.state.is_open() {
        return Err(call::closed(&petition));
    }
    let asked = describe::proposal(&petition.proposal);
    say::err(&format!("refusing request {} of `{}`: {asked}\n", neutral(&petition.id), record.slug));
    let answer = Answer::Refuse { word: args.say.clone() };
    let (what, _) = call::answer(&record, &petition.id, answer, "bottle refuse")?;
    say::out(format!("{}\n", neutral(&what)))?;
    Ok(ExitCode::SUCCESS)
}
