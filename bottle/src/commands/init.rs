//! `bottle init`: a commented manifest from what is found here and the presets chosen.
use crate::detect::project;
use crate::failure::{Failure, Outcome};
use crate::find::FILE_NAME;
use crate::machine::Machine;
use crate::say;
use clap::Args;
use manifest::presets::{self, PACKAGES, PRESETS};
use manifest::{Overrides, Place};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Arguments of `bottle init`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct InitArgs {
    /// Use these presets, not those that fit what is found here; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME", value_delimiter = ',')]
    pub preset: Vec<String>,
    /// Print the manifest instead of writing it.
    #[arg(long)]
    pub stdout: bool,
    /// Replace the manifest that is there.
    #[arg(long)]
    pub force: bool,
}

const AFTER_HELP: &str = "\
Presets: claude-code, codex, gemini-cli, opencode, aider, pi (agents); github, gitlab, bitbucket, codeberg (code
hosts); packages (the registries that this machine's package tools are configured for).

Examples:
  bottle init
  bottle init --preset claude-code,github,packages
  bottle init --stdout";

/// Does it.
///
/// # Errors
/// When a preset does not exist, or there is a manifest already.
pub fn run(args: &InitArgs) -> Outcome {
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(format!("cannot tell the current folder: {error}")))?;
    let chosen = chosen(&args.preset, &here)?;
    let text = text(&chosen);
    checked(&text, &here)?;
    if args.stdout {
        say::out(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    write(&here.join(FILE_NAME), &text, args.force)?;
    let names: Vec<&str> = chosen.agent.iter().chain(&chosen.others).copied().collect();
    let with =
        if names.is_empty() { "without presets".to_owned() } else { format!("with {}", names.join(", ")) };
    say::out(format!(
        "wrote {FILE_NAME} {with}; `bottle check` shows what it means, `bottle run` starts it\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The agent's preset, the other presets, and agents that are here besides.
#[derive(Debug, Default)]
struct Chosen {
    agent: Option<&'static str>,
    others: Vec<&'static str>,
    besides: Vec<&'static str>,
}

fn chosen(named: &[String], here: &Path) -> Result<Chosen, Failure> {
    if named.is_empty() {
        return Ok(detected(here));
    }
    let mut chosen = Chosen::default();
    for name in named {
        let known = presets::names().find(|known| known == name).ok_or_else(|| {
            let all = presets::names().collect::<Vec<_>>().join(", ");
            Failure::new(format!("there is no preset `{name}`")).help(format!("there are {all}")).code(2)
        })?;
        let agent = PRESETS.iter().any(|preset| preset.name == known && preset.is_agent());
        if agent && chosen.agent.is_none() {
            chosen.agent = Some(known);
        } else if !chosen.others.contains(&known) && chosen.agent != Some(known) {
            chosen.others.push(known);
        }
    }
    Ok(chosen)
}

fn detected(here: &Path) -> Chosen {
    let mut agents = project::agents().into_iter();
    let mut chosen =
        Chosen { agent: agents.next(), others: project::code_hosts(here), besides: agents.collect() };
    if project::takes_packages(here) {
        chosen.others.push(PACKAGES);
    }
    chosen
}

fn text(chosen: &Chosen) -> String {
    let mut text = String::from(HEAD);
    match chosen.agent {
        Some(agent) => {
            let _ = writeln!(text, "# What runs inside: {}", summary(agent));
            let _ = writeln!(text, "agent:\n  preset: {agent}");
            if !chosen.besides.is_empty() {
                let _ = writeln!(text, "  # Also installed here: {}.", chosen.besides.join(", "));
            }
            text.push_str("  # command: [program, argument]   # instead of the preset's\n");
        }
        None => text.push_str("# What runs inside; or say it each time: `bottle run -- CMD`.\n# agent:\n#   command: [program, argument]\n"),
    }
    text.push('\n');
    match chosen.others.as_slice() {
        [] => text.push_str("# Routes that come with `bottle`: github, gitlab, bitbucket, codeberg, packages.\n# presets: [github, packages]\n"),
        others => {
            text.push_str("# Routes that come with `bottle`.\npresets:\n");
            for name in others {
                let _ = writeln!(text, "  - {name}   # {}", summary(name));
            }
        }
    }
    text.push_str(TAIL);
    text
}

fn summary(name: &str) -> &'static str {
    PRESETS.iter().find(|preset| preset.name == name).map_or(
        "The registries that this machine's package tools are configured for.",
        presets::Preset::summary,
    )
}

const HEAD: &str = "\
# A bottle: inside it the agent may do anything; outside it reaches only what stands here, with credentials that it
# never sees. `bottle check` shows what this means; `bottle explain GET URL` says what would be refused, and why.

# The folder that the agent works in, mounted read-write. Everything else of your home is out of sight.
workspace: .

";

const TAIL: &str = r#"
# More of this machine for the agent to see.
# mounts:
#   - { path: ~/data, mode: ro }

# More hosts. Without `paths` and `methods` a route allows all of them.
# egress:
#   routes:
#     - host: api.example.com
#       paths: ["/v1/**"]
#       methods: [GET, POST]
#       # The real token stays on this machine; the agent holds a placeholder in the same variable.
#       auth: { scheme: bearer, token: { env: EXAMPLE_TOKEN } }
#   dlp:
#     secrets: [{ file: .env }]   # values that must not leave, besides every token
#   budget: { bytes_up: 100MiB/h }   # how much may leave

# Servers inside that a browser on this machine may reach.
# ports: [3000]

# limits: { memory: 4GiB, processes: 512 }
# time_limit: 8h
"#;

/// What is written must be right: a mistake here is ours, and is told before anything is on disk.
fn checked(text: &str, here: &Path) -> Result<(), Failure> {
    let file = here.join(FILE_NAME);
    let place = Place { name: FILE_NAME, file: Some(&file), folder: here, overrides: Overrides::default() };
    match manifest::load(text, place, &Machine::this()?) {
        Ok(_) => Ok(()),
        Err(problems) => {
            Err(Failure::new(format!("no manifest can be written for this folder\n\n{problems}\n")).code(2))
        }
    }
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let unwritable =
        |error: std::io::Error| Failure::new(format!("cannot write `{}`: {error}", file.display()));
    if force {
        // Beside it first, then in its place: never half a manifest, and never through a link.
        let beside = file.with_extension(format!("yaml.{}", std::process::id()));
        let mut new = File::create_new(&beside).map_err(unwritable)?;
        return new.write_all(text.as_bytes()).and_then(|()| fs::rename(&beside, file)).map_err(unwritable);
    }
    let mut new = File::create_new(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(format!("`{FILE_NAME}` is there already"))
            .help("`--force` replaces it, `--stdout` only shows what would be written"),
        _ => unwritable(error),
    })?;
    new.write_all(text.as_bytes()).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_right_for_every_choice() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in presets::names() {
            let chosen = chosen(&[name.to_owned()], folder.path()).expect("it is a preset");
            let text = text(&chosen);
            assert!(text.contains(name), "{text}");
            checked(&text, folder.path()).unwrap_or_else(|failure| panic!("{name}: {}", failure.what));
        }
        let all: Vec<String> = presets::names().map(str::to_owned).collect();
        let text = text(&chosen(&all, folder.path()).expect("they are presets"));
        checked(&text, folder.path()).unwrap_or_else(|failure| panic!("{}", failure.what));
    }

    /// The commented parts are the documentation that people uncomment first.
    #[test]
    fn what_is_commented_out_is_right_too() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(".env"), "A=b").expect("a file");
        let lines = TAIL.lines().filter_map(|line| line.strip_prefix("# "));
        let keys = ["mounts:", "egress:", "ports:", "limits:", "time_limit:", " "];
        let live: Vec<&str> = lines.filter(|line| keys.iter().any(|key| line.starts_with(key))).collect();
        let text = live.join("\n").replace("path: ~/data", "path: /usr");
        assert!(text.contains("time_limit") && text.contains("secrets"), "{text}");
        checked(&text, folder.path()).unwrap_or_else(|failure| panic!("{text}\n{}", failure.what));
    }

    #[test]
    fn a_manifest_that_is_there_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE_NAME);
        write(&file, "first", false).expect("nothing is there");
        assert!(write(&file, "second", false).is_err());
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "first");
        write(&file, "third", true).expect("forced");
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "third");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
