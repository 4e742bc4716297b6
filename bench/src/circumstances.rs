//! What figures were taken on and of: without it they cannot be compared with anybody's.
use crate::scenario::Pace;
use crate::stage::Programs;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Lines for people.
pub(crate) fn lines(programs: &Programs, pace: Pace) -> Result<Vec<String>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut lines = vec![
        format!("Machine: {cores} cores ({}), Linux {}", processor()?, kernel()?),
        format!("`{}`: {:.1} MiB", first_line(&programs.bottle, "--version")?, size(&programs.bottle)?),
    ];
    let mut peers = Vec::new();
    if programs.hudsucker.is_some() {
        peers.push(format!("hudsucker {}", locked("hudsucker").unwrap_or("of an unknown version")));
    }
    if let Some(program) = &programs.mitmdump {
        peers.push(first_line(program, "--version")?.to_lowercase().replace(':', ""));
    }
    if !peers.is_empty() {
        lines.push(format!("Peers: {}", peers.join(", ")));
    }
    lines.push(format!("{} rounds, slices of {} ms", pace.rounds, pace.slice.as_millis()));
    Ok(lines)
}

fn processor() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.to_owned()))
}

fn kernel() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(release.trim().split('-').next().unwrap_or("").to_owned())
}

/// In MiB.
fn size(program: &Path) -> Result<f64> {
    let kibibytes = u32::try_from(fs::metadata(program)?.len() / 1024)?;
    Ok(f64::from(kibibytes) / 1024.0)
}

fn first_line(program: &Path, argument: &str) -> Result<String> {
    let output =
        Command::new(program).arg(argument).output().with_context(|| format!("`{}`", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or("").trim().to_owned())
}

/// The version of a crate that this workspace is locked to.
fn locked(name: &str) -> Option<&'static str> {
    let (_, rest) = include_str!("../Cargo.lock").split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peer_has_a_version() {
        assert!(super::locked("hudsucker").is_some_and(|version| version.starts_with("0.")));
        assert_eq!(super::locked("no-such-crate"), None);
    }
}
