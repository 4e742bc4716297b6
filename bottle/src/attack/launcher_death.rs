//! The launcher is killed with SIGKILL: what is inside must end at once.
use super::HEARTBEAT;
use super::stage::Stage;
use crate::failure::Failure;
use sandbox::attack::{Group, Outcome, Report};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(super) const NAME: &str = "launcher-killed";
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a program that writes a heartbeat, kills its launcher, and listens for another beat.
pub(super) fn attempt(stage: &Stage) -> Result<Report, Failure> {
    let beat = stage.workspace().join("heartbeat");
    let argument = beat.display().to_string();
    let child =
        stage.bottle(&[HEARTBEAT, &argument])?.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    let outcome = judge(child, &beat)?;
    let gain = "a life without the egress, after the launcher's death".to_owned();
    Ok(Report { name: NAME.into(), group: Group::Process, gain, outcome })
}

fn judge(mut launcher: Child, beat: &Path) -> Result<Outcome, Failure> {
    let started = wait_until(|| last(beat).is_some());
    launcher.kill()?;
    launcher.wait()?;
    if !started {
        return Err(Failure::new("the bottle for the launcher's death did not start"));
    }
    sleep(Duration::from_millis(200));
    let then = last(beat);
    sleep(Duration::from_millis(400));
    Ok(match last(beat) == then {
        true => Outcome::Held("nothing inside was alive after it".into()),
        false => Outcome::Broke("the program went on".into()),
    })
}

fn last(beat: &Path) -> Option<String> {
    std::fs::read_to_string(beat).ok().filter(|text| !text.is_empty())
}

fn wait_until(mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    false
}
