//! What to do about a step that failed.
use super::step::Step;
use crate::SandboxError;
use std::io;

/// The error of a step, with the way out where there is one.
pub(crate) fn failed(step: Option<&Step>, errno: i32) -> SandboxError {
    let Some(step) = step else { return SandboxError::new("an unknown step failed") };
    let answer = io::Error::from_raw_os_error(errno);
    let error = SandboxError::new(format!("cannot {step}: {answer}"));
    match hint(step, errno) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn hint(step: &Step, errno: i32) -> Option<String> {
    let hint = match step {
        Step::Enter if errno == libc::ENOSPC => MANY_NAMESPACES,
        Step::Enter | Step::MapIds { .. } => NO_USER_NAMESPACES,
        Step::Redirect { .. } => NO_NF_TABLES,
        Step::Proc => NO_PROC,
        Step::Bind { .. } | Step::Pin { .. } | Step::Cover { .. } if errno == libc::ELOOP => SYMLINK,
        Step::Bind { .. } | Step::Pin { .. } if errno == libc::ENOSYS => OLD_KERNEL,
        Step::Seccomp => NO_SECCOMP,
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(crate) const MANY_NAMESPACES: &str =
    "the limit on user namespaces is reached: raise it with `sudo sysctl user.max_user_namespaces=15000`";
pub(crate) const NO_USER_NAMESPACES: &str = "this machine forbids user namespaces to ordinary users; `bottle doctor` says which rule it is and how to mend it";
pub(crate) const NO_NF_TABLES: &str = "the kernel needs nf_tables with nat, redirect and reject for inet: `sudo modprobe -a nf_tables nft_chain_nat nft_redir \
     nft_reject_inet nft_ct`, and make it last with a file in /etc/modules-load.d";
pub(crate) const NO_PROC: &str = "parts of /proc are masked here, as in a container; give the container an unmasked one (docker: \
     `--security-opt systempaths=unconfined`)";
pub(crate) const SYMLINK: &str =
    "a symbolic link is in the way; an agent can have put it there: look at it and remove it";
pub(crate) const OLD_KERNEL: &str = "Linux 5.12 or newer is needed";
pub(crate) const NO_SECCOMP: &str = "the kernel must be built with CONFIG_SECCOMP_FILTER";
