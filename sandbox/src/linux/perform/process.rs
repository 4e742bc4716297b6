//! Who the bottle's processes are, and what they can no longer become.
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set, no_new_privs,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

/// The highest number a capability can have in a 64-bit set.
const MAX_CAPABILITIES: u32 = 64;

pub(crate) fn map_ids(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1\n"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1\n"))
}

/// The watcher's death ends this process, and as it is the first of its PID namespace, all others with it.
pub(crate) fn die_with_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

pub(crate) fn undumpable() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

pub(crate) fn host_name(name: &str) -> io::Result<()> {
    Ok(rustix::system::sethostname(name.as_bytes())?)
}

/// The limits belong to this user namespace and cannot be raised from inside without its capabilities. They are set
/// through the host's `/proc` (the bottle's own is read-only) and after the mounts, each of which is, while detached, a
/// namespace to the kernel.
pub(crate) fn forbid_namespaces(host: &OwnedFd) -> io::Result<()> {
    for kind in ["user", "mnt", "net", "pid", "ipc", "uts", "cgroup", "time"] {
        let limit = format!("proc/sys/user/max_{kind}_namespaces");
        match openat(host, limit, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => {}
            file => fs::File::from(file?).write_all(b"0")?,
        }
    }
    Ok(())
}

/// The user namespace and the mount namespace that this process is in. While the host's `/proc` is there.
pub(crate) fn namespaces() -> io::Result<[OwnedFd; 2]> {
    let open = |name: &str| fs::File::open(format!("/proc/self/ns/{name}")).map(OwnedFd::from);
    Ok([open("user")?, open("mnt")?])
}

pub(crate) fn no_new_privileges() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Bounding set first (that needs a capability), then the bits that make user 0 ordinary, then all the others.
///
/// A container's process can be without the capability (`CAP_SETPCAP`) for the first two. Under no-new-privileges they
/// are a second lock: what a program file or user 0 would gain by an exec is cut to what the process had before
/// (capabilities(7), "no_new_privs"), which is nothing. Without that lock too, this fails.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    match empty_bounding_set().and_then(|()| set_capabilities_secure_bits(locked_bits())) {
        Err(Errno::PERM) if no_new_privs()? => {}
        other => other?,
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let all_none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(set_capabilities(None, all_none)?)
}

fn empty_bounding_set() -> Result<(), Errno> {
    for number in 0..MAX_CAPABILITIES {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}

fn locked_bits() -> CapabilitiesSecureBits {
    use CapabilitiesSecureBits as Bits;
    Bits::NO_ROOT
        | Bits::NO_ROOT_LOCKED
        | Bits::NO_SETUID_FIXUP
        | Bits::NO_SETUID_FIXUP_LOCKED
        | Bits::KEEP_CAPS_LOCKED
        | Bits::NO_CAP_AMBIENT_RAISE
        | Bits::NO_CAP_AMBIENT_RAISE_LOCKED
}
