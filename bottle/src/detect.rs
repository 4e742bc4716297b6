//! What is installed here and how it is configured. Only what belongs to the user or the system is read, never the
//! workspace: an agent that could name a registry there could open itself a way out for the next run.
mod apt;
mod ask;
mod cargo;
mod files;
mod go;
mod npm;
pub mod project;
mod python;
mod url;

use manifest::{Registries, Registry};
use std::path::Path;

/// What one tool is configured for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    list: Vec<Registry>,
    unknown: Vec<String>,
}

/// The registries that the package tools of this machine are configured for.
pub fn registries(workspace: &Path) -> Registries {
    let tools: [fn(&Path) -> Findings; 5] = [npm::find, python::find, cargo::find, go::find, apt::find];
    // Some tools have to be asked, and some of those are slow to answer.
    let found: Vec<Findings> = std::thread::scope(|scope| {
        let asked: Vec<_> = tools.into_iter().map(|find| scope.spawn(move || find(workspace))).collect();
        asked.into_iter().map(|tool| tool.join().unwrap_or_default()).collect()
    });
    let mut registries = Registries::default();
    for tool in found {
        registries.list.extend(tool.list);
        registries.unknown.extend(tool.unknown);
    }
    registries.unknown.extend(left_out(workspace));
    once(&mut registries.list);
    registries
}

/// The same host for two tools is one route; one with a credential before one without.
fn once(list: &mut Vec<Registry>) {
    list.sort_by_key(|registry| registry.auth.is_none());
    let mut kept: Vec<Registry> = Vec::new();
    for registry in list.drain(..) {
        let place = |r: &Registry| (r.scheme, r.host.clone(), r.port);
        if !kept.iter().any(|earlier| place(earlier) == place(&registry)) {
            kept.push(registry);
        }
    }
    kept.sort_by(|a, b| (&a.tool, a.host.to_string()).cmp(&(&b.tool, b.host.to_string())));
    *list = kept;
}

/// Configuration of the project itself, which the agent can write.
fn left_out(workspace: &Path) -> Option<String> {
    let files = [".npmrc", ".cargo/config.toml", "uv.toml", ".yarnrc.yml"];
    let file = files.into_iter().find(|file| workspace.join(file).exists())?;
    Some(format!(
        "registries in the project's own `{file}` are left out, because the agent could write them; name them as routes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The agent writes the workspace: what it could say there must not open a way out for the next run.
    #[test]
    fn the_workspace_names_no_registry() {
        let workspace = tempfile::tempdir().expect("a folder");
        let write =
            |file: &str, text: &str| std::fs::write(workspace.path().join(file), text).expect("a file");
        write(".npmrc", "registry=https://evil.test/\n");
        write("uv.toml", "index-url = \"https://evil.test/\"\n");
        write("pip.conf", "[global]\nindex-url = https://evil.test/\n");
        std::fs::create_dir(workspace.path().join(".cargo")).expect("a folder");
        write(".cargo/config.toml", "[registries.x]\nindex = \"sparse+https://evil.test/\"\n");
        let found = registries(workspace.path());
        assert!(!format!("{:?}", found.list).contains("evil.test"), "{found:?}");
        assert!(found.unknown.iter().any(|note| note.contains("`.npmrc` are left out")), "{found:?}");
    }
}
