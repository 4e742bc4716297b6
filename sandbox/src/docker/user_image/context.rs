//! The folder of a build, as the engine gets it: a tar archive that is written while it is sent.
//!
//! The folder may be an agent's, which changes it meanwhile. Every step down goes by descriptor and follows no link, so
//! that nothing outside of it is ever opened; what was announced is what is sent, or nothing is built.
use super::ignored::{Ignored, Matched};
use crate::SandboxError;
use manifest::plan::BuildPlan;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Folders in folders: each has a descriptor open while it is read.
const DEEPEST: usize = 200;
/// Bytes of a `.dockerignore` or a Dockerfile that are read here.
const LARGEST_TEXT: u64 = 1024 * 1024;
/// What a file system calls something that is opened and not what it was a moment ago.
const STEP: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// A folder that can be sent.
#[derive(Debug)]
pub(super) struct Context {
    folder: PathBuf,
    root: OwnedFd,
    ignored: Ignored,
    dockerfile: String,
    bases: Vec<String>,
}

/// Why a context was not sent as a whole.
#[derive(Debug)]
pub(super) enum Unsent {
    /// Nobody reads it any more, and whoever did knows why.
    NotWanted,
    /// Something in the folder.
    Fault(SandboxError),
}

impl Context {
    /// Opens the plan's folder and reads what decides over the rest: the Dockerfile and the ignore file. That of the
    /// Dockerfile (`NAME.dockerignore`) counts before the folder's.
    /// # Errors
    /// When one of them cannot be read, or the Dockerfile lies outside.
    pub(super) fn open(plan: &BuildPlan) -> Result<Context, SandboxError> {
        let folder = plan.context.clone();
        let root =
            openat(CWD, &folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
                SandboxError::new(format!("cannot read the folder `{}`: {error}", folder.display()))
            })?;
        let dockerfile = inside(&folder, &plan.dockerfile)?;
        let text = text(&root, &dockerfile).map_err(|error| unreadable(&folder, &dockerfile, &error))?;
        let ignored = ignored(&folder, &root, &dockerfile)?;
        Ok(Context { folder, root, ignored, dockerfile, bases: bases(&text.unwrap_or_default()) })
    }

    /// The Dockerfile, as seen from the folder, behind any links.
    pub(super) fn dockerfile(&self) -> &str {
        &self.dockerfile
    }

    /// The images that it begins with, where it names them itself.
    pub(super) fn bases(&self) -> &[String] {
        &self.bases
    }

    /// Writes all of it, and the end of the archive. Folders are read in the order of their names.
    pub(super) fn write(&self, out: &mut dyn Write) -> Result<(), Unsent> {
        let mut packer = Packer { context: self, archive: Builder::new(out), untold: Vec::new(), depth: 0 };
        let root = self.root.try_clone().map_err(|error| self.fault(Path::new("."), &error))?;
        packer.folder(&root, Path::new(""), &Matched::default())?;
        packer.archive.finish().map_err(|error| self.fault(Path::new("."), &error))
    }

    fn fault(&self, path: &Path, error: &io::Error) -> Unsent {
        // Files of a folder give no such error; the other end does.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Unsent::NotWanted;
        }
        let what = format!("cannot send `{}` to the engine: {error}", self.folder.join(path).display());
        Unsent::Fault(SandboxError::new(super::neutral(&what)).with_hint(
            "build while nothing writes to the folder; what the build does not need is left out by a line in \
             `.dockerignore`",
        ))
    }
}

/// The real place of the Dockerfile, as seen from the folder.
fn inside(folder: &Path, dockerfile: &str) -> Result<String, SandboxError> {
    let named = folder.join(dockerfile);
    let real = folder.canonicalize().and_then(|folder| Ok((named.canonicalize()?, folder)));
    let (real, folder) = real.map_err(|error| no_dockerfile(&named, &error.to_string()))?;
    if !real.is_file() {
        return Err(no_dockerfile(&named, "it is no file"));
    }
    let inside = real.strip_prefix(&folder).ok().and_then(Path::to_str);
    inside.map(str::to_owned).ok_or_else(|| no_dockerfile(&named, "it leads out of the folder that is built"))
}

fn no_dockerfile(path: &Path, why: &str) -> SandboxError {
    SandboxError::new(format!("cannot read the Dockerfile `{}`: {why}", path.display())).with_hint(
        "`build.dockerfile` names it as it is seen from `build.context`; without it, it is `Dockerfile`",
    )
}

fn unreadable(folder: &Path, path: &str, error: &io::Error) -> SandboxError {
    SandboxError::new(format!("cannot read `{}`: {error}", folder.join(path).display()))
        .with_hint("without it, it is not known what of the folder the engine may see")
}

fn ignored(folder: &Path, root: &OwnedFd, dockerfile: &str) -> Result<Ignored, SandboxError> {
    const OF_FOLDER: &str = ".dockerignore";
    let of_dockerfile = format!("{dockerfile}.dockerignore");
    let mut ignored = Ignored::default();
    for name in [of_dockerfile.as_str(), OF_FOLDER] {
        let found = text(root, name).map_err(|error| unreadable(folder, name, &error))?;
        let Some(found) = found else { continue };
        ignored = Ignored::parse(name, &found)?;
        // The engine reads this one too, and then takes it out of what the build sees.
        if name == OF_FOLDER {
            ignored.always_take(Path::new(OF_FOLDER));
        }
        break;
    }
    ignored.always_take(Path::new(dockerfile));
    Ok(ignored)
}

/// A small text below the folder; `None` when there is none. Bytes that are no text are replaced.
fn text(root: &OwnedFd, path: &str) -> io::Result<Option<String>> {
    // A pipe would be waited for; a link may have been put there to show what lies elsewhere.
    let flags = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let open = || openat2(root, path, flags, Mode::empty(), resolve);
    let file = match rustix::io::retry_on_intr(open) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(io::Error::other("it is, or lies behind, a symbolic link")),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut content = Vec::new();
    file.take(LARGEST_TEXT + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST_TEXT {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(Some(String::from_utf8_lossy(&content).into_owned()))
}

/// `FROM [--platform=…] NAME …`: names that are put together at build time are the engine's to find out.
fn bases(dockerfile: &str) -> Vec<String> {
    let from = |line: &str| {
        let mut words = line.split_whitespace();
        let is_from = words.next()?.eq_ignore_ascii_case("from");
        let name = words.find(|word| !word.starts_with("--"))?;
        (is_from && !name.contains('$')).then(|| name.to_owned())
    };
    dockerfile.lines().filter_map(from).collect()
}

struct Packer<'a> {
    context: &'a Context,
    archive: Builder<&'a mut dyn Write>,
    /// Folders that stay at home unless something in them goes along.
    untold: Vec<(PathBuf, Stat)>,
    depth: usize,
}

impl Packer<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &Path, above: &Matched) -> Result<(), Unsent> {
        if self.depth > DEEPEST {
            let error = io::Error::other(format!("it lies more than {DEEPEST} folders deep"));
            return Err(self.context.fault(path, &error));
        }
        for name in names(folder).map_err(|error| self.context.fault(path, &error))? {
            let path = path.join(&name);
            self.entry(folder, &name, &path, above).map_err(|error| match error {
                Failed::Here(error) => self.context.fault(&path, &error),
                Failed::Below(unsent) => unsent,
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &OwnedFd, name: &OsStr, path: &Path, above: &Matched) -> Result<(), Failed> {
        let (stays, matched) = self.context.ignored.judge(above, path);
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            // It was there when the folder was read.
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.subfolder(folder, name, path, stays, &matched),
            FileType::RegularFile if !stays => Ok(self.file(folder, name, path)?),
            FileType::Symlink if !stays => Ok(self.link(folder, name, path, &stat)?),
            // Sockets, pipes and devices mean nothing elsewhere.
            _ => Ok(()),
        }
    }

    fn subfolder(
        &mut self,
        folder: &OwnedFd,
        name: &OsStr,
        path: &Path,
        stays: bool,
        matched: &Matched,
    ) -> Result<(), Failed> {
        if stays && !self.context.ignored.may_take_below(path) {
            return Ok(());
        }
        let below = openat(folder, name, OFlags::DIRECTORY | STEP, Mode::empty())?;
        let untold = self.untold.len();
        self.untold.push((path.to_owned(), fstat(&below)?));
        if !stays {
            self.tell_folders()?;
        }
        self.depth += 1;
        self.folder(&below, path, matched).map_err(Failed::Below)?;
        self.depth -= 1;
        self.untold.truncate(untold);
        Ok(())
    }

    /// Folders above something that goes along keep their modes.
    fn tell_folders(&mut self) -> io::Result<()> {
        for (path, stat) in std::mem::take(&mut self.untold) {
            let mut header = header(EntryType::Directory, &stat, 0);
            self.archive.append_data(&mut header, &path, io::empty())?;
        }
        Ok(())
    }

    fn file(&mut self, folder: &OwnedFd, name: &OsStr, path: &Path) -> io::Result<()> {
        let file = openat(folder, name, OFlags::NONBLOCK | OFlags::NOCTTY | STEP, Mode::empty())?;
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no file any more"));
        }
        self.tell_folders()?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut header = header(EntryType::Regular, &stat, size);
        self.archive.append_data(&mut header, path, Announced { inner: File::from(file), left: size })
    }

    fn link(&mut self, folder: &OwnedFd, name: &OsStr, path: &Path, stat: &Stat) -> io::Result<()> {
        let target = readlinkat(folder, name, Vec::new())?;
        self.tell_folders()?;
        let mut header = header(EntryType::Symlink, stat, 0);
        self.archive.append_link(&mut header, path, OsStr::from_bytes(target.as_bytes()))
    }
}

/// Something at this path, or something below it that said already what it was.
enum Failed {
    Here(io::Error),
    Below(Unsent),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Here(error)
    }
}

impl From<Errno> for Failed {
    fn from(error: Errno) -> Self {
        Failed::Here(error.into())
    }
}

fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Everything belongs to root, as Docker's own client has it: the user's ids mean nothing in an image.
fn header(kind: EntryType, stat: &Stat, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(size);
    header
}

/// Exactly as many bytes as were announced: what grows is cut there, what shrinks is an error. Anything else would make
/// the next file's bytes a header.
struct Announced<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Announced<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        if room == 0 {
            return Ok(0);
        }
        let read = self.inner.read(&mut into[..room])?;
        if read == 0 {
            return Err(io::Error::other("it became shorter while it was sent"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
