//! `bottle scan`: the engine's scanner over files.
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice};
use crate::rules;
use crate::say;
use crate::scan::report::{self, Totals};
use crate::scan::{Found, Search, har, unreadable};
use crate::style::Style;
use clap::Args;
use dlp::{Fingerprint, KnownValue, KnownValues, RuleSet, Sought};
use manifest::plan::{DlpPlan, EgressPlan, RuleAction};
use serde_json::json;
use std::fs::File;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Something could not be looked at, or the manifest is wrong.
const FAILED: u8 = 2;
/// Something was found.
const FOUND: u8 = 1;
/// Of a file that is shorter nobody wants to know how far it is.
const LONG: u64 = 64 * 1024 * 1024;
/// How often that is said.
const INTERVAL: Duration = Duration::from_millis(200);

/// Arguments of `bottle scan`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ScanArgs {
    /// Files to look at; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present_any = ["har", "rules"])]
    pub files: Vec<PathBuf>,
    /// A record of HTTP (HAR) to look at, part by part; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub har: Vec<PathBuf>,
    /// Look at the answers in HAR files too.
    #[arg(long, requires = "har")]
    pub answers: bool,
    /// The manifest; without it, the only `bottle.yaml` in this folder or above, or none.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Say nothing of how far it is.
    #[arg(long, short)]
    pub quiet: bool,
    /// List the rules: id, and what it finds.
    #[arg(long, conflicts_with_all = ["files", "har"])]
    pub rules: bool,
}

const AFTER_HELP: &str = "\
Looks for what the engine would look for in what leaves: the rules that are built in and those of the manifest, the values
that `dlp.secrets` names, and the credentials of its routes, whose sources are asked for them. Nothing is sent, and what is
found is never shown: only the rule, the place, the length, and a fingerprint for an allowance in the manifest.

Examples:
  bottle scan .env src/config.py
  git diff | bottle scan -
  bottle scan --har recorded.har --json

Exit code: 0 when nothing is found, 1 when something is, 2 when something could not be looked at.";

/// Does it.
///
/// # Errors
/// When the manifest is wrong or output cannot be written.
pub fn run(args: &ScanArgs) -> Outcome {
    let choice = Choice { manifest: args.manifest.as_deref(), ..Choice::default() };
    let (_, loaded) = load::load(&choice).map_err(|no_plan| Failure::from(no_plan).code(FAILED))?;
    let egress = &loaded.plan.egress;
    let rules = rules::of(&egress.dlp, &engine::rule_texts(&egress.dlp).map_err(failed)?).map_err(failed)?;
    if args.rules {
        return list(&rules, args.json);
    }
    let search = search(egress, rules)?;
    let mut run = Run { args, search, found: Vec::new(), totals: Totals::default(), failed: false };
    args.files.iter().for_each(|file| run.file(file));
    args.har.iter().for_each(|file| run.har(file));
    run.end()
}

fn failed(failure: Failure) -> Failure {
    failure.code(FAILED)
}

fn list(rules: &RuleSet, as_json: bool) -> Outcome {
    if as_json {
        let all: Vec<_> =
            rules.rules().map(|rule| json!({ "id": rule.id(), "finds": rule.about() })).collect();
        say::out(format!("{:#}\n", json!(all)))?;
    } else {
        let rows: Vec<Vec<String>> =
            rules.rules().map(|rule| vec![rule.id().to_owned(), rule.about().to_owned()]).collect();
        say::out(format!("{}\n", crate::style::table(&rows).trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn search(egress: &EgressPlan, rules: RuleSet) -> Result<Search, Failure> {
    let (values, not_at_hand) = engine::known_on_host(egress);
    for name in not_at_hand {
        say::err(&format!(
            "bottle: warning: {} is not looked for: it is not at hand\n",
            crate::style::neutral(&name)
        ));
    }
    let known: Vec<KnownValue<'_>> = values
        .iter()
        .map(|(name, value)| KnownValue {
            rule: "known-secret".into(),
            name: name.as_str().into(),
            replacement: "".into(),
            value: value.dangerous_expose(),
        })
        .collect();
    let key = rules::fingerprint_key(Some(&rules::key().map_err(failed)?));
    Ok(Search {
        sought: Sought::new(KnownValues::new(&known).0, rules, key),
        off: off(&egress.dlp),
        allowed: allowed(&egress.dlp),
    })
}

fn off(dlp: &DlpPlan) -> std::collections::BTreeSet<String> {
    let off = dlp.rules.iter().filter(|(_, actions)| actions.out == Some(RuleAction::Off));
    off.map(|(id, _)| id.clone()).collect()
}

fn allowed(dlp: &DlpPlan) -> std::collections::BTreeSet<(String, Fingerprint)> {
    let one = |allowance: &manifest::plan::AllowancePlan| {
        Some((allowance.rule.clone(), Fingerprint::parse(&allowance.fingerprint)?))
    };
    dlp.allow.iter().filter_map(one).collect()
}

struct Run<'a> {
    args: &'a ScanArgs,
    search: Search,
    found: Vec<Found>,
    totals: Totals,
    failed: bool,
}

impl Run<'_> {
    fn file(&mut self, path: &Path) {
        let source = path.display().to_string();
        let looked = if source == "-" {
            self.look("-", std::io::stdin().lock(), None)
        } else {
            match File::open(path).and_then(|file| Ok((file.metadata()?, file))) {
                Ok((found, _)) if found.is_dir() => {
                    Err(std::io::Error::other("it is a folder; name its files"))
                }
                Ok((found, file)) => self.look(&source, file, Some(found.len())),
                Err(error) => Err(error),
            }
        };
        self.totals.sources += 1;
        if let Err(error) = looked {
            self.tell(&unreadable(&source, &error));
        }
    }

    fn look(&mut self, source: &str, from: impl std::io::Read, length: Option<u64>) -> std::io::Result<()> {
        let mut progress = Progress::new(source, length.filter(|_| !self.args.quiet && !self.args.json));
        let mut read = 0;
        let found = self.search.stream(source, from, |so_far| {
            read = so_far;
            progress.say(so_far);
        });
        progress.clear();
        self.totals.bytes += read;
        self.found.extend(found?);
        Ok(())
    }

    fn har(&mut self, path: &Path) {
        self.totals.sources += 1;
        self.totals.bytes += path.metadata().map_or(0, |found| found.len());
        match har::scan(&self.search, path, self.args.answers) {
            Ok(found) => self.found.extend(found),
            Err(failure) => self.tell(&failure),
        }
    }

    /// What cannot be looked at does not keep the others from being looked at.
    fn tell(&mut self, failure: &Failure) {
        let help = failure.help.as_ref().map(|help| format!("\n  {help}")).unwrap_or_default();
        say::err(&format!("bottle: error: {}{help}\n", failure.what));
        self.failed = true;
    }

    fn end(self) -> Outcome {
        if self.args.json {
            say::out(format!("{:#}\n", report::json(&self.found, &self.totals)))?;
        } else {
            say::out(report::text(&self.found, &self.totals, Style::stdout()))?;
        }
        let counted = self.found.iter().any(|found| !found.allowed);
        Ok(match (self.failed, counted) {
            (true, _) => ExitCode::from(FAILED),
            (false, true) => ExitCode::from(FOUND),
            (false, false) => ExitCode::SUCCESS,
        })
    }
}

/// How far a long file is, on a terminal.
struct Progress {
    of: Option<(String, u64)>,
    last: Instant,
    shown: bool,
}

impl Progress {
    fn new(source: &str, length: Option<u64>) -> Progress {
        let wanted = length.filter(|length| *length >= LONG && std::io::stderr().is_terminal());
        let of = wanted.map(|length| (crate::style::neutral(source), length));
        Progress { of, last: Instant::now(), shown: false }
    }
    fn say(&mut self, read: u64) {
        let Some((source, length)) = self.of.as_ref().filter(|_| self.last.elapsed() >= INTERVAL) else {
            return;
        };
        say::err(&format!("\r\x1b[K{source}: {} %", read.saturating_mul(100) / length.max(&1)));
        self.last = Instant::now();
        self.shown = true;
    }
    fn clear(&self) {
        if self.shown {
            say::err("\r\x1b[K");
        }
    }
}
