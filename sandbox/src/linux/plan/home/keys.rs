//! Credentials that lie among the files of tools: version managers keep whole installations, and an installation has
//! settings of its own, into which `npm config set --global`, a `pip.conf` or a clone with a token in its address put
//! what nobody inside may read. Each is covered by something that the tool reads as empty.
use super::Tree;
use crate::linux::host::Kind;
use crate::linux::step::Step;
use std::path::{Path, PathBuf};

/// Installations, relative to $HOME; `*` is any folder.
const OF_THE_USER: &[&str] = &[
    ".nvm/versions/*/*",
    ".fnm/node-versions/*/installation",
    ".local/share/fnm/node-versions/*/installation",
    ".volta/tools/image/*/*",
    ".npm-global",
    ".npm-packages",
    ".pyenv/plugins/*",
    ".pyenv/versions/*",
    ".rbenv/plugins/*",
    ".rbenv/versions/*",
    ".goenv/plugins/*",
    ".goenv/versions/*",
    ".asdf/plugins/*",
    ".asdf/installs/*/*",
    ".rvm/rubies/*",
    ".rvm/gems/*",
    ".sdkman/candidates/*/*",
    ".jdks/*",
    ".ghcup/ghc/*",
    ".local/pipx/venvs/*",
    ".local/share/pipx/venvs/*",
    ".local/share/uv/tools/*",
    ".local/share/uv/python/*",
    ".local/share/mise/installs/*/*",
    ".local/share/pnpm",
    ".local/share/pnpm/global/*",
    ".local/share/claude",
    ".claude/local",
    ".bun/install/global",
    ".composer/vendor",
    ".composer/vendor/*/*",
    "miniconda3/envs/*",
    "miniforge3/envs/*",
    "anaconda3/envs/*",
];
/// Installations of the machine.
const OF_THE_MACHINE: &[&str] = &["/usr", "/usr/local", "/usr/share/maven", "/opt/*", "/opt/*/*"];
/// Settings of the machine's own Maven.
const MAVEN: &str = "/etc/maven/settings.xml";

/// Relative to an installation, and what is read instead; `None`: an empty folder.
const KEYS: &[(&str, Option<&str>)] = &[
    (".git", None),
    (".condarc", Some("")),
    (".env", Some("")),
    (".netrc", Some("")),
    (".npmrc", Some("")),
    (".pypirc", Some("")),
    (".yarnrc.yml", Some("")),
    ("auth.json", Some("{}\n")),
    ("bunfig.toml", Some("")),
    ("conda-meta/state", Some("{}\n")),
    ("condarc", Some("")),
    ("conf/settings.xml", Some(EMPTY_SETTINGS)),
    ("etc/conda/activate.d/env_vars.sh", Some("")),
    ("etc/gemrc", Some("")),
    ("etc/jupyter/jupyter_notebook_config.json", Some("{}\n")),
    ("etc/jupyter/jupyter_server_config.json", Some("{}\n")),
    ("etc/npmrc", Some("")),
    ("etc/pip.conf", Some("")),
    ("gradle.properties", Some("")),
    ("init.d", None),
    ("lib/node_modules/npm/npmrc", Some("")),
    ("pip.conf", Some("")),
];
const EMPTY_SETTINGS: &str = "<settings/>\n";
/// Checkouts below an installation, whose configuration has the address that they came from.
const CHECKOUTS: &[&str] = &["src/*", "bundler/gems/*", "lib/ruby/gems/*/bundler/gems/*"];

/// Covers each that is there and that something else has not hidden.
pub(super) fn cover(tree: &mut Tree<'_>, home: &Path) {
    cover_one(tree, Path::new(MAVEN), Some(EMPTY_SETTINGS));
    let own = OF_THE_USER.iter().flat_map(|pattern| folders(tree, home, pattern));
    let machine = OF_THE_MACHINE.iter().flat_map(|pattern| folders(tree, Path::new("/"), pattern));
    let shown: Vec<_> = own.chain(machine).filter(|folder| tree.shows(folder)).collect();
    for installation in shown {
        for (name, instead) in KEYS {
            cover_one(tree, &installation.join(name), *instead);
        }
        for pattern in CHECKOUTS {
            for checkout in folders(tree, &installation, pattern) {
                cover_one(tree, &checkout.join(".git"), None);
            }
        }
    }
}

fn cover_one(tree: &mut Tree<'_>, path: &Path, instead: Option<&str>) {
    // What a folder on the way leads elsewhere for is covered there, or is out of sight.
    if tree.host.canonical(path).as_deref() != Some(path) {
        return;
    }
    match (tree.host.kind(path), instead) {
        (Kind::File, Some(text)) => {
            tree.steps.push(Step::CoverText { path: path.to_owned(), text: text.to_owned() });
        }
        (Kind::Dir, None) => tree.steps.push(Step::Mask { path: path.to_owned(), dir: true }),
        _ => {}
    }
}

/// The folders that a pattern stands for; through no link.
fn folders(tree: &Tree<'_>, base: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![base.to_owned()];
    for part in Path::new(pattern.trim_start_matches('/')).iter() {
        found = match part.to_str() {
            Some("*") => found.iter().flat_map(|folder| below(tree, folder)).collect(),
            _ => found.into_iter().map(|folder| folder.join(part)).collect(),
        };
        found.retain(|folder| tree.host.kind(folder) == Kind::Dir);
    }
    found
}

fn below(tree: &Tree<'_>, folder: &Path) -> Vec<PathBuf> {
    tree.host.names(folder).into_iter().map(|name| folder.join(name)).collect()
}
