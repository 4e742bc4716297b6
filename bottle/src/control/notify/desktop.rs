//! Desktop notifications, by the user's own `notify-send`, where there is a desktop.
use super::{Asked, Program, command};
use std::path::Path;
use std::process::{Command, Stdio};

/// Characters of a line in a notification.
const LONGEST: usize = 200;

/// The program, where it is of use.
pub(super) fn find() -> Option<Program> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"].into_iter().any(set) {
        return None;
    }
    Some(Program::named("notify-send")).filter(|program| !program.0.is_empty())
}

/// Shows it; nobody waits. `last`: the next ones will not be shown.
pub(super) fn show(program: &Path, asked: &Asked, last: bool) {
    let started = Command::new(program)
        .args(arguments(asked, last))
        .env_clear()
        .envs(command::passed())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(mut child) => {
            // It hangs where no desktop answers; the thread is small, and few are started.
            let wait = move || child.wait();
            let _nobody_waits = std::thread::Builder::new().name("notify".to_owned()).spawn(wait);
        }
        Err(error) => tracing::debug!(%error, "`notify-send` cannot be run"),
    }
}

/// Everything that came from an agent stands behind `--`, and none of it is markup.
pub(super) fn arguments(asked: &Asked, last: bool) -> Vec<String> {
    let petition = &asked.petition;
    let summary = format!("bottle {}: request {}", asked.bottle, petition.id);
    let mut body = vec![plain(&petition.proposal.to_string())];
    if !petition.why.is_empty() {
        body.push(format!("The agent says: “{}”", plain(&petition.why)));
    }
    body.push(match last {
        true => "More may wait that are not shown here: bottle requests".to_owned(),
        false => format!("bottle allow {0} · bottle refuse {0}", plain(&petition.id)),
    });
    let fixed = ["--app-name=bottle", "--urgency=normal", "--"].map(str::to_owned);
    fixed.into_iter().chain([plain(&summary), body.join("\n")]).collect()
}

/// Neutralised, and as notification servers take text: they read a body as markup.
fn plain(text: &str) -> String {
    policy::neutral(text, LONGEST).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
