//! `bottle prune`: remove what ended bottles left.
use crate::failure::{Failure, Outcome};
use crate::leftovers::Leftovers;
use crate::places;
use crate::registry::Registry;
use crate::run::start::walls_failure;
use crate::say;
use crate::style;
use clap::Args;
use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `bottle prune`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PruneArgs {
    /// Also remove the private homes of bottles that do not run (asks first).
    #[arg(long)]
    pub homes: bool,
    /// Ask the container engine even when no bottle of this machine is known to have used it.
    #[arg(long)]
    pub containers: bool,
    /// Also remove containers whose launcher cannot be seen from here: it may still run on another machine.
    #[arg(long)]
    pub elsewhere: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

const AFTER_HELP: &str = "\
Records of launchers that were killed are removed, with their containers, networks and volumes, and images of other
versions of `bottle` that nothing uses. Audit files and logs stay. A private home holds what the agent keeps
from run to run: settings, sessions, caches.

Examples:
  bottle prune
  bottle prune --homes --yes";

/// Removes it.
pub fn run(args: &PruneArgs) -> Outcome {
    let registry = Registry::open()?;
    prune_containers(args)?;
    for slug in registry.prune()? {
        say::out(format!("removed the record of `{slug}`\n"))?;
    }
    if args.homes {
        prune_homes(&registry, args.yes)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn prune_containers(args: &PruneArgs) -> Result<(), Failure> {
    let leftovers = if args.containers || args.elsewhere {
        Some(Leftovers::look().map_err(walls_failure)?)
    } else {
        Leftovers::look_if_known()?
    };
    let Some(leftovers) = leftovers else { return Ok(()) };
    leftovers.remove(&leftovers.orphans(args.elsewhere))?;
    leftovers.prune_images()?;
    leftovers.forget_if_clean()
}

fn prune_homes(registry: &Registry, yes: bool) -> Result<(), Failure> {
    let running: BTreeSet<String> = registry.running()?.into_iter().map(|record| record.name).collect();
    let homes: Vec<PathBuf> =
        homes()?.into_iter().filter(|(name, _)| !running.contains(name)).map(|(_, home)| home).collect();
    if homes.is_empty() || !(yes || confirmed(&homes)?) {
        return Ok(());
    }
    for home in &homes {
        remove_tree(home)
            .map_err(|error| Failure::new(format!("cannot remove `{}`: {error}", home.display())))?;
        say::out(format!("removed {}\n", home.display()))?;
    }
    Ok(())
}

fn homes() -> Result<Vec<(String, PathBuf)>, Failure> {
    let Ok(entries) = std::fs::read_dir(places::state_root()?) else { return Ok(Vec::new()) };
    let named = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().join("home")));
    Ok(named.filter(|(_, home)| home.is_dir()).collect())
}

fn confirmed(homes: &[PathBuf]) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new("will not remove private homes without being asked by a person").help("add `--yes`")
        );
    }
    for home in homes {
        say::err(&format!("  {}\n", home.display()));
    }
    say::err(&format!("remove {}? [y/N] ", style::count(homes.len() as u64, "private home")));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Package caches hold folders without the write bit, which keep even their owner from removing what is in them.
fn remove_tree(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            unlock(folder)?;
            std::fs::remove_dir_all(folder)
        }
        done => done,
    }
}

/// Never follows a symbolic link: the agent may have made one to a folder of the user's.
fn unlock(folder: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_write_bits_goes_and_what_it_links_to_stays() {
        let host = tempfile::tempdir().expect("a folder");
        let precious = host.path().join("precious");
        std::fs::create_dir(&precious).expect("made");
        std::fs::set_permissions(&precious, std::fs::Permissions::from_mode(0o755)).expect("set");
        let home = host.path().join("home");
        std::fs::create_dir_all(home.join("cache/module")).expect("made");
        std::fs::write(home.join("cache/module/file"), "x").expect("written");
        std::os::unix::fs::symlink(&precious, home.join("link")).expect("linked");
        std::fs::set_permissions(home.join("cache/module"), std::fs::Permissions::from_mode(0o555))
            .expect("set");
        unlock(&home).expect("unlocked");
        remove_tree(&home).expect("removed");
        assert!(!home.exists() && precious.exists());
        assert_eq!(precious.metadata().expect("there").permissions().mode() & 0o777, 0o755);
    }
}
