//! Files of a container that does not run yet: what its image has is read, what the bottle adds is laid in. Works without
//! a shell in the image, and with an engine on another machine.
use super::connect::Engine;
use super::failure::{failed, is_missing};
use crate::provision::HostTrust;
use crate::{InjectedFile, SandboxError};
use bollard::query_parameters::{
    ContainerArchiveInfoOptions, DownloadFromContainerOptions, UploadToContainerOptions,
};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way to a file.
const MOST_LINKS: usize = 16;
/// Bytes of an archive: a folder of certificates has about a megabyte.
const LARGEST: usize = 64 * 1024 * 1024;

/// What an engine says of a path, as Go's `os.FileMode` has it: a folder; and whatever is no ordinary file.
const GO_FOLDER: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;
const GO_KINDS: u32 = GO_FOLDER | GO_LINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// A file of somebody's own, as [`super::Created::own_file`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnFile {
    /// None, and so many of the folders on the way to it are missing as well.
    Missing(usize),
    /// An ordinary one.
    Text(String),
    /// Something else is there, or on the way there.
    Other,
}

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

    pub(crate) async fn own(&self, root: &Path, below: &Path, largest: u64) -> Result<OwnFile, SandboxError> {
        let names: Vec<_> = below.components().collect();
        let mut path = root.to_owned();
        for (at, name) in names.iter().enumerate() {
            path.push(name);
            let is_file = at + 1 == names.len();
            match self.kind(&path).await? {
                None => return Ok(OwnFile::Missing(names.len() - 1 - at)),
                Some((GO_FOLDER, _)) if !is_file => {}
                Some((0, size)) if is_file && size <= largest => {}
                Some(_) => return Ok(OwnFile::Other),
            }
        }
        let Some(archive) = self.archive(&path).await? else { return Ok(OwnFile::Other) };
        let Some(Entry::File(content)) = first(&archive) else { return Ok(OwnFile::Other) };
        Ok(String::from_utf8(content).map_or(OwnFile::Other, OwnFile::Text))
    }

    /// What stands at a path, no link followed at its end, and its size.
    async fn kind(&self, path: &Path) -> Result<Option<(u32, u64)>, SandboxError> {
        let options = ContainerArchiveInfoOptions { path: path.to_string_lossy().into_owned() };
        match self.engine.api().get_container_archive_info(self.container, Some(options)).await {
            // Docker looks at a link itself; Podman follows it and says where that led, of whatever it looked at.
            Ok(seen) if !seen.link_target.is_empty() && Path::new(&seen.link_target) != path => {
                Ok(Some((GO_LINK, 0)))
            }
            Ok(seen) => Ok(Some((seen.file_mode & GO_KINDS, u64::try_from(seen.size).unwrap_or(u64::MAX)))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(&format!("look at `{}`", path.display()), error)),
        }
    }

    /// A file replaces what is there: an engine unpacks no file through a link at its own place. It is unpacked at `root`,
    /// which is a volume.
    pub(crate) async fn write_own(
        &self,
        (root, below): (&Path, &Path),
        missing: usize,
        text: &str,
        owner: (u32, u32),
    ) -> Result<(), SandboxError> {
        let archive = archive_of_own(below, missing, text, owner);
        self.upload_to(root, archive.map_err(|error| self.not_packed(&error))?).await
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
        self.upload_to(Path::new("/"), archive).await
    }

    async fn upload_to(&self, folder: &Path, archive: Vec<u8>) -> Result<(), SandboxError> {
        let path = folder.to_string_lossy().into_owned();
        let options = UploadToContainerOptions { path, ..UploadToContainerOptions::default() };
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

fn archive_of_folder(folder: &Path, owner: (u32, u32)) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    append_own(&mut archive, folder, None, owner)?;
    archive.into_inner()
}

/// The file, and the last of the folders that it lies in where these are missing: one that is there keeps its mode.
fn archive_of_own(path: &Path, missing: usize, text: &str, owner: (u32, u32)) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let folders: Vec<&Path> = path.ancestors().skip(1).take(missing).collect();
    for folder in folders.into_iter().rev() {
        append_own(&mut archive, folder, None, owner)?;
    }
    append_own(&mut archive, path, Some(text), owner)?;
    archive.into_inner()
}

/// A folder or a file that nobody else reads.
fn append_own(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &Path,
    text: Option<&str>,
    (uid, gid): (u32, u32),
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    let folder = text.is_none();
    header.set_entry_type(if folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
    let text = text.unwrap_or_default();
    header.set_size(text.len() as u64);
    header.set_mode(if folder { 0o700 } else { 0o600 });
    header.set_mtime(0);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    archive.append_data(&mut header, path.strip_prefix("/").unwrap_or(path), text.as_bytes())
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
    fn a_file_of_somebodys_own_comes_with_the_folders_that_are_missing_alone() {
        let packed = archive_of_own(Path::new("/home/ada/.config/x/config.json"), 1, "{}", (7, 8));
        let packed = packed.expect("packed");
        let mut archive = tar::Archive::new(&packed[..]);
        let entries = archive.entries().expect("an archive").flatten().map(|entry| {
            let header = entry.header();
            let (mode, uid) = (header.mode().expect("a mode"), header.uid().expect("a user"));
            format!("{} {mode:o} {uid}", entry.path().expect("a path").display())
        });
        let expected = ["home/ada/.config/x 700 7", "home/ada/.config/x/config.json 600 7"];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_archive_holds_what_was_put_in() {
        let file = InjectedFile { path: "/etc/bottle/ca.pem".into(), content: b"pem".to_vec(), mode: 0o644 };
        let archive = archive_of(&[file]).expect("packed");
        assert!(matches!(first(&archive), Some(Entry::File(content)) if content == b"pem"));
    }
}
