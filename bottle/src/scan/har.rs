//! HAR: what a browser or proxy recorded of HTTP. Each part of a request is looked at as the engine would look at it.
use super::{Found, Place, Search};
use crate::failure::Failure;
use crate::style::neutral;
use serde_json::Value;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A record that is larger is not read: it has to be held whole.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// Looks at all requests of a record, and at their answers where they are wanted.
///
/// # Errors
/// When it cannot be read, or is no HAR.
pub fn scan(search: &Search, path: &Path, answers: bool) -> Result<Vec<Found>, Failure> {
    let source = path.display().to_string();
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
    read.map_err(|error| super::unreadable(&source, &error))?;
    if text.len() as u64 > LARGEST {
        return Err(Failure::new(format!("`{}` is larger than 1 GiB", neutral(&source)))
            .help("split the record, or look at it as plain text: `bottle scan FILE`"));
    }
    let entries = entries(&text).ok_or_else(|| {
        Failure::new(format!("`{}` is no HAR: it has no `log.entries`", neutral(&source)))
            .help("look at it as plain text: `bottle scan FILE`")
    })?;
    let numbered = (1..).zip(&entries);
    Ok(numbered.flat_map(|(number, entry)| of_entry(search, &source, number, entry, answers)).collect())
}

fn entries(text: &[u8]) -> Option<Vec<Value>> {
    let mut record: Value = serde_json::from_slice(text).ok()?;
    match record.pointer_mut("/log/entries")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

fn of_entry(search: &Search, source: &str, number: usize, entry: &Value, answers: bool) -> Vec<Found> {
    let request = &entry["request"];
    let (url, method) = (text(&request["url"]), text(&request["method"]));
    // The name of a host is shown, unless it is what was found.
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let shown = if search.sought.find_all(host.as_bytes()).is_empty() { host } else { "(a host)" };
    let of = format!("{} {}", neutral(method), neutral(shown));
    let mut found = Vec::new();
    let mut look = |part: String, bytes: &str| {
        let place = Place::Entry { entry: number, part: format!("{of}, {part}") };
        found.extend(search.whole(source, &place, bytes.as_bytes()));
    };
    look("method".to_owned(), method);
    look("URL".to_owned(), url);
    message(&mut look, "request", request);
    look("request body".to_owned(), text(&request["postData"]["text"]));
    for field in list(&request["postData"]["params"]) {
        look("request body, a field".to_owned(), text(&field["value"]));
    }
    if answers {
        message(&mut look, "response", &entry["response"]);
        look("response body".to_owned(), text(&entry["response"]["content"]["text"]));
    }
    found
}

fn message(look: &mut impl FnMut(String, &str), which: &str, message: &Value) {
    for header in list(&message["headers"]) {
        let name = text(&header["name"]);
        look(format!("{which} header name"), name);
        look(format!("{which} header {}", neutral(&name.to_ascii_lowercase())), text(&header["value"]));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
