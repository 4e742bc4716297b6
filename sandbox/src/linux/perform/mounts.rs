//! Mounting. Everything is opened first and mounted by descriptor, so that no path is walked twice.
use super::files::{Walk, existing};
use crate::linux::step::Access;
use crate::linux::sys::{MountAttr, mount_setattr};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change,
    move_mount, open_tree, unmount,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the host's root waits until `Seal`.
const HOST: &str = "/.host";
/// Where the contents of covering files lie.
const COVERS: &str = "/.covers";
/// The root holds mount points, links and injected files.
const ROOT_SIZE: &str = "64m";

/// Makes an empty root and moves into it; gives the host's root.
pub(crate) fn root(staging: &Path) -> io::Result<OwnedFd> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let tree =
        memory(0o755, ROOT_SIZE, MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV)?;
    attach(&tree, &existing(CWD, staging)?)?;
    rustix::process::chdir(staging)?;
    rustix::fs::mkdir(".host", 0o700.into())?;
    rustix::process::pivot_root(".", ".host")?;
    rustix::process::chdir("/")?;
    rustix::fs::mkdir(COVERS, 0o700.into())?;
    existing(CWD, Path::new(HOST))
}

/// The last step of the tree.
pub(crate) fn seal() -> io::Result<()> {
    unmount(HOST, UnmountFlags::DETACH)?;
    rustix::fs::rmdir(HOST)?;
    let root = existing(CWD, Path::new("/"))?;
    set(&root, false, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

pub(crate) fn bind(
    walk: &mut Walk,
    host: &OwnedFd,
    from: &Path,
    to: &Path,
    access: Access,
) -> io::Result<()> {
    let source = from_host(host, from)?;
    let tree = clone_tree(&source)?;
    set(&tree, true, attributes(access))?;
    mount(walk, &tree, to, is_dir(&source)?)
}

fn attributes(access: Access) -> MountAttrFlags {
    use MountAttrFlags as Attr;
    match access {
        Access::ReadOnly => Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV | Attr::MOUNT_ATTR_RDONLY,
        Access::ReadWrite => Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV,
        Access::Device => Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC,
    }
}

/// A mount point can be neither renamed nor removed.
pub(crate) fn pin(walk: &mut Walk, path: &Path, writable: bool) -> io::Result<()> {
    let target = existing(CWD, path)?;
    walk.changed(path);
    pin_open(&target, writable)
}

/// The same for what is open already.
pub(crate) fn pin_open(target: &OwnedFd, writable: bool) -> io::Result<()> {
    let tree = clone_tree(target)?;
    if !writable {
        set(&tree, true, attributes(Access::ReadOnly))?;
    }
    attach(&tree, target)
}

pub(crate) fn tmpfs(walk: &mut Walk, path: &Path, mode: u32, size: &str, exec: bool) -> io::Result<()> {
    let mut attr = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    attr.set(MountAttrFlags::MOUNT_ATTR_NOEXEC, !exec);
    mount(walk, &memory(mode, size, attr)?, path, true)
}

/// An injected file lies on the root, and is mounted over what the host has at that path.
pub(crate) fn cover(walk: &mut Walk, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let tree = read_only(walk, mode, content, attributes(Access::ReadOnly))?;
    mount(walk, &tree, path, false)
}

/// A file of these words over something that is open, once the root is read-only: the words lie in memory of their own.
/// The kernel mounts a file over a link that was opened as such, and nobody follows it then.
pub(crate) fn cover_late(target: &OwnedFd, content: &[u8]) -> io::Result<()> {
    attach(&memory(0o700, "64k", attributes(Access::ReadWrite))?, &existing(CWD, Path::new(COVERS))?)?;
    let file = read_only(&mut Walk::default(), 0o644, content, attributes(Access::ReadOnly));
    unmount(COVERS, UnmountFlags::DETACH)?;
    attach(&file?, target)
}

/// Whether something is mounted there.
pub(crate) fn is_mounted(place: &OwnedFd) -> io::Result<bool> {
    let about = statx(place, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
    Ok(about.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn read_only(walk: &mut Walk, mode: u32, content: &[u8], attr: MountAttrFlags) -> io::Result<OwnedFd> {
    let lair = lair();
    walk.write(&lair, mode, content)?;
    let tree = clone_tree(&existing(CWD, &lair)?)?;
    set(&tree, false, attr)?;
    Ok(tree)
}

/// A name of its own for each: one made from the path could be too long, or another's.
pub(super) fn lair() -> PathBuf {
    static COVERED: AtomicUsize = AtomicUsize::new(0);
    Path::new(COVERS).join(COVERED.fetch_add(1, Ordering::Relaxed).to_string())
}

/// This folder of the bottle's own, laid over one of the host's: what both show, read-only, for neither can be written through it.
pub(super) fn layers(upper: &Path, from: &Path) -> io::Result<OwnedFd> {
    let lower = Path::new(HOST).join(from.strip_prefix("/").unwrap_or(from));
    let both = [upper, &lower].map(|path| path.to_str().filter(|path| !path.contains([':', '\\', ','])));
    let [Some(upper), Some(lower)] = both else { return Err(io::ErrorKind::InvalidInput.into()) };
    let layers = format!("{upper}:{lower}");
    let options = [("lowerdir", Some(layers.as_str())), ("userxattr", None)];
    file_system("overlay", &options, attributes(Access::ReadOnly))
}

pub(crate) fn proc(walk: &mut Walk) -> io::Result<()> {
    let attr = attributes(Access::ReadOnly) | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    mount(walk, &file_system("proc", &[], attr)?, Path::new("/proc"), true)
}

pub(crate) fn devpts(walk: &mut Walk) -> io::Result<()> {
    let attr = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let options = [("newinstance", None), ("ptmxmode", Some("0666")), ("mode", Some("0620"))];
    mount(walk, &file_system("devpts", &options, attr)?, Path::new("/dev/pts"), true)
}

/// An empty folder, or an empty file: a null device would swallow what is written to it, and whoever asks whether the
/// thing behind it can be written would hear yes.
pub(crate) fn mask(walk: &mut Walk, path: &Path, dir: bool) -> io::Result<()> {
    let attr = attributes(Access::ReadOnly) | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let nothing = if dir { memory(0o555, "4k", attr)? } else { read_only(walk, 0o444, b"", attr)? };
    let target = existing(CWD, path)?;
    walk.changed(path);
    attach(&nothing, &target)
}

pub(super) fn from_host(host: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    existing(host, if relative.as_os_str().is_empty() { Path::new(".") } else { relative })
}

/// A detached copy of what is mounted there, with all below it.
fn clone_tree(source: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(source, "", flags)?)
}

fn memory(mode: u32, size: &str, attr: MountAttrFlags) -> io::Result<OwnedFd> {
    file_system("tmpfs", &[("mode", Some(&format!("{mode:o}"))), ("size", Some(size))], attr)
}

fn file_system(kind: &str, options: &[(&str, Option<&str>)], attr: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        match value {
            Some(value) => fsconfig_set_string(&context, *name, *value)?,
            None => fsconfig_set_flag(&context, *name)?,
        }
    }
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attr)?)
}

/// Mounts at a path, which is made where it does not exist.
pub(super) fn mount(walk: &mut Walk, tree: &OwnedFd, path: &Path, is_dir: bool) -> io::Result<()> {
    let target = walk.mount_point(path, is_dir)?;
    walk.changed(path);
    attach(tree, &target)
}

fn attach(tree: &OwnedFd, target: &OwnedFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(tree, "", target, "", flags)?)
}

fn set(mount: &OwnedFd, recursive: bool, attr: MountAttrFlags) -> io::Result<()> {
    let attr = MountAttr { set: u64::from(attr.bits()), ..MountAttr::default() };
    mount_setattr(mount.as_fd(), recursive, &attr)
}

fn is_dir(file: &OwnedFd) -> io::Result<bool> {
    let stat = rustix::fs::fstat(file)?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory)
}
