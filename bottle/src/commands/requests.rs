//! `bottle requests`: what agents ask for, in all bottles.
use crate::control::{call, describe};
use crate::failure::{Failure, Outcome};
use crate::say;
use crate::style::{self, Style, neutral};
use clap::Args;
use egress::desk::Petition;
use serde_json::json;
use std::process::ExitCode;

/// Arguments of `bottle requests`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RequestsArgs {
    /// Show one of them with all that is known of it.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Those that were answered, too.
    #[arg(long, short, conflicts_with = "id")]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const AFTER_HELP: &str = "\
What stands in quotation marks is said by the agent and by nobody else.

Exit codes: 0; 3 when there is no request of that ID; 125 when it cannot be known.

Examples:
  bottle requests
  bottle requests k3m9px
  bottle requests --json | jq -r '.[] | select(.state.is == \"open\") | .id'";

/// Shows them.
pub fn run(args: &RequestsArgs) -> Outcome {
    if let Some(id) = &args.id {
        let (record, petition) = call::asked(id)?;
        return show(args, &record.slug, &petition);
    }
    let (mut known, mut silent) = (Vec::new(), Vec::new());
    for (record, found) in call::look_each()? {
        match found {
            Ok(snapshot) => {
                known.extend(snapshot.petitions.into_iter().map(|petition| (record.slug.clone(), petition)))
            }
            Err(failure) => silent.push(failure),
        }
    }
    known.retain(|(_, petition)| args.all || petition.state.is_open());
    known.sort_by_key(|(_, petition)| petition.asked);
    say::out(if args.json { listed(&known)? } else { table(&known) })?;
    if known.is_empty() && !args.json {
        say::err("bottle: nothing waits for an answer\n");
    }
    for failure in silent {
        say::err(&format!("bottle: warning: {}\n", neutral(&failure.what)));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &RequestsArgs, slug: &str, petition: &Petition) -> Outcome {
    say::out(if args.json {
        format!("{}\n", serde_json::to_string_pretty(&as_json(slug, petition))?)
    } else {
        text(slug, petition)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// All that is known of a petition, for people.
fn text(slug: &str, petition: &Petition) -> String {
    let head = Style::stdout().bold(&format!("request {} of `{slug}`", neutral(&petition.id)));
    format!("{head}\n{}", facts(describe::facts(petition, &petition.proposal, false)))
}

/// A line each.
pub(super) fn facts(facts: Vec<describe::Fact>) -> String {
    let rows: Vec<Vec<String>> =
        facts.into_iter().map(|(about, said)| vec![format!("  {about}"), said]).collect();
    style::table(&rows)
}

fn listed(known: &[(String, Petition)]) -> Result<String, Failure> {
    let all: Vec<_> = known.iter().map(|(slug, petition)| as_json(slug, petition)).collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&all)?))
}

fn as_json(slug: &str, petition: &Petition) -> serde_json::Value {
    let mut known = json!(petition);
    if let Some(fields) = known.as_object_mut() {
        fields.insert("bottle".to_owned(), slug.into());
        fields.insert("asks_for".to_owned(), describe::proposal(&petition.proposal).into());
    }
    known
}

fn table(known: &[(String, Petition)]) -> String {
    if known.is_empty() {
        return String::new();
    }
    let style = Style::stdout();
    let head = ["ID", "BOTTLE", "AGE", "ASKS FOR", "STATE"];
    let mut rows = vec![head.iter().map(|title| style.bold(title)).collect()];
    rows.extend(known.iter().map(|(slug, petition)| row(slug, petition)));
    style::table(&rows)
}

fn row(slug: &str, petition: &Petition) -> Vec<String> {
    vec![
        neutral(&petition.id),
        slug.to_owned(),
        style::duration(describe::age(petition.asked)),
        policy::neutral(&petition.proposal.to_string(), 120),
        describe::state(&petition.state),
    ]
}
