//! `bottle doctor`: can this machine hold a bottle?
use crate::failure::{Failure, Outcome};
use crate::say;
use crate::style::{self, Style};
use clap::{Args, ValueEnum};
use sandbox::linux::Check;
use std::process::ExitCode;

/// Arguments of `bottle doctor`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DoctorArgs {
    /// Try to break out of a bottle on this machine, in every way we know, and print what held.
    #[arg(long)]
    pub attack: bool,
    /// Which backend to check: this machine itself, or a container engine.
    #[arg(long, value_enum, default_value_t = Backend::Linux)]
    pub backend: Backend,
    /// The container engine's address (`unix://`, `tcp://`, `ssh://`) or a context of Docker's client.
    #[arg(long, value_name = "ADDRESS|CONTEXT")]
    pub engine: Option<String>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What starts bottles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Namespaces of this machine.
    Linux,
    /// Containers of Docker or Podman.
    Docker,
}

const AFTER_HELP: &str = "\
Examples:
  bottle doctor
  bottle doctor --attack
  bottle doctor --backend docker
  bottle doctor --json | jq '.[] | select(.ok | not)'

Exit code: 0 when bottles can run, 1 when something that they need is missing.";

/// Checks.
pub fn run(args: &DoctorArgs) -> Outcome {
    if args.attack {
        return crate::attack::command(args.json);
    }
    let checks = match args.backend {
        Backend::Linux => sandbox::linux::diagnose(),
        Backend::Docker => of_engine(args.engine.as_deref())?,
    };
    if args.json {
        say::out(format!("{}\n", serde_json::to_string_pretty(&checks)?))?;
    } else {
        say::out(report(&checks, Style::stdout()))?;
    }
    // Nothing looked at is nothing known.
    let can_run = !checks.is_empty() && checks.iter().all(|check| check.ok || !check.required);
    Ok(ExitCode::from(u8::from(!can_run)))
}

fn of_engine(wanted: Option<&str>) -> Result<Vec<Check>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(sandbox::docker::diagnose(wanted)))
}

fn report(checks: &[Check], style: Style) -> String {
    let rows: Vec<Vec<String>> = checks.iter().map(|check| row(check, style)).collect();
    let hints = checks.iter().filter(|check| !check.ok).filter_map(hint);
    format!("{}{}\n{}\n", style::table(&rows), hints.collect::<String>(), verdict(checks, style))
}

fn row(check: &Check, style: Style) -> Vec<String> {
    let mark = match (check.ok, check.required) {
        (true, _) => style.green("ok     "),
        (false, true) => style.red("missing"),
        (false, false) => style.yellow("without"),
    };
    vec![mark, check.name.to_owned(), style::neutral(&check.found)]
}

fn hint(check: &Check) -> Option<String> {
    let hint = check.hint.as_ref()?.replace('\n', "\n        ");
    Some(format!("\n{}\n  help: {hint}\n", check.name))
}

fn verdict(checks: &[Check], style: Style) -> String {
    let missing = checks.iter().filter(|check| check.required && !check.ok).count() as u64;
    match missing {
        0 => style.green("bottles can run on this machine"),
        _ => style
            .red(&format!("bottles cannot run on this machine: {} missing", style::count(missing, "thing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ok: bool, required: bool) -> Check {
        Check {
            name: "user namespaces",
            ok,
            required,
            found: "0 left".into(),
            hint: (!ok).then(|| "raise it\nnow".into()),
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_hint() {
        assert_eq!(
            report(&[check(true, true), check(false, false)], Style::plain()),
            "ok       user namespaces  0 left\nwithout  user namespaces  0 left\n\nuser namespaces\n  help: raise it\n        \
             now\n\nbottles can run on this machine\n"
        );
        let missing = report(&[check(false, true)], Style::plain());
        assert!(missing.ends_with("bottles cannot run on this machine: 1 thing missing\n"), "{missing}");
    }
}
