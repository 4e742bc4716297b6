//! Values that shall not leave, besides the tokens: a variable, a `.env` file, a key file.
use crate::dotenv;
use crate::secret::{SHORTEST_SOUGHT, Secret};
use crate::source::{COMMAND_LIMIT, command, environment, file};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A key file may be larger than a token, not large.
const LARGEST: usize = 1024 * 1024;
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
        /// Names of the lines that count; `None`: all of it.
        keys: Option<Vec<String>>,
    },
    /// What a program prints: one value, or JSON with `token` as for a credential.
    Command {
        /// Program and arguments; no shell.
        argv: Vec<String>,
    },
}

impl fmt::Display for ExactSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExactSource::Env { name } => write!(f, "env `{name}`"),
            ExactSource::File { path, .. } => write!(f, "file `{}`", path.display()),
            ExactSource::Command { argv } => write!(f, "command `{}`", argv.join(" ")),
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

/// What the sources hold.
#[derive(Debug, Clone, Default)]
pub struct Exact {
    /// To be sought.
    pub sought: Vec<NamedSecret>,
    /// Names of values that are not sought: too short, or a word of every other request. For people.
    pub unsought: Vec<String>,
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
pub fn load_exact(sources: &[ExactSource]) -> Result<Exact, Vec<ExactError>> {
    let (mut found, mut wrong) = (Exact::default(), Vec::new());
    for source in sources {
        match load(source) {
            Ok(values) => values.into_iter().for_each(|value| found.add(value)),
            Err(why) => wrong.push(ExactError { source_of: source.clone(), why }),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// A value, and whether it is sought.
type Judged = (NamedSecret, bool);
/// A name and a value of a line.
type Pair = (String, Zeroizing<Vec<u8>>);

fn load(source: &ExactSource) -> Result<Vec<Judged>, String> {
    match source {
        ExactSource::Env { name } => {
            let value = environment(name)?;
            long_enough(value.dangerous_expose(), &format!("`{name}`"))?;
            Ok(vec![judged(format!("env:{name}"), value, &[])])
        }
        ExactSource::File { path, keys: None } => load_file(path),
        ExactSource::File { path, keys: Some(keys) } => load_keys(path, keys),
        ExactSource::Command { argv } => load_command(argv),
    }
}

/// The program's own name, without its arguments: they may say more than a finding should.
fn load_command(argv: &[String]) -> Result<Vec<Judged>, String> {
    let value = command::fetch(argv, COMMAND_LIMIT)?.value;
    let program = argv.first().map_or("", String::as_str);
    let called = Path::new(program).file_name().map_or_else(|| program.into(), |name| name.to_string_lossy());
    long_enough(value.dangerous_expose(), &format!("what `{called}` prints"))?;
    Ok(vec![judged(format!("command:{called}"), value, &[])])
}

/// The values of some lines, each of which must be there: what was named is kept inside.
fn load_keys(path: &Path, keys: &[String]) -> Result<Vec<Judged>, String> {
    let (content, _) = file::read(path, LARGEST)?;
    let lines = dotenv::values(&content).unwrap_or_else(|| dotenv::some_values(&content));
    let missing: Vec<&str> =
        keys.iter().filter(|key| !lines.iter().any(|(name, _)| name == *key)).map(String::as_str).collect();
    if !missing.is_empty() {
        let shown = path.display();
        return Err(format!(
            "`{shown}` has no line for `{}`; correct `keys` in `dlp.secrets`, or the file",
            missing.join("`, `")
        ));
    }
    let named = lines.into_iter().filter(|(name, _)| keys.contains(name)).collect();
    Ok(settings(&called(path), named))
}

fn load_file(path: &Path) -> Result<Vec<Judged>, String> {
    let (content, _) = file::read(path, LARGEST)?;
    let called = called(path);
    let lines = dotenv::values(&content);
    let whole_too = lines.is_none();
    let mut values = settings(&called, lines.unwrap_or_else(|| dotenv::some_values(&content)));
    let whole_too = whole_too || !values.iter().any(|(_, sought)| *sought);
    if whole_too && !called.contains(".env") {
        // What looks like a setting may be a part of a key: its name is not to be told.
        values.retain(|(_, sought)| *sought);
    }
    if whole_too {
        values.push(whole(path, called, content.trim_ascii())?);
    }
    Ok(values)
}

fn called(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into())
}

/// The values of lines, the empty ones aside: there is nothing to seek.
fn settings(file: &str, lines: Vec<Pair>) -> Vec<Judged> {
    let all = lines.into_iter().flat_map(with_password).filter(|(_, value)| !value.is_empty());
    all.map(|(name, value)| judged(format!("{file}:{name}"), Secret::new(value.to_vec()), EVERYDAY)).collect()
}

fn whole(path: &Path, called: String, content: &[u8]) -> Result<Judged, String> {
    match content {
        [] => Err(format!(
            "`{}` is empty; write the secret there or take it out of `dlp.secrets`",
            path.display()
        )),
        content => {
            long_enough(content, &format!("what stands in `{}`", path.display()))?;
            Ok(judged(called, Secret::new(content.to_vec()), &[]))
        }
    }
}

/// What was named is kept inside, or the start says that it cannot be.
fn long_enough(value: &[u8], what: &str) -> Result<(), String> {
    if value.len() >= SHORTEST_SOUGHT {
        return Ok(());
    }
    Err(format!(
        "{what} has less than {SHORTEST_SOUGHT} bytes, which stand everywhere and cannot be kept inside; take it out of `dlp.secrets`"
    ))
}

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

fn judged(name: String, value: Secret, but: &[&str]) -> Judged {
    let sought = value.is_sought() && !but.iter().any(|word| word.as_bytes() == value.dangerous_expose());
    (NamedSecret { name, value }, sought)
}

impl Exact {
    fn add(&mut self, (value, sought): Judged) {
        if sought {
            self.sought.push(value);
        } else {
            self.unsought.push(value.name);
        }
    }
}
