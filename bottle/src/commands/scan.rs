//! `bottle scan`: the engine's scanner over files.
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice};
use crate::rules;
use crate::say;
use crate::scan::report::{self, Totals};
use crate::scan::{Found, Listener, Search, har, unreadable, walk};
use crate::style::Style;
use clap::Args;
use dlp::{Fingerprint, Fragments, KnownValue, KnownValues, RuleSet, Sought};
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
    /// Files and folders to look at; `-` is standard input. In folders no link is followed, and `.git` is left out.
    #[arg(value_name = "PATH", required_unless_present_any = ["har", "rules"])]
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
Looks for what the engine would look for in what leaves: the rules that are built in and those of
the manifest, the values that `dlp.secrets` names, and the credentials of its routes, whose sources
are asked for them. Nothing is sent, and what is found is never shown: only the rule, the place, the
length, and a fingerprint for an allowance in the manifest.

Files of any size are read piece by piece. In a HAR record each part of each request is looked at by
itself, as the engine does. Files in gzip and zstd are looked at as they are and as they unpack.

Examples:
  bottle scan .
  bottle scan .env src/config.py
  git diff | bottle scan -
  git log -p | bottle scan --quiet -
  bottle scan --har recorded.har --answers --json
  bottle scan --rules

Exit code: 0 when nothing is found, 1 when something is, 2 when something could not be looked at.";

/// Does it.
///
/// # Errors
/// When the manifest is wrong or output cannot be written.
pub fn run(args: &ScanArgs) -> Outcome {
    let choice = Choice { manifest: args.manifest.as_deref(), ..Choice::default() };
    let (_, loaded) = load::load(&choice).map_err(|no_plan| Failure::from(no_plan).code(FAILED))?;
    let egress = &loaded.plan.egress;
    let rules = rules::read(&egress.dlp).map_err(failed)?.set;
    if args.rules {
        return list(&rules, args.json);
    }
    let search = search(egress, rules)?;
    let heard = Heard::new(args.json);
    let mut run = Run { args, search, heard, totals: Totals::default(), failed: false };
    args.files.iter().for_each(|named| run.named(named));
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
        pieces: Fragments::new(&known, &key),
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

/// A run over all that was named.
struct Run<'a> {
    args: &'a ScanArgs,
    search: Search,
    heard: Heard,
    totals: Totals,
    failed: bool,
}

impl Run<'_> {
    fn named(&mut self, path: &Path) {
        let source = path.display().to_string();
        if source == "-" {
            return self.look("-", std::io::stdin().lock(), None);
        }
        if !path.is_dir() {
            return self.file(path);
        }
        for step in walk::files(path) {
            match step {
                Ok(file) => self.file(&file),
                Err((folder, error)) => self.tell(&unreadable(&folder.display().to_string(), &error)),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let source = path.display().to_string();
        match File::open(path).and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((length, file)) => self.look(&source, file, Some(length)),
            Err(error) => self.unread(&source, &error),
        }
    }

    fn look(&mut self, source: &str, from: impl std::io::Read, length: Option<u64>) {
        self.begin(source, length);
        let looked = self.search.stream(source, from, &mut self.heard);
        self.end_of_source();
        if let Err(error) = looked {
            self.tell(&unreadable(source, &error));
        }
    }

    fn har(&mut self, path: &Path) {
        self.begin(&path.display().to_string(), path.metadata().ok().map(|found| found.len()));
        let looked = har::scan(&self.search, path, self.args.answers, &mut self.heard);
        self.end_of_source();
        if let Err(failure) = looked {
            self.tell(&failure);
        }
    }

    fn begin(&mut self, source: &str, length: Option<u64>) {
        self.heard.begin(source, length.filter(|_| !self.args.quiet));
    }

    fn end_of_source(&mut self) {
        self.heard.progress.clear();
        self.totals.sources += 1;
        self.totals.bytes += self.heard.read;
    }

    fn unread(&mut self, source: &str, error: &std::io::Error) {
        self.totals.sources += 1;
        self.tell(&unreadable(source, error));
    }

    /// What cannot be looked at does not keep the others from being looked at.
    fn tell(&mut self, failure: &Failure) {
        let _its_own_code_comes_at_the_end = failure.report();
        self.failed = true;
    }

    fn end(self) -> Outcome {
        let Run { heard, totals, failed, .. } = self;
        let counted = heard.counted;
        let said = match heard.kept {
            Some(found) => say::out(format!("{:#}\n", report::json(&found, &totals))),
            None => say::out(report::sum(counted, &totals, Style::stdout())),
        };
        heard.unsaid.map_or(said, Err).map_err(self::failed)?;
        Ok(match (failed, counted) {
            (true, _) => ExitCode::from(FAILED),
            (false, 1..) => ExitCode::from(FOUND),
            (false, 0) => ExitCode::SUCCESS,
        })
    }
}

/// Says what was found at once, or keeps it for the JSON.
struct Heard {
    kept: Option<Vec<Found>>,
    counted: u64,
    read: u64,
    progress: Progress,
    /// Why something could not be said.
    unsaid: Option<Failure>,
}

impl Heard {
    fn new(as_json: bool) -> Heard {
        let progress = Progress::new("", None);
        Heard { kept: as_json.then(Vec::new), counted: 0, read: 0, progress, unsaid: None }
    }

    fn begin(&mut self, source: &str, length: Option<u64>) {
        self.read = 0;
        self.progress = Progress::new(source, length.filter(|_| self.kept.is_none()));
    }
}

impl Listener for Heard {
    fn read(&mut self, so_far: u64) {
        self.read = so_far;
        self.progress.say(so_far);
    }

    fn found(&mut self, found: Found) {
        self.counted += u64::from(!found.allowed);
        match &mut self.kept {
            Some(kept) => kept.push(found),
            None => {
                self.progress.clear();
                self.unsaid = self.unsaid.take().or(say::out(report::line(&found, Style::stdout())).err());
            }
        }
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
    fn clear(&mut self) {
        if self.shown {
            say::err("\r\x1b[K");
        }
        self.shown = false;
    }
}
