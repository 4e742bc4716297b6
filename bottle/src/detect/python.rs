//! pip and uv.
use super::Findings;
use super::ask::ask;
use super::files::{at_home, named_by, read, setting, urls};
use crate::machine::program;
use std::path::{Path, PathBuf};

/// What pip itself would use: the address of its index, and the host that this index keeps its files at.
const DEFAULTS: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url); print('https://' + PyPI.file_storage_domain)";

pub(super) fn find(workspace: &Path) -> Findings {
    let mut found = Findings::default();
    for variable in [
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_EXTRA_INDEX_URL",
    ] {
        let Ok(value) = std::env::var(variable) else { continue };
        // uv writes `name=url`.
        let value = value.replace('=', " ");
        urls(&value).for_each(|url| found.add("pip", &format!("the variable `{variable}`"), url, true));
    }
    for file in configuration() {
        if let Some(text) = read(&file) {
            indexes(&text, &file.display().to_string(), &mut found);
        }
    }
    if found.list.is_empty() {
        defaults(&mut found, workspace);
    }
    found
}

fn configuration() -> Vec<PathBuf> {
    let pip = [named_by("PIP_CONFIG_FILE", ".config/pip/pip.conf"), at_home(".pip/pip.conf")];
    let uv = [named_by("UV_CONFIG_FILE", ".config/uv/uv.toml")];
    let system =
        ["/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/uv/uv.toml"].map(|file| Some(PathBuf::from(file)));
    pip.into_iter().chain(uv).chain(system).flatten().collect()
}

/// `index-url = …`, `extra-index-url = …` with more of them on the lines that follow, uv's `[[index]]` with `url = …`.
fn indexes(text: &str, from: &str, found: &mut Findings) {
    let mut in_index = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        let value = match setting(line) {
            Some((key, value)) if !line.trim_start().starts_with("http") => {
                in_index =
                    ["index-url", "extra-index-url", "index_url", "extra_index_url", "url"].contains(&key);
                value
            }
            _ if line.trim_start().starts_with('[') => {
                in_index = false;
                ""
            }
            _ => line,
        };
        if in_index {
            urls(value).for_each(|url| found.add("pip", from, url, true));
        }
    }
}

fn defaults(found: &mut Findings, workspace: &Path) {
    if let Some(answer) = ask("python3", &["-I", "-c", DEFAULTS], workspace) {
        urls(&answer).for_each(|url| found.add("pip", "pip itself", url, false));
    } else if let Some(tool) = ["pip", "pip3", "uv"].into_iter().find(|tool| program(tool).is_some()) {
        found.unknown.push(format!(
            "`{tool}` is here and does not say which index it uses; set `PIP_INDEX_URL`, or name the index as a route"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        let mut found = Findings::default();
        indexes(text, "pip.conf", &mut found);
        found.list.iter().map(|registry| registry.host.to_string()).collect()
    }

    #[test]
    fn indexes_of_pip_are_found() {
        let text = "[global]\ncert = /etc/x\nindex-url = https://a.test/simple\n# index-url = https://no.test/\nextra-index-url =\n    \
                    https://b.test/simple\n    https://c.test/simple?x=1\nproxy = http://proxy.test:3128\n";
        assert_eq!(hosts(text), ["a.test", "b.test", "c.test"]);
    }

    #[test]
    fn indexes_of_uv_are_found() {
        let text = "[[index]]\nname = \"x\"\nurl = \"https://a.test/simple\"\n\n[pip]\nextra-index-url = [\"https://b.test/\", \"https://c.test/\"]\n";
        assert_eq!(hosts(text), ["a.test", "b.test", "c.test"]);
    }
}
