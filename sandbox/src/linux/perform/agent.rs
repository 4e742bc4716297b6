//! What the agent's process takes upon itself before it becomes the agent.
use crate::linux::seccomp;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::path::PathBuf;

/// The newest rules that are asked for; an older kernel gives what it has.
const LANDLOCK: ABI = ABI::V6;

pub(crate) fn limits(open_files: Option<u64>, processes: Option<u64>) -> io::Result<()> {
    limit(Resource::Core, 0)?;
    if let Some(most) = open_files {
        limit(Resource::Nofile, most)?;
    }
    if let Some(most) = processes {
        limit(Resource::Nproc, most)?;
    }
    Ok(())
}

/// Never raises: the caller's own limit stays when it is lower.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let maximum = now.maximum.map_or(most, |m| m.min(most));
    let current = now.current.map_or(maximum, |c| c.min(maximum));
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?)
}

pub(crate) fn landlock(writable: &[PathBuf]) -> io::Result<()> {
    restrict(writable).map_err(io::Error::other)
}

fn restrict(writable: &[PathBuf]) -> Result<(), landlock::RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .scope(Scope::AbstractUnixSocket)?
        .scope(Scope::Signal)?
        .create()?;
    if let Ok(root) = PathFd::new("/") {
        ruleset = ruleset.add_rule(PathBeneath::new(root, AccessFs::from_read(LANDLOCK)))?;
    }
    for path in writable {
        if let Ok(place) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(place, AccessFs::from_all(LANDLOCK)))?;
        }
    }
    ruleset.restrict_self().map(drop)
}

pub(crate) fn seccomp() -> io::Result<()> {
    seccomp::programs().map_err(io::Error::other)?.iter().try_for_each(filter)
}

pub(crate) fn holder_calls() -> io::Result<()> {
    filter(&seccomp::holder().map_err(io::Error::other)?)
}

fn filter(program: &seccompiler::BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(program).map_err(io::Error::other)
}
