//! What must be there before anything is measured: release builds, and mitmproxy in an environment of its own.
use crate::stage::Programs;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Which peers are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Peers {
    /// The example of hudsucker.
    pub(crate) hudsucker: bool,
    /// mitmdump.
    pub(crate) mitmproxy: bool,
}

/// Builds or finds all programs. A given `bottle` is taken as it is.
pub(crate) fn programs(bottle: Option<PathBuf>, peers: Peers) -> Result<Programs> {
    let bottle = match bottle {
        Some(path) => path.canonicalize().with_context(|| format!("there is no `{}`", path.display()))?,
        None => build(&root()?, "bottle", "bottle")?,
    };
    let here = root()?.join("bench");
    let hudsucker = peers.hudsucker.then(|| build(&here, "hudsucker-peer", "hudsucker-peer")).transpose()?;
    let mitmdump = peers.mitmproxy.then(|| mitmdump(&here)).transpose()?;
    Ok(Programs { bottle, hudsucker, mitmdump })
}

/// The repository's folder.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).context("bench has no folder above it")
}

/// Builds a package in release mode; the program's path, as cargo names it.
fn build(folder: &Path, package: &str, program: &str) -> Result<PathBuf> {
    eprintln!("building {package} (release)");
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--message-format=json",
            "--package",
            package,
            "--bin",
            program,
        ])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{package} cannot be built");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.with_context(|| format!("cargo named no program for {package}"))
}

/// mitmdump, installed once by this user's pip, wherever it takes packages from.
fn mitmdump(bench: &Path) -> Result<PathBuf> {
    let environment = bench.join("target/mitmproxy");
    let program = environment.join("bin/mitmdump");
    if program.exists() {
        return Ok(program);
    }
    eprintln!("installing mitmproxy into {}", environment.display());
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    succeed(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "mitmproxy"]))?;
    Ok(program)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot run `{command:?}`"))?;
    if !status.success() {
        bail!("`{command:?}` failed; `--peers` without mitmproxy does without it");
    }
    Ok(())
}
