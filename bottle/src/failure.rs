//! One shape of error: `bottle: error: …` and `help: …`, and an exit code.
use std::fmt::Display;
use std::process::ExitCode;

/// Exit code when the bottle itself failed, as container engines use it.
pub const BOTTLE_FAILED: u8 = 125;

/// What a command gives back.
pub type Outcome = Result<ExitCode, Failure>;

/// Why a command did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong and where; lower case, no full stop.
    pub what: String,
    /// The way out.
    pub help: Option<String>,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// The bottle itself failed.
    pub fn new(what: impl Display) -> Failure {
        Failure { what: what.to_string(), help: None, code: BOTTLE_FAILED }
    }
    /// Adds the way out.
    pub fn help(mut self, help: impl Display) -> Failure {
        self.help = Some(help.to_string());
        self
    }
    /// Sets another exit code.
    pub fn code(mut self, code: u8) -> Failure {
        self.code = code;
        self
    }
    /// Prints it and gives the exit code.
    pub fn report(&self) -> ExitCode {
        crate::say::err(&self.text());
        ExitCode::from(self.code)
    }

    /// Whatever it quotes, an engine, an agent or a file: a terminal obeys none of it.
    fn text(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("  help: {}\n", harmless(help))).unwrap_or_default();
        format!("bottle: error: {}\n{help}", harmless(&self.what))
    }
}

fn harmless(lines: &str) -> String {
    lines.split('\n').map(crate::style::neutral).collect::<Vec<_>>().join("\n")
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_failure_quotes_is_shown_and_not_obeyed() {
        let odd = std::io::Error::other("said \u{1b}]52;c;eA==\u{7}\u{202e} and\nmore");
        let failure = Failure::from(odd).help("\u{9b}2J");
        let shown = "bottle: error: said \\u{1b}]52;c;eA==\\u{7}\\u{202e} and\nmore\n  help: \\u{9b}2J\n";
        assert_eq!(failure.text(), shown);
    }
}
