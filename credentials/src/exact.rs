//! Values that shall not leave, besides the tokens: a variable, a `.env` file, a key file.
use crate::Secret;
use crate::dotenv;
use crate::source::{environment, file};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A key file may be larger than a token, not large.
const LARGEST: usize = 1024 * 1024;
/// A shorter value in a `.env` file is no secret, and none is sought.
const SHORTEST: usize = 8;
/// Values of `.env` files that are long enough to be sought and stand in every other request.
const EVERYDAY: &[&str] = &[
    "development",
    "production",
    "localhost",
    "localhost:3000",
    "127.0.0.1",
    "undefined",
    "disabled",
    "postgres",
];

/// Where the values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExactSource {
    /// A variable of the launcher.
    Env {
        /// Its name.
        name: String,
    },
    /// The values of its lines when it reads as a `.env` file, else its whole trimmed content, and what reads as a line of
    /// such a file all the same.
    File {
        /// Absolute.
        path: PathBuf,
    },
}

impl fmt::Display for ExactSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExactSource::Env { name } => write!(f, "env `{name}`"),
            ExactSource::File { path } => write!(f, "file `{}`", path.display()),
        }
    }
}

/// A value and what it is called in findings.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// `env:NAME`, `.env:NAME` or the file's name.
    pub name: String,
    /// The value.
    pub value: Secret,
}

/// Values that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ExactError {
    /// Where they should have come from.
    pub source_of: ExactSource,
    /// What is wrong and how to mend it; never holds a value.
    pub why: String,
}

/// Reads them all; blocking.
/// # Errors
/// Every source that cannot be read: what is not known cannot be kept inside.
pub fn load_exact(sources: &[ExactSource]) -> Result<Vec<NamedSecret>, Vec<ExactError>> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for source in sources {
        match load(source) {
            Ok(values) => found.extend(values),
            Err(why) => wrong.push(ExactError { source_of: source.clone(), why }),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

fn load(source: &ExactSource) -> Result<Vec<NamedSecret>, String> {
    match source {
        ExactSource::Env { name } => {
            let value = environment(name)?;
            long_enough(value.dangerous_expose(), &format!("`{name}`"))?;
            Ok(vec![NamedSecret { name: format!("env:{name}"), value }])
        }
        ExactSource::File { path } => load_file(path),
    }
}

fn load_file(path: &Path) -> Result<Vec<NamedSecret>, String> {
    let (content, _) = file::read(path, LARGEST)?;
    let called =
        path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
    let lines = dotenv::values(&content);
    let whole_too = lines.is_none();
    let mut values: Vec<NamedSecret> = lines
        .unwrap_or_else(|| dotenv::some_values(&content))
        .into_iter()
        .flat_map(with_password)
        .filter(|(_, value)| worth_seeking(value))
        .map(|pair| named(&called, pair))
        .collect();
    if whole_too || values.is_empty() {
        values.push(whole(path, &called, content.trim_ascii())?);
    }
    Ok(values)
}

fn whole(path: &Path, called: &str, content: &[u8]) -> Result<NamedSecret, String> {
    match content {
        [] => Err(format!(
            "`{}` is empty; write the secret there or take it out of `dlp.secrets`",
            path.display()
        )),
        content => {
            long_enough(content, &format!("what stands in `{}`", path.display()))?;
            Ok(NamedSecret { name: called.to_owned(), value: Secret::new(content.to_vec()) })
        }
    }
}

fn named(file: &str, (name, value): (String, Zeroizing<Vec<u8>>)) -> NamedSecret {
    NamedSecret { name: format!("{file}:{name}"), value: Secret::new(value.to_vec()) }
}

/// What was named is kept inside, or the start says that it cannot be.
fn long_enough(value: &[u8], what: &str) -> Result<(), String> {
    if value.len() >= SHORTEST {
        return Ok(());
    }
    Err(format!(
        "{what} has less than {SHORTEST} bytes, which stand everywhere and cannot be kept inside; take it out of `dlp.secrets`"
    ))
}

type Pair = (String, Zeroizing<Vec<u8>>);

fn with_password((name, value): Pair) -> impl Iterator<Item = Pair> {
    let password = password_of(&value).map(|password| (name.clone(), password));
    std::iter::once((name, value)).chain(password)
}

/// Of `postgres://user:password@host/…` the password is a secret by itself.
fn password_of(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = std::str::from_utf8(value).ok()?.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, password) = authority.rsplit_once('@')?.0.split_once(':')?;
    Some(Zeroizing::new(password.as_bytes().to_vec()))
}

fn worth_seeking(value: &[u8]) -> bool {
    value.len() >= SHORTEST && !EVERYDAY.iter().any(|word| word.as_bytes() == value)
}
