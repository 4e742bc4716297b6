//! What a project looks like: which agents are installed, where its code lives, whether it takes packages.
use super::files::read;
use crate::machine::program;
use std::path::Path;

/// Programs of agents and their presets.
const AGENTS: &[(&str, &str)] = &[
    ("claude", "claude-code"),
    ("codex", "codex"),
    ("gemini", "gemini-cli"),
    ("opencode", "opencode"),
    ("aider", "aider"),
    ("pi", "pi"),
];

/// Code hosts and their presets.
const CODE_HOSTS: &[(&str, &str)] = &[
    ("github.com", "github"),
    ("gitlab.com", "gitlab"),
    ("bitbucket.org", "bitbucket"),
    ("codeberg.org", "codeberg"),
];

/// Files of projects that take packages from registries.
const PACKAGE_FILES: &[&str] = &[
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    "Cargo.toml",
    "go.mod",
    "Pipfile",
    "uv.lock",
];

/// Presets of the agents that are installed here.
pub fn agents() -> Vec<&'static str> {
    AGENTS.iter().filter(|(name, _)| program(name).is_some()).map(|(_, preset)| *preset).collect()
}

/// Presets of the code hosts that the repository's remotes are at.
pub fn code_hosts(folder: &Path) -> Vec<&'static str> {
    let config = folder.ancestors().find_map(|above| read(&above.join(".git/config"))).unwrap_or_default();
    of_remotes(&config)
}

fn of_remotes(config: &str) -> Vec<&'static str> {
    let urls: Vec<&str> = config.lines().filter_map(|line| line.trim().strip_prefix("url = ")).collect();
    CODE_HOSTS
        .iter()
        .filter(|(host, _)| urls.iter().any(|url| is_at(url, host)))
        .map(|(_, preset)| *preset)
        .collect()
}

/// `https://host/…`, `ssh://git@host/…`, `git@host:…`.
fn is_at(url: &str, host: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split(':').next() == Some(host)
}

/// Whether the project takes packages from registries.
pub fn takes_packages(folder: &Path) -> bool {
    PACKAGE_FILES.iter().any(|file| folder.join(file).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_say_where_the_code_lives() {
        let config = |url: &str| format!("[remote \"origin\"]\n\turl = {url}\n\tfetch = x\n");
        for url in [
            "https://github.com/a/b.git",
            "git@github.com:a/b",
            "ssh://git@github.com:22/a/b",
            "https://x@github.com/a",
        ] {
            assert_eq!(of_remotes(&config(url)), ["github"], "{url}");
        }
        for url in ["https://github.com.evil.test/a", "https://evil.test/github.com", "/srv/github.com"] {
            assert!(of_remotes(&config(url)).is_empty(), "{url}");
        }
    }
}
