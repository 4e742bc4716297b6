//! HAR: what a browser or proxy recorded of HTTP. Each part of a request is looked at as the engine would look at it.
use super::{Found, Listener, Place, Search, entries};
use crate::failure::Failure;
use crate::style::neutral;
use dlp::fragments::Memory;
use serde_json::Value;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Hosts of which pieces of values are remembered, as the engine has it; how long does not count here.
const HOSTS: usize = 256;
/// Some recorders begin with it, and JSON does not.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Looks at all requests of a record, and at their answers where they are wanted. One entry is in memory at a time.
///
/// # Errors
/// When it cannot be read, or is no HAR. What was found before that place was told.
pub fn scan(search: &Search, path: &Path, answers: bool, listener: &mut dyn Listener) -> Result<(), Failure> {
    let source = path.display().to_string();
    let file = File::open(path).map_err(|error| super::unreadable(&source, &error))?;
    let read = Cell::new(0);
    let from = BufReader::with_capacity(super::CHUNK, Counted { from: file, read: &read });
    let from = without_mark(from).map_err(|error| super::unreadable(&source, &error))?;
    let mut record = Record { search, source: &source, answers, memory: Memory::new(HOSTS, 1), number: 0 };
    let looked = entries::each(from, &mut |entry| {
        record.entry(&entry, listener);
        listener.read(read.get());
    });
    listener.read(read.get());
    let shown = neutral(&source);
    match looked {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(format!("`{shown}` is no HAR: it has no `log.entries`"))
            .help("look at it as plain text: `bottle scan FILE`")),
        // What the parser says may quote what it read.
        Err(error) if error.is_io() => Err(super::unreadable(&source, &error.into())),
        Err(error) => Err(Failure::new(format!(
            "`{shown}` is no HAR, or not all of it: it cannot be understood from line {}, column {} on",
            error.line(),
            error.column()
        ))
        .help("look at it as plain text: `bottle scan FILE`")),
    }
}

/// Counts what is read.
struct Counted<'a> {
    from: File,
    read: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

fn without_mark(mut from: impl Read) -> io::Result<impl Read> {
    let mut start = Vec::new();
    from.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut start)?;
    if start == BYTE_ORDER_MARK {
        start.clear();
    }
    Ok(io::Cursor::new(start).chain(from))
}

/// A record as it is read.
struct Record<'a> {
    search: &'a Search,
    source: &'a str,
    answers: bool,
    /// Pieces of values that went to each host.
    memory: Memory,
    number: usize,
}

/// One entry, and who is told of it.
struct Entry<'a> {
    search: &'a Search,
    source: &'a str,
    number: usize,
    of: String,
    told: Vec<(String, String)>,
    listener: &'a mut dyn Listener,
}

impl Record<'_> {
    fn entry(&mut self, entry: &Value, listener: &mut dyn Listener) {
        self.number += 1;
        let request = &entry["request"];
        let (url, method) = (text(&request["url"]), text(&request["method"]));
        let host = host(url);
        // The name of a host is shown, unless it is what was found.
        let clean = self.search.sought.find_all(host.as_bytes()).is_empty();
        let of = format!("{} {}", neutral(method), if clean { neutral(host) } else { "(a host)".to_owned() });
        let (search, source, number) = (self.search, self.source, self.number);
        let mut one = Entry { search, source, number, of, told: Vec::new(), listener };
        one.look("method", method);
        one.look("URL", url);
        one.message("request", request);
        let body = text(&request["postData"]["text"]);
        one.look("request body", body);
        for field in list(&request["postData"]["params"]) {
            one.look("request body, a field", text(&field["value"]));
        }
        self.pieces(host, &[url, &fields(request), body], &mut one);
        if self.answers {
            one.message("response", &entry["response"]);
            one.look("response body", text(&entry["response"]["content"]["text"]));
        }
    }

    /// Values that go to a host bit by bit.
    fn pieces(&self, host: &str, parts: &[&str], one: &mut Entry<'_>) {
        let collector = self.memory.collector(self.search.pieces.clone(), host, 0);
        let place = one.place("put together with what went there before");
        for hit in parts.iter().filter_map(|part| collector.see(part.as_bytes())) {
            let fingerprint = hit.fingerprint.to_string();
            // Who stands there whole was told.
            if one.told.iter().all(|(_, told)| *told != fingerprint) {
                one.told.push((hit.rule.to_string(), fingerprint));
                one.search.tell(one.source, place.clone(), &[], &hit, one.listener);
            }
        }
    }
}

impl Entry<'_> {
    fn place(&self, part: &str) -> Place {
        Place::Entry { entry: self.number, part: format!("{}, {part}", self.of) }
    }

    fn look(&mut self, part: &str, text: &str) {
        let mut heard = Heard(Vec::new());
        self.search.whole(self.source, &self.place(part), text.as_bytes(), &mut heard);
        for found in heard.0 {
            self.told.push((found.rule.clone(), found.fingerprint.clone()));
            self.listener.found(found);
        }
    }

    fn message(&mut self, which: &str, message: &Value) {
        for header in list(&message["headers"]) {
            let (name, value) = (text(&header["name"]), text(&header["value"]));
            let part = format!("{which} header {}", neutral(&name.to_ascii_lowercase()));
            self.look(&format!("{which} header name"), name);
            self.look(&part, value);
            self.look_together(&part, &format!("{}: {value}", name.to_ascii_lowercase()));
        }
    }

    /// Some kinds are told by what a header is called; what was told without that is not told again.
    fn look_together(&mut self, part: &str, line: &str) {
        let mut heard = Heard(Vec::new());
        self.search.whole(self.source, &self.place(part), line.as_bytes(), &mut heard);
        for found in heard.0 {
            let one = (found.rule.clone(), found.fingerprint.clone());
            if !self.told.contains(&one) {
                self.told.push(one);
                self.listener.found(found);
            }
        }
    }
}

/// Keeps what it hears.
struct Heard(Vec<Found>);

impl Listener for Heard {
    fn read(&mut self, _: u64) {}
    fn found(&mut self, found: Found) {
        self.0.push(found);
    }
}

fn host(url: &str) -> &str {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The header lines of a message.
fn fields(message: &Value) -> String {
    let line = |header: &Value| format!("{}: {}\n", text(&header["name"]), text(&header["value"]));
    list(&message["headers"]).iter().map(line).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
