//! A manifest that explains what was seen: for `bottle learn`, and for the end of a run that learns.
use crate::failure::Failure;
use crate::load::{self, Choice, NoPlan, Written};
use crate::style;
use crate::whole;
use audit::Exchange;
use jiff::Timestamp;
use manifest::edit::Addition;
use manifest::learn::{Learned, LeftOut, from_events};
use std::borrow::Borrow;
use std::path::{Path, PathBuf};

/// What a learned manifest is called, beside the one that it was made from.
pub const FILE_NAME: &str = "bottle.learned.yaml";

/// Lines of what nothing was learned from.
const TOLD: usize = 50;

/// A manifest that is proposed.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The manifest that it was made from.
    pub written: Written,
    /// The whole text.
    pub text: String,
    /// What is new, as a unified diff; empty when nothing is.
    pub diff: String,
    /// What was learned.
    pub learned: Learned,
    /// Routes that are not in the text, and why.
    pub not_added: Vec<LeftOut>,
}

/// The present manifest with the narrowest routes that explain these exchanges; `source` says where they are from, and
/// `now` stands in the comment.
///
/// # Errors
/// When the manifest is wrong or cannot be read.
pub fn propose(
    choice: &Choice<'_>,
    exchanges: impl IntoIterator<Item = impl Borrow<Exchange>>,
    source: &str,
    now: Timestamp,
) -> Result<Proposed, NoPlan> {
    let (written, loaded) = load::load(choice)?;
    let learned = from_events(exchanges, &loaded.plan.egress.policy);
    let time = now.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %H:%M");
    let additions =
        learned.for_manifest(&format!("learned {time} from {source}; look at each before you keep it"));
    let (text, not_added) = added(choice, &written, &additions)?;
    let diff = diff(&written.name, &written.text, &text);
    Ok(Proposed { written, text, diff, learned, not_added })
}

/// All of them; and where one cannot be added, each that can.
fn added(
    choice: &Choice<'_>,
    written: &Written,
    additions: &[Addition],
) -> Result<(String, Vec<LeftOut>), Failure> {
    if let Ok(text) = load::with_routes(choice, written, additions)? {
        return Ok((text, Vec::new()));
    }
    let mut now = written.clone();
    let mut not_added = Vec::new();
    for addition in additions {
        match load::with_routes(choice, &now, std::slice::from_ref(addition))? {
            Ok(text) => now.text = text,
            Err(error) => {
                not_added.push(LeftOut { what: addition.proposal.to_string(), why: error.what, times: 1 });
            }
        }
    }
    Ok((now.text, not_added))
}

fn diff(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let diff = similar::TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header(name, FILE_NAME).to_string()
}

/// Writes a proposal where nothing is yet; without a name beside its manifest, or here. Gives the file.
///
/// # Errors
/// When something is there already, or the folder cannot be written to.
pub fn write(proposed: &Proposed, named: Option<&Path>) -> Result<PathBuf, Failure> {
    let beside = proposed.written.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let file = named.map_or_else(|| beside.join(FILE_NAME), Path::to_path_buf);
    if file.symlink_metadata().is_ok() {
        let shown = style::neutral(&file.display().to_string());
        return Err(Failure::new(format!("`{shown}` is there already"))
            .help("nothing was written; move it away, or name another file with `--out FILE`"));
    }
    whole::create(&file, proposed.text.as_bytes(), 0o600)?;
    Ok(file)
}

impl Proposed {
    /// What was learned and what was not, for people.
    pub fn told(&self) -> String {
        let learned = &self.learned;
        let routes = self.learned.additions.len() - self.not_added.len().min(self.learned.additions.len());
        let mut lines = vec![format!(
            "{} explain{} {}; {} allowed already",
            style::count(routes as u64, "new route"),
            if routes == 1 { "s" } else { "" },
            style::count(learned.explained, "exchange"),
            if learned.covered == 1 { "1 was".to_owned() } else { format!("{} were", learned.covered) },
        )];
        lines.extend(self.not_added.iter().map(|one| format!("not added: {}", one.line())));
        lines.extend(learned.left_out.iter().take(TOLD).map(|one| format!("not learned: {}", one.line())));
        let more = learned.left_out.len().saturating_sub(TOLD);
        lines.extend((more > 0).then(|| format!("not learned: {more} more; `--json` has them")));
        lines.iter().map(|line| format!("{}\n", style::neutral(line))).collect()
    }
}
