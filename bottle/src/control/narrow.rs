//! What an operator makes of a proposal: other methods, other paths.
use crate::failure::Failure;
use crate::style::neutral;
use egress::desk::Span;
use policy::{Method, PathPattern, Proposal, Protocol};

/// A proposal with these methods and paths in place of its own, where some are given. `None`: as it was asked for.
/// # Errors
/// When one is none, or when more would be allowed than was asked for and that was not said (`wider`).
pub fn narrowed(
    asked: &Proposal,
    methods: &[String],
    paths: &[String],
    wider: bool,
) -> Result<Option<Proposal>, Failure> {
    if methods.is_empty() && paths.is_empty() {
        return Ok(None);
    }
    if asked.protocol == Protocol::Tcp {
        return Err(Failure::new("raw bytes have neither methods nor paths"));
    }
    let mut chosen = asked.clone();
    if !methods.is_empty() {
        chosen.methods = Some(methods.iter().map(|text| method(text)).collect::<Result<_, _>>()?);
    }
    if !paths.is_empty() {
        chosen.paths = Some(paths.iter().map(|text| path(text)).collect::<Result<_, _>>()?);
    }
    if !wider && !chosen.is_within(asked) {
        let what = format!(
            "{} is more than was asked for: {}",
            super::describe::proposal(&chosen),
            super::describe::proposal(asked)
        );
        return Err(Failure::new(what).help("choose less, or say `--wider` if you mean it"));
    }
    Ok(Some(chosen).filter(|chosen| chosen != asked))
}

fn method(text: &str) -> Result<Method, Failure> {
    Method::parse(&text.to_ascii_uppercase())
        .map_err(|why| Failure::new(format!("`{}` is no method: {why}", neutral(text))))
}

fn path(text: &str) -> Result<PathPattern, Failure> {
    PathPattern::parse(text)
        .map_err(|why| Failure::new(format!("`{}` is no path pattern: {why}", neutral(text))))
}

/// A time from now: `90s`, `45m`, `1h`, `2d`.
/// # Errors
/// When it is none.
pub fn span_for(text: &str) -> Result<Span, Failure> {
    let wrong = || {
        Failure::new(format!("`{}` is no length of time", neutral(text)))
            .help("write `90s`, `45m`, `1h` or `2d`")
    };
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let length = number.parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    let length = jiff::SignedDuration::from_secs(i64::from(length).saturating_mul(seconds));
    let time = jiff::Timestamp::now().checked_add(length).map_err(|_| wrong())?;
    Ok(Span::Until { time })
}

/// A moment: `18:30` (the next one), `2026-01-31 18:30`, or RFC 3339.
/// # Errors
/// When it is none, or over already.
pub fn span_until(text: &str) -> Result<Span, Failure> {
    let time = moment(text, &jiff::Zoned::now()).ok_or_else(|| {
        Failure::new(format!("`{}` is no time", neutral(text)))
            .help("write `18:30` (the next one), `2026-01-31 18:30`, or `2026-01-31T18:30:00Z`")
    })?;
    if time <= jiff::Timestamp::now() {
        return Err(Failure::new(format!("`{}` is over already", neutral(text))));
    }
    Ok(Span::Until { time })
}

fn moment(text: &str, now: &jiff::Zoned) -> Option<jiff::Timestamp> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time);
    }
    let zone = now.time_zone();
    if let Ok(time) = jiff::civil::Time::strptime("%H:%M", text) {
        let today = now.date().to_datetime(time).to_zoned(zone.clone()).ok()?;
        let next = if today > *now { Some(today) } else { today.tomorrow().ok() };
        return next.map(|time| time.timestamp());
    }
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"];
    let civil = formats.iter().find_map(|format| jiff::civil::DateTime::strptime(format, text).ok())?;
    civil.to_zoned(zone.clone()).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{Host, Request};

    fn asked() -> Proposal {
        Proposal {
            methods: None,
            paths: Some(vec![PathPattern::parse("/acme/**").expect("a pattern")]),
            ..Proposal::of(&Request::from_url("GET", "https://a.example/").expect("a request"))
        }
    }

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn less_is_taken_and_more_must_be_said() {
        let less = narrowed(&asked(), &words(&["get"]), &words(&["/acme/x"]), false).expect("less");
        assert_eq!(less.expect("narrowed").to_string(), "GET https://a.example/acme/x");
        assert_eq!(narrowed(&asked(), &[], &[], false).expect("as asked"), None);
        assert_eq!(narrowed(&asked(), &[], &words(&["/acme/**"]), false).expect("the same"), None);
        let failure = narrowed(&asked(), &[], &words(&["/**"]), false).expect_err("more");
        assert!(failure.what.contains("more than was asked for"), "{}", failure.what);
        assert!(narrowed(&asked(), &[], &words(&["/**"]), true).expect("said").is_some());
        assert!(narrowed(&asked(), &words(&["G T"]), &[], true).is_err());
        assert!(narrowed(&asked(), &[], &words(&["acme"]), true).is_err());
        let raw = Proposal::raw(Host::parse("db.example").expect("a host"), 5432);
        assert!(narrowed(&raw, &words(&["GET"]), &[], false).is_err());
    }

    #[test]
    fn lengths_and_moments_are_read() {
        let in_an_hour = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3600);
        let Span::Until { time } = span_for("60m").expect("a length") else { panic!("no time") };
        assert!(time.duration_since(in_an_hour).abs() < jiff::SignedDuration::from_secs(5));
        for wrong in ["", "h", "1", "0h", "-1h", "1w", "1 h", "99999999999h", "é"] {
            assert!(span_for(wrong).is_err(), "{wrong}");
        }
        let now: jiff::Zoned = "2026-01-31T18:00:00[UTC]".parse().expect("a time");
        let at = |text| moment(text, &now).map(|time| time.to_string());
        assert_eq!(at("18:30").as_deref(), Some("2026-01-31T18:30:00Z"));
        assert_eq!(at("17:30").as_deref(), Some("2026-02-01T17:30:00Z"), "tomorrow's");
        assert_eq!(at("2026-03-01 09:00").as_deref(), Some("2026-03-01T09:00:00Z"));
        assert_eq!(at("2026-03-01T09:00:00+01:00").as_deref(), Some("2026-03-01T08:00:00Z"));
        assert_eq!(at("soon"), None);
        assert!(span_until("2020-01-01 00:00").is_err(), "over already");
    }
}
