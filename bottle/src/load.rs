//! From the command line to a plan: which manifest is meant, and what it means here.
use crate::failure::Failure;
use crate::machine::Machine;
use crate::style::Style;
use manifest::edit::{Addition, EditError, add_routes};
use manifest::{LARGEST, Loaded, Overrides, Place, Problems};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

/// What the command line says about the manifest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// This file; else the `bottle.yaml` of this folder or the nearest one above.
    pub manifest: Option<&'a Path>,
    /// These presets instead of a manifest.
    pub presets: &'a [String],
    /// Another name for the bottle.
    pub name: Option<&'a str>,
    /// Another workspace.
    pub workspace: Option<&'a Path>,
    /// Another backend.
    pub backend: Option<&'a str>,
}

/// How a manifest was found: to find the same one again while its bottle runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The file, absolute; none for presets alone, and for nothing at all.
    pub file: Option<PathBuf>,
    /// Presets instead.
    pub presets: Vec<String>,
    /// Another name for the bottle.
    pub name: Option<String>,
    /// Another workspace.
    pub workspace: Option<PathBuf>,
    /// Another backend.
    pub backend: Option<String>,
}

impl Wanted {
    /// After it was found.
    pub fn of(choice: &Choice<'_>, written: &Written) -> Wanted {
        // By the name that was said: where a link leads may change.
        let named = choice.manifest.and_then(|named| std::path::absolute(named).ok());
        Wanted {
            file: named.or_else(|| written.file.clone()),
            presets: choice.presets.to_vec(),
            name: choice.name.map(str::to_owned),
            workspace: choice.workspace.map(Path::to_path_buf),
            backend: choice.backend.map(str::to_owned),
        }
    }

    /// The same choice, of the same file.
    pub fn choice(&self) -> Choice<'_> {
        Choice {
            manifest: self.file.as_deref(),
            presets: &self.presets,
            name: self.name.as_deref(),
            workspace: self.workspace.as_deref(),
            backend: self.backend.as_deref(),
        }
    }
}

/// A manifest that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What people call it.
    pub name: String,
    /// The file, absolute; `None` for presets alone, and for nothing at all.
    pub file: Option<PathBuf>,
    /// Its content.
    pub text: String,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum NoPlan {
    /// The manifest could not be found or read.
    Unreadable(Failure),
    /// It is wrong.
    Wrong(Problems),
}

impl From<NoPlan> for Failure {
    fn from(no: NoPlan) -> Failure {
        match no {
            NoPlan::Unreadable(failure) => failure,
            NoPlan::Wrong(problems) => match problems.list.as_slice() {
                // No line of a manifest is at fault.
                [only] if only.span.is_none() => {
                    Failure { help: only.hint.clone(), ..Failure::new(&only.message) }
                }
                _ => Failure::new(sentence(&problems)),
            },
        }
    }
}

impl From<Failure> for NoPlan {
    fn from(failure: Failure) -> NoPlan {
        NoPlan::Unreadable(failure)
    }
}

/// All problems, after how many they are.
fn sentence(problems: &Problems) -> String {
    let errors = problems.list.iter().filter(|problem| problem.is_error()).count();
    let noun = if errors == 1 { "error" } else { "errors" };
    format!("the manifest has {errors} {noun}\n\n{}\n", problems.render(colours()))
}

/// Whether problems, which go to standard error, are shown in colours.
pub fn colours() -> bool {
    std::io::stderr().is_terminal() && Style::stderr() != Style::plain()
}

/// Finds, reads and lowers. Nothing is started and no secret is read.
///
/// # Errors
/// When there is no manifest to read, or it has mistakes: all of them.
pub fn load(choice: &Choice<'_>) -> Result<(Written, Loaded), NoPlan> {
    let here = here()?;
    let written = find(choice, &here)?;
    let loaded =
        in_place(choice, &written, &here, |place, machine| manifest::load(&written.text, place, machine))?
            .map_err(NoPlan::Wrong)?;
    Ok((written, loaded))
}

/// What a manifest means where another one stands: relative paths, names and what is protected are the same for both.
///
/// # Errors
/// As of [`load`].
pub fn load_instead_of(standing: &Path, file: &Path) -> Result<Loaded, NoPlan> {
    let here = here()?;
    let choice = Choice { manifest: Some(file), ..Choice::default() };
    let mut written = find(&choice, &here)?;
    written.file = crate::find::manifest(Some(standing), &here)?;
    in_place(&choice, &written, &here, |place, machine| manifest::load(&written.text, place, machine))?
        .map_err(NoPlan::Wrong)
}

/// The text of a manifest that was found with routes added to it; it means what it meant, and these routes.
///
/// # Errors
/// When this machine cannot be asked, or (inside) the routes cannot be added.
pub fn with_routes(
    choice: &Choice<'_>,
    written: &Written,
    additions: &[Addition],
) -> Result<Result<String, EditError>, Failure> {
    let here = here()?;
    in_place(choice, written, &here, |place, machine| add_routes(&written.text, additions, place, machine))
}

/// Does something with a manifest where it stands.
fn in_place<T>(
    choice: &Choice<'_>,
    written: &Written,
    here: &Path,
    work: impl FnOnce(Place<'_>, &Machine) -> T,
) -> Result<T, Failure> {
    let machine = Machine::this()?;
    let folder = written.file.as_deref().and_then(Path::parent).unwrap_or(here);
    let workspace = choice.workspace.map(|path| here.join(path));
    let overrides = Overrides { name: choice.name, workspace: workspace.as_deref(), backend: choice.backend };
    let place = Place { name: &written.name, file: written.file.as_deref(), folder, overrides };
    Ok(work(place, &machine))
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::new(format!("cannot tell the current folder: {error}")))
}

fn find(choice: &Choice<'_>, here: &Path) -> Result<Written, Failure> {
    if !choice.presets.is_empty() {
        return Ok(of_presets(choice.presets));
    }
    match crate::find::manifest(choice.manifest, here)? {
        Some(file) => read(shown(&file, here), &file),
        None => Ok(Written { name: "no manifest".to_owned(), file: None, text: String::new() }),
    }
}

fn shown(file: &Path, here: &Path) -> String {
    file.strip_prefix(here).unwrap_or(file).display().to_string()
}

fn read(name: String, file: &Path) -> Result<Written, Failure> {
    crate::keep::mend(file)?;
    let bounded = |file: File| {
        let mut text = String::new();
        file.take(LARGEST as u64 + 1).read_to_string(&mut text).map(|_| text)
    };
    let text = File::open(file).and_then(bounded).map_err(|error| {
        Failure::new(format!("cannot read the manifest `{name}`: {error}"))
            .help("correct its permissions, or name another with `--manifest FILE`")
    })?;
    Ok(Written { name, file: Some(file.to_path_buf()), text })
}

/// A manifest that names presets and nothing else.
fn of_presets(presets: &[String]) -> Written {
    let mut text = String::from("presets:\n");
    for preset in presets {
        let quoted = serde_json::Value::String(preset.clone());
        let _ = writeln!(text, "  - {quoted}");
    }
    Written { name: "command line".to_owned(), file: None, text }
}
