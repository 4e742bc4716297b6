//! Presets: manifests that are compiled in. A preset is only a manifest; it can say nothing that a user could not.
use crate::at::At;
use crate::problem::{Problem, Span};
use crate::shape::nearest;
use crate::written::Manifest;

/// A preset and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// What `presets:` calls it.
    pub name: &'static str,
    /// Its manifest.
    pub text: &'static str,
}

macro_rules! preset {
    ($name:literal) => {
        Preset { name: $name, text: include_str!(concat!("../presets/", $name, ".yaml")) }
    };
}

/// All presets but `packages`, agents first.
pub const PRESETS: &[Preset] = &[
    preset!("claude-code"),
    preset!("codex"),
    preset!("gemini-cli"),
    preset!("opencode"),
    preset!("aider"),
    preset!("pi"),
    preset!("github"),
    preset!("gitlab"),
    preset!("bitbucket"),
    preset!("codeberg"),
];

/// The preset that is not compiled in: its hosts come from the configuration of this machine's package tools.
pub const PACKAGES: &str = "packages";

impl Preset {
    /// The first line of its manifest.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or("").trim_start_matches("# ")
    }
    /// Whether it brings a program to run.
    pub fn is_agent(&self) -> bool {
        self.text.lines().any(|line| line == "agent:")
    }
}

/// A preset's manifest.
pub fn text(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|preset| preset.name == name).map(|preset| preset.text)
}

/// Every name that `presets:` knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name).chain([PACKAGES])
}

/// Which presets a manifest wants.
#[derive(Default)]
pub(crate) struct Wanted {
    /// In the order of their weight: the agent's first.
    pub(crate) compiled_in: Vec<String>,
    /// Where `packages` was asked for.
    pub(crate) packages: Option<Span>,
}

pub(crate) fn wanted(manifest: &Manifest, problems: &mut Vec<Problem>) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(name) = manifest.agent.as_ref().and_then(|agent| agent.preset.as_ref()) {
        agents_own(name, problems);
        add(name, &mut wanted, problems);
    }
    for name in &manifest.presets {
        add(name, &mut wanted, problems);
    }
    wanted
}

fn agents_own(name: &At<String>, problems: &mut Vec<Problem>) {
    let known = names().any(|known| known == name.value);
    let agent = PRESETS.iter().any(|preset| preset.name == name.value && preset.is_agent());
    if known && !agent {
        let message = format!("the preset `{}` brings no agent", name.value);
        problems.push(Problem::error(name.span, message).hint(format!("write `presets: [{}]`", name.value)));
    }
}

fn add(name: &At<String>, wanted: &mut Wanted, problems: &mut Vec<Problem>) {
    if name.value == PACKAGES {
        wanted.packages = Some(name.span);
    } else if text(name).is_none() {
        let problem = Problem::error(name.span, format!("there is no preset `{}`", name.value));
        problems.push(match nearest(name, names()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("there are {}", names().collect::<Vec<_>>().join(", "))),
        });
    } else if !wanted.compiled_in.contains(&name.value) {
        wanted.compiled_in.push(name.value.clone());
    }
}
