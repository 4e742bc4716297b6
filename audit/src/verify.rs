//! Checks a chain.
use crate::chain::Link;
use crate::file::MAX_LINE;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Where a chain breaks.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct VerifyError {
    /// From 1; 0 when the file could not be read at all.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// Verifies a whole file; gives the number of lines and the last hash. The file of a running bottle can be verified: a
/// line that is being written just now is reported as unfinished.
/// # Errors
/// At the first line that does not continue the chain.
pub fn verify(path: &Path) -> Result<(u64, String), VerifyError> {
    let file = File::open(path)
        .map_err(|error| VerifyError { line: 0, what: format!("`{}`: {error}", path.display()) })?;
    let mut reader = BufReader::new(file);
    let mut link = Link::start();
    while let Some(next) =
        follow(&mut reader, &link).map_err(|what| VerifyError { line: link.seq + 1, what })?
    {
        link = next;
    }
    Ok((link.seq, link.prev))
}

/// The link after the next line; none at the end.
fn follow(reader: &mut impl BufRead, link: &Link) -> Result<Option<Link>, String> {
    let mut line = Vec::new();
    let read = reader.take(MAX_LINE).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => link.follow(&line).map(Some),
        Some(_) if read as u64 == MAX_LINE => Err("it is longer than any audit line".to_owned()),
        Some(_) => Err("it is unfinished; the next start of the bottle cuts it and says so".to_owned()),
    }
}
