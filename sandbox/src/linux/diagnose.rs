//! What `bottle doctor` looks at. Where the kernel can be asked by trying, it is tried: a setting read from a file says
//! what should be, a namespace that was made says what is.
use super::launch::attempt;
use super::step::Step;
use super::{cgroup, hints, sys};
use crate::SandboxError;
use std::path::Path;

/// One thing the machine must have.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// `user namespaces`, `nf_tables`, `landlock`…
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Whether bottles cannot run without it.
    pub required: bool,
    /// What was seen.
    pub found: String,
    /// How to mend it, when it is missing.
    pub hint: Option<String>,
}

/// Since then a whole mounted tree can be made read-only in one step.
const OLDEST_KERNEL: (u32, u32) = (5, 12);
/// Since then signals and abstract sockets are walled in as well.
const WANTED_LANDLOCK: i64 = 6;

/// Tries every thing a bottle needs, without leaving anything.
#[must_use]
pub fn diagnose() -> Vec<Check> {
    vec![
        kernel(),
        tried("user namespaces", &[], "an unprivileged one was made, with the others inside it"),
        tried("nf_tables", &network(), "redirect, reject and connection tracking work inside"),
        tried("mounts", &[root()], "an empty root was made"),
        tried("proc", &[root(), Step::Proc], "a new /proc can be mounted"),
        tried(
            "terminals",
            &[root(), Step::Dir { path: "/dev".into(), mode: 0o755 }, Step::Devpts, Step::Terminal],
            "a terminal of the bottle's own was opened",
        ),
        seccomp(),
        landlock(),
        control_groups(),
    ]
}

fn kernel() -> Check {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let ok = version(&release).is_some_and(|version| version >= OLDEST_KERNEL);
    let hint = (!ok).then(|| hints::OLD_KERNEL.to_owned());
    Check { name: "kernel", ok, required: true, found: format!("Linux {release}"), hint }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Does these steps in new namespaces, which end with the attempt.
fn tried(name: &'static str, steps: &[Step], found: &str) -> Check {
    let ids =
        Step::MapIds { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let steps = [&[Step::Enter, ids][..], steps].concat();
    match attempt(&steps) {
        Ok(()) => Check { name, ok: true, required: true, found: found.to_owned(), hint: None },
        Err(SandboxError { what, hint, .. }) => Check { name, ok: false, required: true, found: what, hint },
    }
}

fn network() -> [Step; 3] {
    use super::plan::{DNS_PORT, EGRESS_PORT};
    [
        Step::Redirect { egress_port: EGRESS_PORT, dns_port: DNS_PORT },
        Step::LoopbackUp,
        Step::CaptureRoutes { v6: false },
    ]
}

fn root() -> Step {
    Step::Root { staging: "/tmp".into() }
}

fn seccomp() -> Check {
    let ok = Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
    let found = if ok { "filters are there" } else { "the kernel has no filters" };
    let hint = (!ok).then(|| hints::NO_SECCOMP.to_owned());
    Check { name: "seccomp", ok, required: true, found: found.to_owned(), hint }
}

fn landlock() -> Check {
    let (ok, found) = match sys::landlock_abi() {
        Ok(abi) if abi >= WANTED_LANDLOCK => (true, format!("version {abi}")),
        Ok(abi) => {
            (false, format!("version {abi}: signals and abstract sockets are held by the namespaces alone"))
        }
        Err(error) => (false, format!("{error}: files are held by the mounts alone")),
    };
    let hint = (!ok).then(|| hints::NO_LANDLOCK.to_owned());
    Check { name: "landlock", ok, required: false, found, hint }
}

fn control_groups() -> Check {
    let (ok, found) = match cgroup::delegated() {
        Some(group) => (true, format!("`{}` gives {}", group.folder.display(), group.controllers.join(", "))),
        None => (false, "none is delegated to this process".to_owned()),
    };
    let hint = (!ok).then(|| hints::NO_CGROUP.to_owned());
    Check { name: "control groups", ok, required: false, found, hint }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn kernel_versions_are_read_from_any_release_name() {
        assert_eq!(version("6.18.44-fc-v595"), Some((6, 18)));
        assert_eq!(version("5.4.0"), Some((5, 4)));
        assert_eq!(version("5.14-rc1"), Some((5, 14)));
        assert_eq!(version("odd"), None);
    }
}
