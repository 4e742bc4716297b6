//! Reading files that grow, and audit lines for people.
use crate::failure::Failure;
use crate::style::{self, Style, neutral};
use audit::{Decision, Event, Exchange, Lifecycle, Record};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a followed file is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// A file that is read line by line while another process writes it.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    file: BufReader<File>,
    /// A line that has no end yet.
    torn: Vec<u8>,
}

impl Follow {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Follow, Failure> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok(Follow { path: path.to_owned(), file: BufReader::new(file), torn: Vec::new() })
    }

    /// Every whole line that is there now.
    pub fn read(&mut self) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        loop {
            let read = self
                .file
                .read_until(b'\n', &mut self.torn)
                .map_err(|error| unreadable(&self.path, &error))?;
            if read == 0 {
                return Ok(lines);
            }
            if self.torn.ends_with(b"\n") {
                let line = std::mem::take(&mut self.torn);
                lines.push(String::from_utf8_lossy(&line[..line.len() - 1]).into_owned());
            }
        }
    }

    /// What came, a moment later.
    pub fn wait(&mut self) -> Result<Vec<String>, Failure> {
        std::thread::sleep(INTERVAL);
        self.read()
    }
}

/// An audit line for people; what cannot be understood is shown as it is.
pub fn event_line(line: &str, style: Style) -> String {
    let Ok(record) = serde_json::from_str::<Record>(line) else { return neutral(line) };
    let text = match &record.event {
        Event::Exchange(exchange) => exchange_line(exchange, style),
        Event::Lifecycle(step) => step_line(step, style),
    };
    format!("{}  {text}", style.dim(&clock(&record.time)))
}

/// `12:34:56` of the local day.
fn clock(time: &str) -> String {
    let local = |time: jiff::Timestamp| time.to_zoned(jiff::tz::TimeZone::system());
    time.parse().map_or_else(|_| neutral(time), |time| local(time).strftime("%F %T").to_string())
}

fn step_line(step: &Lifecycle, style: Style) -> String {
    let detail = step.detail.as_ref().map(|detail| format!("  {}", neutral(detail))).unwrap_or_default();
    format!("{}{detail}", style.bold(&neutral(&step.step)))
}

fn exchange_line(exchange: &Exchange, style: Style) -> String {
    let mark = match exchange.decision {
        Decision::Allowed => style.green("allowed"),
        Decision::Denied => style.red("denied "),
        Decision::Aborted => style.yellow("aborted"),
    };
    let parts = [
        Some(mark),
        Some(what(exchange)),
        outcome(exchange),
        credential(exchange),
        findings(exchange, style),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn what(exchange: &Exchange) -> String {
    let method = exchange.method.as_deref().unwrap_or(&exchange.protocol);
    let host = exchange.host.as_deref().unwrap_or("?");
    let port = exchange.port.filter(|port| *port != 443).map(|port| format!(":{port}")).unwrap_or_default();
    neutral(&format!("{method} {host}{port}{}", exchange.path.as_deref().unwrap_or_default()))
}

fn outcome(exchange: &Exchange) -> Option<String> {
    if exchange.decision != Decision::Allowed {
        let code = exchange.code.as_deref().unwrap_or("?");
        return Some(neutral(&format!("{code}: {}", exchange.reason.as_deref().unwrap_or_default())));
    }
    let status = exchange.status.map(|status| format!("{status} ")).unwrap_or_default();
    let (up, down) = (style::bytes(exchange.bytes_up), style::bytes(exchange.bytes_down));
    Some(format!("{status}{up} up, {down} down, {} ms", exchange.duration_ms))
}

fn credential(exchange: &Exchange) -> Option<String> {
    exchange.credential.as_ref().map(|slot| format!("with {}", neutral(slot)))
}

fn findings(exchange: &Exchange, style: Style) -> Option<String> {
    let one = |finding: &audit::Finding| {
        let mark = finding.fingerprint.as_ref().map(|mark| format!(", fingerprint {mark}"));
        let said = finding.excerpt.as_ref().map(|said| format!(": “{said}”"));
        let why = finding.reason.as_ref().map(|why| format!(": {why}"));
        format!(
            "{} of {} in {} ({}{}{}){}",
            finding.rule,
            finding.name,
            finding.place,
            finding.action,
            why.unwrap_or_default(),
            mark.unwrap_or_default(),
            said.unwrap_or_default()
        )
    };
    let all: Vec<String> = exchange.findings.iter().map(one).collect();
    (!all.is_empty()).then(|| style.yellow(&neutral(&all.join("; "))))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_line_is_given_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut file = File::create(&path).expect("made");
        file.write_all(b"one\ntw").expect("written");
        let mut follow = Follow::open(&path).expect("opened");
        assert_eq!(follow.read().expect("read"), ["one"]);
        file.write_all(b"o\n").expect("written");
        assert_eq!(follow.read().expect("read"), ["two"]);
        assert!(follow.read().expect("read").is_empty());
    }

    #[test]
    fn what_the_agent_asked_for_cannot_write_on_the_terminal() {
        let line = r#"{"v":1,"seq":0,"time":"2026-01-01T00:00:00.000000Z","bottle":"dev","event":"exchange","id":"i","decision":"denied","code":"host-not-allowed","reason":"no route names `x`","protocol":"h1","scheme":"https","method":"GET","host":"x\u001b]0;y","port":443,"path":"/\u202e","bytes_up":0,"bytes_down":0,"duration_ms":1,"prev":"0"}"#;
        let shown = event_line(line, Style::plain());
        assert!(
            shown.ends_with("denied   GET x\\u{1b}]0;y/\\u{202e}  host-not-allowed: no route names `x`"),
            "{shown}"
        );
        assert_eq!(event_line("\u{1b}[2Jnot json", Style::plain()), "\\u{1b}[2Jnot json");
    }
}
