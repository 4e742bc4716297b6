//! The private home, and the tools that the user has installed in the real one.
mod keys;

use super::tree::Tree;
use crate::SandboxError;
use crate::linux::host::Kind;
use crate::linux::step::Step;
use manifest::plan::SandboxPlan;
use std::path::Path;

/// Folders of tools, relative to $HOME: programs and what they are made of, never configuration, caches with tokens, or
/// state. Where a tool keeps anything else beside its programs (keys below `.dotnet`, channels with tokens in a `.condarc`,
/// settings of version managers), only the parts with programs are listed, and what of those may hold credentials is
/// covered ([`keys`]). `~/bin` is not listed: it is where people keep scripts of their own.
const TOOLS: &[&str] = &[
    // cargo: bin alone; credentials.toml lies beside it.
    ".cargo/bin",
    ".rustup/toolchains",
    ".rustup/settings.toml",
    ".local/lib",
    ".local/pipx/venvs",
    ".local/share/pipx/venvs",
    ".local/share/uv/tools",
    ".local/share/uv/python",
    ".local/share/mise/installs",
    ".local/share/mise/shims",
    ".local/share/pnpm",
    ".local/share/fnm",
    ".local/share/claude",
    ".local/share/man",
    ".nvm/versions",
    ".nvm/alias",
    ".nvm/nvm.sh",
    ".nvm/nvm-exec",
    ".nvm/bash_completion",
    ".fnm",
    ".volta/bin",
    ".volta/tools",
    ".bun/bin",
    ".bun/install/global",
    ".deno/bin",
    ".npm-global",
    ".npm-packages",
    ".yarn/bin",
    ".pyenv/bin",
    ".pyenv/completions",
    ".pyenv/libexec",
    ".pyenv/plugins",
    ".pyenv/pyenv.d",
    ".pyenv/shims",
    ".pyenv/version",
    ".pyenv/versions",
    ".rbenv/bin",
    ".rbenv/completions",
    ".rbenv/libexec",
    ".rbenv/plugins",
    ".rbenv/shims",
    ".rbenv/version",
    ".rbenv/versions",
    ".rvm/bin",
    ".rvm/gems",
    ".rvm/rubies",
    ".rvm/scripts",
    ".asdf/bin",
    ".asdf/installs",
    ".asdf/lib",
    ".asdf/plugins",
    ".asdf/shims",
    ".sdkman/candidates",
    ".jdks",
    ".goenv/bin",
    ".goenv/completions",
    ".goenv/libexec",
    ".goenv/plugins",
    ".goenv/shims",
    ".goenv/version",
    ".goenv/versions",
    "go/bin",
    "go/sdk",
    ".go/bin",
    ".go/src",
    ".go/pkg/tool",
    ".ghcup/bin",
    ".ghcup/ghc",
    ".juliaup",
    ".julia/juliaup",
    ".nix-profile",
    ".local/state/nix/profiles",
    ".dotnet/dotnet",
    ".dotnet/host",
    ".dotnet/sdk",
    ".dotnet/shared",
    ".dotnet/tools",
    ".pub-cache/bin",
    ".composer/vendor",
    ".krew/bin",
    ".opencode/bin",
    ".claude/local",
    "miniconda3/bin",
    "miniconda3/condabin",
    "miniconda3/envs",
    "miniconda3/lib",
    "miniconda3/share",
    "miniconda3/ssl",
    "miniforge3/bin",
    "miniforge3/condabin",
    "miniforge3/envs",
    "miniforge3/lib",
    "miniforge3/share",
    "miniforge3/ssl",
    "anaconda3/bin",
    "anaconda3/condabin",
    "anaconda3/envs",
    "anaconda3/lib",
    "anaconda3/share",
    "anaconda3/ssl",
];

/// A folder in which installers put programs and people put other things: programs and links alone are seen. A script
/// that has a password in it is seen with it.
const PROGRAMS: &[&str] = &[".local/bin"];

pub(super) fn add(tree: &mut Tree<'_>, plan: &SandboxPlan) -> Result<(), SandboxError> {
    let home = tree.host.canonical(&plan.home).ok_or_else(|| {
        SandboxError::new(format!("the bottle's home `{}` does not exist", plan.home.display()))
            .with_hint("it is made at the start; look at the rights of the folders above it")
    })?;
    let real = tree.host.canonical(&plan.home_inside).unwrap_or_else(|| plan.home_inside.clone());
    tree.bind_writable(&home, &real);
    if real != plan.home_inside && plan.home_inside.starts_with("/root") {
        tree.steps.push(Step::Symlink { path: plan.home_inside.clone(), target: real.clone() });
    }
    for tool in TOOLS {
        add_tool(tree, &real, tool);
    }
    for folder in PROGRAMS.iter().map(|folder| real.join(folder)) {
        if is_plain(tree, &folder) && tree.host.kind(&folder) == Kind::Dir {
            tree.programs(&folder);
        }
    }
    keys::cover(tree, &real);
    Ok(())
}

/// A folder of the workspace's own, or a link, is left alone: a link leads where nobody looked.
fn add_tool(tree: &mut Tree<'_>, home: &Path, tool: &str) {
    let path = home.join(tool);
    if matches!(tree.host.kind(&path), Kind::Dir | Kind::File) && is_plain(tree, &path) {
        tree.bind(&path, &path);
    }
}

fn is_plain(tree: &Tree<'_>, path: &Path) -> bool {
    tree.host.canonical(path).as_deref() == Some(path)
}
