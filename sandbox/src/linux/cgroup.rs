//! Control groups, version 2, where this user may make one: beside the group that the launcher runs in, because a
//! group with processes of its own cannot have limited children.
use super::step::Step;
use crate::SandboxError;
use manifest::plan::LimitsPlan;
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// Where groups can be made, and what can be limited in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delegated {
    pub(crate) folder: PathBuf,
    pub(crate) controllers: Vec<String>,
}

/// What this process was given.
pub(crate) fn delegated() -> Option<Delegated> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let folder = folder(&mounts, &own)?;
    let controllers = std::fs::read_to_string(folder.join("cgroup.subtree_control")).ok()?;
    let controllers: Vec<_> = controllers.split_whitespace().map(str::to_owned).collect();
    let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    let usable = !controllers.is_empty() && writable(&folder) && writable(&folder.join("cgroup.procs"));
    usable.then_some(Delegated { folder, controllers })
}

/// The folder above the group of this process.
fn folder(mounts: &str, own: &str) -> Option<PathBuf> {
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?.split(' ').nth(1)?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let above = Path::new(own).parent()?;
    Some(Path::new(mount).join(above))
}

/// The step that limits a bottle, if there is anything to limit and a place to do it.
///
/// # Errors
/// When memory or processors were to be limited and cannot be: a limit that is written down is kept or refused.
pub(crate) fn step(
    name: &str,
    limits: &LimitsPlan,
    processes: u64,
    place: Option<Delegated>,
) -> Result<Option<Step>, SandboxError> {
    let wanted = [
        ("memory", "memory.max", limits.memory.map(|bytes| bytes.to_string())),
        ("cpu", "cpu.max", limits.millicpus.map(|thousandths| format!("{} 100000", thousandths * 100))),
        ("pids", "pids.max", Some(processes.to_string())),
    ];
    let given = place.as_ref().map(|place| place.controllers.as_slice()).unwrap_or_default();
    let missing = wanted
        .iter()
        .find(|(kind, _, value)| *kind != "pids" && value.is_some() && !given.iter().any(|g| g == kind));
    if let Some((kind, ..)) = missing {
        return Err(SandboxError::new(format!(
            "cannot limit {kind}: no control group is delegated to this process"
        ))
        .with_hint(super::hints::NO_CGROUP));
    }
    let settings = wanted.into_iter().filter(|(kind, ..)| given.iter().any(|g| g == kind));
    let settings = settings.filter_map(|(_, file, value)| Some((file.to_owned(), value?))).collect();
    Ok(place.map(|place| Step::JoinCgroup { path: place.folder.join(name), settings }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";

    fn place(controllers: &[&str]) -> Option<Delegated> {
        let controllers = controllers.iter().map(ToString::to_string).collect();
        Some(Delegated { folder: "/sys/fs/cgroup/app.slice".into(), controllers })
    }

    #[test]
    fn groups_are_made_beside_the_launchers_own() {
        let own = "1:name=systemd:/x\n0::/user.slice/app.slice/term.scope\n";
        assert_eq!(folder(MOUNTS, own), Some("/sys/fs/cgroup/user.slice/app.slice".into()));
        assert_eq!(folder("", own), None);
        assert_eq!(folder(MOUNTS, "0::/\n"), None);
    }

    #[test]
    fn limits_are_set_where_they_can_be() {
        let limits = LimitsPlan { memory: Some(1 << 30), millicpus: Some(1500), ..LimitsPlan::default() };
        let step = step("bottle-x", &limits, 10, place(&["cpu", "memory", "pids"])).expect("a step");
        let settings = [("memory.max", "1073741824"), ("cpu.max", "150000 100000"), ("pids.max", "10")];
        let settings = settings.map(|(file, value)| (file.to_owned(), value.to_owned())).to_vec();
        assert_eq!(
            step,
            Some(Step::JoinCgroup { path: "/sys/fs/cgroup/app.slice/bottle-x".into(), settings })
        );
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_refused() {
        let limits = LimitsPlan { memory: Some(1 << 30), ..LimitsPlan::default() };
        assert!(step("x", &limits, 10, None).is_err_and(|e| e.what.contains("memory") && e.hint.is_some()));
        assert!(step("x", &limits, 10, place(&["pids"])).is_err());
        assert_eq!(step("x", &LimitsPlan::default(), 10, None).expect("nothing to do"), None);
    }
}
