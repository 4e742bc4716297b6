//! `bottle allow`: yes to what an agent asks for, or to less of it.
use crate::control::{call, describe, narrow};
use crate::failure::{Failure, Outcome};
use crate::say;
use crate::style::{Style, neutral};
use clap::{ArgGroup, Args};
use egress::desk::{Answer, Petition, Span};
use policy::Proposal;
use std::process::ExitCode;

/// Arguments of `bottle allow`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(group = ArgGroup::new("how-long").args(["once", "for_time", "until", "bottle", "always"]))]
pub struct AllowArgs {
    /// The request, as `bottle requests` shows it: `k3m9px`, or `dev/k3m9px`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// For one request: the one that waits, or the next that is covered, within an hour.
    #[arg(long)]
    pub once: bool,
    /// For so long from now: `90s`, `45m`, `1h`, `2d`.
    #[arg(long = "for", value_name = "TIME")]
    pub for_time: Option<String>,
    /// Until a moment: `18:30` (the next one), `2026-01-31 18:30`, or RFC 3339.
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
    /// As long as this bottle lives; what happens when nothing is said.
    #[arg(long)]
    pub bottle: bool,
    /// From now on: write the route into the manifest.
    #[arg(long)]
    pub always: bool,
    /// These methods in place of those that were asked for.
    #[arg(long = "method", value_name = "METHOD", value_delimiter = ',')]
    pub methods: Vec<String>,
    /// These paths in place of those that were asked for, as patterns of the manifest: `/acme/**`.
    #[arg(long = "path", value_name = "PATTERN")]
    pub paths: Vec<String>,
    /// Take methods and paths that allow more than was asked for.
    #[arg(long)]
    pub wider: bool,
    /// With the credential of the route of the same host that stands nearest; `bottle requests ID` names it.
    #[arg(long)]
    pub with_credential: bool,
    /// A word for the agent.
    #[arg(long, value_name = "WORD")]
    pub say: Option<String>,
}

const AFTER_HELP: &str = "\
What is allowed is printed before it is. Without `--once`, `--for`, `--until` or `--always` it holds as long as the
bottle lives. What was asked for can be narrowed with `--method` and `--path`; a credential goes along only when
`--with-credential` says so, and never into the manifest.

Exit codes: 0 when it is allowed; 2 for a wrong command line; 3 when there is no such request, or it is no longer open
(somebody else answered, nobody waits any more); 125 when it cannot be allowed so. Nothing has changed then.

Examples:
  bottle allow k3m9px
  bottle allow k3m9px --once
  bottle allow k3m9px --for 1h --method GET --path '/repos/acme/**'
  bottle allow k3m9px --always --say 'go on, but only read'";

/// Allows it.
pub fn run(args: &AllowArgs) -> Outcome {
    let span = span(args)?;
    let (record, petition) = call::asked(&args.id)?;
    if !petition.state.is_open() {
        return Err(call::closed(&petition));
    }
    let narrowed = narrow::narrowed(&petition.proposal, &args.methods, &args.paths, args.wider)?;
    check_credential(args, &petition)?;
    let allowed = narrowed.as_ref().unwrap_or(&petition.proposal);
    say::err(&shown(args, &record.slug, &petition, allowed, &span));
    let answer = Answer::Allow { span, narrowed, credential: args.with_credential, word: args.say.clone() };
    let (what, notes) = call::answer(&record, &petition.id, answer, "bottle allow")?;
    say::out(format!("{}\n", neutral(&what)))?;
    notes.iter().for_each(|note| say::err(&format!("bottle: {}\n", neutral(note))));
    Ok(ExitCode::SUCCESS)
}

fn span(args: &AllowArgs) -> Result<Span, Failure> {
    match (args.once, args.always, &args.for_time, &args.until) {
        (true, ..) => Ok(Span::Once),
        (_, true, ..) => Ok(Span::Always),
        (_, _, Some(length), _) => narrow::span_for(length),
        (_, _, _, Some(moment)) => narrow::span_until(moment),
        _ => Ok(Span::Bottle),
    }
}

fn check_credential(args: &AllowArgs, petition: &Petition) -> Result<(), Failure> {
    let has = petition.near.as_ref().is_some_and(|near| near.credential.is_some());
    if !args.with_credential || has {
        return Ok(());
    }
    Err(Failure::new("no route of this host has a credential that could go along").help(
        "leave `--with-credential` out, or write a route with `auth` into the manifest and `bottle reload`",
    ))
}

fn shown(args: &AllowArgs, slug: &str, petition: &Petition, allowed: &Proposal, span: &Span) -> String {
    let head = format!("allowing request {} of `{slug}`, {}", neutral(&petition.id), describe::span(span));
    let mut facts = describe::facts(petition, allowed, args.with_credential);
    facts.retain(|(about, _)| *about != "state");
    format!("{}\n{}", Style::stderr().bold(&head), super::requests::facts(facts))
}
