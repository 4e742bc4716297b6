//! Which audit lines are wanted.
use audit::{Decision, Event, Exchange, Record};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

/// Filters of audit lines. Several of a kind: any of them; of different kinds: all of them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    /// Only exchanges with this host; `*.example.com` for all names below one. May be repeated.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Only exchanges that ended with this code, such as `host-not-allowed`. May be repeated.
    #[arg(long, value_name = "CODE")]
    pub code: Vec<String>,
    /// Only exchanges of this outcome. May be repeated.
    #[arg(long, value_name = "OUTCOME")]
    pub decision: Vec<Outcome>,
    /// Only exchanges by the route of this name. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub route: Vec<String>,
    /// Only requests with this method. May be repeated.
    #[arg(long, value_name = "METHOD")]
    pub method: Vec<String>,
    /// Only exchanges in which something was found.
    #[arg(long)]
    pub findings: bool,
    /// Only what happened since: `10m` ago, or a time such as `2026-11-27T14:00:00Z`.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub since: Option<Timestamp>,
    /// Only what happened until then.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub until: Option<Timestamp>,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Outcome {
    /// It went out and came back.
    Allowed,
    /// It did not go out.
    Denied,
    /// It went out and was broken off.
    Aborted,
}

impl Filter {
    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        !self.asks_exchanges() && self.since.is_none() && self.until.is_none()
    }

    fn asks_exchanges(&self) -> bool {
        !(self.host.is_empty()
            && self.code.is_empty()
            && self.decision.is_empty()
            && self.route.is_empty()
            && self.method.is_empty()
            && !self.findings)
    }

    /// Whether a line as it stands in the file is wanted; what is no audit line only when everything is.
    pub fn takes_line(&self, line: &str) -> bool {
        self.is_empty() || serde_json::from_str(line).is_ok_and(|record| self.takes(&record))
    }

    /// Whether a record is wanted. Steps of a bottle's life are no exchanges.
    pub fn takes(&self, record: &Record) -> bool {
        let event = match &record.event {
            Event::Exchange(exchange) => self.takes_exchange(exchange),
            _ => !self.asks_exchanges(),
        };
        event && self.takes_time(&record.time)
    }

    fn takes_exchange(&self, exchange: &Exchange) -> bool {
        let any = |wanted: &[String], found: Option<&String>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.contains(found))
        };
        let host = |text: &String| self.host.iter().any(|wanted| is_host(text, wanted));
        (self.host.is_empty() || exchange.host.as_ref().is_some_and(host))
            && any(&self.code, exchange.code.as_ref())
            && any(&self.route, exchange.route.as_ref())
            && any(&self.method, exchange.method.as_ref())
            && (self.decision.is_empty() || self.decision.contains(&outcome(exchange.decision)))
            && (!self.findings || !exchange.findings.is_empty())
    }

    fn takes_time(&self, time: &str) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let time: Result<Timestamp, _> = time.parse();
        time.is_ok_and(|time| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
        })
    }
}

fn outcome(decision: Decision) -> Outcome {
    match decision {
        Decision::Allowed => Outcome::Allowed,
        Decision::Denied => Outcome::Denied,
        Decision::Aborted => Outcome::Aborted,
    }
}

/// As it stands in the audit; `*.x` are all names below `x`.
fn is_host(text: &str, wanted: &str) -> bool {
    match wanted.strip_prefix('*') {
        Some(below) if below.starts_with('.') => text.len() > below.len() && text.ends_with(below),
        _ => text.eq_ignore_ascii_case(wanted),
    }
}

/// `10m` ago, or a time.
///
/// # Errors
/// When it is neither.
pub fn when(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = manifest::lower::units::duration(text).ok().and_then(|seconds| i64::try_from(seconds).ok());
    ago.and_then(|seconds| Timestamp::now().checked_sub(SignedDuration::from_secs(seconds)).ok()).ok_or_else(
        || "write how long ago (`90s`, `10m`, `8h`, `2d`), or a time (`2026-11-27T14:00:00Z`)".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn filter(arguments: &str) -> Filter {
        let words = std::iter::once("x").chain(arguments.split_whitespace());
        Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).filter
    }

    const DENIED: &str = r#"{"v":1,"seq":1,"time":"2026-01-01T12:00:00.000000Z","bottle":"dev","event":"exchange","id":"i","decision":"denied","code":"host-not-allowed","protocol":"h1","scheme":"https","method":"GET","host":"a.b.test","port":443,"path":"/","route":"r one","bytes_up":0,"bytes_down":0,"duration_ms":1,"prev":"0"}"#;
    const STEP: &str = r#"{"v":1,"seq":0,"time":"2026-01-01T11:00:00.000000Z","bottle":"dev","event":"lifecycle","step":"bottle-started","prev":"0"}"#;

    #[test]
    fn lines_are_taken_by_what_they_say() {
        for (arguments, denied, step) in [
            ("", true, true),
            ("--host a.b.test", true, false),
            ("--host *.b.test", true, false),
            ("--host b.test", false, false),
            ("--host *.test", true, false),
            ("--host *.a.b.test", false, false),
            ("--host A.B.test", true, false),
            ("--host b.test --host a.b.test", true, false),
            ("--code host-not-allowed", true, false),
            ("--code path-not-allowed", false, false),
            ("--decision denied --decision aborted", true, false),
            ("--decision allowed", false, false),
            ("--method GET", true, false),
            ("--method GET --host x.test", false, false),
            ("--method get", false, false),
            ("--findings", false, false),
            ("--since 2026-01-01T11:30:00Z", true, false),
            ("--until 2026-01-01T11:30:00Z", false, true),
            ("--since 2026-01-01T11:00:00Z --until 2026-01-01T12:00:00Z", true, true),
            ("--since 1m", false, false),
        ] {
            let filter = filter(arguments);
            assert_eq!(filter.takes_line(DENIED), denied, "{arguments}");
            assert_eq!(filter.takes_line(STEP), step, "{arguments}");
            assert_eq!(filter.takes_line("nonsense"), arguments.is_empty(), "{arguments}");
        }
        let route = Line::try_parse_from(["x", "--route", "r one"]).expect("parsed").filter;
        assert!(route.takes_line(DENIED));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for words in [["x", "--since", "yesterday"], ["x", "--decision", "maybe"]] {
            assert!(Line::try_parse_from(words).is_err(), "{words:?}");
        }
    }
}
