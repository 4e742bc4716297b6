//! The house rules that a compiler does not know: which crate may know what, where unsafe may stand, that every row of
//! the threat table is held by a test that exists.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crate → what of the workspace it may know (ARCHITECTURE.md, "The shape").
const ARROWS: &[(&str, &[&str])] = &[
    ("policy", &[]),
    ("dlp", &[]),
    ("credentials", &[]),
    ("audit", &[]),
    ("manifest", &["policy", "dlp", "credentials", "audit"]),
    ("egress", &["policy", "dlp", "credentials", "audit"]),
    ("sandbox", &["manifest", "audit"]),
    ("bottle", &["policy", "dlp", "credentials", "audit", "manifest", "egress", "sandbox"]),
];

/// Outside crates that only the named crates may know: one crate per outside format, no I/O in the pure ones.
const KEPT: &[(&str, &[&str])] = &[
    ("serde-saphyr", &["manifest"]),
    ("tokio", &["egress", "bottle", "sandbox"]), // sandbox: the Docker engine's client is asynchronous
    ("bollard", &["sandbox"]),
    ("hyper", &["egress", "sandbox", "bottle"]), // sandbox, here and below: the way to a Docker engine; bottle: `bottle ui`
    ("hyper-util", &["egress", "sandbox", "bottle"]),
    ("h2", &["egress"]),
    ("rustls", &["egress", "sandbox"]),
    ("rcgen", &["egress"]),
    ("hickory-proto", &["egress"]),
    ("hickory-resolver", &["egress", "sandbox"]),
    ("tokio-tungstenite", &["egress"]),
    ("async-compression", &["egress"]),
    ("aho-corasick", &["dlp"]),
    ("seccompiler", &["sandbox"]),
    ("landlock", &["sandbox"]),
    ("clap", &["bottle"]),
    ("ratatui", &["bottle"]),
    ("zeroize", &["credentials", "dlp", "bottle"]), // bottle: secrets on their way to a sidecar
];

/// What must not be depended on anywhere in `policy` and `dlp`: they decide and scan, and touch nothing.
const IMPURE: &[&str] =
    &["tokio", "rustix", "nix", "libc", "socket2", "rand", "jiff", "tracing", "reqwest", "hyper"];

/// Files longer than this must be lists, and say so here with the reason.
const LONGEST_FILE: usize = 800;
const LISTS: &[(&str, &str)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above the crate").to_path_buf()
}

/// Names in the `[dependencies]` and `[target.….dependencies]` tables; development and build ones do not ship.
fn shipped_dependencies(krate: &str) -> BTreeSet<String> {
    let text =
        fs::read_to_string(root().join(krate).join("Cargo.toml")).expect("every crate has a Cargo.toml");
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside =
                table == "dependencies" || (table.starts_with("target.") && table.ends_with(".dependencies"));
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.insert(name.split('.').next().unwrap_or(name).trim().trim_matches('"').to_owned());
        }
    }
    names
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources(krate: &str) -> BTreeMap<PathBuf, String> {
    let mut files = Vec::new();
    rust_files(&root().join(krate), &mut files);
    files.into_iter().map(|f| (f.clone(), fs::read_to_string(&f).expect("source files are UTF-8"))).collect()
}

#[test]
fn a_crate_knows_only_what_it_may() {
    let crates: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (krate, may) in ARROWS {
        for dependency in shipped_dependencies(krate) {
            if crates.contains(dependency.as_str()) && !may.contains(&dependency.as_str()) {
                wrong.push(format!("`{krate}` must not know `{dependency}`"));
            }
            if let Some((_, keepers)) = KEPT.iter().find(|(name, _)| *name == dependency)
                && !keepers.contains(krate)
            {
                wrong.push(format!("`{dependency}` belongs to {keepers:?} alone, and `{krate}` names it"));
            }
            if ["policy", "dlp"].contains(krate) && IMPURE.contains(&dependency.as_str()) {
                wrong.push(format!("`{krate}` is pure and names `{dependency}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_workspace_has_these_eight_crates() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a Cargo.toml");
    let members = text.lines().find(|l| l.starts_with("members")).expect("the members stand on one line");
    let named: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    let known: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, known);
}

#[test]
fn unsafe_stands_in_one_folder_with_its_reasons() {
    let mut wrong = Vec::new();
    for (krate, _) in ARROWS {
        for (file, text) in sources(krate) {
            let here = file.strip_prefix(root()).expect("sources are below the root").display().to_string();
            if here.starts_with("bottle/tests/house") {
                continue;
            }
            let lines: Vec<&str> = text.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                let code = line.split("//").next().unwrap_or("");
                if !code.contains("unsafe {") && !code.contains("unsafe fn") && !code.contains("unsafe impl")
                {
                    continue;
                }
                let reasoned = lines[i.saturating_sub(6)..=i].iter().any(|l| l.contains("SAFETY"));
                if !here.starts_with("sandbox/src/linux/sys") {
                    wrong.push(format!("{here}:{}: unsafe outside sandbox/src/linux/sys", i + 1));
                } else if !reasoned {
                    wrong.push(format!("{here}:{}: unsafe without a SAFETY reason above it", i + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_forbid_unsafe() {
    for krate in ARROWS.iter().map(|(name, _)| *name).filter(|k| *k != "sandbox") {
        let main = ["src/lib.rs", "src/main.rs"].map(|f| root().join(krate).join(f));
        let text = main.iter().find_map(|f| fs::read_to_string(f).ok()).expect("a crate has a root file");
        assert!(text.contains("#![forbid(unsafe_code)]"), "`{krate}` does not forbid unsafe code");
    }
}

#[test]
fn files_fit_in_a_head() {
    let mut wrong = Vec::new();
    for (krate, _) in ARROWS {
        for (file, text) in sources(krate) {
            let here = file.strip_prefix(root()).expect("sources are below the root").display().to_string();
            let count = text.lines().count();
            if count > LONGEST_FILE && !LISTS.iter().any(|(name, _)| *name == here) {
                wrong.push(format!(
                    "{here} has {count} lines: split it, or name it as a list with its reason"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rows of `docs/threats.md`: `| number | threat | what holds | tests |`, tests as `crate::module::name` in backticks.
fn threat_rows() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("docs/threats.md")).expect("docs/threats.md exists");
    let cells =
        |line: &str| line.trim_matches('|').split(" | ").map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let tests = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let is_row =
        |line: &&str| line.starts_with("| ") && line.chars().nth(2).is_some_and(|c| c.is_ascii_digit());
    text.lines()
        .filter(is_row)
        .map(cells)
        .map(|c| (c[0].clone(), tests(c.last().expect("a row has cells"))))
        .collect()
}

/// Whether `fn name` under a test attribute, or a trial named so, stands in the crate.
fn test_exists(path: &str) -> bool {
    let (krate, name) = (path.split("::").next().unwrap_or(""), path.rsplit("::").next().unwrap_or(""));
    sources(krate).values().any(|text| {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_fn = |line: &str| {
            line.split_once("fn ").is_some_and(|(_, rest)| rest.starts_with(&format!("{name}(")))
        };
        let attributed = |i: usize| {
            lines[i.saturating_sub(5)..i]
                .iter()
                .any(|l| l.contains("test]") || l.contains("test(") || l.contains("proptest!"))
        };
        (0..lines.len()).any(|i| is_fn(lines[i]) && (attributed(i) || text.contains("proptest!")))
            || text.contains(&format!("::{name}\""))
    })
}

#[test]
fn every_threat_names_tests_that_exist() {
    let rows = threat_rows();
    assert!(rows.len() >= 28, "the threat table lost rows: {} are left", rows.len());
    let missing: Vec<String> = rows
        .iter()
        .flat_map(|(number, tests)| {
            tests.iter().filter(|t| !test_exists(t)).map(move |t| format!("row {number}: no test `{t}`"))
        })
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let bare: Vec<&String> =
        rows.iter().filter(|(_, tests)| tests.is_empty()).map(|(number, _)| number).collect();
    let stated = fs::read_to_string(root().join("docs/threats.md")).expect("docs/threats.md exists");
    for number in bare {
        let line =
            stated.lines().find(|l| l.starts_with(&format!("| {number} "))).expect("the row was just read");
        assert!(line.contains("not yet"), "row {number} names no test and does not say `not yet`");
    }
}

#[test]
fn the_story_is_where_the_architecture_says() {
    let text = fs::read_to_string(root().join("egress/src/exchange.rs"))
        .expect("egress/src/exchange.rs is the story");
    let story = text.split_once("async fn exchange(").expect("the story is one function").1;
    let steps = ["decide(", "screen(", "inject(", "send(", "scrub("];
    let places: Vec<Option<usize>> = steps.iter().map(|s| story.find(s)).collect();
    assert!(places.iter().all(Option::is_some), "a step is missing from the story: {steps:?} at {places:?}");
    assert!(places.is_sorted(), "the story is told in another order: {steps:?} at {places:?}");
}
