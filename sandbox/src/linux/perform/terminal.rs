//! The agent's terminal: a pair of the bottle's own `/dev/pts`, so that nothing typed into it from inside reaches the
//! operator's.
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use std::io;
use std::os::fd::OwnedFd;

/// Both sides.
pub(crate) struct Terminal {
    /// The launcher's.
    pub(crate) master: OwnedFd,
    /// The agent's.
    pub(crate) slave: OwnedFd,
}

/// Opens a pair and makes it this process's own.
pub(crate) fn open() -> io::Result<Terminal> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = openat(CWD, "/dev/pts/ptmx", flags, Mode::empty())?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(&slave)?;
    Ok(Terminal { master, slave })
}
