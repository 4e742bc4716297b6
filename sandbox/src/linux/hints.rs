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
        Step::Enter | Step::MapIds { .. } => return Some(user_namespaces(errno)),
        Step::Redirect { .. } | Step::LoopbackUp | Step::CaptureRoutes { .. } if errno == libc::EPERM => {
            NO_NET_ADMIN
        }
        Step::Redirect { .. } => NO_NF_TABLES,
        Step::Listen { .. } if errno == libc::EADDRINUSE => PORT_TAKEN,
        Step::Proc => NO_PROC,
        Step::Bind { .. } | Step::Pin { .. } | Step::Cover { .. } if errno == libc::ELOOP => SYMLINK,
        Step::Root { .. } | Step::Bind { .. } | Step::Pin { .. } if errno == libc::ENOSYS => OLD_KERNEL,
        // Where only an AppArmor profile stands in the way, the namespace is made and is powerless.
        Step::Root { .. } if errno == libc::EACCES || errno == libc::EPERM => {
            return Some(user_namespaces(errno));
        }
        Step::Seccomp | Step::HolderCalls => NO_SECCOMP,
        Step::JoinCgroup { .. } if errno == libc::ENOENT => NO_SWAP_COUNT,
        Step::JoinCgroup { .. } => NO_CGROUP,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Which of the known rules forbids user namespaces here.
fn user_namespaces(errno: i32) -> String {
    let setting =
        |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_else(|_| "/usr/local/bin/bottle".into());
    forbidden_by(
        errno,
        &setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        &setting("/proc/sys/kernel/unprivileged_userns_clone"),
        &setting("/proc/sys/user/max_user_namespaces"),
        &program.display().to_string(),
    )
}

fn forbidden_by(errno: i32, apparmor: &str, debian: &str, most: &str, program: &str) -> String {
    if most == "0" || errno == libc::ENOSPC {
        MANY_NAMESPACES.to_owned()
    } else if debian == "0" {
        DEBIAN_RULE.to_owned()
    } else if apparmor == "1" {
        apparmor_profile(program)
    } else {
        NO_USER_NAMESPACES.to_owned()
    }
}

/// Ubuntu 23.10 and later: namespaces are for programs with a profile that says so.
fn apparmor_profile(program: &str) -> String {
    format!(
        "AppArmor keeps user namespaces from programs without a profile (Ubuntu 23.10 and later); give bottle one:\n\
         sudo tee /etc/apparmor.d/bottle >/dev/null <<'END'\nabi <abi/4.0>,\ninclude <tunables/global>\n\
         profile bottle {program} flags=(unconfined) {{\n  userns,\n}}\nEND\n\
         sudo apparmor_parser -r /etc/apparmor.d/bottle"
    )
}

const DEBIAN_RULE: &str =
    "ordinary users may not make user namespaces here: `sudo sysctl kernel.unprivileged_userns_clone=1`";
pub(crate) const MANY_NAMESPACES: &str =
    "the limit on user namespaces is reached: raise it with `sudo sysctl user.max_user_namespaces=15000`";
pub(crate) const NO_USER_NAMESPACES: &str = "this machine forbids user namespaces to ordinary users; `bottle doctor` says which rule it is and how to mend it";
pub(crate) const NO_NF_TABLES: &str = "the kernel needs nf_tables with nat, redirect and reject for inet: `sudo modprobe -a nf_tables nft_chain_nat nft_redir \
     nft_reject_inet nft_ct`, and make it last with a file in /etc/modules-load.d";
pub(crate) const NO_NET_ADMIN: &str = "the network namespace must be this container's own, and CAP_NET_ADMIN be given to it (docker: `--network none --cap-add \
     NET_ADMIN`)";
pub(crate) const PORT_TAKEN: &str =
    "another program came into this network namespace first; start the bottle again, with nothing else in it";
pub(crate) const NO_PROC: &str = "parts of /proc are masked here, as in a container; give the container an unmasked one (docker: \
     `--security-opt systempaths=unconfined`)";
pub(crate) const SYMLINK: &str =
    "a symbolic link is in the way; an agent can have put it there: look at it and remove it";
pub(crate) const OLD_KERNEL: &str = "Linux 5.12 or newer is needed";
pub(crate) const NO_LANDLOCK: &str =
    "Linux 6.12 or newer with `landlock` in its `lsm=` list gives a second wall; bottles run without it";
pub(crate) const NO_CGROUP: &str = "limits of memory and processors need a delegated control group: `systemd-run --user --scope -p Delegate=yes bottle run …`";
pub(crate) const NO_SWAP_COUNT: &str = "this kernel does not count what is swapped out, a way around `limits.memory`: take `swapaccount=0` off its command line";
pub(crate) const SMALL: &str = "give it more: `limits: { memory: … }` in the manifest";
pub(crate) const NO_SECCOMP: &str = "the kernel must be built with CONFIG_SECCOMP_FILTER";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_against_user_namespaces_has_its_own_way_out() {
        assert_eq!(forbidden_by(libc::EPERM, "0", "1", "0", "/b"), MANY_NAMESPACES);
        assert_eq!(forbidden_by(libc::ENOSPC, "1", "", "9", "/b"), MANY_NAMESPACES);
        assert_eq!(forbidden_by(libc::EPERM, "", "0", "9", "/b"), DEBIAN_RULE);
        let profile = forbidden_by(libc::EACCES, "1", "1", "9", "/opt/bottle");
        assert!(profile.contains("profile bottle /opt/bottle") && profile.contains("userns,"), "{profile}");
        assert_eq!(forbidden_by(libc::EPERM, "", "", "9", "/b"), NO_USER_NAMESPACES);
    }

    #[test]
    fn a_failed_step_says_what_on_what_and_why() {
        let error = failed(Some(&Step::Proc), libc::EPERM);
        assert_eq!(error.what, "cannot mount `/proc`: Operation not permitted (os error 1)");
        assert_eq!(error.hint.as_deref(), Some(NO_PROC));
        assert!(failed(None, 1).hint.is_none());
    }
}
