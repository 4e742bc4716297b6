//! cargo: its configuration, and the registries that it has used.
use super::Findings;
use super::files::{named_by, read, setting, urls};
use crate::machine::program;
use std::path::Path;

pub(super) fn find(_workspace: &Path) -> Findings {
    let mut found = Findings::default();
    for (name, url) in
        std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)))
    {
        if name.starts_with("CARGO_REGISTRIES_") && name.ends_with("_INDEX") {
            found.add("cargo", &format!("the variable `{name}`"), &url, true);
        }
    }
    let Some(home) = named_by("CARGO_HOME", ".cargo") else { return found };
    for file in ["config.toml", "config"].map(|file| home.join(file)) {
        if let Some(text) = read(&file) {
            configured(&text, &file.display().to_string(), &mut found);
        }
    }
    used(&home.join("registry/index"), &mut found);
    if found.list.is_empty() && program("cargo").is_some() {
        found.unknown.push(
            "`cargo` is here and has used no registry yet; fetch a package outside first, or name the registry as a route"
                .to_owned(),
        );
    }
    found
}

/// `[source.….] registry = "…"` and `[registries.…] index = "…"`.
fn configured(text: &str, from: &str, found: &mut Findings) {
    let mut table = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').trim();
            continue;
        }
        let Some((key, value)) = setting(line) else { continue };
        let names_one = table.starts_with("source.") && key == "registry"
            || table.starts_with("registries.") && key == "index";
        if names_one {
            urls(value).for_each(|url| found.add("cargo", from, url, true));
        }
    }
}

/// Folders are called after their host, and hold what the index said about where its files are.
fn used(index: &Path, found: &mut Findings) {
    for folder in std::fs::read_dir(index).into_iter().flatten().flatten() {
        let name = folder.file_name();
        let Some((host, _)) = name.to_str().and_then(|name| name.rsplit_once('-')) else { continue };
        let Some(text) = read(&folder.path().join("config.json")) else { continue };
        found.add("cargo", "cargo's own index", &format!("https://{host}/"), false);
        let Ok(config) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
        for url in ["dl", "api"].iter().filter_map(|key| config.get(key)?.as_str()) {
            found.add("cargo", "cargo's own index", url, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_registries_are_found() {
        let text = "[source.crates]\nreplace-with = \"m\"\n[source.m]\nregistry = \"sparse+https://a.test/index/\"\n\
                    [registries.acme]\nindex = \"sparse+https://b.test/\"\n[http]\nproxy = \"http://no.test:1\"\n";
        let mut found = Findings::default();
        configured(text, "config.toml", &mut found);
        let hosts: Vec<String> = found.list.iter().map(|registry| registry.host.to_string()).collect();
        assert_eq!(hosts, ["a.test", "b.test"]);
    }
}
