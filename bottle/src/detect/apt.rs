//! apt: its list of sources.
use super::Findings;
use super::files::{read, urls};
use std::path::{Path, PathBuf};

pub(super) fn find(_workspace: &Path) -> Findings {
    let mut found = Findings::default();
    for file in sources() {
        if let Some(text) = read(&file) {
            source(&text, &file.display().to_string(), &mut found);
        }
    }
    found
}

fn sources() -> Vec<PathBuf> {
    let folder =
        std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path());
    let counted = |path: &Path| path.extension().is_some_and(|ext| ext == "list" || ext == "sources");
    [PathBuf::from("/etc/apt/sources.list")].into_iter().chain(folder.filter(|path| counted(path))).collect()
}

/// `deb [options] URL suite …` and `URIs: URL …`.
fn source(text: &str, from: &str, found: &mut Findings) {
    for line in text.lines().map(str::trim) {
        if line.starts_with("deb ") || line.starts_with("URIs:") {
            urls(line)
                .filter(|url| url.starts_with("http"))
                .for_each(|url| found.add("apt", from, url, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_comments_are_not() {
        let text = "# deb http://no.test/ x main\ndeb [signed-by=/k] http://a.test/debian x main\nTypes: deb\nURIs: https://b.test/d\n";
        let mut found = Findings::default();
        source(text, "sources", &mut found);
        let hosts: Vec<String> = found.list.iter().map(|r| format!("{}:{}", r.host, r.port)).collect();
        assert_eq!(hosts, ["a.test:80", "b.test:443"]);
    }
}
