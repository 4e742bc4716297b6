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
        let help = self.help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
        crate::say::err(&format!("bottle: error: {}\n{help}", self.what));
        ExitCode::from(self.code)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(error)
    }
}
