//! The operator's terminal.
use super::{Attempt, Group, Outcome, World};
use crate::linux::sys::attempt::ioctl;
use nix::errno::Errno;
use std::fs;
use std::os::fd::AsRawFd as _;

pub(super) const ATTEMPTS: &[Attempt] = &[
    term("push-keystroke", "keys typed into the operator's shell", |_| push_keystroke()),
    term("paste-selection", "the console's selection, pasted", |_| control(libc::TIOCLINUX)),
    term("terminals-of-others", "terminals of the host", |_| terminals()),
    term("console", "the machine's console", |_| consoles()),
    term("foreign-session", "the operator's session", |_| session()),
];

const fn term(name: &'static str, gain: &'static str, run: fn(&World) -> Outcome) -> Attempt {
    Attempt { name, group: Group::Terminal, gain, run }
}

fn terminal() -> fs::File {
    fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .or_else(|_| fs::File::open("/dev/null"))
        .unwrap_or_else(|_| {
            // Without /dev/null there is nothing to try on but standard input, which is always open.
            std::os::fd::AsFd::as_fd(&std::io::stdin())
                .try_clone_to_owned()
                .map(fs::File::from)
                .expect("standard input is open")
        })
}

fn push_keystroke() -> Outcome {
    control(libc::TIOCSTI)
}

/// The filter refuses the request itself, whatever the descriptor is; without it the answer is ENOTTY or success.
fn control(request: libc::c_ulong) -> Outcome {
    let byte = [b' '; 16];
    match ioctl(terminal().as_raw_fd(), request, byte.as_ptr() as i64) {
        Err(Errno::EPERM | Errno::EACCES) => Outcome::Held("refused".into()),
        Err(errno) => Outcome::Broke(format!("the kernel went on to {errno}")),
        Ok(_) => Outcome::Broke("it was taken".into()),
    }
}

/// Terminals that the bottle's own devpts does not know.
fn terminals() -> Outcome {
    let own = fs::read_dir("/dev/pts").map(|d| d.flatten().count()).unwrap_or(0);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let devpts = mounts.lines().filter(|l| l.contains(" - devpts ")).count();
    match (own, devpts) {
        (0..=4, 0 | 1) => Outcome::Held(format!("{own} entries of the bottle's own")),
        _ => Outcome::Broke(format!("{own} entries in {devpts} mounts")),
    }
}

fn consoles() -> Outcome {
    match ["/dev/console", "/dev/tty0", "/dev/tty1", "/dev/ttyS0", "/dev/vcs"]
        .iter()
        .find(|p| fs::File::open(p).is_ok())
    {
        Some(path) => Outcome::Broke(format!("`{path}` opens")),
        None => Outcome::Held("none opens".into()),
    }
}

/// The controlling terminal of this session, if it has one, is a terminal of the bottle's own.
fn session() -> Outcome {
    match fs::File::options().read(true).write(true).open("/dev/tty") {
        Err(error) => Outcome::Held(error.to_string()),
        Ok(tty) => match rustix::termios::ttyname(&tty, Vec::new()) {
            Ok(name) if std::path::Path::new(&*name.to_string_lossy()).exists() => {
                Outcome::Held(format!("{} of the bottle's own", name.to_string_lossy()))
            }
            Ok(name) => Outcome::Broke(format!("{} is not of this bottle", name.to_string_lossy())),
            Err(error) => Outcome::Broke(format!("a terminal without a name here: {error}")),
        },
    }
}
