//! Control groups, version 2, where this user may make one: beside the group that the launcher runs in, because a
//! group with processes of its own cannot have limited children.
use super::step::Step;
use crate::SandboxError;
use manifest::plan::LimitsPlan;
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// Processes and threads, when the manifest does not say: enough for any build, and an end for a fork bomb.
pub(crate) const PROCESSES: u64 = 8192;

/// Memory of the least bottle, in bytes: with less the kernel would kill what builds its walls.
const LEAST_MEMORY: u64 = 8 << 20;

/// The shortest time that the kernel gives to a group in each period, in microseconds.
const LEAST_QUOTA: u64 = 1000;

/// Where groups can be made, and what can be limited in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delegated {
    pub(crate) folder: PathBuf,
    pub(crate) controllers: Vec<String>,
    /// Whether the kernel can swap at all.
    pub(crate) swap: bool,
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
    usable.then(|| Delegated { folder, controllers, swap: Path::new("/proc/swaps").exists() })
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
/// When memory or processors were to be limited and cannot be, or processes of root, whom the kernel's own limit does
/// not count: a limit that is written down is kept or refused. So is memory that no bottle fits into.
pub(crate) fn step(
    name: &str,
    limits: &LimitsPlan,
    root: bool,
    place: Option<Delegated>,
) -> Result<Option<Step>, SandboxError> {
    let processes = limits.processes.unwrap_or(PROCESSES);
    let swap = place.as_ref().is_some_and(|place| place.swap);
    let wanted = [
        ("memory", "memory.max", limits.memory.map(|bytes| bytes.to_string())),
        // What is swapped out does not count as memory: without this the limit would be the size of the swap.
        ("memory", "memory.swap.max", limits.memory.filter(|_| swap).map(|_| "0".to_owned())),
        ("cpu", "cpu.max", limits.millicpus.map(quota)),
        ("pids", "pids.max", Some(processes.to_string())),
    ];
    let given = place.as_ref().map(|place| place.controllers.as_slice()).unwrap_or_default();
    let must = |kind: &str| kind != "pids" || (root && limits.processes.is_some());
    let missing = wanted
        .iter()
        .find(|(kind, _, value)| must(kind) && value.is_some() && !given.iter().any(|g| g == kind));
    if let Some((kind, ..)) = missing {
        return Err(SandboxError::new(format!(
            "cannot limit {}: no control group for it is delegated to this process",
            name_of(kind)
        ))
        .with_hint(super::hints::NO_CGROUP));
    }
    if let Some(memory) = limits.memory.filter(|memory| *memory < LEAST_MEMORY) {
        let what = format!("no bottle fits into {} KiB of memory", memory >> 10);
        return Err(SandboxError::new(what).with_hint(super::hints::SMALL));
    }
    let settings = wanted.into_iter().filter(|(kind, ..)| given.iter().any(|g| g == kind));
    let settings = settings.filter_map(|(_, file, value)| Some((file.to_owned(), value?))).collect();
    Ok(place.map(|place| Step::JoinCgroup { path: place.folder.join(name), settings }))
}

/// Microseconds of processor time in each period, and the period. Ten times a second, so that nobody waits long for the
/// next; once a second, which is the longest, for shares that would be too short otherwise.
fn quota(millicpus: u64) -> String {
    let often = millicpus * 100;
    if often < LEAST_QUOTA { format!("{} 1000000", millicpus * 1000) } else { format!("{often} 100000") }
}

fn name_of(kind: &str) -> &str {
    match kind {
        "cpu" => "processors",
        "pids" => "processes",
        other => other,
    }
}

/// How the limits that were asked for are kept, a clause each: for the preflight.
pub(crate) fn said(limits: &LimitsPlan, steps: &[Step]) -> Vec<String> {
    let grouped = |file: &str| {
        steps.iter().any(|step| {
            matches!(step, Step::JoinCgroup { settings, .. } if settings.iter().any(|(name, _)| name == file))
        })
    };
    let memory = limits.memory.map(|bytes| format!("{} MiB of memory, all processes together", bytes >> 20));
    let processors = limits.millicpus.map(|n| format!("{}.{:03} processors", n / 1000, n % 1000));
    let counted = if grouped("pids.max") { "" } else { ", counted by the kernel for this user" };
    let processes = limits.processes.map(|most| format!("{most} processes{counted}"));
    let files = limits.open_files.map(|most| format!("{most} open files in each process"));
    [memory, processors, processes, files].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";

    fn place(controllers: &[&str]) -> Option<Delegated> {
        let controllers = controllers.iter().map(ToString::to_string).collect();
        Some(Delegated { folder: "/sys/fs/cgroup/app.slice".into(), controllers, swap: true })
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
        let limits = LimitsPlan {
            memory: Some(1 << 30),
            millicpus: Some(1500),
            processes: Some(10),
            open_files: Some(99),
        };
        let step = step("bottle-x", &limits, true, place(&["cpu", "memory", "pids"])).expect("a step");
        let settings = [
            ("memory.max", "1073741824"),
            ("memory.swap.max", "0"),
            ("cpu.max", "150000 100000"),
            ("pids.max", "10"),
        ];
        let settings = settings.map(|(file, value)| (file.to_owned(), value.to_owned())).to_vec();
        assert_eq!(
            step,
            Some(Step::JoinCgroup { path: "/sys/fs/cgroup/app.slice/bottle-x".into(), settings })
        );
        let said = said(&limits, &step.into_iter().collect::<Vec<_>>());
        assert_eq!(
            said,
            [
                "1024 MiB of memory, all processes together",
                "1.500 processors",
                "10 processes",
                "99 open files in each process"
            ]
        );
    }

    /// Such a kernel has no file for it.
    #[test]
    fn nothing_is_said_of_swap_where_the_kernel_has_none() {
        let limits = LimitsPlan { memory: Some(1 << 30), ..LimitsPlan::default() };
        let place = place(&["memory"]).map(|place| Delegated { swap: false, ..place });
        let step = step("x", &limits, false, place).expect("a step");
        let Some(Step::JoinCgroup { settings, .. }) = step else { panic!("{step:?}") };
        assert_eq!(settings, [("memory.max".to_owned(), "1073741824".to_owned())]);
    }

    /// Less than a millisecond in a period is refused, and so is a period of more than a second (kernel/sched/core.c).
    #[test]
    fn every_share_of_a_processor_is_one_that_the_kernel_takes() {
        for (millicpus, share) in
            [(1, "1000 1000000"), (9, "9000 1000000"), (10, "1000 100000"), (64_000, "6400000 100000")]
        {
            assert_eq!(quota(millicpus), share);
        }
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_refused() {
        let limits = LimitsPlan { memory: Some(1 << 30), ..LimitsPlan::default() };
        assert!(
            step("x", &limits, false, None).is_err_and(|e| e.what.contains("memory") && e.hint.is_some())
        );
        assert!(step("x", &limits, false, place(&["pids"])).is_err());
        assert_eq!(step("x", &LimitsPlan::default(), true, None).expect("nothing to do"), None);
    }

    #[test]
    fn less_memory_than_a_bottle_needs_is_refused() {
        let limits = LimitsPlan { memory: Some(LEAST_MEMORY - 1), ..LimitsPlan::default() };
        let refused = step("x", &limits, false, place(&["memory"]));
        assert!(refused.is_err_and(|e| e.what.contains("8191 KiB") && e.hint.is_some()));
    }

    #[test]
    fn the_kernel_counts_processes_of_everybody_but_root() {
        let limits = LimitsPlan { processes: Some(20), ..LimitsPlan::default() };
        assert!(step("x", &limits, true, None).is_err_and(|e| e.what.contains("processes")));
        assert_eq!(step("x", &limits, false, None).expect("nothing to do"), None);
        assert_eq!(said(&limits, &[]), ["20 processes, counted by the kernel for this user"]);
    }
}
