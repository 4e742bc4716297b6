//! Files of a container that does not run yet: what its image has is read, what the bottle adds is laid in. Works without
//! a shell in the image, and with an engine on another machine.
use super::connect::Engine;
use super::failure::{failed, is_missing};
use crate::provision::HostTrust;
use crate::{InjectedFile, SandboxError};
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way to a file.
const MOST_LINKS: usize = 16;
/// Bytes of an archive: a folder of certificates has about a megabyte.
const LARGEST: usize = 64 * 1024 * 1024;

/// A container's files, as its image has them.
pub(crate) struct Files<'a> {
    engine: &'a Engine,
    container: &'a str,
}

/// What stands at a path of an archive.
enum Entry {
    File(Vec<u8>),
    Link(PathBuf),
    Other,
}

impl<'a> Files<'a> {
    pub(crate) fn of(engine: &'a Engine, container: &'a str) -> Self {
        Self { engine, container }
    }

    /// The trust stores of the image, where programs in it look for them.
    pub(crate) async fn trust(&self) -> Result<HostTrust, SandboxError> {
        let mut trust = HostTrust::default();
        for path in HostTrust::bundles() {
            let Some((real, content)) = self.read(Path::new(path)).await? else { continue };
            if trust.bundle_pem.is_none() {
                trust.bundle_pem = String::from_utf8(content).ok();
            }
            push_new(&mut trust.bundle_paths, real);
        }
        for path in HostTrust::stores() {
            if let Some((real, _)) = self.read(Path::new(path)).await? {
                push_new(&mut trust.java_stores, real);
            }
        }
        for folder in HostTrust::folders() {
            if let Some(names) = self.names(folder).await? {
                let links = names.into_iter().filter(|name| name.get(8..9) == Some("."));
                trust.taken_links.extend(links.map(|name| Path::new(folder).join(name)));
                push_new(&mut trust.hash_folders, folder.into());
            }
        }
        // Where the variables say that it is, there is one in any case.
        push_new(&mut trust.bundle_paths, crate::provision::BUNDLE_PATH.into());
        push_new(&mut trust.hash_folders, HostTrust::folders()[0].into());
        Ok(trust)
    }

    /// A text of the image; `None` when it is not there or no text.
    pub(crate) async fn text(&self, path: &str) -> Result<Option<String>, SandboxError> {
        Ok(self.read(Path::new(path)).await?.and_then(|(_, content)| String::from_utf8(content).ok()))
    }

    /// A file behind any links, and where it really is.
    async fn read(&self, path: &Path) -> Result<Option<(PathBuf, Vec<u8>)>, SandboxError> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let Some(archive) = self.archive(&path).await? else { return Ok(None) };
            match first(&archive) {
                Some(Entry::File(content)) => return Ok(Some((path, content))),
                Some(Entry::Link(target)) => path = resolved(&path, &target),
                Some(Entry::Other) | None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Names in a folder; `None` when it is none.
    async fn names(&self, folder: &str) -> Result<Option<Vec<String>>, SandboxError> {
        let Some(archive) = self.archive(Path::new(folder)).await? else { return Ok(None) };
        let mut archive = tar::Archive::new(&archive[..]);
        let Ok(entries) = archive.entries() else { return Ok(None) };
        let name = |entry: tar::Entry<'_, &[u8]>| {
            let path = entry.path().ok()?.into_owned();
            (path.components().count() == 2).then(|| path.file_name()?.to_str().map(str::to_owned))?
        };
        Ok(Some(entries.flatten().filter_map(name).collect()))
    }

    async fn archive(&self, path: &Path) -> Result<Option<Vec<u8>>, SandboxError> {
        let options = DownloadFromContainerOptions { path: path.to_string_lossy().into_owned() };
        let mut parts = Box::pin(self.engine.api().download_from_container(self.container, Some(options)));
        let mut archive = Vec::new();
        while let Some(part) = parts.next().await {
            match part {
                Ok(bytes) if archive.len() + bytes.len() <= LARGEST => archive.extend_from_slice(&bytes),
                Ok(_) => return Ok(None),
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => {
                    return Err(failed(&format!("read `{}` of the image", path.display()), error));
                }
            }
        }
        Ok(Some(archive))
    }

    /// Gives a folder to a user: a new volume's top is root's.
    pub(crate) async fn give(&self, folder: &Path, owner: (u32, u32)) -> Result<(), SandboxError> {
        let archive = archive_of_folder(folder, owner);
        self.upload(archive.map_err(|error| self.not_packed(&error))?).await
    }

    /// Lays files in, over what the image has. Owned by root, so that an agent that is somebody else cannot write them.
    pub(crate) async fn lay(&self, files: &[InjectedFile]) -> Result<(), SandboxError> {
        self.upload(archive_of(files).map_err(|error| self.not_packed(&error))?).await
    }

    fn not_packed(&self, error: &std::io::Error) -> SandboxError {
        SandboxError::new(format!("cannot pack the files for `{}`: {error}", self.container))
    }

    async fn upload(&self, archive: Vec<u8>) -> Result<(), SandboxError> {
        let options = UploadToContainerOptions { path: "/".into(), ..UploadToContainerOptions::default() };
        let body = bollard::body_full(archive.into());
        let laid = self.engine.api().upload_to_container(self.container, Some(options), body).await;
        laid.map_err(|error| failed(&format!("put files into the container `{}`", self.container), error))
    }
}

fn push_new(list: &mut Vec<PathBuf>, path: PathBuf) {
    if !list.contains(&path) {
        list.push(path);
    }
}

fn first(archive: &[u8]) -> Option<Entry> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    match entry.header().entry_type() {
        tar::EntryType::Regular => {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).ok()?;
            Some(Entry::File(content))
        }
        tar::EntryType::Symlink => Some(Entry::Link(entry.link_name().ok()??.into_owned())),
        _ => Some(Entry::Other),
    }
}

/// Where a link leads, as text: never above the root.
fn resolved(link: &Path, target: &Path) -> PathBuf {
    let mut path =
        if target.is_absolute() { PathBuf::from("/") } else { link.parent().unwrap_or(link).to_owned() };
    for component in target.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => drop(path.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path
}

fn archive_of_folder(folder: &Path, (uid, gid): (u32, u32)) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o700);
    header.set_mtime(0);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    archive.append_data(&mut header, folder.strip_prefix("/").unwrap_or(folder), std::io::empty())?;
    archive.into_inner()
}

/// Folders first, so that those that are missing have a mode of ours; they are the image's where it has them.
fn archive_of(files: &[InjectedFile]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let files: BTreeMap<&Path, &InjectedFile> =
        files.iter().map(|file| (file.path.as_path(), file)).collect();
    for (path, file) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_mtime(0);
        let name = path.strip_prefix("/").unwrap_or(path);
        archive.append_data(&mut header, name, &file.content[..])?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_from_where_it_stands_and_never_above_the_root() {
        let at = Path::new("/etc/ssl/cert.pem");
        assert_eq!(resolved(at, Path::new("certs/x.crt")), Path::new("/etc/ssl/certs/x.crt"));
        assert_eq!(resolved(at, Path::new("/usr/x")), Path::new("/usr/x"));
        assert_eq!(resolved(at, Path::new("../../../../../x")), Path::new("/x"));
    }

    #[test]
    fn an_archive_holds_what_was_put_in() {
        let file = InjectedFile { path: "/etc/bottle/ca.pem".into(), content: b"pem".to_vec(), mode: 0o644 };
        let archive = archive_of(&[file]).expect("packed");
        assert!(matches!(first(&archive), Some(Entry::File(content)) if content == b"pem"));
    }
}
