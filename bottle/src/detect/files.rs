//! Configuration files, read with a bound.
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const LARGEST: u64 = 1024 * 1024;

/// A file's text; `None` when there is none that can be read.
pub(super) fn read(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A path under the home folder.
pub(super) fn at_home(path: &str) -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()).map(|home| home.join(path))
}

/// A path that a variable names, else one under the home folder.
pub(super) fn named_by(variable: &str, otherwise: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| at_home(otherwise))
}

/// `key = value` of a line, without quotes and comments.
pub(super) fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = line.split_once('=')?;
    Some((key.trim(), value.trim()))
}

/// Every quoted or bare word of a value that is a URL: `["https://…", "https://…"]`, `https://… https://…`.
pub(super) fn urls(value: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| c.is_whitespace() || ['"', '\'', ',', '[', ']', '{', '}', '|'].contains(&c);
    value.split(ends).filter(|word| word.contains("://"))
}
