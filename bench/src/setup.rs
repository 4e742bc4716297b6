//! What must be there before anything is measured: release builds, and mitmproxy in an environment of its own.
use crate::stage::Programs;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The package of hudsucker's example, and its program.
const PEER: &str = "hudsucker-peer";

/// Which peers are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Peers {
    /// The example of hudsucker.
    pub(crate) hudsucker: bool,
    /// mitmdump.
    pub(crate) mitmproxy: bool,
}

/// Builds or finds all programs. A given `bottle` is taken as it is; with `as_it_is` so is everything else.
pub(crate) fn programs(bottle: Option<PathBuf>, peers: Peers, as_it_is: bool) -> Result<Programs> {
    let here = root()?.join("bench");
    let bottle = match bottle {
        Some(path) => path.canonicalize().with_context(|| format!("there is no `{}`", path.display()))?,
        None if as_it_is => built(&root()?.join("target/shipped"), "bottle")?,
        None => shipped(&root()?)?,
    };
    let hudsucker = peers
        .hudsucker
        .then(|| if as_it_is { built(&here.join("target"), PEER) } else { build(&here, PEER) });
    let hudsucker = hudsucker.transpose()?;
    let mitmdump = peers.mitmproxy.then(|| mitmdump(&here, as_it_is)).transpose()?;
    Ok(Programs { bottle, hudsucker, mitmdump })
}

/// Where a release build puts a program: in its target folder as this very program lies in its own.
fn built(target_folder: &Path, program: &str) -> Result<PathBuf> {
    let myself = std::env::current_exe()?;
    let target =
        myself.parent().and_then(Path::parent).and_then(Path::file_name).context("this program has moved")?;
    let path = target_folder.join(target).join("release").join(program);
    path.canonicalize().with_context(|| format!("there is no `{}`: leave `--no-build` out", path.display()))
}

/// The `bottle` that ships: what `./release` makes.
fn shipped(root: &Path) -> Result<PathBuf> {
    eprintln!("building bottle (./release)");
    let output = Command::new(root.join("release"))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run ./release")?;
    if !output.status.success() {
        bail!("./release failed");
    }
    let said = String::from_utf8(output.stdout).context("./release named no program")?;
    let path = said.lines().last().context("./release named no program")?;
    Path::new(path).canonicalize().with_context(|| format!("there is no `{path}`"))
}

/// The repository's folder.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).context("bench has no folder above it")
}

/// Builds a package in release mode; the program's path, as cargo names it.
fn build(folder: &Path, package: &str) -> Result<PathBuf> {
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
            package,
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
fn mitmdump(bench: &Path, as_it_is: bool) -> Result<PathBuf> {
    let environment = bench.join("target/mitmproxy");
    let program = environment.join("bin/mitmdump");
    if program.exists() {
        return Ok(program);
    }
    if as_it_is {
        bail!("mitmproxy is not installed: leave `--no-build` out, or it among the `--peers`");
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
