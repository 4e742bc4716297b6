//! As written → as meant. [`load`] is the story; each chapter has its module. Every chapter tells all it finds wrong and
//! goes on; only when nothing is wrong there is a plan.
mod agent;
mod apart;
mod auth;
mod backend;
mod budget;
mod dlp;
mod egress;
mod paths;
mod proxy;
mod resolve;
mod routes;
pub(crate) use routes::{is_passthrough, is_tcp};
mod sandbox;
mod stand_in;
mod token;
pub mod units;

use crate::at::{self, At};
use crate::host::Host;
use crate::plan::Plan;
use crate::presets;
use crate::problem::{Problem, Problems, Span};
use crate::written::Manifest;
use crate::{lint, node, shape};
use apart::Purpose;
use std::path::{Path, PathBuf};

/// Where a manifest is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What people call it: the path as they wrote it, or `command line`.
    pub name: &'a str,
    /// The file, absolute; `None` for a manifest that was never a file.
    pub file: Option<&'a Path>,
    /// Where relative paths start, absolute: the file's folder.
    pub folder: &'a Path,
    /// What the command line says instead of the manifest.
    pub overrides: Overrides<'a>,
}

/// What the command line says instead of the manifest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides<'a> {
    /// Another name.
    pub name: Option<&'a str>,
    /// Another workspace, absolute.
    pub workspace: Option<&'a Path>,
    /// Another backend.
    pub backend: Option<&'a str>,
}

/// A plan, and what is odd about its manifest.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What will be done.
    pub plan: Plan,
    /// Warnings only.
    pub warnings: Problems,
}

/// Reads a manifest, adds the presets it names, and says what it means on this machine.
///
/// # Errors
/// Every mistake in it, with warnings among them.
pub fn load(text: &str, place: Place<'_>, host: &dyn Host) -> Result<Loaded, Problems> {
    let mut problems = Problems::default();
    let file = problems.sources.add(place.name, text);
    let plan = parse(text, file, &mut problems.list)
        .and_then(|manifest| with_presets(manifest, place, host, &mut problems));
    problems.settle();
    match plan {
        Some(plan) if !problems.has_errors() => Ok(Loaded { plan, warnings: problems }),
        _ => Err(problems),
    }
}

/// Text → types, without what has the wrong shape; `None` when nothing is left.
pub(crate) fn parse(text: &str, file: usize, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let tree = node::parse(text, file).map_err(|problem| problems.push(problem)).ok()?;
    let tree = shape::check(&tree, problems)?;
    // The shape is right by now: an error here is a disagreement between schema and types, and stops the lowering too.
    at::read(&tree).map_err(|error| problems.push(Problem::error(tree.span, error.to_string()))).ok()
}

/// A manifest among those that make up a plan: the user's, or a preset of this name.
pub(crate) struct Layer {
    manifest: Manifest,
    preset: Option<String>,
}

fn with_presets(
    manifest: Manifest,
    place: Place<'_>,
    host: &dyn Host,
    problems: &mut Problems,
) -> Option<Plan> {
    let wanted = presets::wanted(&manifest, &mut problems.list);
    let mut layers = vec![Layer { manifest, preset: None }];
    for name in &wanted.compiled_in {
        let text = presets::text(name)?;
        let file = problems.sources.add(format!("preset {name}"), text);
        let manifest = parse(text, file, &mut problems.list)?;
        layers.push(Layer { manifest, preset: Some(name.clone()) });
    }
    let registries_at = wanted.packages;
    let mut lower = Lower::new(place, host, std::mem::take(&mut problems.list));
    let plan = lower.plan(&layers, registries_at);
    problems.list = lower.problems;
    plan
}

/// The work bench: what is known, and what was found wrong so far.
pub(crate) struct Lower<'a> {
    place: Place<'a>,
    host: &'a dyn Host,
    pub(crate) problems: Vec<Problem>,
    /// Noted by each chapter, looked at when all that the agent sees is known.
    host_paths: Vec<apart::HostPath>,
    /// Optional credentials that could not be had, for people.
    not_at_hand: Vec<String>,
}

impl<'a> Lower<'a> {
    fn new(place: Place<'a>, host: &'a dyn Host, problems: Vec<Problem>) -> Lower<'a> {
        Lower { place, host, problems, host_paths: Vec::new(), not_at_hand: Vec::new() }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::error(span, message));
    }

    fn error_hint(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::error(span, message).hint(hint));
    }

    /// An error that may have no place in a file: the command line or the current folder is at fault then.
    fn error_somewhere(&mut self, span: Option<Span>, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::error(span.unwrap_or_default(), message).hint(hint);
        self.problems.push(Problem { span, ..problem });
    }

    /// Every chapter, in the order of [`Plan`]; `None` when a part could not be made at all.
    fn plan(&mut self, layers: &[Layer], registries_at: Option<Span>) -> Option<Plan> {
        let user = &layers.first()?.manifest;
        let backend = self.backend(user);
        let workspace = self.workspace(user);
        let name = self.name(user, workspace.as_deref());
        let agent = self.agent(layers);
        let egress = self.egress(layers, registries_at, workspace.as_deref());
        let docker = self.docker(user, backend, workspace.as_deref());
        let mut sandbox = self.sandbox(layers, name.as_deref(), workspace);
        let audit_file = self.audit_file(user, name.as_deref());
        let on_request = self.on_request(user);
        self.steered_apart();
        if let Some(sandbox) = &mut sandbox {
            self.keep_apart(sandbox);
        }
        let plan = Plan {
            name: name?,
            backend: backend?,
            agent: agent?,
            sandbox: sandbox?,
            docker: docker?,
            egress: egress?,
            audit_file: audit_file?,
            on_request: on_request?,
        };
        lint::whole_plan(&plan, user, &mut self.problems);
        self.agent_without_credential(layers, &plan);
        Some(plan)
    }

    /// An agent that takes whichever key there is, and there is none.
    fn agent_without_credential(&mut self, layers: &[Layer], plan: &Plan) {
        let presets = layers.iter().filter_map(|layer| layer.preset.as_deref());
        let is_agent = |name: &str| presets::PRESETS.iter().any(|p| p.name == name && p.is_agent());
        let Some(agent) = presets.into_iter().find(|name| is_agent(name)) else { return };
        if !plan.egress.slots.is_empty() || self.not_at_hand.is_empty() {
            return;
        }
        let message = format!("no credential for `{agent}` is at hand: {}", self.not_at_hand.join(", "));
        let problem = Problem { span: None, ..Problem::warning(Span::default(), message) };
        self.problems.push(problem.hint("set one of them before `bottle run`"));
    }

    fn name(&mut self, user: &Manifest, workspace: Option<&Path>) -> Option<String> {
        let (name, span) = match (self.place.overrides.name, &user.name) {
            (Some(name), _) => (name, None),
            (None, Some(name)) => (name.as_str(), Some(name.span)),
            (None, None) => return workspace.map(name_of),
        };
        if is_name(name) {
            return Some(name.to_owned());
        }
        let rule = "lower-case letters, digits and `-`, at most 40, the first one no `-`";
        let message = format!("`{name}` is not a name for a bottle");
        self.error_somewhere(span, message, format!("{rule}: `{}`", slug(name)));
        None
    }

    fn audit_file(&mut self, user: &Manifest, name: Option<&str>) -> Option<PathBuf> {
        let written = user.audit.as_ref().and_then(|audit| audit.file.as_ref());
        let file = match written {
            Some(file) => self.path(file)?,
            None => self.host.state().join("bottle").join(name?).join("audit.jsonl"),
        };
        // A file that is to be made: where its folder leads is where it will be.
        let real = file.parent().and_then(|folder| self.host.canonical(folder));
        self.apart(written.map(|file| file.span), &file, Purpose::Audit);
        if let Some((folder, name)) = real.zip(file.file_name()) {
            self.apart(written.map(|file| file.span), &folder.join(name), Purpose::Audit);
        }
        Some(file)
    }
}

fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    letters && !name.is_empty() && name.len() <= 40 && !name.starts_with('-')
}

fn name_of(workspace: &Path) -> String {
    workspace.file_name().map_or_else(|| "bottle".to_owned(), |name| slug(&name.to_string_lossy()))
}

fn slug(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let dashed: String = text.chars().map(keep).collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(40).collect();
    if name.is_empty() { "bottle".to_owned() } else { name.trim_end_matches('-').to_owned() }
}

/// The texts of a list, and an error when there are none where some must be.
impl Lower<'_> {
    fn some_of<'m, T>(&mut self, list: &'m At<Vec<T>>, key: &str, all: &str) -> Option<&'m [T]> {
        if list.value.is_empty() {
            self.error_hint(list.span, format!("`{key}` is an empty list"), all);
            return None;
        }
        Some(&list.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_names() {
        for text in [
            "My Project",
            "--",
            "",
            "Ünïcode",
            "a".repeat(60).as_str(),
            "x/../y",
            &format!("{} b", "a".repeat(39)),
        ] {
            assert!(is_name(&slug(text)), "{text:?} → {:?}", slug(text));
        }
        assert_eq!(slug("My Project"), "my-project");
    }
}
