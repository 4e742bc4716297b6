//! Asks a tool of this machine for its configuration.
use crate::machine::program_outside;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: u64 = 16 * 1024;

/// What a program prints, when it does so in time. It is none of the workspace's, and runs in `/`: in the project it
/// could be, or read, what the agent wrote.
pub(super) fn ask(name: &str, arguments: &[&str], workspace: &Path) -> Option<String> {
    let mut child = Command::new(program_outside(name, Some(workspace))?)
        .args(arguments)
        .current_dir("/")
        // Without this, `go` may fetch another version of itself first.
        .env("GOTOOLCHAIN", "local")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let begun = Instant::now();
    let done = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            _ => break false,
        }
    };
    if !done {
        // Whether it ended by itself or has to be ended, it leaves no answer and no process.
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    let mut answer = String::new();
    child.stdout.take()?.take(LONGEST_ANSWER).read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_failing_and_missing_programs_are_no_answers() {
        let workspace = Path::new("/nonexistent");
        assert_eq!(ask("sh", &["-c", "echo yes; pwd"], workspace).as_deref(), Some("yes\n/\n"));
        assert_eq!(ask("sh", &["-c", "echo yes; exit 1"], workspace), None);
        assert_eq!(ask("a-program-that-nobody-has", &[], workspace), None);
    }
}
