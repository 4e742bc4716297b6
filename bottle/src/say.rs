//! Speaking to people and pipes. A reader that has gone (`| head`, a closed terminal) is no failure of ours: the exit code
//! is the answer, and an agent's work does not end because nobody reads along. The macros of `std` would panic.
use crate::failure::Failure;
use std::io::{ErrorKind, Write};

/// To standard output, as it is.
///
/// # Errors
/// When it cannot be written for another reason than that nobody reads it (a full disk).
pub fn out(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line to standard output, where there is nobody to tell of a failure.
pub fn line(text: &str) {
    let _nobody_reads_it = writeln!(std::io::stdout(), "{text}");
}

/// To standard error, as it is.
pub fn err(text: &str) {
    let _nobody_reads_it = std::io::stderr().write_all(text.as_bytes());
}
