//! Asks the host for a secret: its environment, a file, a command.
//!
//! Every refusal says how to set the secret, and none of them quotes it.
pub(crate) mod answer;
pub(crate) mod command;
pub(crate) mod file;

use crate::{Secret, TokenRef};
use answer::Answer;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A command that takes longer is hung, or waits for somebody to type.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Asks once. Blocking.
pub(crate) fn fetch(reference: &TokenRef) -> Result<Answer, String> {
    match reference {
        TokenRef::Env { name } => environment(name).map(Answer::lasting),
        TokenRef::File { path, json_pointer } => file::fetch(path, json_pointer.as_deref()),
        TokenRef::Command { argv, .. } => command::fetch(argv, COMMAND_LIMIT),
    }
}

/// A variable of this process.
pub(crate) fn environment(name: &str) -> Result<Secret, String> {
    let way_out = format!("set it with `export {name}=…`");
    let value =
        std::env::var_os(name).ok_or_else(|| format!("`{name}` is not set in the environment; {way_out}"))?;
    let value = Zeroizing::new(value.into_vec());
    fit(&value).map_err(|why| format!("`{name}` in the environment {why}; {way_out}"))
}

/// A value that can stand in a header, an address and a body.
pub(crate) fn fit(value: &[u8]) -> Result<Secret, &'static str> {
    if value.is_empty() {
        return Err("is empty");
    }
    let text = std::str::from_utf8(value).map_err(|_| "is no text")?;
    if text.chars().any(char::is_control) {
        return Err("holds a line break or another control character");
    }
    Ok(Secret::new(value.to_vec()))
}
