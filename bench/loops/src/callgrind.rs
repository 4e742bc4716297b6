//! Counts instructions of a program under valgrind.
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Instructions of one turn of each loop: program, name, times. Two at once, for that is what small machines have.
pub(crate) fn count_all(jobs: &[(&str, &str, u32)]) -> Result<Vec<u64>, String> {
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(vec![Err("not counted".to_owned()); jobs.len()]);
    let work = || {
        while let Some((program, name, times)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let count = each(program, name, *times);
            let place = jobs.iter().position(|job| job.1 == *name);
            if let (Some(place), Ok(mut counts)) = (place, counts.lock()) {
                counts[place] = count;
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    counts.into_inner().map_err(|_| "a count was lost".to_owned())?.into_iter().collect()
}

/// What a turn costs: the difference between few turns and many, divided.
fn each(program: &str, name: &str, times: u32) -> Result<u64, String> {
    let few = run(program, name, times)?;
    let many = run(program, name, times * 3)?;
    Ok(many.saturating_sub(few) / u64::from(times * 2))
}

fn run(program: &str, name: &str, count: u32) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            program,
            "one",
            name,
            &count.to_string(),
        ])
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("`{name}` was not counted ({}):\n{said}", output.status)),
    }
}
