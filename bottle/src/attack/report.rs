//! What held, as a table or as JSON.
use crate::failure::Failure;
use crate::say;
use crate::style::{self, Style};
use sandbox::attack::{Outcome, Report};

/// Whether the bottle held.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Against every attempt.
    All,
    /// Something was reached.
    NotAll,
}

/// Prints the reports.
///
/// # Errors
/// When they cannot be written as JSON.
pub fn print(reports: &[Report], json: bool) -> Result<Held, Failure> {
    if json {
        say::out(format!("{}\n", serde_json::to_string_pretty(reports)?))?;
    } else {
        say::out(table(reports, Style::stdout()))?;
    }
    Ok(if reports.iter().any(|r| matches!(r.outcome, Outcome::Broke(_))) { Held::NotAll } else { Held::All })
}

fn table(reports: &[Report], style: Style) -> String {
    let rows: Vec<Vec<String>> = reports.iter().map(|r| row(r, style)).collect();
    format!("{}\n{}\n", style::table(&rows), verdict(reports, style))
}

fn row(report: &Report, style: Style) -> Vec<String> {
    let (mark, saw) = match &report.outcome {
        Outcome::Held(saw) => (style.green("held   "), saw),
        Outcome::Broke(saw) => (style.red("BROKE  "), saw),
        Outcome::Skipped(saw) => (style.yellow("skipped"), saw),
    };
    vec![mark, report.name.clone(), report.gain.clone(), style.dim(&style::neutral(saw))]
}

fn verdict(reports: &[Report], style: Style) -> String {
    let count = |is: fn(&Outcome) -> bool| reports.iter().filter(|r| is(&r.outcome)).count();
    let broke = count(|o| matches!(o, Outcome::Broke(_)));
    let (held, skipped) =
        (count(|o| matches!(o, Outcome::Held(_))), count(|o| matches!(o, Outcome::Skipped(_))));
    let rest = if skipped > 0 { format!(", {skipped} could not be tried here") } else { String::new() };
    match broke {
        0 => style.green(&format!("the bottle held against {held} attempts{rest}")),
        _ => style.red(&format!("the bottle was broken by {broke} of {} attempts{rest}", reports.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox::attack::Group;

    fn report(outcome: Outcome) -> Report {
        Report { name: "unshare-user".into(), group: Group::Process, gain: "capabilities".into(), outcome }
    }

    #[test]
    fn a_break_is_counted_and_named() {
        let held = table(&[report(Outcome::Held("EPERM".into()))], Style::plain());
        assert!(held.ends_with("the bottle held against 1 attempts\n"), "{held}");
        let broke = table(&[report(Outcome::Broke("it \u{1b}[31mwas".into()))], Style::plain());
        assert!(broke.contains("BROKE") && broke.contains("broken by 1 of 1"), "{broke}");
        assert!(!broke.contains('\u{1b}'), "{broke}");
    }
}
