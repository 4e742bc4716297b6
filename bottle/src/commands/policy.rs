//! `bottle policy`: what a manifest allows, and what a new one changes.
use super::check;
use crate::control::call::Line;
use crate::control::{Call, Say};
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice, NoPlan};
use crate::registry::Registry;
use crate::say;
use crate::style::{self, Style, neutral};
use clap::{Args, Subcommand};
use manifest::diff::{self, Change, Kind};
use manifest::{Plan, policy_hash};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when something is other.
const DIFFERENT: u8 = 1;

/// Arguments of `bottle policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// The commands of `bottle policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show the routes of a manifest, and the hash by which the audit knows its policy.
    Show(ShowArgs),
    /// Show what a manifest changes of another one, and whether that weakens.
    Diff(DiffArgs),
}

/// Arguments of `bottle policy show`.
#[derive(Debug, Args)]
#[command(after_help = SHOW_HELP)]
pub struct ShowArgs {
    /// The manifest; without it, the only `bottle.yaml` in this folder or above.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Show presets instead of a manifest; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME", conflicts_with = "manifest", value_delimiter = ',')]
    pub preset: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const SHOW_HELP: &str = "\
The hash is made from routes, names, search and budgets, never from a secret: two manifests of one hash judge alike.

Examples:
  bottle policy show
  bottle policy show --manifest ci/bottle.yaml --json | jq -r .hash

Exit code: 0 when there is a plan, 2 when the manifest is wrong or cannot be read.";

/// Arguments of `bottle policy diff`.
#[derive(Debug, Args)]
#[command(after_help = DIFF_HELP)]
pub struct DiffArgs {
    /// The manifest as it was, and as it is to be. One alone, or none for the `bottle.yaml` of this folder or above: what it would
    /// change of the bottles of its name that run.
    #[arg(value_name = "OLD] [NEW", num_args = 0..=2)]
    pub files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

const DIFF_HELP: &str = "\
Compared is what the manifests mean on this machine, both of them where NEW stands, not how they are written. `!` marks
what weakens: more can leave, or less is looked at; in doubt it is marked. `*` marks what a running bottle cannot take
over: it needs a new start.

Examples:
  bottle policy diff
  bottle policy diff old.yaml bottle.yaml
  git show HEAD:bottle.yaml > /tmp/old.yaml; bottle policy diff /tmp/old.yaml bottle.yaml

Exit code: 0 when both mean the same, 1 when not, 2 when one of them is wrong or cannot be read.";

/// Does it.
///
/// # Errors
/// When a manifest is wrong and people are to read why.
pub fn run(args: &PolicyArgs) -> Outcome {
    match &args.command {
        PolicyCommand::Show(args) => show(args),
        PolicyCommand::Diff(args) => match args.files.as_slice() {
            [old, new] => diff_files(old, new, args.json),
            files => diff_running(files.first().map(PathBuf::as_path), args.json),
        },
    }
}

fn show(args: &ShowArgs) -> Outcome {
    let choice = Choice { manifest: args.manifest.as_deref(), presets: &args.preset, ..Choice::default() };
    let plan = match load::load(&choice) {
        Ok((_, loaded)) => loaded.plan,
        Err(no_plan) => return wrong(no_plan, args.json),
    };
    let hash = policy_hash(&plan.egress);
    if args.json {
        let routes = plan.egress.policy.routes();
        say::out(format!("{:#}\n", json!({ "ok": true, "hash": hash, "routes": routes })))?;
    } else {
        let lines = check::reach(&plan).into_iter().map(|line| format!("  {}\n", neutral(&line)));
        say::out(format!("policy {}\n{}", Style::stdout().bold(&hash), lines.collect::<String>()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn wrong(no_plan: NoPlan, json: bool) -> Outcome {
    if json {
        say::out(format!("{:#}\n", json!({ "ok": false, "problems": check::reports(&no_plan) })))?;
        return Ok(ExitCode::from(check::WRONG));
    }
    Err(Failure::from(no_plan).code(check::WRONG))
}

fn diff_files(old: &Path, new: &Path, json: bool) -> Outcome {
    let plan = |file: &Path| load::load_instead_of(new, file).map(|loaded| loaded.plan);
    match plan(old).and_then(|old| Ok((old, plan(new)?))) {
        Ok((old, new)) => told(&[Comparison::of(None, &old, &new)], json),
        Err(no_plan) => wrong(no_plan, json),
    }
}

/// What they reach is asked of them; what else they are is not compared.
fn diff_running(file: Option<&Path>, json: bool) -> Outcome {
    let new = match load::load(&Choice { manifest: file, ..Choice::default() }) {
        Ok((_, loaded)) => loaded.plan,
        Err(no_plan) => return wrong(no_plan, json),
    };
    let records = Registry::open()?.running()?;
    let mut running = Vec::new();
    for record in records.iter().filter(|record| record.name == new.name) {
        if let Say::Plan(egress) = Line::open(record)?.ask(&Call::Plan)? {
            running.push((record.slug.clone(), Plan { egress: *egress, ..new.clone() }));
        }
    }
    if running.is_empty() {
        return Err(Failure::new(format!("no bottle named `{}` runs", new.name))
            .help("compare two files: `bottle policy diff OLD NEW`"));
    }
    against_running(&new, &running, json)
}

/// What a manifest would change of bottles that run: `running` are their slugs and the plans that they have now. Exit code
/// as of `bottle policy diff`.
///
/// # Errors
/// When it cannot be printed.
pub fn against_running(new: &Plan, running: &[(String, Plan)], json: bool) -> Outcome {
    let all: Vec<Comparison> =
        running.iter().map(|(slug, old)| Comparison::of(Some(slug.clone()), old, new)).collect();
    told(&all, json)
}

/// Two plans side by side.
struct Comparison {
    slug: Option<String>,
    hashes: (String, String),
    changes: Vec<Change>,
}

impl Comparison {
    fn of(slug: Option<String>, old: &Plan, new: &Plan) -> Comparison {
        let hashes = (policy_hash(&old.egress), policy_hash(&new.egress));
        Comparison { slug, hashes, changes: diff::between(old, new) }
    }

    fn json(&self) -> Value {
        json!({ "bottle": self.slug, "old": self.hashes.0, "new": self.hashes.1, "changes": self.changes })
    }

    fn text(&self, style: Style) -> String {
        let of = self.slug.as_ref().map(|slug| format!("{}: ", neutral(slug))).unwrap_or_default();
        if self.changes.is_empty() {
            return format!("{of}nothing changes: policy {}\n", self.hashes.1);
        }
        let lines: String = self.changes.iter().map(|change| line(change, style)).collect();
        let (old, new) = &self.hashes;
        let policy = if old == new { format!("policy {new}") } else { format!("policy {old} → {new}") };
        format!("{lines}{of}{}; {policy}\n", sum(&self.changes))
    }
}

fn told(all: &[Comparison], json: bool) -> Outcome {
    let same = all.iter().all(|one| one.changes.is_empty());
    if json {
        let same = json!({ "ok": true, "same": same, "comparisons": all.iter().map(Comparison::json).collect::<Vec<_>>() });
        say::out(format!("{same:#}\n"))?;
    } else {
        say::out(all.iter().map(|one| one.text(Style::stdout())).collect::<String>())?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

/// `! + route …`; what weakens stands out.
pub fn line(change: &Change, style: Style) -> String {
    let sign = match change.kind {
        Kind::Added => "+",
        Kind::Removed => "-",
        Kind::Changed => "~",
    };
    let weak = if change.weakens { style.red("!") } else { " ".to_owned() };
    let start = if change.restart { "*" } else { " " };
    format!("{weak}{start}{sign} {}: {}\n", neutral(&change.item), neutral(&change.detail))
}

fn sum(changes: &[Change]) -> String {
    let count = |is: fn(&&Change) -> bool| changes.iter().filter(is).count();
    let all = style::count(changes.len() as u64, "change");
    let weak = match count(|change| change.weakens) {
        0 => "none weakens".to_owned(),
        1 => "1 weakens (!)".to_owned(),
        more => format!("{more} weaken (!)"),
    };
    let start = match count(|change| change.restart) {
        0 => String::new(),
        1 => ", 1 needs a new start (*)".to_owned(),
        more => format!(", {more} need a new start (*)"),
    };
    format!("{all}, {weak}{start}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use manifest::{Overrides, Place};

    fn plans(old: &str, new: &str) -> (Plan, Plan) {
        let folder = tempfile::tempdir().expect("a folder");
        let overrides = Overrides { name: Some("x"), workspace: Some(folder.path()), ..Default::default() };
        let place = Place { name: "bottle.yaml", file: None, folder: folder.path(), overrides };
        let machine = Machine::this().expect("a machine");
        let plan =
            |text| manifest::load(text, place, &machine).unwrap_or_else(|problems| panic!("{problems}")).plan;
        (plan(old), plan(new))
    }

    #[test]
    fn bottles_that_run_are_compared_one_by_one() {
        let (old, new) = plans(
            "egress: { routes: [{ host: a.test, methods: [GET] }] }\n",
            "egress: { routes: [{ host: a.test }] }\n",
        );
        let text = |old: &Plan| Comparison::of(Some("dev-2".into()), old, &new).text(Style::plain());
        let (was, is) = (policy_hash(&old.egress), policy_hash(&new.egress));
        let wanted = format!(
            "! ~ route `a.test`: methods GET → all\ndev-2: 1 change, 1 weakens (!); policy {was} → {is}\n"
        );
        assert_eq!(text(&old), wanted);
        assert_eq!(text(&new), format!("dev-2: nothing changes: policy {is}\n"));
        let code = |running: &[(String, Plan)]| {
            format!("{:?}", against_running(&new, running, false).expect("told"))
        };
        assert_eq!(code(&[("dev".into(), new.clone())]), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(
            code(&[("dev".into(), new.clone()), ("dev-2".into(), old)]),
            format!("{:?}", ExitCode::from(DIFFERENT))
        );
    }

    /// Names of routes come from manifests, which may come from anyone.
    #[test]
    fn a_change_cannot_drive_the_terminal() {
        let (old, new) = plans(
            "egress: { routes: [] }\n",
            "egress: { routes: [{ host: a.test, name: \"x\\e]0;y\\u202e\" }] }\n",
        );
        let text = Comparison::of(None, &old, &new).text(Style::plain());
        assert!(text.contains("x\\u{1b}]0;y\\u{202e}") && !text.contains('\u{1b}'), "{text}");
    }
}
