//! `bottle doctor --attack`: a hostile program, let loose in a real bottle on the user's own machine.
//!
//! The bottle is started by `bottle run` itself, as a user would; around it stand witnesses of the host (listeners, a
//! file, a credential with a marker), so that a success can be told from luck.

mod launcher_death;
mod report;
mod stage;
mod witness;

pub use report::{Held, print};

use crate::failure::{Failure, Outcome};
use sandbox::attack::{Report, World};
use stage::Stage;
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use witness::Witness;

/// argv[1] of this binary inside a bottle: makes the attempts.
pub const INSIDE: &str = "__attack";
/// argv[1] of this binary inside a bottle: writes a heartbeat until it is killed.
pub const HEARTBEAT: &str = "__heartbeat";

/// Runs every attempt (those whose name contains `only`) and gives the reports, the launcher's death included.
///
/// # Errors
/// When the stage cannot be set, or the bottle does not start.
pub fn run(only: &str, tell: impl FnMut(&Report)) -> Result<Vec<Report>, Failure> {
    let stage = Stage::new()?;
    let witness = Witness::start(&stage.outside())?;
    let world = stage.world(&witness)?;
    // First: the other attempts may leave a stage that starts nothing any more, which their reports then say.
    let death =
        if launcher_death::NAME.contains(only) { Some(launcher_death::attempt(&stage)?) } else { None };
    let mut reports = attempt_inside(&stage, &world, only, tell)?;
    reports.extend(death);
    Ok(reports)
}

/// Starts the bottle and reads a report a line.
fn attempt_inside(
    stage: &Stage,
    world: &World,
    only: &str,
    mut tell: impl FnMut(&Report),
) -> Result<Vec<Report>, Failure> {
    let world = serde_json::to_string(world)?;
    let output =
        stage.bottle(&[INSIDE, &world, only])?.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let reports: Vec<Report> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    reports.iter().for_each(&mut tell);
    let all = sandbox::attack::attempts().iter().filter(|a| a.name.contains(only)).count();
    if reports.len() != all {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("the attack ended after {} of {all} attempts ({})", reports.len(), output.status);
        return Err(Failure::new(what).help(crate::style::neutral(said.trim_end())));
    }
    Ok(reports)
}

/// The hostile program's own main, inside the bottle: a report a line on standard output.
pub fn inside(arguments: &[String]) -> ExitCode {
    let Some(world) = arguments.first().and_then(|text| serde_json::from_str::<World>(text).ok()) else {
        crate::say::err("this is what `bottle doctor --attack` runs inside a bottle\n");
        return ExitCode::from(2);
    };
    let only = arguments.get(1).map_or("", String::as_str);
    sandbox::attack::run(&world, only, |report| {
        let line = serde_json::to_string(report).unwrap_or_default();
        let _ = writeln!(std::io::stdout(), "{line}");
    });
    ExitCode::SUCCESS
}

/// Writes the time into a file of the workspace, again and again, until it is killed.
pub fn heartbeat(arguments: &[String]) -> ExitCode {
    let Some(file) = arguments.first() else { return ExitCode::from(2) };
    loop {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if std::fs::write(file, now.as_millis().to_string()).is_err() {
            return ExitCode::FAILURE;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The whole command: runs, prints, exits 1 when anything broke.
///
/// # Errors
/// As [`run`].
pub fn command(json: bool) -> Outcome {
    let reports = run("", |_| {})?;
    Ok(match print(&reports, json)? {
        Held::All => ExitCode::SUCCESS,
        Held::NotAll => ExitCode::FAILURE,
    })
}

/// This binary, as it is on disk.
fn this_binary() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(format!("this program's own file is not to be found: {error}")))
}

/// A command that starts this binary with the environment that a user would have.
fn command_of(binary: &std::path::Path) -> Command {
    let mut command = Command::new(binary);
    command.stdin(Stdio::null());
    command
}
