//! What a page tells, counted.
use crate::style;
use audit::{Decision, Event, Exchange, Lifecycle, Record};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const ALLOWED: Decision = Decision::Allowed;
pub(super) const DENIED: Decision = Decision::Denied;
pub(super) const ABORTED: Decision = Decision::Aborted;

/// Policies that are named; of more only the first.
const POLICIES: usize = 12;

/// A run.
pub(super) struct Facts<'r> {
    pub(super) bottle: &'r str,
    pub(super) odd: u64,
    /// When each ended, in the order of the file.
    pub(super) exchanges: Vec<(Timestamp, &'r Exchange)>,
    pub(super) steps: Vec<(Timestamp, &'r Lifecycle)>,
    /// By how often they were asked for.
    pub(super) hosts: Vec<Host<'r>>,
    /// First and last moment.
    pub(super) span: (Timestamp, Timestamp),
}

/// What happened with a host.
#[derive(Default)]
pub(super) struct Host<'r> {
    pub(super) name: &'r str,
    pub(super) allowed: u64,
    pub(super) denied: u64,
    pub(super) aborted: u64,
    pub(super) up: u64,
    pub(super) down: u64,
}

impl Host<'_> {
    pub(super) fn times(&self) -> u64 {
        self.allowed + self.denied + self.aborted
    }
}

impl<'r> Facts<'r> {
    pub(super) fn of(records: &'r [Record], odd: u64) -> Facts<'r> {
        // A line without a time happened when the one before it did.
        let mut now = records.iter().find_map(|record| record.time.parse().ok()).unwrap_or_default();
        let mut facts = Facts {
            bottle: records.first().map_or("bottle", |record| &record.bottle),
            odd,
            exchanges: Vec::new(),
            steps: Vec::new(),
            hosts: Vec::new(),
            span: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
        };
        for record in records {
            now = record.time.parse().unwrap_or(now);
            match &record.event {
                Event::Exchange(exchange) => facts.exchanges.push((now, exchange)),
                Event::Lifecycle(step) => facts.steps.push((now, step)),
                #[allow(unreachable_patterns, reason = "events that are newer than this page are not told")]
                _ => {}
            }
        }
        facts.hosts = hosts(&facts.exchanges);
        facts.span = facts.first_and_last();
        facts
    }

    /// From the first moment that anything was under way.
    fn first_and_last(&self) -> (Timestamp, Timestamp) {
        let begun = self.exchanges.iter().map(|(end, exchange)| begin(*end, exchange));
        let steps = self.steps.iter().map(|(time, _)| *time);
        let first = begun.chain(steps.clone()).min();
        let last = self.exchanges.iter().map(|(end, _)| *end).chain(steps).max();
        (first.unwrap_or(Timestamp::UNIX_EPOCH), last.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// `2026-11-27 14:03:11 – 15:20:00 (+01:00), 1 h 16 min`
    pub(super) fn when(&self) -> String {
        if self.exchanges.is_empty() && self.steps.is_empty() {
            return "No line was written.".to_owned();
        }
        let (first, last) = self.span;
        let zone = jiff::tz::TimeZone::system();
        let (from, to) = (first.to_zoned(zone.clone()), last.to_zoned(zone));
        let end = if from.date() == to.date() { to.strftime("%T") } else { to.strftime("%F %T") };
        let time = style::duration(Duration::try_from(last.duration_since(first)).unwrap_or_default());
        format!("{} – {end} ({}), {time}", from.strftime("%F %T"), from.strftime("%:z"))
    }

    /// Hashes of the policies that judged, in the order in which they did.
    pub(super) fn policies(&self) -> Vec<&'r str> {
        let mut found: Vec<&str> = Vec::new();
        for policy in self.exchanges.iter().filter_map(|(_, exchange)| exchange.policy.as_deref()) {
            if !found.contains(&policy) && found.len() < POLICIES {
                found.push(policy);
            }
        }
        found
    }

    pub(super) fn count(&self, decision: Decision) -> usize {
        self.exchanges.iter().filter(|(_, exchange)| exchange.decision == decision).count()
    }

    pub(super) fn findings(&self) -> usize {
        self.exchanges.iter().map(|(_, exchange)| exchange.findings.len()).sum()
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        self.hosts
            .iter()
            .fold((0, 0), |(up, down), host| (host.up.saturating_add(up), host.down.saturating_add(down)))
    }

    /// A moment as a part of the whole, in thousandths.
    pub(super) fn place(&self, time: Timestamp) -> i64 {
        let whole = self.span.1.duration_since(self.span.0).as_millis().max(1);
        let part = time.duration_since(self.span.0).as_millis().clamp(0, whole);
        i64::try_from(part * 1000 / whole).unwrap_or(0)
    }
}

/// When an exchange began that ended then.
pub(super) fn begin(end: Timestamp, exchange: &Exchange) -> Timestamp {
    let took = i64::try_from(exchange.duration_ms).unwrap_or(0);
    end.checked_sub(SignedDuration::from_millis(took)).unwrap_or(end)
}

pub(super) fn host_of(exchange: &Exchange) -> &str {
    exchange.host.as_deref().unwrap_or("(no host)")
}

fn hosts<'r>(exchanges: &[(Timestamp, &'r Exchange)]) -> Vec<Host<'r>> {
    let mut hosts: BTreeMap<&str, Host<'r>> = BTreeMap::new();
    for (_, exchange) in exchanges {
        let name: &'r str = host_of(exchange);
        let host = hosts.entry(name).or_insert(Host { name, ..Host::default() });
        match exchange.decision {
            Decision::Allowed => host.allowed += 1,
            Decision::Denied => host.denied += 1,
            Decision::Aborted => host.aborted += 1,
        }
        host.up = host.up.saturating_add(exchange.bytes_up);
        host.down = host.down.saturating_add(exchange.bytes_down);
    }
    let mut hosts: Vec<Host<'r>> = hosts.into_values().collect();
    hosts.sort_by_key(|host| std::cmp::Reverse(host.times()));
    hosts
}

/// `14:03:11`, here.
pub(super) fn clock(time: Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%T").to_string()
}

/// The word of a decision, which is its class too.
pub(super) fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "denied",
        Decision::Aborted => "aborted",
    }
}
