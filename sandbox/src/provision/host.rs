//! The host's trust stores, as they are at start.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::BUNDLE_PATH;

/// Where distributions keep their bundle of public roots; the first that is there is read.
const BUNDLES: [&str; 9] = [
    BUNDLE_PATH,
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/cert.pem",
];
const HASH_FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
const JAVA_STORES: [&str; 3] =
    ["/etc/ssl/certs/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts", "/etc/pki/java/cacerts"];
const JAVA_HOMES: &str = "/usr/lib/jvm";

/// What the host has. Paths are without symbolic links, so that each file is laid over once and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostTrust {
    /// Its public roots, PEM.
    pub bundle_pem: Option<String>,
    /// Where programs look for them; never empty.
    pub bundle_paths: Vec<PathBuf>,
    /// Folders that OpenSSL searches by hash; never empty.
    pub hash_folders: Vec<PathBuf>,
    /// Names in those folders that are taken, with their folder.
    pub taken_links: Vec<PathBuf>,
    /// Java's trust stores; empty when there is none.
    pub java_stores: Vec<PathBuf>,
}

impl HostTrust {
    /// Where a bundle may be, in the order of preference.
    #[must_use]
    pub fn bundles() -> &'static [&'static str] {
        &BUNDLES
    }

    /// Where a folder may be that OpenSSL searches; the first one is made where there is none.
    #[must_use]
    pub fn folders() -> &'static [&'static str] {
        &HASH_FOLDERS
    }

    /// Where Java's store may be, besides the folders of its versions.
    #[must_use]
    pub fn stores() -> &'static [&'static str] {
        &JAVA_STORES
    }

    /// Looks at this machine.
    #[must_use]
    pub fn read() -> HostTrust {
        HostTrust::read_below(Path::new("/"))
    }

    /// Looks at a machine (or an image) whose root is there.
    #[must_use]
    pub fn read_below(root: &Path) -> HostTrust {
        let root = &root.canonicalize().unwrap_or_else(|_| root.into());
        let hash_folders = hash_folders(root);
        HostTrust {
            bundle_pem: BUNDLES
                .iter()
                .find_map(|path| fs::read_to_string(below(root, existing(root, path)?)).ok()),
            bundle_paths: bundle_paths(root),
            taken_links: hash_folders.iter().flat_map(|folder| links(root, folder)).collect(),
            hash_folders,
            java_stores: java_stores(root),
        }
    }
}

/// Those that exist, and the one that the variables name in any case.
fn bundle_paths(root: &Path) -> Vec<PathBuf> {
    let mut paths: BTreeSet<_> = BUNDLES.iter().filter_map(|path| existing(root, path)).collect();
    paths.insert(resolved(root, BUNDLE_PATH));
    paths.into_iter().collect()
}

fn hash_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: BTreeSet<_> = HASH_FOLDERS.iter().filter_map(|path| existing(root, path)).collect();
    folders.insert(resolved(root, HASH_FOLDERS[0]));
    folders.into_iter().collect()
}

/// `1a2b3c4d.0` and the like.
fn links(root: &Path, folder: &Path) -> Vec<PathBuf> {
    names(&below(root, folder))
        .into_iter()
        .filter(|name| name.get(8..9) == Some("."))
        .map(|name| folder.join(name))
        .collect()
}

fn java_stores(root: &Path) -> Vec<PathBuf> {
    let homes = names(&below(root, JAVA_HOMES))
        .into_iter()
        .map(|home| format!("{JAVA_HOMES}/{home}/lib/security/cacerts"));
    let known = JAVA_STORES.iter().map(ToString::to_string);
    let stores: BTreeSet<_> = known.chain(homes).filter_map(|path| existing(root, path)).collect();
    stores.into_iter().collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The path without links when something is there; a link that leads out of `root` counts as nothing.
fn existing(root: &Path, path: impl AsRef<Path>) -> Option<PathBuf> {
    let found = below(root, path).canonicalize().ok()?;
    Some(Path::new("/").join(found.strip_prefix(root).ok()?))
}

/// As [`existing`]; of a path that is not there, the folder is resolved.
fn resolved(root: &Path, path: &str) -> PathBuf {
    let whole = Path::new(path);
    let in_folder = || Some(existing(root, whole.parent()?)?.join(whole.file_name()?));
    existing(root, path).or_else(in_folder).unwrap_or_else(|| whole.into())
}

fn below(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    root.join(path.strip_prefix("/").unwrap_or(path))
}
