//! `bottle kill-switch`: refuse everything, at once, in every bottle.
use crate::control::call::{self, Line};
use crate::control::{Call, Say, describe};
use crate::failure::{Failure, Outcome};
use crate::kill_switch;
use crate::registry::{Record, Registry};
use crate::say;
use crate::style::{Style, neutral};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// How long a launcher may take to say that it has turned: it ends what is under way.
const TURN: Duration = Duration::from_secs(10);
/// Exit code when the switch is turned and not every running bottle has said so.
const NOT_ALL: u8 = 1;

/// Arguments of `bottle kill-switch`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct KillSwitchArgs {
    /// What to do.
    #[arg(value_name = "on|off|status", hide_possible_values = true)]
    pub turn: Turn,
    /// Print the status as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to do with the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Turn {
    /// Refuse everything.
    On,
    /// Serve again.
    Off,
    /// Say how it stands.
    Status,
}

const AFTER_HELP: &str = "\
While it is on, every bottle of yours refuses everything, those that start later too, and what was under way is ended.
Agents go on running; `bottle stop --all` ends them. It stays on until it is turned off.

Exit codes: 0; 1 when it is turned, but a running bottle has not said that it obeys (it is named; `bottle stop` ends it);
125 when it cannot be turned.

Examples:
  bottle kill-switch on
  bottle kill-switch status
  bottle kill-switch off";

/// Turns it, or says how it stands.
pub fn run(args: &KillSwitchArgs) -> Outcome {
    match args.turn {
        Turn::On => turn(true),
        Turn::Off => turn(false),
        Turn::Status => status(args.json),
    }
}

/// The file first, then everybody who runs: who hangs or is just starting finds the file. A file that cannot be written keeps
/// nobody from being told.
fn turn(on: bool) -> Outcome {
    let written = kill_switch::set(on);
    if !on {
        written.clone()?;
    }
    let deaf = tell(on, "bottle kill-switch", say::line)?;
    written?;
    say::line(match on {
        true => "the kill switch is on: everything is refused, in bottles that start later too",
        false => "the kill switch is off",
    });
    Ok(if deaf == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) })
}

/// Tells every running bottle; how many did not obey. What each says goes to `hear`.
/// # Errors
/// When the records cannot be read.
pub fn tell(on: bool, from: &str, mut hear: impl FnMut(&str)) -> Result<usize, Failure> {
    let records = Registry::open()?.running()?;
    let answers = Line::ask_all(&records, &Call::Lock { on, all: true, from: from.to_owned() }, TURN);
    let mut deaf = 0;
    for (record, answer) in records.iter().zip(answers) {
        match answer {
            Ok(Say::Done { what, .. }) => hear(&neutral(&what)),
            Ok(_) => {
                deaf += 1;
                hear(&deaf_line(record, "what it says cannot be understood"));
            }
            Err(failure) => {
                deaf += 1;
                hear(&deaf_line(record, &failure.what));
            }
        }
    }
    Ok(deaf)
}

fn deaf_line(record: &Record, why: &str) -> String {
    format!("`{0}`: NOT TURNED: {1}; `bottle stop {0}` ends it", record.slug, neutral(why))
}

fn status(as_json: bool) -> Outcome {
    let on = kill_switch::is_on();
    let bottles = call::look_each()?;
    if as_json {
        let all: Vec<_> = bottles
            .iter()
            .map(|(record, found)| json!({ "bottle": record.slug, "locked": found.as_ref().ok().map(|found| found.locked) }))
            .collect();
        say::out(format!("{}\n", json!({ "on": on, "since": kill_switch::since(), "bottles": all })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let since = kill_switch::since().filter(|_| on).map(|time| format!(", since {}", describe::clock(time)));
    let style = Style::stdout();
    let word = if on { style.red("on") } else { "off".to_owned() };
    say::out(format!("{word}{}\n", since.unwrap_or_default()))?;
    for (record, found) in &bottles {
        let how = match found {
            Ok(found) if found.locked => "everything is refused".to_owned(),
            Ok(_) => "serves".to_owned(),
            Err(failure) => neutral(&failure.what),
        };
        let warning = if on && !found.as_ref().is_ok_and(|found| found.locked) { "  (!)" } else { "" };
        say::out(format!("  `{}`: {how}{warning}\n", record.slug))?;
    }
    Ok(ExitCode::SUCCESS)
}
