//! The rules of a bottle: those that are built in, those of the manifest's files, and the manifest's own.
mod key;

use crate::failure::Failure;
use crate::style;
use dlp::{Loaded, Rule, RuleSet};
use manifest::plan::DlpPlan;
use manifest::rules::{VALUES, is_reserved};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

pub use key::{fingerprint_key, key};

/// Bytes of a file of rules. The largest ones that are known have a fifth of it.
const LARGEST: u64 = 1024 * 1024;

/// A file of rules, as it was read.
#[derive(Debug, Serialize, Deserialize)]
pub struct RuleText {
    /// Its path, for people.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// What is sought by its look.
pub struct Rules {
    /// All of it.
    pub set: RuleSet,
    /// How many of them are the manifest's own.
    pub own: usize,
    /// Names of the files and how many rules each of them gave.
    pub files: Vec<(String, usize)>,
    /// What of the files is not used or not as its author may think, for people: a clause each, after file, line and column.
    pub notes: Vec<String>,
}

/// Reads the files of rules.
///
/// # Errors
/// When one cannot be read.
pub fn texts(plan: &DlpPlan) -> Result<Vec<RuleText>, Failure> {
    plan.rule_files.iter().map(|path| text(path)).collect()
}

fn text(path: &Path) -> Result<RuleText, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    let read = match read {
        Ok(length) if length as u64 > LARGEST => Err(io::Error::other("it is larger than 1 MiB")),
        other => other,
    };
    read.map_err(|error| {
        Failure::new(format!("cannot read `{}` for rules: {error}", path.display()))
            .help("correct the path in `dlp.rule_files`, or the file's permissions")
    })?;
    Ok(RuleText { name: path.display().to_string(), text })
}

/// Reads the files and puts all rules together.
///
/// # Errors
/// When a file cannot be read, or a rule cannot be used.
pub fn read(plan: &DlpPlan) -> Result<Rules, Failure> {
    of(plan, &texts(plan)?)
}

/// Those that are built in, those of the files, and the manifest's own; of two with one id the later one counts.
///
/// # Errors
/// Everything in files and rules that cannot be used, and ids in the manifest that no rule has.
pub fn of(plan: &DlpPlan, files: &[RuleText]) -> Result<Rules, Failure> {
    let loaded = load(files)?;
    let mut rules =
        Rules { set: RuleSet::built_in(), own: plan.own_rules.len(), files: Vec::new(), notes: Vec::new() };
    for (file, loaded) in files.iter().zip(&loaded) {
        rules.add(file, loaded);
    }
    let left_out = |id: &str| loaded.iter().any(|one| one.without.iter().any(|without| without == id));
    let own: Vec<dlp::OwnRule> = plan.own_rules.iter().map(|rule| rule.rule()).collect();
    // The lowering has tried them; a plan from elsewhere may be another's.
    let own = RuleSet::of_own(&own).map_err(|errors| {
        wrong(&errors.iter().map(|error| error.message.clone()).collect::<Vec<_>>())
            .help("correct them, or take them out of `dlp.own_rules`")
    })?;
    let set = rules.set.only(|rule| !(is_ours(rule) && left_out(rule.id()))).with(&own);
    let rules = Rules { set, ..rules };
    rules.know(plan, files)?;
    Ok(rules)
}

/// Whether a rule is built in.
fn is_ours(rule: &Rule) -> bool {
    !rule.provider().is_empty()
}

fn wrong(all: &[String]) -> Failure {
    let lines: Vec<String> = all.iter().map(|one| format!("\n  - {one}")).collect();
    Failure::new(format!("rules that the manifest names cannot be used:{}", lines.concat()))
}

/// `a`, `b`; `None` when there are none.
fn ids<'r>(rules: impl Iterator<Item = &'r &'r Rule>) -> Option<String> {
    let all: Vec<String> = rules.map(|rule| format!("`{}`", rule.id())).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Every file, or every mistake in all of them.
fn load(files: &[RuleText]) -> Result<Vec<Loaded>, Failure> {
    let (mut all, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match RuleSet::from_gitleaks(&file.text) {
            Ok(loaded) => {
                let reserved = loaded.rules.rules().filter(|rule| is_reserved(rule.id()));
                mistakes.extend(reserved.map(|rule| {
                    format!("{}: `{}` is what findings of another kind are called", file.name, rule.id())
                }));
                all.push(loaded);
            }
            Err(errors) => mistakes.extend(errors.iter().map(|error| format!("{}:{error}", file.name))),
        }
    }
    if mistakes.is_empty() {
        return Ok(all);
    }
    Err(wrong(&mistakes).help("correct the file, or take it out of `dlp.rule_files`"))
}

impl Rules {
    /// `390 built-in rules, 2 of the manifest's own, 220 of rules.toml`.
    pub fn count(&self) -> String {
        let ours = self.set.rules().filter(|rule| is_ours(rule)).count();
        let own = (self.own > 0).then(|| format!("{} of the manifest's own", self.own));
        let files = self.files.iter().map(|(name, count)| format!("{count} of {name}"));
        let all: Vec<String> =
            [style::count(ours as u64, "built-in rule")].into_iter().chain(own).chain(files).collect();
        all.join(", ")
    }

    /// The same for programs.
    pub fn json(&self) -> serde_json::Value {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|(name, count)| serde_json::json!({ "file": name, "rules": count }))
            .collect();
        let built_in = self.set.rules().filter(|rule| is_ours(rule)).count();
        serde_json::json!({ "built_in": built_in, "own": self.own, "files": files })
    }

    /// What one file gives.
    fn add(&mut self, file: &RuleText, loaded: &Loaded) {
        let name = &file.name;
        let known = |id: &str| self.set.rules().any(|rule| rule.id() == id);
        let mut notes: Vec<String> = loaded.notes.iter().map(|note| format!("{name}:{note}")).collect();
        let unknown = loaded.without.iter().filter(|id| !known(id));
        notes.extend(
            unknown.map(|id| {
                format!("{name}: `disabledRules` names `{id}`, which is none of the built-in rules")
            }),
        );
        let own: Vec<&Rule> = loaded.rules.rules().filter(|rule| !is_ours(rule)).collect();
        let again = own.iter().filter(|rule| known(rule.id()));
        notes.extend(ids(again).map(|ids| format!("{name}: in place of the rules of those names: {ids}")));
        let slow = own.iter().filter(|rule| rule.is_slow());
        notes.extend(ids(slow).map(|ids| {
            format!(
                "{name}: tried at every byte, which takes its time, for no three fixed letters stand near the beginning of their \
                 matches: {ids}"
            )
        }));
        self.notes.extend(notes);
        self.files.push((name.clone(), own.len()));
        self.set = self.set.with(&loaded.rules);
    }

    /// An id that no rule has is a slip of the pen. Without files the lowering tells, with its place.
    fn know(&self, plan: &DlpPlan, files: &[RuleText]) -> Result<(), Failure> {
        let known = |id: &str| self.set.rules().any(|rule| rule.id() == id) || VALUES.contains(&id);
        let mut unknown: Vec<&str> = plan.named_rules().filter(|id| !known(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = unknown.iter().map(|id| format!("`{id}`")).collect();
        let files: Vec<String> = files.iter().map(|file| format!("`{}`", file.name)).collect();
        let files = if files.is_empty() { String::new() } else { format!(", nor in {}", files.join(", ")) };
        Err(Failure::new(format!(
            "the manifest says what happens to what {} finds, and there is no such rule: neither built in{files}",
            ids.join(", ")
        ))
        .help("`bottle scan --rules` lists the ids"))
    }
}
